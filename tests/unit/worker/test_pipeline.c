/* No cross-talk: many jobs of different faces through the whole pipeline at once, with two Redis servers and the
 * real nets; each answer belongs to its own face. Needs a model pack (SALLYPORT_PACK) and test faces
 * (SALLYPORT_TEST_DATA).
 *
 * Every person is enrolled by an ENROL job from one photograph, so that a frame of that very photograph scores
 * nearly 1 for its own row; frames of all people are then sent in a shuffled order, interleaved with strangers,
 * damaged images and closes. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/uuid.h"
#include "common/wire.h"
#include "roster/index.h"
#include "roster/manifest_store.h"
#include "tests/unit/worker/world.h"
#include "workers/answer.h"
#include "workers/pipeline.h"

enum { PEOPLE = 20, FRAMES = 200, IN_FLIGHT = 16 };
#define MANIFEST "air-crosstalk"

static struct world world;
static struct sp_pack pack;

static struct photo {
    uint8_t *bytes;
    size_t length;
    uint8_t id[SP_PORTRAIT_BYTES], row[SP_ROW_BYTES], pseudonym[SP_PSEUDONYM_BYTES];
    bool enrolled;
} photos[PEOPLE];

static struct rig {
    struct sp_engine *engine;
    struct sp_meter *meter;
    struct sp_job_pool *pool;
    struct sp_queue *results;
    struct sp_hot *hot;
    struct sp_pipeline *pipeline;
    uint8_t session_key[SP_KEY_BYTES];
} rig;

/* What each sent message was, by job number. */
static struct sent {
    uint8_t encounter[SP_ENCOUNTER_BYTES];
    uint32_t seq;
    int person; /* -1: a damaged image */
    bool close;
} sent[2 * FRAMES + PEOPLE];

/* How much of it the backend can do in a test: the reference is a hundred times slower. */
static int people = PEOPLE, frames = FRAMES;

static uint32_t seed = 20240611;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void note(void *context, enum sp_log_level level, const char *id, const char *text)
{
    (void)context;
    (void)level;
    printf("%s %s\n", id, text);
}

static bool ready(void *context)
{
    (void)context;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The first photograph of PEOPLE different people. */
static void read_photos(const char *data)
{
    char folder[1100], path[1400], (*names)[64] = calloc(1024, sizeof *names);
    int count = 0, taken = 0;
    snprintf(folder, sizeof folder, "%s/faces", data);
    DIR *directory = opendir(folder);
    if (!directory) {
        printf("SKIP: no test faces under %s\n", folder);
        exit(77);
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && count < 1024;)
        if (strstr(entry->d_name, "_1.jpg"))
            snprintf(names[count++], sizeof names[0], "%.63s", entry->d_name);
    closedir(directory);
    qsort(names, (size_t)count, sizeof names[0], by_name);
    for (; taken < PEOPLE && taken < count; taken++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[taken]);
        assert_int_equal(sp_file_read(&photos[taken].bytes, &photos[taken].length, path, 1 << 22, NULL), SP_OK);
    }
    free(names);
    assert_int_equal(taken, PEOPLE);
}

static void start_rig(void)
{
    struct sp_err err = {0};
    const char *backend = getenv("SALLYPORT_TEST_BACKEND");
    struct sp_engine_config engine = {backend && !strcmp(backend, "ref") ? SP_BACKEND_REF : SP_BACKEND_AUTO, 0, 1};
    if (sp_engine_open(&rig.engine, &engine, &err) != SP_OK)
        fail_msg("%s", err.text);
    if (!strstr(sp_engine_describe(rig.engine), "oneDNN")) {
        people = 4;
        frames = 16;
    }
    sp_meter_new(&rig.meter, "", ready, NULL, NULL);
    sp_job_pool_new(&rig.pool, IN_FLIGHT, NULL);
    sp_queue_new(&rig.results, &(struct sp_queue_config){.capacity = IN_FLIGHT}, NULL);
    struct sp_hot_config hot = {.engine = rig.engine,
                                .pack = &pack,
                                .reader = {"workers", &world.fleet},
                                .max_galleries = 4,
                                .max_bytes = 64 << 20,
                                .retry_ms = 100};
    sp_hot_new(&rig.hot, &hot, NULL);
    struct sp_pipeline_config config = {.pool = rig.pool,
                                        .results = rig.results,
                                        .engine = rig.engine,
                                        .pack = &pack,
                                        .fleet = &world.fleet,
                                        .signer = &world.signer,
                                        .site = &world.site,
                                        .hot = rig.hot,
                                        .meter = rig.meter,
                                        .name = "worker-1",
                                        .capacity = IN_FLIGHT,
                                        .durable = {world.durable_server.address, "", "", 2000},
                                        .galleries = {world.galleries_server.address, "", "", 2000},
                                        .ledger = world_ledger_config(&world),
                                        .image_limits = sp_image_limits_default(),
                                        .vision_limits = sp_vision_limits_default(),
                                        .decode_threads = 2,
                                        .analyse_threads = 2,
                                        .max_batch = 4,
                                        .sessions = 64,
                                        .batch_delay_us = 1000,
                                        .stuck_ms = 60000,
                                        .note = note};
    if (sp_pipeline_new(&rig.pipeline, &config, &err) != SP_OK)
        fail_msg("%s", err.text);
    sp_seal_random(rig.session_key, sizeof rig.session_key);
}

