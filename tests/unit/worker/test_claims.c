/* A traveller crosses once: claims against a real Redis, through the journal and through the ledger alone. What is
 * written here as "dies" leaves undone what a worker would have done next. docs/redis.md 3.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <poll.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "records/claim.h"
#include "tests/unit/worker/world.h"
#include "workers/journal.h"

enum { HOLD_MS = 150, JOBS = 8 };

static struct world world;
static struct sp_store *store;
static struct sp_ledger *ledger;
static struct sp_journal *journal;
static struct sp_job *jobs[JOBS];
static int job_count;
static char manifest[SP_MANIFEST_ID_MAX]; /* a fresh one for each test */

static void on_done(void *context, struct sp_job *job)
{
    (void)context;
    assert_int_not_equal(job->answer, 0);
}

static int setup(void **state)
{
    static int number;
    struct sp_ledger_config config = world_ledger_config(&world);
    struct sp_journal_config plan = {.signer = &world.signer, .capacity = 16, .done = on_done};
    (void)state;
    config.claim_hold_ms = HOLD_MS;
    snprintf(manifest, sizeof manifest, "air-claims-%d", ++number);
    store = world_store(&world.durable_server);
    assert_int_equal(sp_ledger_new(&ledger, store, &config, NULL), SP_OK);
    plan.ledger = ledger;
    return sp_journal_new(&journal, &plan, NULL);
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < job_count; i++) {
        free(jobs[i]->sealed);
        free(jobs[i]);
    }
    job_count = 0;
    sp_journal_free(&journal);
    sp_ledger_free(&ledger);
    sp_store_free(&store);
    return 0;
}

static struct sp_verdict match_of(int traveller)
{
    struct sp_verdict verdict = {.outcome = SP_OUTCOME_MATCH, .compared = true, .has_traveller = true};
    memset(verdict.traveller, traveller, sizeof verdict.traveller);
    snprintf(verdict.manifest, sizeof verdict.manifest, "%s", manifest);
    return verdict;
}

/* A frame of encounter `encounter` that matches the travellers (0 ends). */
static struct sp_job *frame(const uint8_t *encounter, bool once, const int *travellers)
{
    struct sp_job *job = calloc(1, sizeof *job);
    assert_non_null(job);
    assert_true(job_count < JOBS);
    jobs[job_count++] = job;
    job->kind = SP_MSG_FRAME;
    job->header.type = SP_MSG_FRAME;
    job->header.seq = 1;
    memcpy(job->header.encounter, encounter, SP_ENCOUNTER_BYTES);
    snprintf(job->header.lane, sizeof job->header.lane, "gate-1");
    job->arrived_ns = job->mark_ns = sp_clock_mono_ns();
    job->deadline_ns = job->arrived_ns + 5000 * SP_NS_PER_MS;
    job->lane.once = once;
    job->lane.decision_ttl_ms = 10000;
    job->basis = (struct sp_basis){.threshold = 0.5, .gallery_count = 1};
    snprintf(job->basis.galleries[0].manifest, SP_MANIFEST_ID_MAX, "%s", manifest);
    job->basis.galleries[0].version = 1;
    job->judgement.answer = SP_ANSWER_DECIDED;
    for (int i = 0; travellers[i]; i++)
        job->judgement.verdicts[job->judgement.count++] = match_of(travellers[i]);
    job->judgement.faces = job->judgement.count;
    job->basis.kind = job->judgement.count > 1 ? SP_LANE_MULTI : SP_LANE_SINGLE;
    sp_journal_add(journal, job);
    return job;
}

static void run(void)
{
    for (int i = 0; i < 10 && sp_journal_run(journal) > 0; i++)
        continue;
}

/* The decisions of a job's answer. */
static struct sp_answer_body *body_of(const struct sp_job *job)
{
    static struct sp_answer_body body;
    uint8_t ad[SP_ANSWER_AD_BYTES], *plain = malloc(job->sealed_length + 1);
    size_t length = 0;
    assert_int_equal(job->answer, SP_ANSWER_DECIDED);
    sp_message_answer_ad(ad, job->header.encounter, job->header.seq, job->answer, job->reason);
    assert_int_equal(sp_seal_payload_open(plain, &length, job->sealed, job->sealed_length, ad, sizeof ad,
                                          job->session_key, SP_TO_CLIENT, NULL),
                     SP_OK);
    assert_int_equal(sp_answer_body_decode(&body, plain, length, NULL), SP_OK);
    free(plain);
    return &body;
}

