/* The page and the object: docs/protocol.md section 7 is the code's table, and the pure step is pure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "broker/broker.h"
#include "common/file.h"

static char *read_source(const char *name)
{
    char path[1024];
    struct sp_err err = {0};
    uint8_t *bytes = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "%s/%s", getenv("SALLYPORT_SOURCE"), name);
    if (sp_file_read(&bytes, &length, path, 1 << 20, &err) != SP_OK)
        fail_msg("%s", err.text);
    return (char *)bytes;
}

/* Every row of the page in the code's order, and the other way round: | state | event | action | */
static void test_section_7(void **state)
{
    (void)state;
    char *document = read_source("docs/protocol.md"), wanted[300];
    char *begin = strstr(document, "\n## 7. "), *end = strstr(document, "\n## 8. ");
    assert_non_null(begin);
    assert_non_null(end);
    *end = '\0';
    int row = 0;
    for (char *line; (line = strsep(&begin, "\n"));) {
        const struct broker_row *code = broker_table(row);
        if (strncmp(line, "| ", 2) != 0 || strncmp(line, "| state |", 9) == 0 || strncmp(line, "| job", 5) == 0)
            continue;
        if (!code)
            fail_msg("the page has more rows than the code: %s", line);
        snprintf(wanted, sizeof wanted, "| %s | %s | %s |", code->state, code->event, code->action);
        if (strncmp(line, wanted, strlen(wanted)) != 0)
            assert_string_equal(line, wanted);
        row++;
    }
    assert_null(broker_table(row));
    assert_true(row > 50);
    free(document);
}

/* An action's name is the name of a function in broker/. */
static void test_actions_are_functions(void **state)
{
    (void)state;
    char *sources[] = {read_source("broker/front.c"), read_source("broker/back.c"), read_source("broker/timers.c")};
    char wanted[200];
    for (int row = 0; broker_table(row); row++) {
        bool found = false;
        snprintf(wanted, sizeof wanted, "\nvoid %s(struct broker *broker, int at)\n", broker_table(row)->action);
        for (int i = 0; i < 3; i++)
            found = found || strstr(sources[i], wanted);
        if (!found)
            fail_msg("no function %s", broker_table(row)->action);
    }
    for (int i = 0; i < 3; i++)
        free(sources[i]);
}

/* What the archive of the step needs from outside itself must be on this list: memory and comparisons, the status
 * sentence, and one pure function of common/. calloc and free in init, index and outbox, before the first step and
 * after the last; nothing that knows time, chance, files, sockets or threads. */
static void test_pure(void **state)
{
    (void)state;
    static const struct {
        const char *symbol, *objects; /* NULL: any */
    } allowed[] = {{"memcmp", NULL},
                   {"memcpy", NULL},
                   {"memset", NULL},
                   {"memmove", NULL},
                   {"__memcpy_chk", NULL},
                   {"__memset_chk", NULL},
                   {"strcmp", NULL},
                   {"sp_peer_may_use_lane", NULL},
                   {"sp_fail", "init.c.o outbox.c.o"},
                   {"calloc", "init.c.o index.c.o outbox.c.o"},
                   {"free", "init.c.o index.c.o outbox.c.o"},
                   {"abort", "outbox.c.o"}};
    char command[1200], line[400], object[200] = "";
    snprintf(command, sizeof command,
             "nm -A -u %s/../broker/libsp_broker.a; echo; nm -A --defined-only %s/../broker/libsp_broker.a",
             getenv("SALLYPORT_BIN"), getenv("SALLYPORT_BIN"));
    static char defined[200][64];
    static char undefined[400][2][64];
    int defined_count = 0, undefined_count = 0;
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    while (fgets(line, sizeof line, pipe)) { /* archive:object:[address] type symbol */
        char symbol[64], *colon = strrchr(line, ':'), *last = strrchr(line, ' ');
        if (!colon || !last || sscanf(last, " %63s", symbol) != 1)
            continue;
        *colon = '\0';
        snprintf(object, sizeof object, "%s", strrchr(line, ':') + 1);
        if (last[-1] == 'U') {
            assert_true(undefined_count < 400);
            snprintf(undefined[undefined_count][0], 64, "%s", symbol);
            snprintf(undefined[undefined_count++][1], 64, "%.63s", object);
        } else {
            assert_true(defined_count < 200);
            snprintf(defined[defined_count++], 64, "%s", symbol);
        }
    }
    assert_int_equal(pclose(pipe), 0);
    assert_true(defined_count > 60 && undefined_count > 60); /* nm did speak */
    for (int i = 0; i < undefined_count; i++) {
        const char *symbol = undefined[i][0], *from = undefined[i][1];
        bool fine = strncmp(symbol, "__asan", 6) == 0 || strncmp(symbol, "__ubsan", 7) == 0 ||
                    strncmp(symbol, "__tsan", 6) == 0 || strncmp(symbol, "__stack_chk", 11) == 0 ||
                    strcmp(symbol, "_GLOBAL_OFFSET_TABLE_") == 0;
        for (int k = 0; k < defined_count && !fine; k++)
            fine = strcmp(symbol, defined[k]) == 0;
        for (size_t k = 0; k < sizeof allowed / sizeof allowed[0] && !fine; k++)
            fine =
                strcmp(symbol, allowed[k].symbol) == 0 && (!allowed[k].objects || strstr(allowed[k].objects, from));
        if (!fine)
            fail_msg("%s of the pure step needs %s", from, symbol);
    }
}

int main(void)
{
    if (!getenv("SALLYPORT_BIN") || !getenv("SALLYPORT_SOURCE")) {
        puts("skipped: run by ctest, which sets SALLYPORT_BIN and SALLYPORT_SOURCE");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_section_7),
        cmocka_unit_test(test_actions_are_functions),
        cmocka_unit_test(test_pure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
