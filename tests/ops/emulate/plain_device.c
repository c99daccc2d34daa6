#include "tests/ops/emulate/plain_device.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/cuda_device.h"
#include "tests/ops/emulate/order.h"

struct sp_cuda {
    struct sp_cuda_facts facts;
    pthread_mutex_t lock;
    size_t taken;
    atomic_int break_after, short_after;
    _Atomic uint64_t spent_us[SP_WORK_COUNT];
    atomic_bool broken;
};

static double (*clock_us)(const void *payload, size_t bytes);

struct work {
    struct work *next;
    void (*run)(const void *payload);
    size_t bytes; /* of the payload */
    _Alignas(16) char payload[PLAIN_DEVICE_PAYLOAD];
};

#define MARKS 64

/* Its work is in the order of the stream alone: before what a host or another stream does after waiting for that
 * place, after what the host did before giving it. */
struct sp_cuda_stream {
    struct sp_cuda *cuda;
    struct sp_strand *strand;
    char marks[MARKS]; /* [place % MARKS]: passed when all before that place is done; sees at most too few races */
    struct work *first, **end;
    struct work latest; /* a copy of the last one given, where time counts */
    uint64_t given, done;
    double given_us;                 /* what all of it takes */
    struct sp_cuda_graph *recording; /* what it is given goes there and is not done */
};

struct sp_cuda_graph {
    struct work *first, **end;
};

struct sp_cuda_event {
    struct sp_cuda_stream *stream;
    uint64_t at;
    double at_us;
};

void plain_device_new(struct sp_cuda **ret_cuda, const struct plain_device_config *config)
{
    struct sp_cuda *cuda = calloc(1, sizeof *cuda);
    if (!cuda)
        abort();
    cuda->facts = (struct sp_cuda_facts){.name = "plain memory",
                                         .major = 8,
                                         .multiprocessors = config->multiprocessors,
                                         .shared_bytes = config->shared_bytes,
                                         .memory_bytes = config->memory_bytes};
    pthread_mutex_init(&cuda->lock, NULL);
    *ret_cuda = cuda;
}

void plain_device_clock(double (*us)(const void *payload, size_t bytes))
{
    clock_us = us;
}

/* Six multiprocessors and 4 GiB, with the fault that the engine is asked for. */
enum sp_status sp_cuda_open(struct sp_cuda **ret_cuda, const struct sp_engine_config *config, char *ret_text,
                            size_t text_size, struct sp_err *err)
{
    (void)err;
    plain_device_new(ret_cuda, &(struct plain_device_config){6, 99 << 10, (size_t)4 << 30});
    (*ret_cuda)->facts.timed = clock_us != NULL;
    (*ret_cuda)->facts.wgmma = config->wgmma;
    if (config->fault == SP_FAULT_DEVICE)
        plain_device_break(*ret_cuda, config->fault_after);
    if (config->fault == SP_FAULT_MEMORY)
        plain_device_short(*ret_cuda, config->fault_after);
    snprintf(ret_text, text_size, "cuda (emulated)");
    return SP_OK;
}

void plain_device_do(void *native_stream, void (*work)(const void *payload), const void *payload, size_t bytes)
{
    struct sp_cuda_stream *stream = native_stream;
    bool timed = stream->cuda->facts.timed && !stream->recording;
    stream->given_us += timed ? clock_us(payload, bytes) : 0;
    if (timed && stream->latest.run == work && memcmp(stream->latest.payload, payload, bytes) == 0)
        return; /* launched again to be timed */
    struct work *item = calloc(1, sizeof *item);
    if (!item || bytes > sizeof item->payload)
        abort();
    item->run = work;
    item->bytes = bytes;
    memcpy(item->payload, payload, bytes);
    if (stream->recording) {
        *stream->recording->end = item;
        stream->recording->end = &item->next;
        return;
    }
    sp_order_pass(item);
    *stream->end = item;
    stream->end = &item->next;
    stream->latest = timed ? *item : (struct work){0};
    stream->given++;
}