/* ---- sending ---- */

static void put_payload(struct sp_wire_writer *writer, int number)
{
    const struct sent *what = &sent[number];
    static const uint8_t damaged[] = {0xff, 0xd8, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0, 1};
    if (what->close) {
        sp_wire_put_map(writer, 0);
        return;
    }
    sp_wire_put_map(writer, 2);
    sp_wire_put_text(writer, "image");
    if (what->person < 0)
        sp_wire_put_bytes(writer, damaged, sizeof damaged);
    else
        sp_wire_put_bytes(writer, photos[what->person].bytes, photos[what->person].length);
    sp_wire_put_text(writer, "captured_ms"), sp_wire_put_int(writer, 1700000000000);
}

static void put_enrol(struct sp_wire_writer *writer, int number)
{
    const struct photo *photo = &photos[sent[number].person];
    sp_wire_put_map(writer, 3);
    sp_wire_put_text(writer, "manifest"), sp_wire_put_text(writer, MANIFEST);
    sp_wire_put_text(writer, "row"), sp_wire_put_bytes(writer, photo->row, SP_ROW_BYTES);
    sp_wire_put_text(writer, "portrait"), sp_wire_put_bytes(writer, photo->id, SP_PORTRAIT_BYTES);
}

static void send_job(int number, int kind)
{
    struct sp_header header = {.type = (enum sp_message_type)kind,
                               .seq = sent[number].seq,
                               .budget_ms = 120000,
                               .job_class = kind == SP_MSG_ENROL ? SP_CLASS_ENROL : SP_CLASS_GATE,
                               .reason = SP_REASON_DONE,
                               .last = true};
    struct sp_wire_writer *writer = NULL;
    uint8_t head[SP_HEADER_MAX_BYTES];
    const uint8_t *plain;
    size_t head_length, length;
    struct sp_err err = {0};
    snprintf(header.lane, sizeof header.lane, "gate-1");
    memset(header.sender, 9, sizeof header.sender);
    memcpy(header.encounter, sent[number].encounter, SP_ENCOUNTER_BYTES);
    sp_seal_key_id(header.fleet_id, world.fleet.public_key);
    sp_seal_wrap(header.wrapped_key, rig.session_key, world.fleet.public_key);
    if (sp_message_encode(head, &head_length, &header, &err) != SP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sp_wire_writer_new(&writer, 1 << 23, NULL), SP_OK);
    if (kind == SP_MSG_ENROL)
        put_enrol(writer, number);
    else
        put_payload(writer, number);
    assert_int_equal(sp_wire_finish(writer, &plain, &length, NULL), SP_OK);
    uint8_t *payload = malloc(length + SP_PAYLOAD_OVERHEAD);
    sp_seal_payload_close(payload, plain, length, head, head_length, rig.session_key, SP_TO_WORKER);
    struct sp_job *job = sp_job_take(rig.pool);
    assert_non_null(job);
    assert_int_equal(sp_job_fill(job, head, head_length, payload, length + SP_PAYLOAD_OVERHEAD, NULL), SP_OK);
    job->number = (uint64_t)number;
    job->kind = kind;
    job->arrived_ns = job->mark_ns = sp_clock_mono_ns();
    job->deadline_ns = job->arrived_ns + 120000 * SP_NS_PER_MS;
    assert_true(sp_pipeline_accept(rig.pipeline, job));
    free(payload);
    sp_wire_writer_free(&writer);
}

/* ---- hearing ---- */

static struct sp_job *next_result(void)
{
    void *job = NULL;
    if (sp_queue_take(rig.results, &job, 1, 100000000, NULL) != 1)
        fail_msg("no result within 100 s");
    return job;
}

