/* The decision rules, one by one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "workers/decide.h"

#define WIDTH  640
#define HEIGHT 480

static struct sp_faces *faces_new(void)
{
    struct sp_faces *faces = calloc(1, sizeof *faces);
    assert_non_null(faces);
    return faces;
}

static void add_face(struct sp_faces *faces, float x, float y, float side, int reason)
{
    struct sp_face *face = &faces->faces[faces->count++];
    face->box = (struct sp_box){x - side / 2, y - side / 2, x + side / 2, y + side / 2};
    face->reason = reason;
    face->embedded = reason == SP_REASON_NONE;
    face->quality.unified = 50;
}

static struct sp_basis basis_of(enum sp_lane_kind kind, int galleries)
{
    struct sp_basis basis = {
        .kind = kind, .threshold = 0.48, .margin = 0.02, .people = 20, .assignment = 3, .gallery_count = galleries};
    for (int i = 0; i < galleries; i++) {
        basis.galleries[i].version = 7;
        strcpy(basis.galleries[i].manifest, i ? "sea-second" : "air-first");
        basis.current[i] = basis.complete[i] = true;
    }
    return basis;
}

static struct sp_ranked_row person(int id, double score, int gallery)
{
    struct sp_ranked_row candidate = {.there = true, .score = score, .gallery = gallery};
    memset(candidate.pseudonym, id, sizeof candidate.pseudonym);
    return candidate;
}

/* One comparable face in the middle of a single lane. */
static struct sp_verdict one(const struct sp_basis *basis, struct sp_comparison hit, int *ret_answer)
{
    struct sp_faces *faces = faces_new();
    struct sp_judgement judgement;
    add_face(faces, 320, 240, 200, SP_REASON_NONE);
    sp_decide_frame(&judgement, faces, WIDTH, HEIGHT, basis, &hit);
    assert_int_equal(judgement.count, 1);
    assert_int_equal(judgement.reason, judgement.verdicts[0].reason);
    *ret_answer = judgement.answer;
    free(faces);
    return judgement.verdicts[0];
}

static void test_single_table(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        double first, second; /* score; below 0: nobody */
        bool current, complete;
        int galleries, answer, outcome, reason;
        bool compared;
    } rows[] = {
        {"match alone", 0.60, -1, true, true, 1, 1, SP_OUTCOME_MATCH, SP_REASON_NONE, true},
        {"match on the threshold", 0.48, -1, true, true, 1, 1, SP_OUTCOME_MATCH, SP_REASON_NONE, true},
        {"match, second far", 0.60, 0.50, true, true, 1, 1, SP_OUTCOME_MATCH, SP_REASON_NONE, true},
        {"second within the margin", 0.60, 0.59, true, true, 1, 1, SP_OUTCOME_REFER, SP_REASON_LOOK_ALIKE, true},
        {"second below, within the margin", 0.481, 0.47, true, true, 1, 1, SP_OUTCOME_REFER, SP_REASON_LOOK_ALIKE,
         true},
        {"both below", 0.40, 0.39, true, true, 1, 2, 0, SP_REASON_NOT_ON_MANIFEST, true},
        {"nobody", -1, -1, true, true, 1, 2, 0, SP_REASON_NO_PORTRAIT, false},
        {"nobody in an incomplete gallery", -1, -1, true, false, 1, 2, 0, SP_REASON_GALLERY_STALE, false},
        {"below in an incomplete gallery", 0.40, -1, true, false, 1, 2, 0, SP_REASON_GALLERY_STALE, false},
        {"below in an old version", 0.40, -1, false, true, 1, 2, 0, SP_REASON_GALLERY_STALE, false},
        {"beyond in an old version", 0.60, -1, false, true, 1, 2, 0, SP_REASON_GALLERY_STALE, false},
        {"beyond in an incomplete gallery", 0.60, -1, true, false, 1, 1, SP_OUTCOME_MATCH, SP_REASON_NONE, false},
        {"no manifest", -1, -1, true, true, 0, 2, 0, SP_REASON_NO_ASSIGNMENT, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_basis basis = basis_of(SP_LANE_SINGLE, rows[i].galleries);
        struct sp_comparison hit = {0};
        int answer;
        basis.current[0] = rows[i].current;
        basis.complete[0] = rows[i].complete;
        if (rows[i].first >= 0)
            hit.first = person(1, rows[i].first, 0);
        if (rows[i].second >= 0)
            hit.second = person(2, rows[i].second, 0);
        struct sp_verdict verdict = one(&basis, hit, &answer);
        if (answer != rows[i].answer || verdict.outcome != rows[i].outcome || verdict.reason != rows[i].reason ||
            verdict.compared != rows[i].compared)
            fail_msg("%s: answer %d outcome %d reason %s compared %d", rows[i].rule, answer, verdict.outcome,
                     sp_reason_word(verdict.reason), verdict.compared);
        assert_int_equal(verdict.has_traveller, rows[i].outcome == SP_OUTCOME_MATCH);
        assert_int_equal(verdict.has_candidate, rows[i].first >= 0);
        assert_true(rows[i].second >= 0 || isnan(verdict.margin));
    }
}