/* On the stream's strand. */
static void do_next(void *given)
{
    struct sp_cuda_stream *stream = given;
    struct work *item = stream->first;
    stream->first = item->next;
    if (!stream->first)
        stream->end = &stream->first;
    sp_order_take(item);
    item->run(item->payload);
    free(item);
    stream->done++;
    sp_order_pass(&stream->marks[stream->done % MARKS]);
}

static void catch_up(struct sp_cuda_stream *stream, uint64_t to)
{
    while (stream->done < to)
        sp_strand_do(stream->strand, do_next, stream);
    sp_order_take(&stream->marks[to % MARKS]);
}

size_t plain_device_taken(struct sp_cuda *cuda)
{
    pthread_mutex_lock(&cuda->lock);
    size_t taken = cuda->taken;
    pthread_mutex_unlock(&cuda->lock);
    return taken;
}

void plain_device_break(struct sp_cuda *cuda, int n)
{
    cuda->break_after = n;
    if (n == 0)
        cuda->broken = false;
}

void plain_device_short(struct sp_cuda *cuda, int n)
{
    cuda->short_after = n;
}

static bool falls_short(struct sp_cuda *cuda)
{
    return cuda->short_after > 0 && atomic_fetch_sub(&cuda->short_after, 1) == 1;
}

/* Whatever failed meanwhile, its memory was given back. */
void sp_cuda_close(struct sp_cuda **cuda)
{
    if (*cuda && (*cuda)->taken) {
        fprintf(stderr, "plain device: %zu bytes of device memory are still taken\n", (*cuda)->taken);
        abort();
    }
    if (*cuda)
        pthread_mutex_destroy(&(*cuda)->lock);
    free(*cuda);
    *cuda = NULL;
}

const struct sp_cuda_facts *sp_cuda_facts(const struct sp_cuda *cuda)
{
    return &cuda->facts;
}

int sp_cuda_fault(struct sp_cuda *cuda)
{
    return cuda->break_after > 0 && atomic_fetch_sub(&cuda->break_after, 1) == 1;
}

enum sp_status sp_cuda_check(struct sp_cuda *cuda, int code, const char *statement, struct sp_err *err)
{
    if (code)
        cuda->broken = true;
    return cuda->broken ? sp_fail(err, SP_E_DEVICE, "plain device: broken at %.200s", statement) : SP_OK;
}

enum sp_status sp_cuda_enter(struct sp_cuda *cuda, struct sp_err *err)
{
    return SP_CUDA_TRY(cuda, err, 0);
}

/* What lies between a piece of memory and its alignment is out of bounds for AddressSanitizer too. */
#ifdef __SANITIZE_ADDRESS__
void __asan_poison_memory_region(void const volatile *address, size_t size);
void __asan_unpoison_memory_region(void const volatile *address, size_t size);
#define guard(at, size)   __asan_poison_memory_region((at), (size))
#define unguard(at, size) __asan_unpoison_memory_region((at), (size))
#else
#define guard(at, size)   ((void)(at), (void)(size))
#define unguard(at, size) ((void)(at), (void)(size))
#endif

/* The size stands in front. */
enum sp_status sp_cuda_memory_new(void **ret_memory, struct sp_cuda *cuda, size_t bytes, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    pthread_mutex_lock(&cuda->lock);
    if (falls_short(cuda) || cuda->taken + bytes > cuda->facts.memory_bytes)
        status = sp_fail(err, SP_E_NOMEM, "plain device: out of memory: %zu bytes wanted", bytes);
    char *memory = status ? NULL : aligned_alloc(256, (bytes + 511) / 256 * 256);
    if (memory) {
        cuda->taken += bytes;
        memcpy(memory, &bytes, sizeof bytes);
        sp_order_fill(memory + 256, 0xff, bytes);
        guard(memory + 256 + bytes, (bytes + 511) / 256 * 256 - 256 - bytes);
        *ret_memory = memory + 256;
    }
    pthread_mutex_unlock(&cuda->lock);
    return status;
}

