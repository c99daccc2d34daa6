/* The journal against a real Redis: first final wins, repeated messages hear what was said, evidence merges, a
 * ledger that is away is waited for and given up in time; and the sweep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "tests/unit/worker/world.h"
#include "workers/answer.h"
#include "workers/journal.h"
#include "workers/sweep.h"

static struct world world;

/* One worker's journal, with its own connection. */
struct desk {
    struct sp_store *store;
    struct sp_ledger *ledger;
    struct sp_journal *journal;
    int done;
};

static void on_done(void *context, struct sp_job *job)
{
    ((struct desk *)context)->done++;
    assert_int_not_equal(job->answer, 0);
}

static void desk_open(struct desk *desk)
{
    struct sp_ledger_config config = world_ledger_config(&world);
    memset(desk, 0, sizeof *desk);
    desk->store = world_store(&world.durable_server);
    assert_int_equal(sp_ledger_new(&desk->ledger, desk->store, &config, NULL), SP_OK);
    struct sp_journal_config journal = {desk->ledger, &world.signer, 16, on_done, desk};
    assert_int_equal(sp_journal_new(&desk->journal, &journal, NULL), SP_OK);
}

static void desk_close(struct desk *desk)
{
    sp_journal_free(&desk->journal);
    sp_ledger_free(&desk->ledger);
    sp_store_free(&desk->store);
}

static struct sp_job *job_new(const uint8_t *encounter, uint32_t seq, int kind, int budget_ms)
{
    struct sp_job *job = calloc(1, sizeof *job);
    assert_non_null(job);
    job->kind = kind;
    job->arrived_ns = job->mark_ns = sp_clock_mono_ns();
    job->deadline_ns = job->arrived_ns + (uint64_t)budget_ms * SP_NS_PER_MS;
    job->header.type = (enum sp_message_type)kind;
    job->header.seq = seq;
    job->header.reason = SP_REASON_DONE;
    memcpy(job->header.encounter, encounter, SP_ENCOUNTER_BYTES);
    memset(job->header.sender, 5, sizeof job->header.sender);
    snprintf(job->header.lane, sizeof job->header.lane, "gate-1");
    job->lane.decision_ttl_ms = 10000;
    job->basis =
        (struct sp_basis){.threshold = 0.5, .margin = 0.02, .people = 3, .assignment = 4, .gallery_count = 1};
    snprintf(job->basis.galleries[0].manifest, SP_MANIFEST_ID_MAX, "air-one");
    job->basis.galleries[0].version = 9;
    job->basis.current[0] = job->basis.complete[0] = true;
    return job;
}

static void judge(struct sp_job *job, int outcome, int reason)
{
    struct sp_verdict *verdict = &job->judgement.verdicts[0];
    job->judgement = (struct sp_judgement){.answer = outcome ? SP_ANSWER_DECIDED : SP_ANSWER_UNDECIDED,
                                           .reason = reason,
                                           .faces = 1,
                                           .quality = 50,
                                           .count = 1};
    *verdict = (struct sp_verdict){.outcome = outcome, .reason = reason};
    verdict->compared = outcome == SP_OUTCOME_MATCH || reason == SP_REASON_NOT_ON_MANIFEST;
    if (outcome == SP_OUTCOME_MATCH) {
        verdict->has_traveller = true;
        memset(verdict->traveller, 3, sizeof verdict->traveller);
        snprintf(verdict->manifest, sizeof verdict->manifest, "air-one");
    }
}

