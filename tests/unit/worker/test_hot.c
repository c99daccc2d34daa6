/* Hot galleries: loaded once however many ask, versions, missing templates, a store that is away, eviction; and how
 * a comparison reads them. */
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/clock.h"
#include "tests/unit/worker/world.h"
#include "workers/compare.h"

#define THREADS 8

static struct world world;
static struct sp_engine *engine;
static struct sp_wants *wants;

static struct sp_hot *hot_new(int max_galleries)
{
    struct sp_hot *hot = NULL;
    struct sp_hot_config config = {.engine = engine,
                                   .pack = &world.pack,
                                   .reader = {"workers", &world.fleet},
                                   .wants = wants,
                                   .max_galleries = max_galleries,
                                   .max_bytes = 64 << 20,
                                   .retry_ms = 20};
    assert_int_equal(sp_hot_new(&hot, &config, NULL), SP_OK);
    return hot;
}

static uint64_t soon(int ms)
{
    return sp_clock_mono_ns() + (uint64_t)ms * SP_NS_PER_MS;
}

struct asking {
    struct sp_hot *hot;
    pthread_barrier_t *barrier;
    struct sp_hot_gallery *got;
    enum sp_status status;
};

static void *ask(void *argument)
{
    struct asking *asking = argument;
    struct sp_store *durable = world_store(&world.durable_server),
                    *galleries = world_store(&world.galleries_server);
    sp_store_ping(durable, NULL);
    pthread_barrier_wait(asking->barrier);
    asking->status =
        sp_hot_acquire(asking->hot, durable, galleries, "air-crowd", 1, soon(5000), &asking->got, NULL);
    sp_store_free(&durable);
    sp_store_free(&galleries);
    return NULL;
}

static void test_loaded_once(void **state)
{
    (void)state;
    struct sp_hot *hot = hot_new(4);
    pthread_barrier_t barrier;
    pthread_t threads[THREADS];
    struct asking asking[THREADS];
    world_publish(&world, "air-crowd", 1, 60, 2, 60, SP_MANIFEST_COMPLETE);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        asking[i] = (struct asking){.hot = hot, .barrier = &barrier};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &asking[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sp_hot_loads(hot), 1);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(asking[i].status, SP_OK);
        assert_ptr_equal(asking[i].got, asking[0].got);
    }
    struct sp_hot_gallery *kept = asking[0].got;
    assert_int_equal(kept->row_count, 60);
    assert_int_equal(kept->usable, 60);
    assert_int_equal(kept->missing, 0);
    assert_int_equal(kept->most_portraits, 2);
    assert_int_equal(sp_gallery_count(kept->gallery), 120);
    sp_hot_free(&hot); /* references outlive it */
    assert_int_equal(sp_gallery_count(kept->gallery), 120);
    for (int i = 0; i < THREADS; i++)
        sp_hot_unref(&asking[i].got);
    pthread_barrier_destroy(&barrier);
}

static void test_versions(void **state)
{
    (void)state;
    struct sp_hot *hot = hot_new(4);
    struct sp_hot_gallery *one = NULL, *two = NULL, *again = NULL;
    world_publish(&world, "air-version", 1, 3, 1, 3, SP_MANIFEST_COMPLETE);
    assert_int_equal(sp_hot_acquire(hot, world.durable, world.galleries, "air-version", 1, soon(2000), &one, NULL),
                     SP_OK);
    world_publish(&world, "air-version", 2, 5, 1, 5, SP_MANIFEST_AMENDED);
    assert_int_equal(sp_hot_acquire(hot, world.durable, world.galleries, "air-version", 2, soon(2000), &two, NULL),
                     SP_OK);
    assert_int_equal(one->row_count, 3); /* a batch that holds the old one goes on */
    assert_int_equal(two->row_count, 5);
    assert_int_equal(
        sp_hot_acquire(hot, world.durable, world.galleries, "air-version", 1, soon(2000), &again, NULL), SP_OK);
    assert_ptr_equal(again, two); /* newer than asked is fine */
    assert_int_equal(sp_hot_loads(hot), 2);
    sp_hot_unref(&one);
    sp_hot_unref(&two);
    sp_hot_unref(&again);
    sp_hot_free(&hot);
}

