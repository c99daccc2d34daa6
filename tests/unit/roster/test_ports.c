/* The table of ports, and the one that is shipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "roster/ports.h"

static enum sp_status parse(struct sp_ports **ret, const char *text, struct sp_err *err)
{
    return sp_ports_parse(ret, "ports.csv", text, strlen(text), err);
}

static void test_table(void **state)
{
    (void)state;
    struct sp_ports *ports = NULL;
    int count = 0;
    assert_int_equal(parse(&ports, "port,zone,site\nLIS,Europe/Lisbon,yes\njfk,America/New_York,\n", NULL), SP_OK);
    assert_string_equal(sp_ports_zone(ports, "JFK"), "America/New_York");
    assert_string_equal(sp_ports_zone(ports, "lis"), "Europe/Lisbon");
    assert_string_equal(sp_ports_zone(ports, "XXX"), "");
    assert_string_equal(sp_ports_zone(ports, ""), "");
    assert_string_equal(sp_ports_zone(ports, "LIS/../x"), "");
    assert_string_equal(sp_ports_zone(NULL, "JFK"), "");
    const char *const *site = sp_ports_site(ports, &count);
    assert_int_equal(count, 1);
    assert_string_equal(site[0], "LIS");
    sp_ports_free(&ports);
    assert_int_equal(parse(&ports, "zone,port\nEtc/UTC,AAA\n", NULL), SP_OK); /* any order of columns */
    assert_string_equal(sp_ports_zone(ports, "AAA"), "Etc/UTC");
    assert_null(sp_ports_site(NULL, &count));
    sp_ports_free(&ports);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {{"", "empty"},
               {"port,name\nLIS,x\n", "line 1"},
               {"port,zone\nLIS,../../etc/passwd\n", "line 2"},
               {"port,zone\nLIS,\n", "LIS"},
               {"port,zone\nL-S,Europe/Lisbon\n", "line 2"},
               {"port,zone\nLIS,Europe/Lisbon\nJFK,Etc/UTC\nlis,Europe/Lisbon\n", "line 4"},
               {"port,zone,site\nLIS,Europe/Lisbon,maybe\n", "yes, no"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sp_ports *ports = NULL;
        struct sp_err err = {0};
        assert_int_equal(parse(&ports, bad[i].text, &err), SP_E_FORMAT);
        if (!strstr(err.text, bad[i].says))
            fail_msg("\"%s\" does not say %s", err.text, bad[i].says);
    }
}

/* Every zone of the shipped table is in the tz database. */
static void test_shipped(void **state)
{
    (void)state;
    static const char *const ports_of[] = {"JFK", "LIS", "USMIA", "SYD", "KTM", "DEHAM", "EZE"};
    const char *source = getenv("SALLYPORT_SOURCE");
    struct sp_ports *ports = NULL;
    struct sp_err err = {0};
    char path[512];
    assert_non_null(source);
    snprintf(path, sizeof path, "%s/deploy/ports.csv", source);
    if (sp_ports_read(&ports, path, &err) != SP_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof ports_of / sizeof ports_of[0]; i++) {
        struct sp_zone *zone = NULL;
        if (sp_zone_open(&zone, sp_ports_zone(ports, ports_of[i]), &err) != SP_OK)
            fail_msg("%s: %s", ports_of[i], err.text);
        sp_zone_free(&zone);
    }
    sp_ports_free(&ports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_shipped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