static void test_match_names_gallery(void **state)
{
    (void)state;
    struct sp_basis basis = basis_of(SP_LANE_SINGLE, 2);
    int answer;
    basis.current[0] = false; /* another manifest's staleness does not spoil a match in a current one */
    struct sp_verdict verdict = one(&basis, (struct sp_comparison){person(9, 0.7, 1), person(4, 0.5, 0)}, &answer);
    assert_int_equal(verdict.outcome, SP_OUTCOME_MATCH);
    assert_string_equal(verdict.manifest, "sea-second");
    assert_int_equal(verdict.traveller[0], 9);
    verdict = one(&basis, (struct sp_comparison){person(9, 0.4, 1)}, &answer);
    assert_int_equal(verdict.reason, SP_REASON_GALLERY_STALE);
}

static void test_dominant(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        float x, y, side; /* a second face beside one of side 200 in the middle; side 0: none */
        int dominant, reason;
    } rows[] = {
        {"alone", 0, 0, 0, 0, SP_REASON_NONE},
        {"small one beside", 450, 240, 100, 0, SP_REASON_NONE},
        {"as large, near the centre", 480, 240, 190, -1, SP_REASON_SEVERAL_FACES},
        {"60 % of the area", 480, 240, 155, -1, SP_REASON_SEVERAL_FACES},
        {"just below 60 %", 480, 240, 154, 0, SP_REASON_NONE},
        {"as large, at the edge", 620, 240, 190, 0, SP_REASON_NONE},
        {"much larger, but off centre", 600, 100, 320, 1, SP_REASON_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_faces *faces = faces_new();
        int reason;
        add_face(faces, 320, 240, 200, SP_REASON_NONE);
        if (rows[i].side > 0)
            add_face(faces, rows[i].x, rows[i].y, rows[i].side, SP_REASON_NONE);
        int dominant = sp_decide_dominant(faces, WIDTH, HEIGHT, &reason);
        if (dominant != rows[i].dominant || reason != rows[i].reason)
            fail_msg("%s: %d %s", rows[i].what, dominant, sp_reason_word(reason));
        free(faces);
    }
    struct sp_faces *none = faces_new();
    int reason;
    assert_int_equal(sp_decide_dominant(none, WIDTH, HEIGHT, &reason), -1);
    assert_int_equal(reason, SP_REASON_NO_FACE);
    free(none);
}

static void test_face_not_comparable(void **state)
{
    (void)state;
    struct sp_basis basis = basis_of(SP_LANE_SINGLE, 1);
    struct sp_faces *faces = faces_new();
    struct sp_judgement judgement;
    struct sp_comparison hit = {person(1, 0.9, 0)};
    int probes[SP_MAX_FACES], reason;
    add_face(faces, 320, 240, 200, SP_REASON_TURNED);
    assert_int_equal(sp_decide_probes(faces, SP_LANE_SINGLE, WIDTH, HEIGHT, probes, &reason), 0);
    assert_int_equal(reason, SP_REASON_TURNED);
    sp_decide_frame(&judgement, faces, WIDTH, HEIGHT, &basis, &hit);
    assert_int_equal(judgement.answer, SP_ANSWER_UNDECIDED);
    assert_int_equal(judgement.reason, SP_REASON_TURNED);
    assert_false(judgement.verdicts[0].has_candidate); /* the hit was not this face's to have */
    faces->faces[0].reason = SP_REASON_NONE;           /* good enough, but no finite template */
    faces->faces[0].embedded = false;
    assert_int_equal(sp_decide_probes(faces, SP_LANE_SINGLE, WIDTH, HEIGHT, probes, &reason), 0);
    free(faces);
}