/* Flips came faster than the worker read: the index of the version it heard of is gone. */
static void test_an_index_that_is_gone(void **state)
{
    (void)state;
    struct sp_hot *hot = hot_new(4);
    struct sp_hot_gallery *gallery = NULL;
    struct sp_err err = {0};
    char key[192];
    world_publish(&world, "air-fast", 1, 3, 1, 3, SP_MANIFEST_COMPLETE);
    world_publish(&world, "air-fast", 2, 4, 1, 4, SP_MANIFEST_AMENDED);
    sp_manifest_key(key, "air-fast", "index:1");
    struct sp_argument del[] = {SP_ARG_TEXT("DEL"), SP_ARG_TEXT(key)};
    sp_reply *reply = NULL;
    assert_int_equal(sp_store_command(world.durable, del, 2, &reply, NULL), SP_OK);
    assert_int_equal(sp_reply_integer(reply), 1);
    sp_reply_free(&reply);
    assert_int_equal(sp_hot_acquire(hot, world.durable, world.galleries, "air-fast", 1, soon(2000), &gallery, NULL),
                     SP_OK);
    assert_int_equal(gallery->version, 2);
    assert_int_equal(gallery->row_count, 4);
    sp_hot_unref(&gallery);
    /* A closed manifest is not matched by a detour. */
    world_publish(&world, "air-over", 1, 3, 1, 3, SP_MANIFEST_COMPLETE);
    world_publish(&world, "air-over", 2, 3, 1, 3, SP_MANIFEST_CLOSED);
    sp_manifest_key(key, "air-over", "index:1");
    assert_int_equal(sp_store_command(world.durable, del, 2, &reply, NULL), SP_OK);
    sp_reply_free(&reply);
    assert_int_equal(sp_hot_acquire(hot, world.durable, world.galleries, "air-over", 1, soon(200), &gallery, &err),
                     SP_E_NOTFOUND);
    assert_null(gallery);
    sp_hot_free(&hot);
}

static void test_missing_templates_are_wanted(void **state)
{
    (void)state;
    struct sp_hot *hot = hot_new(4);
    struct sp_hot_gallery *got = NULL;
    struct sp_want want;
    uint8_t row[SP_ROW_BYTES], portrait[SP_PORTRAIT_BYTES];
    int wanted = 0;
    while (sp_wants_take(wants, &want))
        continue;
    world_publish(&world, "air-missing", 1, 4, 1, 3, SP_MANIFEST_COMPLETE);
    assert_int_equal(sp_hot_acquire(hot, world.durable, world.galleries, "air-missing", 1, soon(2000), &got, NULL),
                     SP_OK);
    assert_int_equal(got->missing, 1);
    assert_int_equal(got->usable, 4);
    assert_int_equal(sp_gallery_count(got->gallery), 3);
    sp_hot_unref(&got);
    for (; sp_wants_take(wants, &want); wanted++) {
        world_ids(row, portrait, "air-missing", 3, 0);
        assert_string_equal(want.manifest, "air-missing");
        assert_memory_equal(want.row, row, sizeof row);
        assert_memory_equal(want.portrait, portrait, sizeof portrait);
    }
    assert_int_equal(wanted, 1);
    world_store_template(&world, "air-missing", 3, 0); /* the re-enrolment came through */
    uint64_t until_ns = soon(5000);
    for (int missing = 1; missing && sp_clock_mono_ns() < until_ns;) {
        assert_int_equal(
            sp_hot_acquire(hot, world.durable, world.galleries, "air-missing", 1, soon(2000), &got, NULL), SP_OK);
        missing = got->missing;
        wanted = sp_gallery_count(got->gallery);
        sp_hot_unref(&got);
    }
    assert_int_equal(wanted, 4);
    assert_false(sp_wants_take(wants, &want));
    sp_hot_free(&hot);
}