/* The decision in a job's answer, opened and verified as a lane would. */
static struct sp_decision decision_of(const struct sp_job *job)
{
    uint8_t ad[SP_ANSWER_AD_BYTES], *plain = malloc(job->sealed_length);
    struct sp_answer_body *body = calloc(1, sizeof *body);
    struct sp_decision decision;
    struct sp_cert cert;
    size_t length;
    sp_message_answer_ad(ad, job->header.encounter, job->header.seq, job->answer, job->reason);
    assert_int_equal(sp_seal_payload_open(plain, &length, job->sealed, job->sealed_length, ad, sizeof ad,
                                          job->session_key, SP_TO_CLIENT, NULL),
                     SP_OK);
    assert_int_equal(sp_answer_body_decode(body, plain, length, NULL), SP_OK);
    assert_int_equal(body->decision_count, 1);
    assert_int_equal(sp_cert_verify(&cert, body->cert, body->cert_length, "worker", world.authority.public_key,
                                    sp_clock_wall_ms(), NULL),
                     SP_OK);
    assert_int_equal(sp_seal_verify(body->decisions[0].signature, SP_DECISION_CONTEXT, body->decisions[0].bytes,
                                    body->decisions[0].length, cert.key, NULL),
                     SP_OK);
    assert_int_equal(sp_decision_decode(&decision, body->decisions[0].bytes, body->decisions[0].length, NULL),
                     SP_OK);
    assert_memory_equal(decision.encounter, job->header.encounter, SP_ENCOUNTER_BYTES);
    free(plain);
    free(body);
    return decision;
}

static void job_free(struct sp_job *job)
{
    free(job->sealed);
    free(job);
}

/* Through the journal until it is answered. */
static void settle(struct desk *desk, struct sp_job *job)
{
    int before = desk->done;
    sp_journal_add(desk->journal, job);
    for (int i = 0; i < 10 && desk->done == before; i++)
        sp_journal_run(desk->journal);
    assert_int_equal(desk->done, before + 1);
}

static void expect(const struct sp_job *job, int answer, int reason)
{
    if (job->answer != answer || job->reason != reason)
        fail_msg("%s %s (%s %s), expected %s %s", sp_answer_word(job->answer), sp_reason_word(job->reason),
                 job->text, job->cause, sp_answer_word(answer), sp_reason_word(reason));
}

static void test_first_final_wins(void **state)
{
    (void)state;
    struct desk one, two;
    uint8_t id[SP_ENCOUNTER_BYTES];
    desk_open(&one);
    desk_open(&two);
    sp_uuid_new(id);
    struct sp_job *first = job_new(id, 1, SP_MSG_FRAME, 5000), *second = job_new(id, 2, SP_MSG_FRAME, 5000),
                  *close = job_new(id, 3, SP_MSG_CLOSE, 5000), *again = job_new(id, 1, SP_MSG_FRAME, 5000);
    judge(first, SP_OUTCOME_MATCH, SP_REASON_NONE);
    judge(second, SP_OUTCOME_REFER, SP_REASON_LOOK_ALIKE);
    judge(again, SP_OUTCOME_REFER, SP_REASON_LOOK_ALIKE);
    settle(&one, first);
    expect(first, SP_ANSWER_DECIDED, SP_REASON_NONE);
    struct sp_decision decision = decision_of(first);
    assert_int_equal(decision.outcome, SP_OUTCOME_MATCH);
    assert_int_equal(decision.seq, 1);
    assert_int_equal(decision.gallery_count, 1);
    assert_int_equal(decision.galleries[0].version, 9);
    assert_int_equal(decision.expires_ms - decision.issued_ms, 10000);
    settle(&two, second);
    settle(&two, close);
    settle(&one, again);
    struct sp_job *later[] = {second, close, again};
    for (int i = 0; i < 3; i++) { /* each hears the decision that stands, sealed for its own session */
        expect(later[i], SP_ANSWER_DECIDED, SP_REASON_NONE);
        decision = decision_of(later[i]);
        assert_int_equal(decision.outcome, SP_OUTCOME_MATCH);
        assert_int_equal(decision.seq, 1);
        job_free(later[i]);
    }
    job_free(first);
    desk_close(&one);
    desk_close(&two);
}

