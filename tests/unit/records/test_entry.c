/* Stream entries: only what a certified worker signed, and only for the recorder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "records/entry.h"
#include "tests/unit/records/final.h"

#define FAR_AWAY (1ll << 50)

struct sample {
    struct test_site site;
    uint8_t encounter[16];
    struct sp_entry_routing routing;
    uint8_t *sealed;
    size_t length;
};

static void make(struct sample *s, int64_t not_after_ms)
{
    size_t length = 0;
    memset(s, 0, sizeof *s);
    test_site_new(&s->site, not_after_ms);
    memset(s->encounter, 5, 16);
    struct sp_decision d = test_decision(s->encounter, 1);
    uint8_t *body = test_final(&s->site, &d, &length);
    s->routing = (struct sp_entry_routing){
        .partition = 3, .outcome = d.outcome, .reason = d.reason, .issued_ms = d.issued_ms};
    strcpy(s->routing.lane, d.lane);
    assert_int_equal(
        sp_entry_seal(&s->sealed, &s->length, 3, s->encounter, body, length, s->site.recorder.public_key, NULL),
        SP_OK);
    free(body);
}

static enum sp_status open_it(struct sample *s, struct sp_err *err)
{
    static struct sp_entry entry;
    enum sp_status status = sp_entry_open(&entry, &s->routing, s->sealed, s->length, &s->site.recorder,
                                          s->site.authority.public_key, err);
    if (status == SP_OK) {
        assert_string_equal(entry.worker.name, "worker-1");
        assert_memory_equal(entry.encounter, s->encounter, 16);
        assert_int_equal(entry.decision_count, 1);
    }
    return status;
}

static void test_opens(void **state)
{
    (void)state;
    struct sample s;
    make(&s, FAR_AWAY);
    assert_int_equal(open_it(&s, NULL), SP_OK);
    free(s.sealed);
}

static void test_another_recorder(void **state)
{
    (void)state;
    struct sample s;
    make(&s, FAR_AWAY);
    sp_key_generate(&s.site.recorder, SP_KEY_BOX, "another");
    assert_int_equal(open_it(&s, NULL), SP_E_AUTH);
    free(s.sealed);
}

static void test_another_authority(void **state)
{
    (void)state;
    struct sample s;
    make(&s, FAR_AWAY);
    sp_key_generate(&s.site.authority, SP_KEY_SIGN, "another");
    assert_int_equal(open_it(&s, NULL), SP_E_AUTH);
    free(s.sealed);
}

static void test_ended_certificate(void **state)
{
    (void)state;
    struct sample s;
    make(&s, sp_clock_wall_ms() - 1000);
    assert_int_equal(open_it(&s, NULL), SP_E_AUTH);
    free(s.sealed);
}

static void test_false_clear_fields(void **state)
{
    (void)state;
    struct sample s;
    struct sp_err err = {0};
    make(&s, FAR_AWAY);
    struct sp_entry_routing good = s.routing;
    s.routing.outcome = SP_OUTCOME_MATCH;
    assert_int_equal(open_it(&s, &err), SP_E_AUTH);
    assert_non_null(strstr(err.text, "clear fields"));
    s.routing = good;
    strcpy(s.routing.lane, "B1");
    assert_int_equal(open_it(&s, NULL), SP_E_AUTH);
    s.routing = good;
    s.routing.issued_ms++;
    assert_int_equal(open_it(&s, NULL), SP_E_AUTH);
    s.routing = good;
    s.routing.partition = 4;
    assert_int_equal(open_it(&s, NULL), SP_E_AUTH);
    free(s.sealed);
}

static void test_forged_decision(void **state)
{
    (void)state;
    struct sample s;
    size_t length = 0;
    make(&s, FAR_AWAY);
    free(s.sealed);
    sp_key_generate(&s.site.worker, SP_KEY_SIGN, "forger"); /* signs with a key that nobody certified */
    struct sp_decision d = test_decision(s.encounter, 1);
    d.issued_ms = s.routing.issued_ms;
    uint8_t *body = test_final(&s.site, &d, &length);
    assert_int_equal(
        sp_entry_seal(&s.sealed, &s.length, 3, s.encounter, body, length, s.site.recorder.public_key, NULL), SP_OK);
    assert_int_equal(open_it(&s, NULL), SP_E_AUTH);
    free(body);
    free(s.sealed);
}

static void test_damaged(void **state)
{
    (void)state;
    struct sample s;
    make(&s, FAR_AWAY);
    for (size_t at = 0; at < s.length; at += 37) {
        s.sealed[at] ^= 1;
        assert_int_not_equal(open_it(&s, NULL), SP_OK);
        s.sealed[at] ^= 1;
    }
    for (size_t cut = 0; cut < s.length; cut += 53) {
        size_t whole = s.length;
        s.length = cut;
        assert_int_not_equal(open_it(&s, NULL), SP_OK);
        s.length = whole;
    }
    free(s.sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_another_recorder),
        cmocka_unit_test(test_another_authority),
        cmocka_unit_test(test_ended_certificate),
        cmocka_unit_test(test_false_clear_fields),
        cmocka_unit_test(test_forged_decision),
        cmocka_unit_test(test_damaged),
    };
    if (sp_seal_start(NULL) != SP_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
