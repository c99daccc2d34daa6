#include "gpu/cuda_device.h"

#include <cuda_runtime_api.h>
#include <nvtx3/nvToolsExt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_MAJOR 8 /* the kernels use the tensor cores' m16n8k16 and asynchronous copies */

struct sp_cuda {
    struct sp_cuda_facts facts;
    enum sp_engine_fault fault;
    atomic_int fault_after; /* calls left before the fault; 0 and below: none */
    atomic_bool broken;
    _Atomic uint64_t spent_us[SP_WORK_COUNT];
    pthread_mutex_t lock; /* of first_words */
    char first_words[360];
};

struct sp_cuda_stream {
    struct sp_cuda *cuda;
    cudaStream_t native;
    cudaEvent_t done;
};

struct sp_cuda_event {
    struct sp_cuda *cuda;
    cudaEvent_t native;
};

struct sp_cuda_graph {
    struct sp_cuda *cuda;
    cudaGraphExec_t native;
};

/* Errors after which the context takes no more work. */
static bool breaks_device(int code)
{
    switch (code) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorECCUncorrectable:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorAssert:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case cudaErrorExternalDevice:
    case cudaErrorDevicesUnavailable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorMpsClientTerminated:
    case cudaErrorUnknown:
        return true;
    default:
        return false;
    }
}

/* An error that we do not know, and that another call meets again, is of the context and not of the call. */
static bool stays(int code)
{
    return (int)cudaStreamQuery(cudaStreamLegacy) == code;
}

static enum sp_status fail_broken(struct sp_cuda *cuda, struct sp_err *err)
{
    pthread_mutex_lock(&cuda->lock);
    enum sp_status status = sp_fail(err, SP_E_DEVICE, "cuda device %d is broken since %s; the process must end",
                                    cuda->facts.number, cuda->first_words);
    pthread_mutex_unlock(&cuda->lock);
    return status;
}

enum sp_status sp_cuda_check(struct sp_cuda *cuda, int code, const char *statement, struct sp_err *err)
{
    if (code == cudaSuccess)
        return SP_OK;
    cudaGetLastError(); /* an error that is not sticky must not turn up at the next launch */
    const char *words = cudaGetErrorString((cudaError_t)code);
    if (code == cudaErrorMemoryAllocation)
        return sp_fail(err, SP_E_NOMEM, "cuda device %d is out of memory: %.200s: %.100s", cuda->facts.number,
                       statement, words);
    if (!breaks_device(code) && !stays(code))
        return sp_fail(err, SP_E_INTERNAL, "cuda device %d refuses %.240s: %.100s", cuda->facts.number, statement,
                       words);
    pthread_mutex_lock(&cuda->lock);
    if (!atomic_load(&cuda->broken))
        snprintf(cuda->first_words, sizeof cuda->first_words, "%.200s: %.100s", statement, words);
    atomic_store(&cuda->broken, true);
    pthread_mutex_unlock(&cuda->lock);
    return fail_broken(cuda, err);
}

enum sp_status sp_cuda_check_named(struct sp_cuda *cuda, bool failed, bool memory, const char *words,
                                   const char *statement, struct sp_err *err)
{
    if (!failed)
        return SP_OK;
    int code = cudaPeekAtLastError();
    if (code != cudaSuccess)
        return sp_cuda_check(cuda, code, statement, err);
    return sp_fail(err, memory ? SP_E_NOMEM : SP_E_INTERNAL, "cuda device %d: %.240s: %.100s", cuda->facts.number,
                   statement, words);
}

/* The fault a test asked for, at its call; kind DEVICE counts every call, kind MEMORY allocations only. */
static int fault_of(struct sp_cuda *cuda, enum sp_engine_fault kind)
{
    if (kind != cuda->fault || atomic_fetch_sub(&cuda->fault_after, 1) != 1)
        return cudaSuccess;
    return kind == SP_FAULT_MEMORY ? cudaErrorMemoryAllocation : cudaErrorIllegalAddress;
}

int sp_cuda_fault(struct sp_cuda *cuda)
{
    return cuda->fault == SP_FAULT_DEVICE ? fault_of(cuda, SP_FAULT_DEVICE) : cudaSuccess;
}

/* Why there is no device to open. */
static enum sp_status fail_open(struct sp_err *err, cudaError_t code, const char *what)
{
    cudaGetLastError();
    if (code == cudaErrorInsufficientDriver || code == cudaErrorStubLibrary ||
        code == cudaErrorSystemDriverMismatch)
        return sp_fail(err, SP_E_UNSUPPORTED, "cuda: no NVIDIA driver, or one too old for CUDA %d.%d (%.100s)",
                       CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10, cudaGetErrorString(code));
    if (code == cudaErrorNoDevice)
        return sp_fail(err, SP_E_UNSUPPORTED, "cuda: no device on this machine, or none visible to this process");
    return sp_fail(err, SP_E_UNSUPPORTED, "cuda: %s: %.200s", what, cudaGetErrorString(code));
}

