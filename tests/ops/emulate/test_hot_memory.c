/* Hot galleries on a device whose memory runs out: the real loader, match host code and slabs over a device of
 * plain memory. Who goes, that nobody else does, and what is said when nobody can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/clock.h"
#include "gpu/cuda.h"
#include "gpu/cuda_match.h"
#include "tests/ops/emulate/plain_device.h"
#include "tests/unit/worker/world.h"
#include "workers/hot.h"

enum { MOST = 64 };

static struct world world;
static struct sp_engine *engine;
static size_t memory_bytes = (size_t)1 << 30; /* of the next device that is opened */
static size_t taken;                          /* by the last one when it was opened */

struct machine {
    struct sp_cuda *cuda;
    struct sp_cuda_match *match;
};

static enum sp_status open_machine(void **ret_state, const struct sp_engine_config *config, char *ret_text,
                                   size_t text_size, struct sp_err *err)
{
    struct machine *machine = calloc(1, sizeof *machine);
    (void)config;
    plain_device_new(&machine->cuda, &(struct plain_device_config){2, 99 << 10, memory_bytes});
    if (sp_cuda_match_new(&machine->match, machine->cuda, err))
        fail_msg("%s", err->text);
    taken = plain_device_taken(machine->cuda);
    snprintf(ret_text, text_size, "cuda (plain memory)");
    *ret_state = machine;
    return SP_OK;
}

static void close_machine(void *state)
{
    struct machine *machine = state;
    sp_cuda_match_free(&machine->match);
    assert_int_equal(plain_device_taken(machine->cuda), 0);
    sp_cuda_close(&machine->cuda);
    free(machine);
}

static enum sp_status new_gallery(void **ret_store, void *state, const struct sp_rows *rows, struct sp_err *err)
{
    struct machine *machine = state;
    struct sp_cuda_gallery *gallery = NULL;
    enum sp_status status = sp_cuda_gallery_new(&gallery, sp_cuda_match_galleries(machine->match), rows, err);
    *ret_store = gallery;
    return status;
}

static void free_gallery(void *store)
{
    struct sp_cuda_gallery *gallery = store;
    sp_cuda_gallery_free(&gallery);
}

static const struct sp_backend_ops table = {.name = "cuda",
                                            .open = open_machine,
                                            .close = close_machine,
                                            .gallery_new = new_gallery,
                                            .gallery_free = free_gallery};

enum sp_status sp_cuda_load(const struct sp_backend_ops **ret_backend, struct sp_err *err)
{
    (void)err;
    *ret_backend = &table;
    return SP_OK;
}

static void open_engine(void)
{
    struct sp_engine_config config = {.backend = SP_BACKEND_CUDA};
    assert_int_equal(sp_engine_open(&engine, &config, NULL), SP_OK);
}

static struct sp_hot *hot_new(void)
{
    struct sp_hot *hot = NULL;
    struct sp_hot_config config = {.engine = engine,
                                   .pack = &world.pack,
                                   .reader = {"workers", &world.fleet},
                                   .max_galleries = MOST,
                                   .max_bytes = 64 << 20,
                                   .retry_ms = 1};
    assert_int_equal(sp_hot_new(&hot, &config, NULL), SP_OK);
    return hot;
}

static enum sp_status acquire(struct sp_hot *hot, int number, struct sp_hot_gallery **ret_gallery,
                              struct sp_err *err)
{
    char name[32];
    snprintf(name, sizeof name, "air-%d", number);
    return sp_hot_acquire(hot, world.durable, world.galleries, name, 1, sp_clock_mono_ns() + 5000 * SP_NS_PER_MS,
                          ret_gallery, err);
}

/* Ask for one, let it go at once, and say when it departs (0: not known). Returns how many loads that took. */
static uint64_t touch(struct sp_hot *hot, int number, int64_t departs_ms)
{
    struct sp_hot_gallery *got = NULL;
    struct sp_err err = {0};
    uint64_t before = sp_hot_loads(hot);
    if (acquire(hot, number, &got, &err))
        fail_msg("air-%d: %s", number, err.text);
    got->departs_ms = departs_ms;
    sp_hot_unref(&got);
    return sp_hot_loads(hot) - before;
}

/* Galleries until the device is full: how many there are then, numbers 0 and up. All depart in `hours` hours. */
static int fill(struct sp_hot *hot, int64_t now_ms)
{
    int count = 0;
    while (count < MOST && sp_hot_count(hot) == count) {
        touch(hot, count, now_ms + 7200000);
        count++;
    }
    assert_in_range(count, 20, MOST - 8);
    assert_int_equal(sp_hot_count(hot), count - 1); /* the last one took another's place */
    return count;
}