void sp_cuda_memory_free(struct sp_cuda *cuda, void **memory)
{
    size_t bytes;
    if (!*memory)
        return;
    char *start = (char *)*memory - 256;
    memcpy(&bytes, start, sizeof bytes);
    pthread_mutex_lock(&cuda->lock);
    cuda->taken -= bytes;
    pthread_mutex_unlock(&cuda->lock);
    unguard(start, (bytes + 511) / 256 * 256);
    free(start);
    *memory = NULL;
}

enum sp_status sp_cuda_pinned_new(void **ret_memory, struct sp_cuda *cuda, size_t bytes, struct sp_err *err)
{
    if (falls_short(cuda))
        return sp_fail(err, SP_E_NOMEM, "plain device: out of pinned memory: %zu bytes wanted", bytes);
    *ret_memory = calloc(1, bytes);
    return *ret_memory ? SP_OK : sp_fail(err, SP_E_NOMEM, "no memory");
}

void sp_cuda_pinned_free(struct sp_cuda *cuda, void **memory)
{
    (void)cuda;
    free(*memory);
    *memory = NULL;
}

enum sp_status sp_cuda_stream_new(struct sp_cuda_stream **ret_stream, struct sp_cuda *cuda, struct sp_err *err)
{
    struct sp_cuda_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return sp_fail(err, SP_E_NOMEM, "no memory");
    sp_strand_new(&stream->strand);
    stream->cuda = cuda;
    stream->end = &stream->first;
    *ret_stream = stream;
    return SP_OK;
}

void sp_cuda_stream_free(struct sp_cuda_stream **stream)
{
    if (*stream) {
        catch_up(*stream, (*stream)->given);
        sp_strand_free(&(*stream)->strand);
    }
    free(*stream);
    *stream = NULL;
}

void *sp_cuda_stream_native(const struct sp_cuda_stream *stream)
{
    return (void *)stream;
}

struct copy {
    void *to;
    const void *from;
    size_t bytes;
};

struct fill {
    void *to;
    size_t bytes;
    uint8_t byte;
};

static void copy_now(const void *payload)
{
    const struct copy *copy = payload;
    memcpy(copy->to, copy->from, copy->bytes);
}

enum sp_status sp_cuda_copy_in(struct sp_cuda_stream *stream, void *device, const void *host, size_t bytes,
                               struct sp_err *err)
{
    struct copy copy = {device, host, bytes};
    enum sp_status status = SP_CUDA_TRY(stream->cuda, err, 0);
    if (!status)
        plain_device_do(stream, copy_now, &copy, sizeof copy);
    return status;
}

enum sp_status sp_cuda_copy_out(struct sp_cuda_stream *stream, void *host, const void *device, size_t bytes,
                                struct sp_err *err)
{
    return sp_cuda_copy_in(stream, host, device, bytes, err);
}

static void fill_now(const void *payload)
{
    const struct fill *fill = payload;
    memset(fill->to, fill->byte, fill->bytes);
}

enum sp_status sp_cuda_fill(struct sp_cuda_stream *stream, void *device, uint8_t byte, size_t bytes,
                            struct sp_err *err)
{
    struct fill fill = {device, bytes, byte};
    enum sp_status status = SP_CUDA_TRY(stream->cuda, err, 0);
    if (!status)
        plain_device_do(stream, fill_now, &fill, sizeof fill);
    return status;
}

enum sp_status sp_cuda_wait(struct sp_cuda_stream *stream, struct sp_err *err)
{
    catch_up(stream, stream->given);
    return SP_CUDA_TRY(stream->cuda, err, 0);
}

enum sp_status sp_cuda_event_new(struct sp_cuda_event **ret_event, struct sp_cuda *cuda, bool timed,
                                 struct sp_err *err)
{
    (void)cuda;
    (void)timed;
    *ret_event = calloc(1, sizeof **ret_event);
    return *ret_event ? SP_OK : sp_fail(err, SP_E_NOMEM, "no memory");
}

