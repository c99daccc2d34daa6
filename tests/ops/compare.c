#include "tests/ops/compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#define SENTINEL 1234.5f

uint32_t random_bits(struct random *random)
{
    random->state = random->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random->state >> 33);
}

int random_int(struct random *random, int least, int most)
{
    return least + (int)(random_bits(random) % (uint32_t)(most - least + 1));
}

float random_float(struct random *random)
{
    return (float)random_bits(random) / (float)(1u << 30) - 1;
}

void random_fill(struct random *random, float *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        data[i] = random_float(random);
}

double compare_arrays(const float *a, const float *b, size_t count)
{
    double difference = 0, size = 1e-30;
    for (size_t i = 0; i < count; i++) {
        if (isnan(a[i]) != isnan(b[i]))
            return INFINITY;
        if (isnan(a[i]) || a[i] == b[i])
            continue;
        difference = fmax(difference, fabs((double)a[i] - b[i]));
    }
    for (size_t i = 0; i < count; i++)
        if (isfinite(b[i]))
            size = fmax(size, fabs(b[i]));
    return difference / size;
}

struct sp_engine *compare_engine(enum sp_backend backend)
{
    struct sp_engine_config config = {.backend = backend, .threads = 1};
    struct sp_engine *engine = NULL;
    struct sp_err err = {0};
    if (sp_engine_open(&engine, &config, &err))
        fail_msg("%s", err.text);
    return engine;
}

void compare_need(enum sp_backend backend, bool skips_as_fails)
{
    struct sp_engine_config config = {.backend = backend, .threads = 1};
    struct sp_engine *engine = NULL;
    struct sp_err err = {0};
    if (sp_engine_open(&engine, &config, &err) == SP_OK) {
        sp_engine_free(&engine);
        return;
    }
    printf("%s: %s\n", skips_as_fails ? "FAIL" : "SKIP", err.text);
    exit(skips_as_fails ? 1 : 77);
}

/* Floats whose end is the end of readable memory. */
struct guarded {
    void *map;
    size_t bytes;
    float *data;
};

static struct guarded guarded_new(size_t count)
{
    size_t page = 4096, used = (count * sizeof(float) + page - 1) / page * page;
    struct guarded guarded = {.bytes = used + page};
    guarded.map = mmap(NULL, guarded.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(guarded.map != MAP_FAILED);
    assert_int_equal(mprotect((char *)guarded.map + used, page, PROT_NONE), 0);
    guarded.data = (float *)(void *)((char *)guarded.map + used - count * sizeof(float));
    return guarded;
}

static size_t item_size(const struct sp_tensor_info *info, int max_batch)
{
    size_t count = 1;
    for (int i = 0; i < info->rank; i++)
        count *= (size_t)info->dims[i];
    return count / (size_t)max_batch;
}

static void run(struct sp_net *net, int batch, const float *const *inputs, const float **outputs, const char *name)
{
    struct sp_err err = {0};
    if (sp_net_run(net, batch, inputs, outputs, &err))
        fail_msg("%s: %s", name, err.text);
}

/* Three items in which sums cancel or nothing varies: all zero, all one, and large with alternating sign. */
static void fill_worst(float *data, size_t item, float large)
{
    for (size_t i = 0; i < item; i++) {
        data[i] = 0;
        data[item + i] = 1;
        data[2 * item + i] = i & 1 ? -large : large;
    }
}

static void compare_batch(struct comparison *c, struct sp_net *reference, struct sp_net *tested, int batch,
                          const char *name)
{
    struct guarded inputs[SP_NET_MAX_PORTS];
    const float *rows[SP_NET_MAX_PORTS], *expected[SP_NET_MAX_PORTS], *got[SP_NET_MAX_PORTS];
    for (int i = 0; i < sp_net_input_count(tested); i++) {
        size_t count = item_size(sp_net_input(tested, i), c->max_batch) * (size_t)batch;
        inputs[i] = guarded_new(count);
        random_fill(&c->random, inputs[i].data, count);
        if (batch == 3)
            fill_worst(inputs[i].data, count / 3, c->large > 0 ? c->large : 20);
        rows[i] = inputs[i].data;
    }
    run(tested, batch, rows, got, name);
    /* Rows past the batch belong to nobody: a run must leave them alone. (The reference keeps outputs in its
     * arena.) */
    bool guards = batch < c->max_batch && strstr(sp_engine_describe(c->tested), "(oneDNN");
    for (int i = 0; i < sp_net_output_count(tested) && guards; i++)
        ((float *)(uintptr_t)got[i])[item_size(sp_net_output(tested, i), c->max_batch) * (size_t)batch] = SENTINEL;
    run(tested, batch, rows, got, name);
    run(reference, batch, rows, expected, name);
    for (int i = 0; i < sp_net_output_count(tested); i++) {
        size_t count = item_size(sp_net_output(tested, i), c->max_batch) * (size_t)batch;
        assert_int_equal(count, item_size(sp_net_output(reference, i), c->max_batch) * (size_t)batch);
        double distance = compare_arrays(got[i], expected[i], count), size = 1e-30;
        for (size_t j = 0; j < count; j++)
            size = isfinite(expected[i][j]) ? fmax(size, fabs(expected[i][j])) : size;
        distance *= size < c->least ? size / c->least : 1;
        c->worst = fmax(c->worst, distance);
        if (!(distance <= c->bound))
            fail_msg("%s: output '%s' at batch %d of %d differs by %.3g, bound %.3g; seed %llu", name,
                     sp_net_output(tested, i)->name, batch, c->max_batch, distance, c->bound,
                     (unsigned long long)c->seed);
        if (guards && got[i][count] != SENTINEL)
            fail_msg("%s: output '%s' at batch %d is written past its rows; seed %llu", name,
                     sp_net_output(tested, i)->name, batch, (unsigned long long)c->seed);
    }
    for (int i = 0; i < sp_net_input_count(tested); i++)
        munmap(inputs[i].map, inputs[i].bytes);
}

void compare_bytes(struct comparison *c, const uint8_t *bytes, size_t length, const char *name)
{
    struct sp_net_config config = {
        .max_batch = c->max_batch, .height = c->height, .width = c->width, .precision = c->precision};
    struct sp_net *nets[2] = {NULL, NULL};
    struct sp_engine *engines[2] = {c->reference, c->tested};
    struct sp_err err = {0};
    for (int i = 0; i < 2; i++)
        if (sp_net_load_memory(&nets[i], engines[i], bytes, length, name, &config, &err))
            fail_msg("%s; seed %llu", err.text, (unsigned long long)c->seed);
    const int batches[] = {1, 3, c->max_batch};
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++)
        if (batches[i] <= c->max_batch)
            compare_batch(c, nets[0], nets[1], batches[i], name);
    for (int i = 0; i < 2; i++)
        sp_net_free(&nets[i]);
}

void compare_model(struct comparison *c, struct onnx_maker *maker, const char *name)
{
    size_t length;
    uint8_t *bytes = onnx_maker_pack(maker, &length);
    compare_bytes(c, bytes, length, name);
    free(bytes);
}