static void the_last_to_depart_go_first(void **state)
{
    struct sp_hot *hot = hot_new();
    int64_t now_ms = sp_clock_wall_ms(), hour = 3600000;
    int next = fill(hot, now_ms), gone = 0; /* same departure for all: the least recently used went */
    (void)state;
    assert_int_equal(touch(hot, 7, now_ms + 12 * hour), 0);
    assert_int_equal(touch(hot, 3, now_ms + 10 * hour), 0);
    assert_int_equal(touch(hot, 5, now_ms + 9 * hour), 0);
    assert_int_equal(touch(hot, 9, now_ms + hour), 0);
    assert_int_equal(touch(hot, 11, 0), 0);             /* in use, no departure */
    assert_int_equal(touch(hot, 13, now_ms - hour), 0); /* in use, boards late or has arrived */
    for (int i = 0; i < 3; i++)                         /* 7, then 3, then 5 make room */
        assert_int_equal(touch(hot, next + i, now_ms + hour), 1);
    for (int i = 0; i < next; i++) {
        struct sp_hot_gallery *got = NULL;
        if (i == gone || i == 7 || i == 3 || i == 5)
            continue;
        uint64_t before = sp_hot_loads(hot);
        assert_int_equal(acquire(hot, i, &got, NULL), SP_OK);
        assert_int_equal(sp_hot_loads(hot), before); /* still there */
        sp_hot_unref(&got);
    }
    assert_int_equal(touch(hot, 7, now_ms + 12 * hour), 1);
    assert_int_equal(touch(hot, 3, now_ms + hour), 1); /* takes the place of 7 again */
    assert_int_equal(touch(hot, 7, 0), 1);
    sp_hot_free(&hot);
}

/* A review of one on a full device reads its vectors, and nobody goes for that. */
static void a_review_takes_no_place(void **state)
{
    struct sp_hot *hot = hot_new();
    struct sp_hot_vectors vectors = {0};
    struct sp_hot_gallery *got = NULL;
    int count = fill(hot, sp_clock_wall_ms());
    (void)state;
    assert_int_equal(acquire(hot, count - 1, &got, NULL), SP_OK);
    assert_int_equal(sp_hot_load_vectors(&vectors, sp_hot_config(hot), world.durable, world.galleries, got, NULL),
                     SP_OK);
    assert_int_equal(vectors.count, 1);
    assert_int_equal(sp_hot_count(hot), count - 1);
    sp_hot_vectors_clear(&vectors);
    sp_hot_unref(&got);
    sp_hot_free(&hot);
}

static void what_batches_hold_stays(void **state)
{
    struct sp_hot *hot = hot_new();
    struct sp_hot_gallery *held[MOST] = {NULL}, *got = NULL;
    struct sp_err err = {0};
    int count = 0;
    (void)state;
    while (count < MOST && acquire(hot, count, &held[count], &err) == SP_OK)
        count++;
    assert_in_range(count, 20, MOST - 8);
    assert_int_equal(err.status, SP_E_NOMEM);
    assert_non_null(strstr(err.text, "gallery air-"));
    assert_non_null(strstr(err.text, "no other gallery can make room: gallery of 1 x 8"));
    assert_null(held[count]);
    assert_int_equal(sp_hot_count(hot), count); /* nobody lost anything */
    for (int i = 0; i < count; i++)
        assert_int_equal(sp_gallery_count(held[i]->gallery), 1);
    sp_hot_unref(&held[4]);
    for (uint64_t until_ns = sp_clock_mono_ns() + 5000 * SP_NS_PER_MS; !got;) {
        assert_true(sp_clock_mono_ns() < until_ns);
        acquire(hot, count, &got, &err); /* after the retry interval */
    }
    assert_int_equal(sp_hot_count(hot), count);
    sp_hot_unref(&got);
    for (int i = 0; i < count; i++)
        sp_hot_unref(&held[i]);
    sp_hot_free(&hot);
}

/* A newer version that finds no room leaves the older one in place. */
static void an_older_version_stays(void **state)
{
    struct sp_hot *hot = hot_new();
    struct sp_hot_gallery *held[MOST] = {NULL}, *got = NULL;
    struct sp_err err = {0};
    int count = 0;
    (void)state;
    while (count < MOST && acquire(hot, count, &held[count], NULL) == SP_OK)
        count++;
    world_publish(&world, "air-2", 2, 2, 1, 2, SP_MANIFEST_AMENDED);
    enum sp_status status = sp_hot_acquire(hot, world.durable, world.galleries, "air-2", 2,
                                           sp_clock_mono_ns() + 5000 * SP_NS_PER_MS, &got, &err);
    assert_int_equal(status, SP_E_NOMEM);
    assert_ptr_equal(got, held[2]);
    assert_int_equal(got->version, 1);
    sp_hot_unref(&got);
    for (int i = 0; i < count; i++)
        sp_hot_unref(&held[i]);
    sp_hot_free(&hot);
}

static int start(void **state)
{
    char name[32];
    (void)state;
    world_start(&world);
    for (int i = 0; i < MOST; i++) {
        snprintf(name, sizeof name, "air-%d", i);
        world_publish(&world, name, 1, 1, 1, 1, SP_MANIFEST_COMPLETE);
    }
    open_engine();
    sp_engine_free(&engine);
    memory_bytes = taken + (5 << 19); /* two slabs of a megabyte each, and no third */
    open_engine();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    sp_engine_free(&engine);
    world_stop(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_to_depart_go_first),
        cmocka_unit_test(a_review_takes_no_place),
        cmocka_unit_test(what_batches_hold_stays),
        cmocka_unit_test(an_older_version_stays),
    };
    return cmocka_run_group_tests_name("hot galleries in a full device", tests, start, stop);
}