static void test_multi(void **state)
{
    (void)state;
    struct sp_basis basis = basis_of(SP_LANE_MULTI, 1);
    struct sp_faces *faces = faces_new();
    struct sp_judgement judgement;
    struct sp_comparison hits[SP_MAX_FACES] = {0};
    int probes[SP_MAX_FACES], reason;
    sp_decide_frame(&judgement, faces, WIDTH, HEIGHT, &basis, hits);
    assert_int_equal(judgement.answer, SP_ANSWER_UNDECIDED);
    assert_int_equal(judgement.reason, SP_REASON_NO_FACE);
    add_face(faces, 100, 240, 100, SP_REASON_NONE);
    add_face(faces, 250, 240, 100, SP_REASON_NONE);
    add_face(faces, 400, 240, 100, SP_REASON_TOO_FAR);
    add_face(faces, 550, 240, 100, SP_REASON_NONE);
    hits[0].first = person(1, 0.7, 0);
    hits[1].first = person(2, 0.3, 0);
    hits[3].first = person(1, 0.8, 0); /* the same traveller, closer */
    assert_int_equal(sp_decide_probes(faces, SP_LANE_MULTI, WIDTH, HEIGHT, probes, &reason), 3);
    sp_decide_frame(&judgement, faces, WIDTH, HEIGHT, &basis, hits);
    assert_int_equal(judgement.answer, SP_ANSWER_DECIDED);
    assert_int_equal(judgement.count, 4);
    assert_int_equal(judgement.verdicts[0].reason, SP_REASON_LOOK_ALIKE);
    assert_int_equal(judgement.verdicts[0].outcome, SP_OUTCOME_REFER);
    assert_int_equal(judgement.verdicts[1].outcome, SP_OUTCOME_NO_MATCH);
    assert_int_equal(judgement.verdicts[1].reason, SP_REASON_NOT_ON_MANIFEST);
    assert_int_equal(judgement.verdicts[2].outcome, SP_OUTCOME_REFER);
    assert_int_equal(judgement.verdicts[2].reason, SP_REASON_TOO_FAR);
    assert_int_equal(judgement.verdicts[3].outcome, SP_OUTCOME_MATCH);
    basis.complete[0] = false;
    sp_decide_frame(&judgement, faces, WIDTH, HEIGHT, &basis, hits);
    assert_int_equal(judgement.verdicts[1].outcome, SP_OUTCOME_REFER);
    assert_int_equal(judgement.verdicts[1].reason, SP_REASON_GALLERY_STALE);
    basis.gallery_count = 0;
    sp_decide_frame(&judgement, faces, WIDTH, HEIGHT, &basis, hits);
    assert_int_equal(judgement.verdicts[0].reason, SP_REASON_NO_ASSIGNMENT);
    free(faces);
}

static struct sp_judgement undecided(int reason, int quality, bool compared, double score)
{
    struct sp_judgement judgement = {
        .answer = SP_ANSWER_UNDECIDED, .reason = reason, .quality = quality, .faces = 1, .count = 1};
    judgement.verdicts[0] = (struct sp_verdict){
        .reason = reason, .compared = compared, .has_candidate = compared, .score = score, .margin = NAN};
    return judgement;
}

static void merge(struct sp_evidence *evidence, uint32_t seq, struct sp_judgement judgement,
                  const struct sp_basis *basis)
{
    struct sp_header header = {.seq = seq};
    strcpy(header.lane, "gate-1");
    header.sender[0] = 5;
    sp_decide_merge(evidence, &header, &judgement, basis);
}