static void expect(const struct sp_job *job, int face, int outcome, int reason)
{
    struct sp_answer_body *body = body_of(job);
    struct sp_decision decision;
    assert_true(face < body->decision_count);
    assert_int_equal(sp_decision_decode(&decision, body->decisions[face].bytes, body->decisions[face].length, NULL),
                     SP_OK);
    assert_int_equal(decision.outcome, outcome);
    assert_string_equal(sp_reason_word(decision.reason), sp_reason_word(reason));
    assert_int_equal(decision.has_traveller, outcome == SP_OUTCOME_MATCH);
}

static void expect_match(const struct sp_job *job)
{
    expect(job, 0, SP_OUTCOME_MATCH, SP_REASON_NONE);
}

static void expect_boarded(const struct sp_job *job)
{
    expect(job, 0, SP_OUTCOME_REFER, SP_REASON_ALREADY_BOARDED);
    assert_int_equal(job->reason, SP_REASON_ALREADY_BOARDED);
}

/* The one claim there is: whose, and does it stand? */
static void expect_claim(const uint8_t *encounter, bool confirmed)
{
    struct sp_claim *claims = NULL;
    int count = 0;
    assert_int_equal(sp_claim_list(&claims, &count, world.durable, manifest, NULL), SP_OK);
    assert_int_equal(count, encounter ? 1 : 0);
    if (encounter) {
        assert_memory_equal(claims[0].encounter, encounter, SP_ENCOUNTER_BYTES);
        assert_int_equal(claims[0].confirmed, confirmed);
        assert_true(llabs(claims[0].claimed_ms - sp_clock_wall_ms()) < 60000);
    }
    free(claims);
}

static struct sp_ledger_claim claim_by(const uint8_t *encounter, int traveller)
{
    struct sp_ledger_claim claim = {0};
    snprintf(claim.manifest, sizeof claim.manifest, "%s", manifest);
    memset(claim.traveller, traveller, sizeof claim.traveller);
    memcpy(claim.encounter, encounter, sizeof claim.encounter);
    return claim;
}

static const int anna[] = {3, 0}, ben[] = {4, 0}, both[] = {3, 4, 0};

static void test_the_second_encounter_is_referred(void **state)
{
    uint8_t first[16], second[16];
    (void)state;
    sp_uuid_new(first), sp_uuid_new(second);
    struct sp_job *one = frame(first, true, anna);
    run();
    expect_match(one);
    expect_claim(first, true);
    struct sp_job *two = frame(second, true, anna), *again = frame(first, true, anna);
    run();
    expect_boarded(two);
    expect_match(again); /* sent again: its own match */
    expect_claim(first, true);
    struct sp_job *other = frame(second, true, ben); /* the final stands, whatever a later frame shows */
    run();
    expect_boarded(other);
    uint8_t third[16];
    sp_uuid_new(third);
    struct sp_job *free_lane = frame(third, false, anna); /* a lane where people go to and fro */
    run();
    expect_match(free_lane);
}

static void test_two_in_one_batch(void **state)
{
    uint8_t ids[3][16];
    struct sp_job *three[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        sp_uuid_new(ids[i]);
        three[i] = frame(ids[i], true, anna);
    }
    run();
    expect_match(three[0]);
    expect_boarded(three[1]);
    expect_boarded(three[2]);
    expect_claim(ids[0], true);
}

static void test_every_face_of_a_multi_lane(void **state)
{
    uint8_t first[16], second[16], third[16];
    (void)state;
    sp_uuid_new(first), sp_uuid_new(second), sp_uuid_new(third);
    expect_match((frame(first, true, ben), run(), jobs[0]));
    struct sp_job *family = frame(second, true, both);
    run();
    expect(family, 0, SP_OUTCOME_MATCH, SP_REASON_NONE);
    expect(family, 1, SP_OUTCOME_REFER, SP_REASON_ALREADY_BOARDED);
    assert_int_equal(family->reason, SP_REASON_ALREADY_BOARDED);
    struct sp_job *late = frame(third, true, anna);
    run();
    expect_boarded(late);
}

