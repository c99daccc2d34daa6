/* Clocks and ids: text both ways, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "common/clock.h"
#include "common/seal.h"
#include "common/uuid.h"

static void test_parse_known_times(void **state)
{
    (void)state;
    /* Milliseconds by Python's datetime. */
    static const struct {
        const char *text;
        int64_t ms;
    } known[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-12-04T18:20:00.000Z", 1796408400000},
        {"2026-12-04T18:20:00.5Z", 1796408400500},
        {"2026-12-04T18:20Z", 1796408400000},
        {"2026-12-04T20:20:00+02:00", 1796408400000},
        {"2026-12-04T12:50:00-05:30", 1796408400000},
        {"2024-02-29T23:59:59.999Z", 1709251199999},
        {"2000-03-01T00:00:00Z", 951868800000},
        {"9999-12-31T23:59:59.999999999Z", 253402300799999},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        int64_t ms = -1;
        assert_int_equal(sp_clock_parse(known[i].text, &ms), 0);
        assert_true(ms == known[i].ms);
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-12-04",
        "2026-12-04T18:20:00",
        "2026-12-04 18:20:00Z",
        "2026-13-04T18:20:00Z",
        "2026-02-29T18:20:00Z",
        "2026-12-00T18:20:00Z",
        "2026-12-04T24:20:00Z",
        "2026-12-04T18:60:00Z",
        "2026-12-04T18:20:60Z",
        "2026-12-04T18:20:00.Z",
        "2026-12-04T18:20:00.0123456789Z",
        "2026-12-04T18:20:00Z ",
        "2026-12-04T18:20:00+2:00",
        "2026-12-04T18:20:00+15:00",
        "1969-12-31T23:59:59Z",
        "+026-12-04T18:20:00Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t ms = 42;
        assert_int_equal(sp_clock_parse(bad[i], &ms), -1);
        assert_true(ms == 42);
    }
}

static void test_format_round_trip(void **state)
{
    (void)state;
    char text[25];
    for (int64_t ms = 0; ms < 253402300799999; ms += 86399999ll * 997) {
        int64_t back = -1;
        sp_clock_format(text, ms);
        assert_int_equal(strlen(text), 24);
        assert_int_equal(sp_clock_parse(text, &back), 0);
        assert_true(back == ms);
    }
    sp_clock_format(text, -5);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    sp_clock_format(text, INT64_MAX);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void test_clocks_move(void **state)
{
    (void)state;
    uint64_t before = sp_clock_mono_ns();
    assert_true(sp_clock_mono_ns() >= before);
    assert_true(sp_clock_wall_ms() > 1600000000000);
}

static void test_uuid(void **state)
{
    (void)state;
    uint8_t a[SP_UUID_BYTES], b[SP_UUID_BYTES], back[SP_UUID_BYTES];
    char text[SP_UUID_TEXT];
    int64_t before = sp_clock_wall_ms();
    sp_uuid_new(a);
    sp_uuid_new(b);
    int64_t at = 0;
    for (int i = 0; i < 6; i++)
        at = at << 8 | a[i];
    assert_true(at >= before && at <= sp_clock_wall_ms());
    assert_int_equal(a[6] >> 4, 7);
    assert_int_equal(a[8] >> 6, 2);
    assert_memory_not_equal(a, b, sizeof a);
    sp_uuid_format(text, a);
    assert_int_equal(strlen(text), 36);
    assert_int_equal(sp_uuid_parse(back, text), 0);
    assert_memory_equal(a, back, sizeof a);
    assert_int_equal(sp_uuid_parse(back, "01890a5d-ac96-774b-bcce-b302099a8057"), 0);
    assert_int_equal(back[0], 0x01);
    assert_int_equal(back[15], 0x57);
    static const char *const bad[] = {"",
                                      "01890a5d-ac96-774b-bcce-b302099a805",
                                      "01890a5d-ac96-774b-bcce-b302099a80577",
                                      "01890a5dac96-774b-bcce-b302099a8057",
                                      "01890a5d-ac96-774b-bcce-b302099a80g7",
                                      "01890a5d-ac96-774b-bcce_b302099a8057"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(sp_uuid_parse(back, bad[i]), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_known_times),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_format_round_trip),
        cmocka_unit_test(test_clocks_move),
        cmocka_unit_test(test_uuid),
    };
    return sp_seal_start(NULL) == SP_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