static int close_reason(const struct sp_evidence *evidence, int reason, const struct sp_basis *now,
                        int *ret_outcome)
{
    struct sp_verdict verdict;
    sp_decide_close(&verdict, evidence, reason, sp_decide_fresh(evidence, now));
    *ret_outcome = verdict.outcome;
    return verdict.reason;
}

static void test_close(void **state)
{
    (void)state;
    struct sp_basis basis = basis_of(SP_LANE_SINGLE, 1);
    struct sp_evidence evidence = {0};
    int outcome;
    assert_int_equal(close_reason(&evidence, SP_REASON_DONE, &basis, &outcome), SP_REASON_DONE);
    assert_int_equal(outcome, SP_OUTCOME_REFER);
    merge(&evidence, 1, undecided(SP_REASON_NO_FACE, 0, false, 0), &basis);
    assert_string_equal(evidence.lane, "gate-1");
    assert_int_equal(close_reason(&evidence, SP_REASON_TIMEOUT, &basis, &outcome), SP_REASON_NO_FACE);
    merge(&evidence, 2, undecided(SP_REASON_BLURRED, 30, false, 0), &basis);
    merge(&evidence, 3, undecided(SP_REASON_TURNED, 20, false, 0), &basis);
    assert_int_equal(close_reason(&evidence, SP_REASON_DONE, &basis, &outcome), SP_REASON_BLURRED);
    assert_int_equal(outcome, SP_OUTCOME_REFER);
    merge(&evidence, 4, undecided(SP_REASON_NOT_ON_MANIFEST, 10, true, 0.3), &basis);
    merge(&evidence, 5, undecided(SP_REASON_TOO_DARK, 90, false, 0), &basis);
    assert_int_equal(evidence.frames, 5);
    assert_int_equal(evidence.comparable, 1);
    assert_int_equal(close_reason(&evidence, SP_REASON_DONE, &basis, &outcome), SP_REASON_NOT_ON_MANIFEST);
    assert_int_equal(outcome, SP_OUTCOME_NO_MATCH);
    assert_int_equal(close_reason(&evidence, SP_REASON_OPTED_OUT, &basis, &outcome), SP_REASON_OPTED_OUT);
    assert_int_equal(outcome, SP_OUTCOME_REFER);
    assert_int_equal(close_reason(&evidence, SP_REASON_LEFT, &basis, &outcome), SP_REASON_LEFT);
    assert_int_equal(close_reason(&evidence, SP_REASON_ABANDONED, &basis, &outcome), SP_REASON_ABANDONED);
    assert_int_equal(outcome, SP_OUTCOME_REFER);
}

static void test_close_never_no_match_when_stale(void **state)
{
    (void)state;
    struct sp_basis basis = basis_of(SP_LANE_SINGLE, 1), later = basis;
    struct sp_evidence evidence = {0};
    int outcome;
    merge(&evidence, 1, undecided(SP_REASON_GALLERY_STALE, 80, false, 0), &basis);
    assert_int_equal(close_reason(&evidence, SP_REASON_DONE, &basis, &outcome), SP_REASON_GALLERY_STALE);
    assert_int_equal(outcome, SP_OUTCOME_REFER);
    merge(&evidence, 2, undecided(SP_REASON_NOT_ON_MANIFEST, 80, true, 0.3), &basis);
    later.galleries[0].version = 8; /* published after the frame was compared */
    assert_int_equal(close_reason(&evidence, SP_REASON_DONE, &later, &outcome), SP_REASON_GALLERY_STALE);
    merge(&evidence, 3, undecided(SP_REASON_NO_FACE, 0, false, 0), &later); /* a glance does not refresh it */
    assert_int_equal(close_reason(&evidence, SP_REASON_DONE, &later, &outcome), SP_REASON_GALLERY_STALE);
    merge(&evidence, 4, undecided(SP_REASON_NOT_ON_MANIFEST, 80, true, 0.3), &later);
    assert_int_equal(close_reason(&evidence, SP_REASON_DONE, &later, &outcome), SP_REASON_NOT_ON_MANIFEST);
    later.gallery_count = 2; /* a second manifest was assigned meanwhile */
    strcpy(later.galleries[1].manifest, "sea-second");
    later.galleries[1].version = 1;
    assert_int_equal(close_reason(&evidence, SP_REASON_DONE, &later, &outcome), SP_REASON_GALLERY_STALE);
}