static void test_a_worker_dies_between_claim_and_final(void **state)
{
    uint8_t first[16], second[16], third[16];
    (void)state;
    sp_uuid_new(first), sp_uuid_new(second), sp_uuid_new(third);
    struct sp_ledger_claim claim = claim_by(first, 3);
    assert_int_equal(sp_ledger_claim(ledger, &claim, 1, NULL), SP_OK);
    assert_true(claim.ret_mine);
    expect_claim(first, false); /* dies */
    struct sp_job *other = frame(second, true, anna);
    run();
    expect_boarded(other);
    struct sp_job *again = frame(first, true, anna); /* delivered to another worker */
    run();
    expect_match(again);
    expect_claim(first, true);
    claim = claim_by(first, 4); /* once more; this time nobody comes back */
    assert_int_equal(sp_ledger_claim(ledger, &claim, 1, NULL), SP_OK);
    poll(NULL, 0, HOLD_MS + 50);
    struct sp_job *late = frame(third, true, ben);
    run();
    expect_match(late);
}

static void test_a_worker_dies_between_final_and_confirm(void **state)
{
    uint8_t first[16], second[16];
    (void)state;
    sp_uuid_new(first), sp_uuid_new(second);
    struct sp_job *one = frame(first, false, anna); /* writes the final; nobody confirms */
    struct sp_ledger_claim claim = claim_by(first, 3);
    assert_int_equal(sp_ledger_claim(ledger, &claim, 1, NULL), SP_OK);
    run();
    expect_match(one);
    expect_claim(first, false); /* dies */
    poll(NULL, 0, HOLD_MS + 50);
    struct sp_job *two = frame(second, true, anna);
    run();
    expect_boarded(two); /* its final was looked up: one match, and the claim is confirmed for it */
    expect_claim(first, true);
}

static void confirm_by_hand(const uint8_t *encounter, const struct sp_ledger_claim *claim)
{
    char key[SP_CLAIM_KEY_MAX], hex[2 * SP_ENCOUNTER_BYTES + 1], value[SP_CLAIM_VALUE_MAX];
    sp_claim_key(key, manifest);
    sp_seal_to_hex(hex, encounter, SP_ENCOUNTER_BYTES);
    snprintf(value, sizeof value, "c %s %lld", hex, (long long)sp_clock_wall_ms());
    struct sp_argument set[] = {SP_ARG_TEXT("HSET"), SP_ARG_TEXT(key),
                                SP_ARG(claim->traveller, sizeof claim->traveller), SP_ARG_TEXT(value)};
    assert_int_equal(sp_store_command(world.durable, set, 4, NULL, NULL), SP_OK);
}

/* Its claim was confirmed behind a final that is not its own, and it did not give it back. */
static void test_a_worker_dies_before_it_released(void **state)
{
    uint8_t first[16], second[16], third[16];
    (void)state;
    sp_uuid_new(first), sp_uuid_new(second), sp_uuid_new(third);
    frame(first, false, ben); /* the final that stands */
    run();
    struct sp_ledger_claim claim = claim_by(first, 3);
    confirm_by_hand(first, &claim);
    expect_claim(first, true); /* dies */
    struct sp_job *two = frame(second, true, anna);
    run();
    expect_match(two);
    expect_claim(second, true);
    assert_int_equal(sp_ledger_release(ledger, &claim, 1, NULL), SP_OK); /* comes too late: nothing */
    struct sp_job *three = frame(third, true, anna);
    run();
    expect_boarded(three); /* that final is a match */
    expect_claim(second, true);
    sp_uuid_new(first);
    confirm_by_hand(first, &claim); /* for an encounter of which nothing is known any more */
    sp_uuid_new(third);
    struct sp_job *four = frame(third, true, anna);
    run();
    expect_boarded(four);
    expect_claim(first, true);
}

/* Another worker's final stands: what this one claimed is given back, unless that is the same match. */
static void test_a_final_of_another_stands(void **state)
{
    uint8_t first[16];
    struct sp_encounter_state standing = {0};
    (void)state;
    sp_uuid_new(first);
    frame(first, false, ben);
    run();
    assert_int_equal(sp_ledger_read(ledger, (const uint8_t(*)[16])first, 1, &standing, NULL), SP_OK);
    struct sp_ledger_claim claims[] = {claim_by(first, 3), claim_by(first, 4)};
    assert_false(sp_ledger_matched(&standing, &claims[0]));
    assert_true(sp_ledger_matched(&standing, &claims[1]));
    assert_int_equal(sp_ledger_claim(ledger, claims, 1, NULL), SP_OK);
    struct sp_decision decision = {.outcome = SP_OUTCOME_MATCH, .issued_ms = 1, .expires_ms = 2};
    snprintf(decision.lane, sizeof decision.lane, "gate-1");
    struct sp_ledger_write write = {.final_body = standing.final_body,
                                    .final_body_length = standing.final_body_length,
                                    .claims = claims,
                                    .claim_count = 1,
                                    .decision = &decision};
    memcpy(write.encounter, first, sizeof first);
    assert_int_equal(sp_ledger_write(ledger, &write, 1, NULL), SP_OK);
    assert_int_equal(write.ret_outcome, SP_LEDGER_STANDS);
    expect_claim(first, true); /* it was confirmed behind a final that is not its own */
    assert_int_equal(sp_ledger_release(ledger, claims, 1, NULL), SP_OK);
    expect_claim(NULL, false);
    sp_encounter_state_clear(&write.ret_state);
    sp_encounter_state_clear(&standing);
}