/* How often that portrait of that person is among the vectors of "vec-a". */
static int times_there(const struct sp_hot_vectors *vectors, const struct sp_hot_gallery *gallery, int person,
                       int portrait)
{
    uint8_t pseudonym[SP_PSEUDONYM_BYTES];
    float vector[WORLD_DIM];
    int times = 0;
    world_pseudonym(&world, pseudonym, "vec-a", person);
    world_vector(vector, "vec-a", person, portrait);
    for (int i = 0; i < vectors->count; i++)
        times += memcmp(gallery->pseudonyms[vectors->people[i]], pseudonym, sizeof pseudonym) == 0 &&
                 memcmp(vectors->vectors + (size_t)i * WORLD_DIM, vector, sizeof vector) == 0;
    return times;
}

/* For a review: the vectors again, of what is there now, by the rows of the gallery that is hot. */
static void test_vectors_again(void **state)
{
    (void)state;
    struct sp_hot *hot = hot_new(2);
    struct sp_hot_gallery *got = NULL;
    struct sp_hot_vectors vectors = {0};
    world_publish(&world, "vec-a", 1, 4, 2, 3, SP_MANIFEST_COMPLETE);
    assert_int_equal(sp_hot_acquire(hot, world.durable, world.galleries, "vec-a", 1, soon(2000), &got, NULL),
                     SP_OK);
    assert_int_equal(sp_gallery_count(got->gallery), 6);
    world_store_template(&world, "vec-a", 3, 1); /* comes after the gallery was loaded */
    assert_int_equal(sp_hot_load_vectors(&vectors, sp_hot_config(hot), world.durable, world.galleries, got, NULL),
                     SP_OK);
    assert_int_equal(vectors.count, 7);
    for (int person = 0; person < 4; person++)
        for (int portrait = 0; portrait < 2; portrait++)
            assert_int_equal(times_there(&vectors, got, person, portrait), person < 3 || portrait == 1);
    assert_int_equal(sp_hot_loads(hot), 1);
    sp_hot_vectors_clear(&vectors);
    assert_null(vectors.vectors);
    got->version = 2; /* one that was never there */
    assert_int_not_equal(
        sp_hot_load_vectors(&vectors, sp_hot_config(hot), world.durable, world.galleries, got, NULL), SP_OK);
    sp_hot_vectors_clear(&vectors);
    sp_hot_unref(&got);
    sp_hot_free(&hot);
}

static void test_eviction(void **state)
{
    (void)state;
    struct sp_hot *hot = hot_new(2);
    static const char *const names[] = {"ev-a", "ev-b", "ev-c"};
    struct sp_hot_gallery *got = NULL;
    for (int i = 0; i < 3; i++)
        world_publish(&world, names[i], 1, 2, 1, 2, SP_MANIFEST_COMPLETE);
    static const int order[] = {0, 1, 0, 2, 0}; /* b is the least recently used when c comes */
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        assert_int_equal(
            sp_hot_acquire(hot, world.durable, world.galleries, names[order[i]], 1, soon(2000), &got, NULL), SP_OK);
        assert_string_equal(got->manifest, names[order[i]]);
        sp_hot_unref(&got);
    }
    assert_int_equal(sp_hot_loads(hot), 3);
    assert_int_equal(sp_hot_count(hot), 2);
    sp_hot_free(&hot);
}

static struct sp_comparison compare_one(const struct sp_scene *scene, const char *manifest, int person,
                                        int portrait)
{
    struct sp_faces *faces = calloc(1, sizeof *faces);
    struct sp_compare_item *item = calloc(1, sizeof *item);
    struct sp_err err = {0};
    faces->count = 1;
    world_vector(faces->faces[0].vector, manifest, person, portrait);
    *item = (struct sp_compare_item){.scene = scene, .faces = faces, .probe_count = 1};
    if (sp_compare(engine, &world.pack, item, 1, &err) != SP_OK)
        fail_msg("%s", err.text);
    struct sp_comparison comparison = item->comparisons[0];
    free(faces);
    free(item);
    return comparison;
}

