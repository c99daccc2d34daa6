/* Manifests as CSV: the id, identities, and errors that name file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "roster/roster.h"

#define HEADER                                                                                                     \
    "carrier,journey,mode,dep_port,sched_dep,traveller_ref,surname,given,dob,nationality,doc_type,doc_number,"     \
    "doc_issuer\n"
#define ROW(ref, number) "ZX,417,air,JFK,2026-12-04T18:20," ref ",Doe,Jo,1984-07-31,UTO,P," number ",UTO\n"

static enum sp_status parse(struct sp_roster **ret, const char *text, struct sp_err *err)
{
    return sp_roster_parse(ret, "/some/where/m.csv", text, strlen(text), err);
}

static void check_refused(const char *text, const char *first, const char *second)
{
    struct sp_roster *roster = NULL;
    struct sp_err err = {0};
    assert_int_not_equal(parse(&roster, text, &err), SP_OK);
    assert_null(roster);
    if (!strstr(err.text, first) || !strstr(err.text, second))
        fail_msg("'%s' does not name '%s' and '%s'", err.text, first, second);
    assert_null(strstr(err.text, "Doe")); /* never the traveller */
}

static void test_good(void **state)
{
    (void)state;
    struct sp_roster *roster = NULL;
    char label[96];
    assert_int_equal(parse(&roster, HEADER ROW("ABC1", "L898902C3") ROW("", "X1234567"), NULL), SP_OK);
    assert_string_equal(roster->manifest, "air-zx-417-20261204-jfk");
    assert_string_equal(roster->source, "m.csv");
    assert_int_equal(roster->row_count, 2);
    assert_int_equal(roster->warning_count, 0);
    sp_row_label(label, &roster->rows[0]);
    assert_string_equal(label, "ABC1");
    sp_row_label(label, &roster->rows[1]);
    assert_string_equal(label, "document ...567");
    sp_roster_free(&roster);
}

static void test_id_is_clean(void **state)
{
    (void)state;
    struct sp_roster *roster = NULL;
    assert_int_equal(parse(&roster,
                           "carrier,journey,mode,dep_port,sched_dep,traveller_ref\n"
                           "\"Linea S.p.A. {x}\",V 0881/B,sea,USMIA,2026-12-03,T1\n",
                           NULL),
                     SP_OK);
    assert_string_equal(roster->manifest, "sea-linea.s.p.a.x.-v.0881.b-20261203-usmia");
    sp_roster_free(&roster);
}

static void test_dirt(void **state)
{
    (void)state;
    check_refused("", "m.csv", "empty");
    check_refused(HEADER, "m.csv", "no traveller");
    check_refused("carrier,mode,sched_dep,traveller_ref\nZX,air,2026-12-04,T\n", "line 1", "journey, dep_port");
    check_refused("carrier,journey,mode,dep_port,sched_dep\nZX,1,air,JFK,2026-12-04\n", "line 1", "traveller_ref");
    check_refused("carrier,carrier,journey,mode,dep_port,sched_dep,traveller_ref\n", "line 1", "twice");
    check_refused(HEADER ROW("A", "1") "ZX,417\n", "line 3", "2 fields");
    check_refused(HEADER ROW("A", "1") "ZX,418,air,JFK,2026-12-04,B,,,,,,,\n", "line 3", "air-zx-418");
    check_refused(HEADER "ZX,417,boat,JFK,2026-12-04,B,,,,,,,\n", "line 2", "mode");
    check_refused(HEADER "ZX,417,air,JFK,4.12.2026,B,,,,,,,\n", "line 2", "sched_dep");
    check_refused(HEADER "ZX,417,air,JFK,2026-12-04,B,,,1990-13-01,,,,\n", "line 2", "dob");
    check_refused(HEADER "ZX,417,air,JFK,2026-12-04,B,,,,Utopia,,,\n", "line 2", "nationality");
    check_refused(HEADER "ZX,417,air,JFK,2026-12-04,,,,,,,,\n", "line 2", "traveller_ref");
    check_refused(HEADER "ZX,417,air,\xe6\x97\xa5,2026-12-04,B,,,,,,,\n", "line 2", "dep_port");
    check_refused(HEADER "ZX,417,air,JFK,2026-12-04,\"B\nC\",,,,,,,\n", "line 2", "control");
    check_refused(HEADER ROW("A", "1") "\n" ROW("A", "2"), "line 4", "line 2");
}

static void test_warnings(void **state)
{
    (void)state;
    struct sp_roster *roster = NULL;
    assert_int_equal(parse(&roster,
                           "carrier,journey,mode,dep_port,sched_dep,traveller_ref,loyalty\x1b[31m\n"
                           "ZX,1,air,JFK,2026-12-04,T1,gold\nZX,1,air,JFK,2026-12-04,T1,gold\n"
                           "ZX,1,air,JFK,2026-12-04,T1,gold\n",
                           NULL),
                     SP_OK);
    assert_int_equal(roster->row_count, 1);
    assert_int_equal(roster->warning_count, 3);
    assert_non_null(strstr(roster->warnings[0], "loyalty?[31m")); /* a header must not paint the terminal */
    assert_non_null(strstr(roster->warnings[1], "line 3"));
    sp_roster_free(&roster);
}

/* The document counts only without a reference, and in any spelling of case and spaces. */
static void test_identity(void **state)
{
    (void)state;
    struct sp_roster *roster = NULL;
    char a[SP_ROW_IDENTITY_MAX], b[SP_ROW_IDENTITY_MAX];
    check_refused(HEADER ROW("", "AB 12345") "ZX,417,air,JFK,2026-12-04,,Other,,,,p,ab12345,uto\n", "line 3",
                  "line 2");
    assert_int_equal(parse(&roster, HEADER ROW("R1", "77") ROW("R2", "77"), NULL), SP_OK);
    size_t first = sp_row_identity(a, &roster->rows[0]), second = sp_row_identity(b, &roster->rows[1]);
    assert_true(first != second || memcmp(a, b, first) != 0);
    sp_roster_free(&roster);
}

static void test_row_bytes(void **state)
{
    (void)state;
    struct sp_roster *roster = NULL;
    struct sp_row row;
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(parse(&roster, HEADER ROW("ABC1", "L898902C3"), NULL), SP_OK);
    assert_int_equal(sp_row_encode(&bytes, &length, &roster->rows[0], NULL), SP_OK);
    assert_int_equal(sp_row_decode(&row, bytes, length, NULL), SP_OK);
    for (int i = 0; i < SP_COLUMN_COUNT; i++)
        assert_string_equal(row.values[i], roster->rows[0].values[i]);
    sp_row_clear(&row);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_not_equal(sp_row_decode(&row, bytes, cut, NULL), SP_OK);
    free(bytes);
    sp_roster_free(&roster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),     cmocka_unit_test(test_id_is_clean), cmocka_unit_test(test_dirt),
        cmocka_unit_test(test_warnings), cmocka_unit_test(test_identity),    cmocka_unit_test(test_row_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