/* A final that nobody can read gives no claim away. */
static void test_a_final_that_is_not_read(void **state)
{
    uint8_t first[16] = {1}, junk[] = {0xff, 0x00};
    struct sp_ledger_claim claim = claim_by(first, 3);
    struct sp_encounter_state odd = {.final = true, .final_body = junk, .final_body_length = sizeof junk};
    (void)state;
    assert_true(sp_ledger_matched(&odd, &claim));
    odd.final = false;
    assert_false(sp_ledger_matched(&odd, &claim));
}

static void test_release(void **state)
{
    uint8_t first[16], second[16];
    (void)state;
    sp_uuid_new(first), sp_uuid_new(second);
    frame(first, true, anna);
    run();
    struct sp_ledger_claim not_his = claim_by(second, 3);
    assert_int_equal(sp_ledger_release(ledger, &not_his, 1, NULL), SP_OK); /* of another encounter: nothing */
    expect_claim(first, true);
    assert_int_equal(sp_claim_release(world.durable, manifest, not_his.traveller, NULL), SP_OK); /* the officer */
    assert_int_equal(sp_claim_release(world.durable, manifest, not_his.traveller, NULL), SP_E_NOTFOUND);
    struct sp_job *again = frame(second, true, anna);
    run();
    expect_match(again);
    expect_claim(second, true);
}

static void test_a_server_that_lost_its_scripts(void **state)
{
    uint8_t first[16], second[16];
    struct sp_argument flush[] = {SP_ARG_TEXT("SCRIPT"), SP_ARG_TEXT("FLUSH")};
    (void)state;
    sp_uuid_new(first), sp_uuid_new(second);
    frame(first, true, anna);
    run();
    assert_int_equal(sp_store_command(world.durable, flush, 2, NULL, NULL), SP_OK);
    struct sp_job *two = frame(second, true, anna);
    run();
    expect_boarded(two);
    expect_claim(first, true);
}

static void test_values(void **state)
{
    static const char *const bad[] = {
        "",
        "t",
        "x 00112233445566778899aabbccddeeff 1764192599123",
        "t 00112233445566778899aabbccddeefg 1764192599123",
        "t 00112233445566778899aabbccddeeff",
        "t 00112233445566778899aabbccddeeff ",
        "t 00112233445566778899aabbccddeeff 17641925991x3",
        "t 00112233445566778899aabbccddeeff 1764192599123000",
        "t-00112233445566778899aabbccddeeff 1764192599123",
    };
    struct sp_claim claim = {0};
    static const char good[] = "c 00112233445566778899aabbccddeeff 1764192599123";
    (void)state;
    assert_int_equal(sp_claim_parse(&claim, (const uint8_t *)good, sizeof good - 1, NULL), SP_OK);
    assert_true(claim.confirmed && claim.claimed_ms == 1764192599123 && claim.encounter[15] == 0xff);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(sp_claim_parse(&claim, (const uint8_t *)bad[i], strlen(bad[i]), NULL), SP_E_FORMAT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_the_second_encounter_is_referred),
        T(test_two_in_one_batch),
        T(test_every_face_of_a_multi_lane),
        T(test_a_worker_dies_between_claim_and_final),
        T(test_a_worker_dies_between_final_and_confirm),
        T(test_a_worker_dies_before_it_released),
        T(test_a_final_of_another_stands),
        T(test_a_final_that_is_not_read),
        T(test_release),
        T(test_a_server_that_lost_its_scripts),
        T(test_values),
    };
    world_start(&world);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_stop(&world);
    return failed;
}