static struct sp_answer_body *open_body(const struct sp_job *job)
{
    struct sp_answer_body *body = calloc(1, sizeof *body);
    uint8_t ad[SP_ANSWER_AD_BYTES], *plain = malloc(job->sealed_length);
    const struct sent *what = &sent[job->number];
    size_t length;
    sp_message_answer_ad(ad, what->encounter, what->seq, job->answer,
                         job->reason); /* of the message that was sent */
    assert_int_equal(sp_seal_payload_open(plain, &length, job->sealed, job->sealed_length, ad, sizeof ad,
                                          rig.session_key, SP_TO_CLIENT, NULL),
                     SP_OK);
    assert_int_equal(sp_answer_body_decode(body, plain, length, NULL), SP_OK);
    free(plain);
    return body;
}

static void check_frame(const struct sp_job *job, int *matched)
{
    const struct sent *what = &sent[job->number];
    if (what->person < 0) {
        assert_int_equal(job->answer, SP_ANSWER_ERROR);
        assert_int_equal(job->reason, SP_REASON_BAD_IMAGE);
        return;
    }
    if (job->answer != SP_ANSWER_DECIDED && job->answer != SP_ANSWER_UNDECIDED)
        fail_msg("job %d of person %d: %s %s %s", (int)job->number, what->person, sp_answer_word(job->answer),
                 sp_reason_word(job->reason), job->cause);
    struct sp_answer_body *body = open_body(job);
    const struct photo *photo = &photos[what->person];
    for (int i = 0; i < body->decision_count; i++) {
        struct sp_decision decision;
        assert_int_equal(sp_decision_decode(&decision, body->decisions[i].bytes, body->decisions[i].length, NULL),
                         SP_OK);
        assert_memory_equal(decision.encounter, what->encounter, SP_ENCOUNTER_BYTES);
        if (decision.outcome != SP_OUTCOME_MATCH)
            continue;
        assert_memory_equal(decision.traveller, photo->pseudonym, SP_PSEUDONYM_BYTES);
        (*matched)++;
    }
    /* The very photograph that was enrolled: nobody else can be closer. */
    if (photo->enrolled && body->has_candidate)
        assert_memory_equal(body->candidate, photo->pseudonym, SP_PSEUDONYM_BYTES);
    free(body);
}

static void test_enrol(void **state)
{
    (void)state;
    struct sp_manifest_keys keys;
    struct sp_err err = {0};
    assert_int_equal(
        sp_manifest_make_keys(&keys, world.durable, MANIFEST, world.fleet.public_key, &world.ops, NULL), SP_OK);
    for (int i = 0; i < people; i++) {
        uint8_t ignored[SP_PORTRAIT_BYTES];
        world_ids(photos[i].row, ignored, MANIFEST, i, 0);
        world_pseudonym(&world, photos[i].pseudonym, MANIFEST, i);
        sp_manifest_portrait_id(photos[i].id, photos[i].bytes, photos[i].length, &keys);
        assert_int_equal(sp_manifest_append_portrait(world.durable, MANIFEST, photos[i].id, photos[i].bytes,
                                                     photos[i].length, &keys, NULL),
                         SP_OK);
        sp_reply *reply = NULL;
        assert_int_equal(sp_store_collect(world.durable, &reply, &err), SP_OK);
        sp_reply_free(&reply);
    }
    int enrolled = 0;
    for (int i = 0, heard = 0; heard < people;) {
        for (; i < people && sp_job_pool_out(rig.pool) < IN_FLIGHT; i++) {
            int number = 2 * FRAMES + i;
            sp_uuid_new(sent[number].encounter);
            sent[number].seq = 1;
            sent[number].person = i;
            send_job(number, SP_MSG_ENROL);
        }
        struct sp_job *job = next_result();
        assert_int_equal(job->answer, SP_ANSWER_DECIDED);
        struct sp_answer_body *body = open_body(job);
        assert_true(body->has_enrolled);
        assert_int_equal(body->enrolled.reason, job->reason);
        assert_int_equal(body->enrolled.has_template, job->reason == SP_REASON_NONE);
        photos[sent[job->number].person].enrolled = body->enrolled.has_template;
        enrolled += body->enrolled.has_template;
        free(body);
        sp_job_give(rig.pool, job);
        heard++;
    }
    assert_true(enrolled >= people * 3 / 4);
    /* publish what was enrolled */
    struct sp_manifest_index *index = NULL;
    assert_int_equal(sp_index_new(&index, MANIFEST, people, NULL), SP_OK);
    index->version = 1;
    index->state = SP_MANIFEST_COMPLETE;
    index->pack_count = 1;
    memcpy(index->packs[0], pack.fingerprint, sizeof index->packs[0]);
    for (int i = 0; i < people; i++) {
        struct sp_index_row *row = &index->rows[i];
        memcpy(row->row, photos[i].row, SP_ROW_BYTES);
        memcpy(row->content, photos[i].row, SP_ROW_BYTES);
        memcpy(row->pseudonym, photos[i].pseudonym, SP_PSEUDONYM_BYTES);
        row->portrait_count = 1;
        memcpy(row->portraits[0].id, photos[i].id, SP_PORTRAIT_BYTES);
        row->portraits[0].packs[0].reason = photos[i].enrolled ? SP_REASON_NONE : SP_REASON_NO_FACE;
    }
    sp_index_sort(index);
    assert_int_equal(sp_manifest_flip(world.durable, index, 0, SP_MANIFEST_PARTIAL, &keys, NULL), SP_OK);
    sp_manifest_index_free(&index);
    world_lane(&world, "gate-1", SP_LANE_SINGLE, 0);
    world_assign(&world, "gate-1", 0, (const char *const[]){MANIFEST, NULL});
}