static void test_undecided_then_close(void **state)
{
    (void)state;
    struct desk one, two;
    uint8_t id[SP_ENCOUNTER_BYTES];
    bool known[2];
    desk_open(&one);
    desk_open(&two);
    sp_uuid_new(id);
    struct sp_job *frame = job_new(id, 1, SP_MSG_FRAME, 5000), *repeated = job_new(id, 1, SP_MSG_FRAME, 5000),
                  *next = job_new(id, 2, SP_MSG_FRAME, 5000), *close = job_new(id, 3, SP_MSG_CLOSE, 5000);
    judge(frame, 0, SP_REASON_NOT_ON_MANIFEST);
    judge(next, 0, SP_REASON_NO_FACE);
    settle(&one, frame);
    expect(frame, SP_ANSWER_UNDECIDED, SP_REASON_NOT_ON_MANIFEST);
    assert_non_null(frame->sealed);
    struct sp_job *arrived[] = {repeated, next};
    assert_int_equal(sp_journal_recall(two.ledger, &world.signer, arrived, 2, known, NULL), SP_OK);
    assert_true(known[0]); /* the other worker answers from the ledger, without a computation */
    assert_false(known[1]);
    expect(repeated, SP_ANSWER_UNDECIDED, SP_REASON_NOT_ON_MANIFEST);
    settle(&two, next);
    settle(&one, close);
    expect(close, SP_ANSWER_DECIDED, SP_REASON_NOT_ON_MANIFEST);
    struct sp_decision decision = decision_of(close);
    assert_int_equal(decision.outcome, SP_OUTCOME_NO_MATCH);
    assert_int_equal(decision.galleries[0].version, 9);
    assert_int_equal(decision.assignment, 4);
    struct sp_job *all[] = {frame, repeated, next, close};
    for (int i = 0; i < 4; i++)
        job_free(all[i]);
    desk_close(&one);
    desk_close(&two);
}

/* A frame was looked at by a worker of one pack, the close comes to a worker of another: the decision names the
 * pack that the comparison was made under. A close without any frame names the worker's own. */
static void test_a_close_under_another_pack(void **state)
{
    (void)state;
    struct desk desk;
    uint8_t ids[2][SP_ENCOUNTER_BYTES], first[16], other[16];
    memset(first, 1, sizeof first);
    memset(other, 2, sizeof other);
    desk_open(&desk);
    sp_uuid_new(ids[0]);
    sp_uuid_new(ids[1]);
    struct sp_job *frame = job_new(ids[0], 1, SP_MSG_FRAME, 5000);
    judge(frame, 0, SP_REASON_NOT_ON_MANIFEST);
    frame->judgement.verdicts[0].has_candidate = true;
    memcpy(frame->basis.pack, first, sizeof first);
    settle(&desk, frame);
    expect(frame, SP_ANSWER_UNDECIDED, SP_REASON_NOT_ON_MANIFEST);
    memcpy(world.signer.pack, other, sizeof other); /* whoever signs from here on runs the other one */
    struct sp_job *close = job_new(ids[0], 2, SP_MSG_CLOSE, 5000), *bare = job_new(ids[1], 1, SP_MSG_CLOSE, 5000);
    memcpy(close->basis.pack, other, sizeof other);
    settle(&desk, close);
    settle(&desk, bare);
    memcpy(world.signer.pack, world.pack.fingerprint, sizeof world.signer.pack);
    expect(close, SP_ANSWER_DECIDED, SP_REASON_NOT_ON_MANIFEST);
    struct sp_decision decision = decision_of(close);
    assert_int_equal(decision.outcome, SP_OUTCOME_NO_MATCH);
    assert_memory_equal(decision.pack, first, sizeof first);
    decision = decision_of(bare);
    assert_memory_equal(decision.pack, other, sizeof other);
    job_free(frame);
    job_free(close);
    job_free(bare);
    desk_close(&desk);
}