static enum sp_status read_facts(struct sp_cuda_facts *facts, int number, struct sp_err *err)
{
    struct cudaDeviceProp properties;
    int count = 0;
    cudaError_t code = cudaGetDeviceCount(&count);
    if (code == cudaSuccess && count == 0)
        code = cudaErrorNoDevice;
    if (code != cudaSuccess)
        return fail_open(err, code, "the devices cannot be counted");
    if (number < 0 || number >= count)
        return sp_fail(err, SP_E_UNSUPPORTED, "cuda: no device %d; this machine shows 0 to %d", number, count - 1);
    code = cudaGetDeviceProperties(&properties, number);
    if (code != cudaSuccess)
        return fail_open(err, code, "the device cannot be examined");
    if (properties.major < LEAST_MAJOR)
        return sp_fail(err, SP_E_UNSUPPORTED,
                       "cuda: device %d (%.60s) is too old: compute capability %d.%d, 8.0 wanted", number,
                       properties.name, properties.major, properties.minor);
    *facts = (struct sp_cuda_facts){.number = number,
                                    .major = properties.major,
                                    .minor = properties.minor,
                                    .multiprocessors = properties.multiProcessorCount,
                                    .memory_bytes = properties.totalGlobalMem,
                                    .l2_bytes = (size_t)properties.l2CacheSize,
                                    .shared_bytes = properties.sharedMemPerBlockOptin,
                                    .runtime = CUDART_VERSION,
                                    .timed = true};
    if (cudaDriverGetVersion(&facts->driver) != cudaSuccess)
        facts->driver = 0;
    snprintf(facts->name, sizeof facts->name, "%.63s", properties.name);
    return SP_OK;
}

enum sp_status sp_cuda_open(struct sp_cuda **ret_cuda, const struct sp_engine_config *config, char *ret_text,
                            size_t text_size, struct sp_err *err)
{
    struct sp_cuda_facts facts = {0};
    enum sp_status status = read_facts(&facts, config->device, err);
    if (status)
        return status;
    cudaInitDevice(facts.number, cudaDeviceScheduleBlockingSync, cudaInitDeviceFlagsAreValid);
    cudaError_t code = cudaSetDevice(facts.number);
    if (code == cudaSuccess)
        code = cudaFree(NULL); /* the context, and any trouble with it, now */
    if (code != cudaSuccess)
        return fail_open(err, code, "the device cannot be taken");
    struct sp_cuda *cuda = calloc(1, sizeof *cuda);
    if (!cuda)
        return sp_fail(err, SP_E_NOMEM, "no memory for a device");
    facts.wgmma = config->wgmma && facts.major == 9 && facts.minor == 0;
    cuda->facts = facts;
    cuda->fault = config->fault;
    atomic_init(&cuda->fault_after, config->fault_after);
    pthread_mutex_init(&cuda->lock, NULL);
    snprintf(ret_text, text_size, "cuda (%s, sm_%d%d, %d multiprocessors, %zu MiB, CUDA %d.%d)", facts.name,
             facts.major, facts.minor, facts.multiprocessors, facts.memory_bytes >> 20, CUDART_VERSION / 1000,
             CUDART_VERSION % 1000 / 10);
    *ret_cuda = cuda;
    return SP_OK;
}

void sp_cuda_close(struct sp_cuda **cuda)
{
    if (!*cuda)
        return;
    pthread_mutex_destroy(&(*cuda)->lock);
    free(*cuda);
    *cuda = NULL;
}

const struct sp_cuda_facts *sp_cuda_facts(const struct sp_cuda *cuda)
{
    return &cuda->facts;
}

enum sp_status sp_cuda_enter(struct sp_cuda *cuda, struct sp_err *err)
{
    if (atomic_load(&cuda->broken))
        return fail_broken(cuda, err);
    return SP_CUDA_TRY(cuda, err, cudaSetDevice(cuda->facts.number));
}

/* The default stream's work, which our streams do not wait for, and which may outlast the call that gave it. */
static enum sp_status finish_default(struct sp_cuda *cuda, struct sp_err *err)
{
    return SP_CUDA_TRY(cuda, err, cudaStreamSynchronize(cudaStreamLegacy));
}