static void test_union_of_galleries(void **state)
{
    (void)state;
    struct sp_hot *hot = hot_new(4);
    struct sp_lane_now now = {.lane = {.fpir = 0.01, .margin = 0.02}, .assignment = 1, .count = 3};
    struct sp_scene *scene = calloc(1, sizeof *scene);
    uint8_t pseudonym[SP_PSEUDONYM_BYTES];
    world_publish(&world, "a-first", 1, 7, 3, 7, SP_MANIFEST_COMPLETE);
    world_publish(&world, "b-second", 1, 5, 1, 5, SP_MANIFEST_COMPLETE);
    strcpy(now.manifests[0].manifest, "a-first");
    strcpy(now.manifests[1].manifest, "b-second");
    strcpy(now.manifests[2].manifest, "c-never");
    now.manifests[0].version = now.manifests[1].version = 1;
    struct sp_err lack = {0};
    sp_scene_open(scene, &now, hot, world.durable, world.galleries, &world.pack, soon(2000), &lack);
    assert_non_null(strstr(lack.text, "c-never"));
    assert_int_equal(scene->basis.people, 12);
    assert_true(scene->basis.current[0] && scene->basis.complete[0] && scene->basis.current[1]);
    assert_false(scene->basis.current[2]);
    assert_true(
        fabs(scene->basis.threshold - sp_pack_score(&world.pack, sp_pack_threshold(&world.pack, 0.01, 12))) < 1e-9);
    for (int person = 0; person < 5; person++) {
        struct sp_comparison hit = compare_one(scene, "b-second", person, 0);
        world_pseudonym(&world, pseudonym, "b-second", person);
        assert_int_equal(hit.first.gallery, 1);
        assert_memory_equal(hit.first.pseudonym, pseudonym, sizeof pseudonym);
        assert_true(fabs(hit.first.score - 1) < 1e-5);
        assert_true(hit.second.there && hit.second.score < 0);
        hit = compare_one(scene, "a-first", person, 1); /* the other portraits of the first are not the second */
        world_pseudonym(&world, pseudonym, "a-first", person);
        assert_int_equal(hit.first.gallery, 0);
        assert_memory_equal(hit.first.pseudonym, pseudonym, sizeof pseudonym);
        assert_true(memcmp(hit.second.pseudonym, pseudonym, sizeof pseudonym) != 0);
        assert_true(hit.second.there && hit.second.score < 0);
    }
    sp_scene_close(scene);
    free(scene);
    sp_hot_free(&hot);
}