static void test_two_frames_of_one_batch(void **state)
{
    (void)state;
    struct desk one;
    uint8_t id[SP_ENCOUNTER_BYTES], (*ids)[SP_ENCOUNTER_BYTES] = &id;
    struct sp_encounter_state known;
    struct sp_job *jobs[3];
    desk_open(&one);
    sp_uuid_new(id);
    for (int i = 0; i < 3; i++) {
        jobs[i] = job_new(id, (uint32_t)i + 1, SP_MSG_FRAME, 5000);
        judge(jobs[i], 0, SP_REASON_TURNED);
        sp_journal_add(one.journal, jobs[i]);
    }
    for (int i = 0; i < 10 && one.done < 3; i++)
        sp_journal_run(one.journal);
    assert_int_equal(one.done, 3);
    assert_int_equal(sp_ledger_read(one.ledger, (const uint8_t(*)[SP_ENCOUNTER_BYTES])ids, 1, &known, NULL), SP_OK);
    assert_int_equal(known.evidence.frames, 3);
    assert_int_equal(known.evidence.answer_count, 3);
    sp_encounter_state_clear(&known);
    for (int i = 0; i < 3; i++) {
        expect(jobs[i], SP_ANSWER_UNDECIDED, SP_REASON_TURNED);
        job_free(jobs[i]);
    }
    desk_close(&one);
}

static void test_another_sender(void **state)
{
    (void)state;
    struct desk one;
    uint8_t id[SP_ENCOUNTER_BYTES];
    desk_open(&one);
    sp_uuid_new(id);
    struct sp_job *frame = job_new(id, 1, SP_MSG_FRAME, 5000), *thief = job_new(id, 1, SP_MSG_FRAME, 5000),
                  *lane = job_new(id, 2, SP_MSG_CLOSE, 5000);
    judge(frame, SP_OUTCOME_MATCH, SP_REASON_NONE);
    settle(&one, frame);
    thief->header.sender[0] ^= 1;
    snprintf(lane->header.lane, sizeof lane->header.lane, "gate-2");
    judge(thief, SP_OUTCOME_MATCH, SP_REASON_NONE);
    settle(&one, thief);
    settle(&one, lane);
    expect(thief, SP_ANSWER_ERROR, SP_REASON_NOT_YOUR_ENCOUNTER);
    expect(lane, SP_ANSWER_ERROR, SP_REASON_NOT_YOUR_ENCOUNTER);
    assert_null(thief->sealed);
    job_free(frame);
    job_free(thief);
    job_free(lane);
    desk_close(&one);
}

static void test_close_without_frame(void **state)
{
    (void)state;
    struct desk one;
    uint8_t id[SP_ENCOUNTER_BYTES];
    desk_open(&one);
    sp_uuid_new(id);
    struct sp_job *close = job_new(id, 1, SP_MSG_CLOSE, 5000);
    close->header.reason = SP_REASON_OPTED_OUT;
    settle(&one, close);
    expect(close, SP_ANSWER_DECIDED, SP_REASON_OPTED_OUT);
    assert_int_equal(decision_of(close).outcome, SP_OUTCOME_REFER);
    job_free(close);
    desk_close(&one);
}

static void test_spent_budget(void **state)
{
    (void)state;
    struct desk one;
    uint8_t id[SP_ENCOUNTER_BYTES];
    desk_open(&one);
    sp_uuid_new(id);
    struct sp_job *frame = job_new(id, 1, SP_MSG_FRAME, 0);
    judge(frame, SP_OUTCOME_MATCH, SP_REASON_NONE);
    settle(&one, frame);
    expect(frame, SP_ANSWER_EXPIRED, SP_REASON_BUDGET_SPENT);
    job_free(frame);
    desk_close(&one);
}