enum sp_status sp_cuda_memory_new(void **ret_memory, struct sp_cuda *cuda, size_t bytes, struct sp_err *err)
{
    void *memory = NULL;
    char statement[64];
    snprintf(statement, sizeof statement, "cudaMalloc of %zu bytes", bytes);
    int code = fault_of(cuda, SP_FAULT_MEMORY);
    enum sp_status status =
        sp_cuda_check(cuda, code ?: (int)cudaMalloc(&memory, bytes ? bytes : 1), statement, err);
    if (!status)
        status = SP_CUDA_TRY(cuda, err, cudaMemset(memory, 0, bytes ? bytes : 1));
    if (!status)
        status = finish_default(cuda, err);
    if (status)
        cudaFree(memory);
    else
        *ret_memory = memory;
    return status;
}

void sp_cuda_memory_free(struct sp_cuda *cuda, void **memory)
{
    if (*memory)
        cudaSetDevice(cuda->facts.number);
    cudaFree(*memory);
    *memory = NULL;
}

enum sp_status sp_cuda_pinned_new(void **ret_memory, struct sp_cuda *cuda, size_t bytes, struct sp_err *err)
{
    void *memory = NULL;
    char statement[64];
    snprintf(statement, sizeof statement, "cudaHostAlloc of %zu bytes", bytes);
    int code = fault_of(cuda, SP_FAULT_MEMORY);
    enum sp_status status = sp_cuda_check(
        cuda, code ?: (int)cudaHostAlloc(&memory, bytes ? bytes : 1, cudaHostAllocPortable), statement, err);
    if (status)
        return status;
    memset(memory, 0, bytes ? bytes : 1);
    *ret_memory = memory;
    return SP_OK;
}

void sp_cuda_pinned_free(struct sp_cuda *cuda, void **memory)
{
    if (*memory)
        cudaSetDevice(cuda->facts.number);
    cudaFreeHost(*memory);
    *memory = NULL;
}

enum sp_status sp_cuda_upload(struct sp_cuda *cuda, void *device, const void *host, size_t bytes,
                              struct sp_err *err)
{
    enum sp_status status = SP_CUDA_TRY(cuda, err, cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice));
    return status ? status : finish_default(cuda, err);
}

enum sp_status sp_cuda_memory_left(struct sp_cuda *cuda, size_t *ret_free, size_t *ret_total, struct sp_err *err)
{
    return SP_CUDA_TRY(cuda, err, cudaMemGetInfo(ret_free, ret_total));
}

enum sp_status sp_cuda_stream_new(struct sp_cuda_stream **ret_stream, struct sp_cuda *cuda, struct sp_err *err)
{
    struct sp_cuda_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return sp_fail(err, SP_E_NOMEM, "no memory for a stream");
    stream->cuda = cuda;
    enum sp_status status =
        SP_CUDA_TRY(cuda, err, cudaStreamCreateWithFlags(&stream->native, cudaStreamNonBlocking));
    if (!status)
        status = SP_CUDA_TRY(
            cuda, err, cudaEventCreateWithFlags(&stream->done, cudaEventDisableTiming | cudaEventBlockingSync));
    if (status)
        sp_cuda_stream_free(&stream);
    else
        *ret_stream = stream;
    return status;
}

void sp_cuda_stream_free(struct sp_cuda_stream **stream)
{
    struct sp_cuda_stream *self = *stream;
    if (!self)
        return;
    cudaSetDevice(self->cuda->facts.number);
    if (self->native)
        cudaStreamSynchronize(self->native);
    if (self->done)
        cudaEventDestroy(self->done);
    if (self->native)
        cudaStreamDestroy(self->native);
    free(self);
    *stream = NULL;
}

void *sp_cuda_stream_native(const struct sp_cuda_stream *stream)
{
    return stream->native;
}

struct sp_cuda *sp_cuda_stream_device(const struct sp_cuda_stream *stream)
{
    return stream->cuda;
}

enum sp_status sp_cuda_copy_in(struct sp_cuda_stream *stream, void *device, const void *host, size_t bytes,
                               struct sp_err *err)
{
    return SP_CUDA_TRY(stream->cuda, err,
                       cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream->native));
}

enum sp_status sp_cuda_copy_out(struct sp_cuda_stream *stream, void *host, const void *device, size_t bytes,
                                struct sp_err *err)
{
    return SP_CUDA_TRY(stream->cuda, err,
                       cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream->native));
}

enum sp_status sp_cuda_copy_on(struct sp_cuda_stream *stream, void *to, const void *from, size_t bytes,
                               struct sp_err *err)
{
    return SP_CUDA_TRY(stream->cuda, err,
                       cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream->native));
}