static void test_no_cross_talk(void **state)
{
    (void)state;
    int matched = 0, heard = 0, answered[2 * FRAMES] = {0}, closes = 0, next = 0;
    for (int i = 0; i < frames; i++) {
        sp_uuid_new(sent[i].encounter);
        sent[i].seq = 1;
        sent[i].person = next_random(10) == 0 ? -1 : (int)next_random((uint32_t)people);
        sent[FRAMES + i] = sent[i]; /* its close */
        sent[FRAMES + i].seq = 2;
        sent[FRAMES + i].close = true;
    }
    while (heard < 2 * frames) {
        while (next < frames && sp_job_pool_out(rig.pool) < IN_FLIGHT)
            send_job(next++, SP_MSG_FRAME);
        struct sp_job *job = next_result();
        int number = (int)job->number;
        assert_int_equal(answered[number]++, 0); /* exactly one answer each */
        heard++;
        if (sent[number].close) {
            assert_int_equal(job->answer, SP_ANSWER_DECIDED); /* the final, whichever message made it */
            struct sp_answer_body *body = open_body(job);
            assert_int_equal(body->decision_count, 1);
            closes++;
            free(body);
            sp_job_give(rig.pool, job);
        } else {
            check_frame(job, &matched);
            sp_job_give(rig.pool, job);
            send_job(FRAMES + number, SP_MSG_CLOSE);
        }
    }
    assert_int_equal(closes, frames);
    assert_int_equal(sp_job_pool_out(rig.pool), 0);
    assert_int_equal(sp_hot_loads(rig.hot), 1); /* one load for all of them */
    printf("%d of %d frames matched their own row\n", matched, frames);
    assert_true(matched > frames / 2);
}

/* A frame that comes again is not computed again. */
static void test_repeated_frame(void **state)
{
    (void)state;
    send_job(frames - 1, SP_MSG_FRAME); /* the last one: finals are kept for a while only, and sanitizers are slow */
    struct sp_job *job = next_result();
    assert_true(job->answer == SP_ANSWER_DECIDED);
    assert_int_equal(job->timings_us[SP_TIMING_DETECT], 0);
    sp_job_give(rig.pool, job);
}

static int start(void **state)
{
    (void)state;
    const char *directory = getenv("SALLYPORT_PACK"), *data = getenv("SALLYPORT_TEST_DATA");
    const char *source = getenv("SALLYPORT_SOURCE");
    char beside[1024];
    struct sp_err err = {0};
    snprintf(beside, sizeof beside, "%s/../shared/data", source ? source : ".");
    if (!directory) {
        puts("SKIP: SALLYPORT_PACK names no model pack");
        exit(77);
    }
    read_photos(data ? data : beside);
    world_start(&world);
    if (sp_pack_load(&pack, directory, &err) != SP_OK)
        fail_msg("%s", err.text);
    memcpy(world.signer.pack, pack.fingerprint, sizeof world.signer.pack);
    start_rig();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sp_pipeline_free(&rig.pipeline);
    sp_hot_free(&rig.hot);
    sp_queue_free(&rig.results);
    sp_job_pool_free(&rig.pool);
    sp_meter_free(&rig.meter);
    sp_engine_free(&rig.engine);
    for (int i = 0; i < PEOPLE; i++)
        free(photos[i].bytes);
    world_stop(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enrol),
        cmocka_unit_test(test_no_cross_talk),
        cmocka_unit_test(test_repeated_frame),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