void sp_cuda_event_free(struct sp_cuda_event **event)
{
    free(*event);
    *event = NULL;
}

enum sp_status sp_cuda_event_record(struct sp_cuda_event *event, struct sp_cuda_stream *stream, struct sp_err *err)
{
    *event = (struct sp_cuda_event){stream, stream->given, stream->given_us};
    return SP_CUDA_TRY(stream->cuda, err, 0);
}

static void hold_now(const void *payload)
{
    const struct sp_cuda_event *event = payload;
    catch_up(event->stream, event->at);
}

/* As late as the stream itself. */
enum sp_status sp_cuda_event_hold(struct sp_cuda_stream *stream, const struct sp_cuda_event *event,
                                  struct sp_err *err)
{
    enum sp_status status = SP_CUDA_TRY(stream->cuda, err, 0);
    if (!status && event->stream)
        plain_device_do(stream, hold_now, event, sizeof *event);
    return status;
}

enum sp_status sp_cuda_event_wait(struct sp_cuda_event *event, struct sp_err *err)
{
    catch_up(event->stream, event->at);
    return SP_CUDA_TRY(event->stream->cuda, err, 0);
}

enum sp_status sp_cuda_upload(struct sp_cuda *cuda, void *device, const void *host, size_t bytes,
                              struct sp_err *err)
{
    memcpy(device, host, bytes);
    return SP_CUDA_TRY(cuda, err, 0);
}

enum sp_status sp_cuda_event_between(const struct sp_cuda_event *first, const struct sp_cuda_event *second,
                                     double *ret_us, struct sp_err *err)
{
    *ret_us = second->at_us - first->at_us;
    return SP_CUDA_TRY(first->stream->cuda, err, 0);
}

struct sp_cuda *sp_cuda_stream_device(const struct sp_cuda_stream *stream)
{
    return stream->cuda;
}

enum sp_status sp_cuda_graph_begin(struct sp_cuda_stream *stream, struct sp_err *err)
{
    enum sp_status status = SP_CUDA_TRY(stream->cuda, err, 0);
    if (status)
        return status;
    if (!(stream->recording = calloc(1, sizeof *stream->recording)))
        abort();
    stream->recording->end = &stream->recording->first;
    return SP_OK;
}

enum sp_status sp_cuda_graph_end(struct sp_cuda_graph **ret_graph, struct sp_cuda_stream *stream,
                                 struct sp_err *err)
{
    struct sp_cuda_graph *graph = stream->recording;
    stream->recording = NULL;
    enum sp_status status = SP_CUDA_TRY(stream->cuda, err, 0);
    if (status)
        sp_cuda_graph_free(&graph);
    else
        *ret_graph = graph;
    return status;
}

enum sp_status sp_cuda_graph_run(struct sp_cuda_graph *graph, struct sp_cuda_stream *stream, struct sp_err *err)
{
    for (const struct work *item = graph->first; item; item = item->next)
        plain_device_do(stream, item->run, item->payload, item->bytes);
    return SP_CUDA_TRY(stream->cuda, err, 0);
}

void sp_cuda_graph_free(struct sp_cuda_graph **graph)
{
    while (*graph && (*graph)->first) {
        struct work *item = (*graph)->first;
        (*graph)->first = item->next;
        free(item);
    }
    free(*graph);
    *graph = NULL;
}

void sp_cuda_spent_add(struct sp_cuda *cuda, enum sp_engine_work work, double us)
{
    if (us > 0)
        atomic_fetch_add_explicit(&cuda->spent_us[work], (uint64_t)(us + 0.5), memory_order_relaxed);
}

void sp_cuda_spent(const struct sp_cuda *cuda, uint64_t ret_us[SP_WORK_COUNT])
{
    for (int i = 0; i < SP_WORK_COUNT; i++)
        ret_us[i] = atomic_load_explicit(&cuda->spent_us[i], memory_order_relaxed);
}

void sp_cuda_range_push(const char *name)
{
    (void)name;
}

void sp_cuda_range_pop(void)
{
}