/* Last: it ends the galleries server. */
static void test_galleries_away(void **state)
{
    (void)state;
    struct sp_hot *hot = hot_new(4);
    struct sp_hot_gallery *got = NULL;
    struct sp_err err = {0};
    world_publish(&world, "air-away", 1, 3, 1, 3, SP_MANIFEST_COMPLETE);
    assert_int_equal(sp_hot_acquire(hot, world.durable, world.galleries, "air-away", 1, soon(2000), &got, NULL),
                     SP_OK);
    sp_hot_unref(&got);
    world_publish(&world, "air-away", 2, 4, 1, 4, SP_MANIFEST_AMENDED);
    redis_server_kill(&world.galleries_server);
    assert_int_equal(sp_hot_acquire(hot, world.durable, world.galleries, "air-away", 1, soon(2000), &got, NULL),
                     SP_OK); /* what is hot and current needs no store */
    sp_hot_unref(&got);
    enum sp_status status =
        sp_hot_acquire(hot, world.durable, world.galleries, "air-away", 2, soon(2000), &got, &err);
    assert_int_equal(status, SP_E_UNAVAILABLE);
    assert_non_null(got); /* the older copy, for what it is worth */
    assert_int_equal(got->version, 1);
    sp_hot_unref(&got);
    uint64_t loads = sp_hot_loads(hot);
    uint64_t from_ns = sp_clock_mono_ns();
    sp_hot_acquire(hot, world.durable, world.galleries, "air-away", 2, soon(2000), &got, &err);
    if (sp_clock_mono_ns() - from_ns < 15 * SP_NS_PER_MS) /* within the retry interval: not tried again */
        assert_true(sp_hot_loads(hot) - loads <= 1);
    sp_hot_unref(&got);
    redis_server_restart(&world.galleries_server);
    for (uint64_t give_up_ns = soon(5000); sp_store_ping(world.galleries, NULL) != SP_OK;) /* its back-off */
        assert_true(sp_clock_mono_ns() < give_up_ns);
    for (int person = 0; person < 4; person++)
        world_store_template(&world, "air-away", person, 0);
    uint64_t until_ns = soon(5000);
    do {
        sp_hot_unref(&got);
        status = sp_hot_acquire(hot, world.durable, world.galleries, "air-away", 2, soon(2000), &got, &err);
    } while (status != SP_OK && sp_clock_mono_ns() < until_ns);
    assert_int_equal(status, SP_OK);
    assert_int_equal(got->version, 2);
    sp_hot_unref(&got);
    sp_hot_free(&hot);
}

static int people_of(struct sp_hot *hot, const char *manifest, uint64_t version)
{
    struct sp_hot_gallery *got = NULL;
    struct sp_err err = {0};
    if (sp_hot_acquire(hot, world.durable, world.galleries, manifest, version, soon(2000), &got, &err) != SP_OK)
        fail_msg("%s", err.text);
    int people = got->usable;
    assert_int_equal(sp_gallery_count(got->gallery), people);
    sp_hot_unref(&got);
    return people;
}

/* Rows of a standing gallery begin and end while the same version stands: it is loaded again then, and not before.
 */
static void test_rows_begin_and_end(void **state)
{
    (void)state;
    struct sp_hot *hot = hot_new(4);
    int64_t now_ms = sp_clock_wall_ms();
    world.valid_to_ms[0] = now_ms - 1;      /* over */
    world.valid_from_ms[1] = now_ms + 300;  /* begins */
    world.valid_to_ms[2] = now_ms + 300;    /* ends, a moment after the other began */
    world.valid_from_ms[3] = now_ms - 1000; /* stands */
    world.valid_to_ms[3] = now_ms + 3600000;
    world_publish(&world, "air-standing-frequent", 1, 6, 1, 6, SP_MANIFEST_COMPLETE);
    memset(world.valid_from_ms, 0, sizeof world.valid_from_ms);
    memset(world.valid_to_ms, 0, sizeof world.valid_to_ms);
    assert_int_equal(people_of(hot, "air-standing-frequent", 1), 4); /* 2, 3, 4, 5 */
    assert_int_equal(people_of(hot, "air-standing-frequent", 1), 4);
    assert_int_equal(sp_hot_loads(hot), 1);
    while (sp_clock_wall_ms() <= now_ms + 301)
        poll(NULL, 0, 5);
    assert_int_equal(people_of(hot, "air-standing-frequent", 1), 4); /* 1, 3, 4, 5 */
    assert_int_equal(sp_hot_loads(hot), 2);
    struct sp_hot_gallery *got = NULL;
    uint8_t pseudonym[SP_PSEUDONYM_BYTES];
    assert_int_equal(
        sp_hot_acquire(hot, world.durable, world.galleries, "air-standing-frequent", 1, soon(1000), &got, NULL),
        SP_OK);
    for (int person = 0; person < 6; person++) {
        bool there = false;
        world_pseudonym(&world, pseudonym, "air-standing-frequent", person);
        for (int i = 0; i < sp_gallery_count(got->gallery); i++)
            there = there || memcmp(got->pseudonyms[got->people[i]], pseudonym, sizeof pseudonym) == 0;
        assert_int_equal(there, person != 0 && person != 2);
    }
    assert_true(got->changes_ms > now_ms + 3000000); /* 3 ends in an hour */
    assert_false(sp_hot_outdated(got, sp_clock_wall_ms()));
    assert_true(sp_hot_outdated(got, got->changes_ms));
    sp_hot_unref(&got);
    sp_hot_free(&hot);
}