static void test_sweep_closes_abandoned(void **state)
{
    (void)state;
    struct desk one;
    uint8_t id[SP_ENCOUNTER_BYTES];
    int closed = 0;
    desk_open(&one);
    sp_uuid_new(id);
    struct sp_job *frame = job_new(id, 1, SP_MSG_FRAME, 5000), *late = job_new(id, 2, SP_MSG_FRAME, 5000);
    judge(frame, 0, SP_REASON_NOT_ON_MANIFEST);
    judge(late, SP_OUTCOME_MATCH, SP_REASON_NONE);
    settle(&one, frame);
    struct sp_sweep_config sweep = {one.ledger, &world.signer, 4, "worker-1/1", 60000},
                           rival = {one.ledger, &world.signer, 4, "worker-2/1", 60000};
    struct sp_err err = {0};
    if (sp_sweep_pass(&sweep, sp_clock_wall_ms(), &closed, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(closed, 0); /* not overdue yet */
    int64_t later = sp_clock_wall_ms() + 31000;
    assert_int_equal(sp_sweep_pass(&rival, later, &closed, NULL), SP_OK);
    assert_int_equal(closed, 0); /* the other worker holds the leases */
    if (sp_sweep_pass(&sweep, later, &closed, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_true(closed >= 1); /* this one, and what earlier tests left open */
    settle(&one, late);
    expect(late, SP_ANSWER_DECIDED, SP_REASON_ABANDONED);
    assert_int_equal(decision_of(late).outcome, SP_OUTCOME_REFER);
    assert_int_equal(sp_sweep_pass(&sweep, later, &closed, NULL), SP_OK);
    assert_int_equal(closed, 0);
    job_free(frame);
    job_free(late);
    desk_close(&one);
}

/* Last: it ends and restarts the server, which forgets everything. */
static void test_ledger_away(void **state)
{
    (void)state;
    struct desk one;
    uint8_t id[SP_ENCOUNTER_BYTES], other[SP_ENCOUNTER_BYTES];
    desk_open(&one);
    sp_uuid_new(id);
    sp_uuid_new(other);
    redis_server_kill(&world.durable_server);
    struct sp_job *hurried = job_new(id, 1, SP_MSG_FRAME, 300), *patient = job_new(other, 1, SP_MSG_FRAME, 20000);
    judge(hurried, SP_OUTCOME_MATCH, SP_REASON_NONE);
    judge(patient, SP_OUTCOME_MATCH, SP_REASON_NONE);
    sp_journal_add(one.journal, hurried);
    sp_journal_add(one.journal, patient);
    int left = 2;
    while (left == 2 && sp_clock_mono_ns() < hurried->deadline_ns + 2000 * SP_NS_PER_MS)
        left = sp_journal_run(one.journal);
    assert_int_equal(left, 1);
    assert_true(sp_clock_mono_ns() < hurried->deadline_ns); /* heard within its budget */
    expect(hurried, SP_ANSWER_ERROR, SP_REASON_STORE_UNAVAILABLE);
    assert_null(hurried->sealed);
    assert_true(sp_journal_pause_us(one.journal) > 0);
    redis_server_restart(&world.durable_server);
    while (left && sp_clock_mono_ns() < patient->deadline_ns)
        left = sp_journal_run(one.journal);
    expect(patient, SP_ANSWER_DECIDED, SP_REASON_NONE);
    assert_int_equal(decision_of(patient).outcome, SP_OUTCOME_MATCH);
    assert_int_equal(sp_journal_pause_us(one.journal), 0);
    job_free(hurried);
    job_free(patient);
    desk_close(&one);
}

static int start(void **state)
{
    (void)state;
    world_start(&world);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    world_stop(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_final_wins),
        cmocka_unit_test(test_undecided_then_close),
        cmocka_unit_test(test_a_close_under_another_pack),
        cmocka_unit_test(test_two_frames_of_one_batch),
        cmocka_unit_test(test_another_sender),
        cmocka_unit_test(test_close_without_frame),
        cmocka_unit_test(test_spent_budget),
        cmocka_unit_test(test_sweep_closes_abandoned),
        cmocka_unit_test(test_ledger_away),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