enum sp_status sp_cuda_fill(struct sp_cuda_stream *stream, void *device, uint8_t byte, size_t bytes,
                            struct sp_err *err)
{
    return SP_CUDA_TRY(stream->cuda, err, cudaMemsetAsync(device, byte, bytes, stream->native));
}

enum sp_status sp_cuda_wait(struct sp_cuda_stream *stream, struct sp_err *err)
{
    enum sp_status status = SP_CUDA_TRY(stream->cuda, err, cudaEventRecord(stream->done, stream->native));
    return status ? status : SP_CUDA_TRY(stream->cuda, err, cudaEventSynchronize(stream->done));
}

enum sp_status sp_cuda_event_new(struct sp_cuda_event **ret_event, struct sp_cuda *cuda, bool timed,
                                 struct sp_err *err)
{
    struct sp_cuda_event *event = calloc(1, sizeof *event);
    if (!event)
        return sp_fail(err, SP_E_NOMEM, "no memory for an event");
    event->cuda = cuda;
    unsigned flags = cudaEventBlockingSync | (timed ? 0 : cudaEventDisableTiming);
    enum sp_status status = SP_CUDA_TRY(cuda, err, cudaEventCreateWithFlags(&event->native, flags));
    if (status)
        sp_cuda_event_free(&event);
    else
        *ret_event = event;
    return status;
}

void sp_cuda_event_free(struct sp_cuda_event **event)
{
    if (!*event)
        return;
    if ((*event)->native)
        cudaEventDestroy((*event)->native);
    free(*event);
    *event = NULL;
}

enum sp_status sp_cuda_event_record(struct sp_cuda_event *event, struct sp_cuda_stream *stream, struct sp_err *err)
{
    return SP_CUDA_TRY(event->cuda, err, cudaEventRecord(event->native, stream->native));
}

enum sp_status sp_cuda_event_hold(struct sp_cuda_stream *stream, const struct sp_cuda_event *event,
                                  struct sp_err *err)
{
    return SP_CUDA_TRY(stream->cuda, err, cudaStreamWaitEvent(stream->native, event->native, 0));
}

enum sp_status sp_cuda_event_wait(struct sp_cuda_event *event, struct sp_err *err)
{
    return SP_CUDA_TRY(event->cuda, err, cudaEventSynchronize(event->native));
}

enum sp_status sp_cuda_event_between(const struct sp_cuda_event *first, const struct sp_cuda_event *second,
                                     double *ret_us, struct sp_err *err)
{
    float ms = 0;
    enum sp_status status = SP_CUDA_TRY(first->cuda, err, cudaEventElapsedTime(&ms, first->native, second->native));
    if (!status)
        *ret_us = 1000.0 * ms;
    return status;
}

enum sp_status sp_cuda_graph_begin(struct sp_cuda_stream *stream, struct sp_err *err)
{
    return SP_CUDA_TRY(stream->cuda, err, cudaStreamBeginCapture(stream->native, cudaStreamCaptureModeThreadLocal));
}

enum sp_status sp_cuda_graph_end(struct sp_cuda_graph **ret_graph, struct sp_cuda_stream *stream,
                                 struct sp_err *err)
{
    cudaGraph_t captured = NULL;
    struct sp_cuda_graph *graph = calloc(1, sizeof *graph);
    enum sp_status status = SP_CUDA_TRY(stream->cuda, err, cudaStreamEndCapture(stream->native, &captured));
    if (!graph && !status)
        status = sp_fail(err, SP_E_NOMEM, "no memory for a graph");
    if (!status) {
        graph->cuda = stream->cuda;
        status = SP_CUDA_TRY(stream->cuda, err, cudaGraphInstantiate(&graph->native, captured, 0));
    }
    if (!status)
        status = SP_CUDA_TRY(stream->cuda, err, cudaGraphUpload(graph->native, stream->native));
    if (captured)
        cudaGraphDestroy(captured);
    if (status)
        sp_cuda_graph_free(&graph);
    else
        *ret_graph = graph;
    return status;
}

enum sp_status sp_cuda_graph_run(struct sp_cuda_graph *graph, struct sp_cuda_stream *stream, struct sp_err *err)
{
    return SP_CUDA_TRY(stream->cuda, err, cudaGraphLaunch(graph->native, stream->native));
}

void sp_cuda_graph_free(struct sp_cuda_graph **graph)
{
    if (!*graph)
        return;
    if ((*graph)->native)
        cudaGraphExecDestroy((*graph)->native);
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
    nvtxRangePushA(name);
}

void sp_cuda_range_pop(void)
{
    nvtxRangePop();
}