/* When it cannot be loaded again in time, it is not taken for what is valid now. */
static void test_rows_end_while_the_store_is_away(void **state)
{
    (void)state;
    struct sp_hot *hot = hot_new(4);
    struct sp_hot_gallery *got = NULL;
    int64_t ends_ms = sp_clock_wall_ms() + 200;
    world.valid_to_ms[0] = ends_ms;
    world_publish(&world, "air-standing-away", 1, 3, 1, 3, SP_MANIFEST_COMPLETE);
    world.valid_to_ms[0] = 0;
    assert_int_equal(people_of(hot, "air-standing-away", 1), 3);
    while (sp_clock_wall_ms() <= ends_ms + 1)
        poll(NULL, 0, 5);
    struct sp_store_config nowhere = {"unix:/nonexistent/redis.sock", "", "", 50};
    struct sp_store *away = NULL;
    assert_int_equal(sp_store_new(&away, &nowhere, NULL), SP_OK);
    assert_int_not_equal(sp_hot_acquire(hot, away, away, "air-standing-away", 1, soon(100), &got, NULL), SP_OK);
    assert_non_null(got); /* the older one, for who can use it */
    sp_hot_unref(&got);
    sp_store_free(&away);
    poll(NULL, 0, 30); /* the retry interval */
    assert_int_equal(people_of(hot, "air-standing-away", 1), 2);
    sp_hot_free(&hot);
}

static void test_list(void **state)
{
    (void)state;
    struct sp_hot *hot = hot_new(4);
    struct sp_fleet_gallery list[4];
    assert_int_equal(sp_hot_list(hot, list, 4), 0);
    world_publish(&world, "sea-listed", 1, 5, 1, 3, SP_MANIFEST_COMPLETE);
    world_publish(&world, "air-listed", 1, 2, 1, 2, SP_MANIFEST_COMPLETE);
    people_of(hot, "air-listed", 1);
    struct sp_hot_gallery *got = NULL;
    assert_int_equal(sp_hot_acquire(hot, world.durable, world.galleries, "sea-listed", 1, soon(2000), &got, NULL),
                     SP_OK);
    sp_hot_unref(&got);
    assert_int_equal(sp_hot_list(hot, list, 4), 2);
    assert_string_equal(list[0].manifest, "air-listed");
    assert_string_equal(list[1].manifest, "sea-listed");
    assert_int_equal(list[1].version, 1);
    assert_int_equal(list[1].people, 5);
    assert_int_equal(list[1].missing, 2);
    assert_int_equal(sp_hot_list(hot, list, 1), 1);
    sp_hot_free(&hot);
}

static int start(void **state)
{
    (void)state;
    world_start(&world);
    assert_int_equal(sp_engine_open(&engine, &(struct sp_engine_config){SP_BACKEND_REF, 0, 1}, NULL), SP_OK);
    assert_int_equal(sp_wants_new(&wants, 60000, NULL), SP_OK);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sp_wants_free(&wants);
    sp_engine_free(&engine);
    world_stop(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loaded_once),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_an_index_that_is_gone),
        cmocka_unit_test(test_missing_templates_are_wanted),
        cmocka_unit_test(test_vectors_again),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_union_of_galleries),
        cmocka_unit_test(test_rows_begin_and_end),
        cmocka_unit_test(test_rows_end_while_the_store_is_away),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_galleries_away),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