static void test_packs_are_never_compared(void **state)
{
    (void)state;
    struct sp_basis basis = basis_of(SP_LANE_SINGLE, 1), other = basis;
    struct sp_evidence evidence = {0};
    int outcome;
    memset(basis.pack, 1, sizeof basis.pack);
    memset(other.pack, 2, sizeof other.pack);
    other.threshold = 0.61;
    merge(&evidence, 1, undecided(SP_REASON_NOT_ON_MANIFEST, 40, true, 0.30), &basis);
    assert_memory_equal(evidence.pack, basis.pack, sizeof evidence.pack);
    merge(&evidence, 2, undecided(SP_REASON_NO_FACE, 0, false, 0),
          &other); /* without a score: nothing begins anew */
    assert_memory_equal(evidence.pack, basis.pack, sizeof evidence.pack);
    assert_true(evidence.score == 0.30 && evidence.threshold == 0.48 && evidence.comparable == 1);
    merge(&evidence, 3, undecided(SP_REASON_NOT_ON_MANIFEST, 60, true, 0.10),
          &other); /* a lower score, yet the first of its pack */
    assert_memory_equal(evidence.pack, other.pack, sizeof evidence.pack);
    assert_true(evidence.score == 0.10 && evidence.threshold == 0.61 && evidence.comparable == 1);
    assert_int_equal(evidence.frames, 3);
    assert_int_equal(close_reason(&evidence, SP_REASON_DONE, &other, &outcome), SP_REASON_NOT_ON_MANIFEST);
    struct sp_judgement glance = undecided(SP_REASON_GALLERY_STALE, 90, true, 0.2);
    glance.verdicts[0].compared = false; /* scored against a stale gallery, under the first pack again */
    merge(&evidence, 4, glance, &basis);
    assert_true(evidence.score == 0.2 && evidence.comparable == 0 && evidence.threshold == 0.48);
    assert_int_equal(close_reason(&evidence, SP_REASON_DONE, &basis, &outcome), SP_REASON_GALLERY_STALE);
    assert_int_equal(outcome, SP_OUTCOME_REFER);
}

static void test_fusion_keeps_best(void **state)
{
    (void)state;
    struct sp_basis basis = basis_of(SP_LANE_SINGLE, 1);
    struct sp_evidence evidence = {0};
    struct sp_verdict verdict;
    merge(&evidence, 1, undecided(SP_REASON_NOT_ON_MANIFEST, 40, true, 0.30), &basis);
    merge(&evidence, 2, undecided(SP_REASON_NOT_ON_MANIFEST, 60, true, 0.45), &basis);
    merge(&evidence, 3, undecided(SP_REASON_NOT_ON_MANIFEST, 50, true, 0.20), &basis);
    assert_true(evidence.has_candidate);
    assert_true(fabs(evidence.score - 0.45) < 1e-12);
    assert_int_equal(evidence.best_quality, 60);
    assert_int_equal(evidence.answer_count, 3);
    assert_int_equal(sp_evidence_find(&evidence, 2)->reason, SP_REASON_NOT_ON_MANIFEST);
    assert_null(sp_evidence_find(&evidence, 4));
    sp_decide_close(&verdict, &evidence, SP_REASON_DONE, true);
    assert_true(verdict.has_candidate && isnan(verdict.margin)); /* no second row: no margin */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_table),
        cmocka_unit_test(test_match_names_gallery),
        cmocka_unit_test(test_dominant),
        cmocka_unit_test(test_face_not_comparable),
        cmocka_unit_test(test_multi),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_close_never_no_match_when_stale),
        cmocka_unit_test(test_packs_are_never_compared),
        cmocka_unit_test(test_fusion_keeps_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
