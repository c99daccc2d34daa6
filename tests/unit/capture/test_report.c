/* The lines of sallyport-capture, letter by letter: other programs read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/report.h"
#include "common/clock.h"

static const char *const path = "frames/a \"b\"\\c.jpg";

static struct sp_decision decision(uint32_t face, int outcome)
{
    struct sp_decision d = {.lane = "A1",
                            .face = face,
                            .seq = 1,
                            .outcome = outcome,
                            .has_traveller = outcome == 1,
                            .assignment = 4,
                            .gallery_count = 2,
                            .policy = "none",
                            .reason = outcome == 1 ? SP_REASON_NONE : SP_REASON_NOT_ON_MANIFEST};
    strcpy(d.manifest, outcome == 1 ? "air-1" : "");
    memset(d.traveller, 0xab, sizeof d.traveller);
    memset(d.pack, 0x0c, sizeof d.pack);
    d.galleries[0] = (struct sp_decision_gallery){"air-1", 9};
    d.galleries[1] = (struct sp_decision_gallery){"air-2", 10};
    return d;
}

static char *told(bool json, const struct sp_client_answer *answer, struct sp_report_totals *ret_totals)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    struct sp_report *report = NULL;
    assert_int_equal(sp_report_new(&report, out, json, false, NULL), SP_OK);
    struct sp_encounter_line line = {.answer = answer,
                                     .tag = path,
                                     .offered_ns = answer->answered_ns - 12345678,
                                     .final = answer->decision_count > 0};
    sp_report_line(report, &line);
    sp_report_encounter(report, line.final);
    *ret_totals = sp_report_totals(report);
    sp_report_free(&report);
    fclose(out);
    return text;
}

static struct sp_client_answer answer_of(int answer, int reason)
{
    struct sp_client_answer a = {.kind = SP_MSG_FRAME,
                                 .lane = "A1",
                                 .seq = 1,
                                 .answer = answer,
                                 .reason = reason,
                                 .text = "",
                                 .answered_ns = 100 * SP_NS_PER_MS};
    for (int i = 0; i < 16; i++)
        a.encounter[i] = (uint8_t)i;
    return a;
}

static void a_decision_is_one_line_with_every_key(void **state)
{
    (void)state;
    struct sp_report_totals totals;
    struct sp_decision d = decision(0, SP_OUTCOME_MATCH);
    struct sp_answer_body *body = calloc(1, sizeof *body);
    body->has_candidate = true;
    memset(body->candidate, 0xcd, sizeof body->candidate);
    body->score = 0.625;
    body->margin = 0.0 / 0.0;
    body->timings_us[SP_TIMING_QUEUE] = 5;
    body->timings_us[SP_TIMING_DECIDE] = 7;
    struct sp_client_answer a = answer_of(SP_ANSWER_DECIDED, 0);
    a.decision_count = 1;
    a.decisions = &d;
    a.body = body;
    char *text = told(true, &a, &totals);
    assert_string_equal(
        text,
        "{\"source\":\"frames/a "
        "\\\"b\\\"\\\\c.jpg\",\"lane\":\"A1\",\"encounter\":\"00010203-0405-0607-0809-0a0b0c0d0e0f\","
        "\"kind\":\"frame\",\"seq\":1,\"answer\":\"decided\",\"outcome\":\"match\",\"reason\":\"none\","
        "\"traveller\":\"abababababababababababababababab\",\"candidate\":\"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\","
        "\"score\":0.625,\"margin\":null,\"latency_ms\":12.346,\"timings\":{\"queue\":5,\"decode\":0,\"detect\":0,"
        "\"landmark\":0,\"align\":0,\"quality\":0,\"embed\":0,\"match\":0,\"decide\":7},\"manifest\":\"air-1\","
        "\"versions\":{\"assignment\":4,\"galleries\":[{\"manifest\":\"air-1\",\"version\":9},{\"manifest\":\"air-"
        "2\","
        "\"version\":10}],\"pack\":\"0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c\",\"policy\":\"none\"}}\n");
    assert_int_equal(totals.match, 1);
    assert_int_equal(totals.encounters, 1);
    assert_int_equal(totals.undecided, 0);
    assert_true(totals.p50_ms > 12 && totals.p50_ms < 13);
    free(text);
    free(body);
}

static void what_is_not_known_is_null(void **state)
{
    (void)state;
    struct sp_report_totals totals;
    struct sp_client_answer a = answer_of(SP_ANSWER_BUSY, SP_REASON_QUEUE_FULL);
    a.kind = SP_MSG_CLOSE;
    char *text = told(true, &a, &totals);
    assert_non_null(strstr(text,
                           "\"kind\":\"close\",\"seq\":1,\"answer\":\"busy\",\"outcome\":null,\"reason\":"
                           "\"queue_full\",\"traveller\":null,\"candidate\":null,\"score\":null,\"margin\":null,"));
    assert_non_null(strstr(text, "\"timings\":null,\"manifest\":null,\"versions\":null}\n"));
    assert_int_equal(totals.undecided, 1);
    assert_int_equal(totals.closes, 1);
    assert_int_equal(totals.answers[SP_ANSWER_BUSY], 1);
    free(text);
}

static void several_faces_are_several_lines(void **state)
{
    (void)state;
    struct sp_report_totals totals;
    struct sp_decision d[2] = {decision(1, SP_OUTCOME_MATCH), decision(2, SP_OUTCOME_NO_MATCH)};
    struct sp_client_answer a = answer_of(SP_ANSWER_DECIDED, 0);
    a.decision_count = 2;
    a.decisions = d;
    char *text = told(true, &a, &totals);
    char *second = strchr(text, '\n') + 1;
    assert_non_null(strstr(text, "\"face\":1"));
    assert_non_null(strstr(second, "\"face\":2"));
    assert_non_null(strstr(second, "\"outcome\":\"no_match\",\"reason\":\"not_on_manifest\",\"traveller\":null"));
    assert_int_equal(totals.match, 1);
    assert_int_equal(totals.no_match, 1);
    assert_int_equal(totals.encounters, 1);
    free(text);
}

static void a_refused_answer_says_why(void **state)
{
    (void)state;
    struct sp_report_totals totals;
    struct sp_client_answer a = answer_of(SP_CLIENT_REFUSED, 0);
    a.verdict = SP_VERDICT_BAD_SIGNATURE;
    a.text = "decision refused";
    char *text = told(true, &a, &totals);
    assert_non_null(strstr(text, "\"answer\":\"refused\",\"outcome\":null,\"reason\":\"bad_signature\""));
    assert_int_equal(totals.refused, 1);
    free(text);
    text = told(false, &a, &totals);
    assert_non_null(strstr(text, "bad_signature"));
    assert_non_null(strstr(text, "decision refused"));
    assert_null(strchr(text, '\033'));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decision_is_one_line_with_every_key),
        cmocka_unit_test(what_is_not_known_is_null),
        cmocka_unit_test(several_faces_are_several_lines),
        cmocka_unit_test(a_refused_answer_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
