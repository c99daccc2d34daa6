/* One CUDA device: its memory, streams, events and graphs, every call checked.
 *
 * All of the backend's host code goes through here and names no CUDA type; tests put a device made of plain memory
 * in its place (tests/ops/emulate). Launchers and library calls take a stream as sp_cuda_stream_native().
 *
 * Failure: out of memory is SP_E_NOMEM and leaves the device usable. An error that breaks the device's context is
 * SP_E_DEVICE, and from then on every call says so with the statement that met it first: the process has to leave.
 * Anything else CUDA refuses is a defect: SP_E_INTERNAL. Sentences hold the statement and the library's words.
 *
 * Threads: struct sp_cuda may be shared; a stream or event belongs to one thread at a time. A thread calls
 * sp_cuda_enter before its first other call. */
#ifndef SALLYPORT_GPU_CUDA_DEVICE_H
#define SALLYPORT_GPU_CUDA_DEVICE_H

#include <stdbool.h>
#include "gpu/engine.h"

struct sp_cuda;
struct sp_cuda_stream;
struct sp_cuda_event;
struct sp_cuda_graph;

struct sp_cuda_facts {
    char name[64];
    int number;
    int major, minor; /* compute capability; 8.0 is the least taken */
    int multiprocessors;
    size_t memory_bytes, l2_bytes;
    size_t shared_bytes; /* most one block may have */
    int driver, runtime; /* versions as CUDA counts them: 13000 */
    bool timed;          /* times of events say how fast kernels are */
    bool wgmma;          /* asked for, and of a device that has it */
};

/* SP_E_UNSUPPORTED with the reason: no driver, no such device, too old. text: as sp_engine_describe. */
enum sp_status sp_cuda_open(struct sp_cuda **ret_cuda, const struct sp_engine_config *config, char *ret_text,
                            size_t text_size, struct sp_err *err);
void sp_cuda_close(struct sp_cuda **cuda);
const struct sp_cuda_facts *sp_cuda_facts(const struct sp_cuda *cuda);
/* Make it the calling thread's device. SP_E_DEVICE once it broke. Costs well under a microsecond. */
enum sp_status sp_cuda_enter(struct sp_cuda *cuda, struct sp_err *err);

/* Check a CUDA runtime call (its cudaError_t as int): SP_CUDA_TRY(cuda, err, cudaMemsetAsync(...)). The call is not
 * made where a test asked for a fault at it. sp_cuda_check_named: of another library, its status already in words.
 */
#define SP_CUDA_TRY(cuda, err, call) sp_cuda_check((cuda), sp_cuda_fault(cuda) ?: (int)(call), #call, (err))
enum sp_status sp_cuda_check(struct sp_cuda *cuda, int code, const char *statement, struct sp_err *err);
int sp_cuda_fault(struct sp_cuda *cuda);
enum sp_status sp_cuda_check_named(struct sp_cuda *cuda, bool failed, bool memory, const char *words,
                                   const char *statement, struct sp_err *err);

/* Device memory, aligned to 256 bytes, zeroed; pinned host memory, zeroed. At load only. */
enum sp_status sp_cuda_memory_new(void **ret_memory, struct sp_cuda *cuda, size_t bytes, struct sp_err *err);
void sp_cuda_memory_free(struct sp_cuda *cuda, void **memory);
enum sp_status sp_cuda_pinned_new(void **ret_memory, struct sp_cuda *cuda, size_t bytes, struct sp_err *err);
void sp_cuda_pinned_free(struct sp_cuda *cuda, void **memory);
/* Copy to the device and wait, for weights and galleries at load. */
enum sp_status sp_cuda_upload(struct sp_cuda *cuda, void *device, const void *host, size_t bytes,
                              struct sp_err *err);
/* Bytes free and in all on the device now. */
enum sp_status sp_cuda_memory_left(struct sp_cuda *cuda, size_t *ret_free, size_t *ret_total, struct sp_err *err);

/* A stream that never waits for the default one. */
enum sp_status sp_cuda_stream_new(struct sp_cuda_stream **ret_stream, struct sp_cuda *cuda, struct sp_err *err);
void sp_cuda_stream_free(struct sp_cuda_stream **stream);
void *sp_cuda_stream_native(const struct sp_cuda_stream *stream); /* cudaStream_t */
struct sp_cuda *sp_cuda_stream_device(const struct sp_cuda_stream *stream);
/* In the stream's order, without waiting. Host memory must be pinned, or the call waits. */
enum sp_status sp_cuda_copy_in(struct sp_cuda_stream *stream, void *device, const void *host, size_t bytes,
                               struct sp_err *err);
enum sp_status sp_cuda_copy_out(struct sp_cuda_stream *stream, void *host, const void *device, size_t bytes,
                                struct sp_err *err);
enum sp_status sp_cuda_copy_on(struct sp_cuda_stream *stream, void *to, const void *from, size_t bytes,
                               struct sp_err *err);
enum sp_status sp_cuda_fill(struct sp_cuda_stream *stream, void *device, uint8_t byte, size_t bytes,
                            struct sp_err *err);
/* The host waits for all that is in the stream: it sleeps, no core spins. */
enum sp_status sp_cuda_wait(struct sp_cuda_stream *stream, struct sp_err *err);

/* A mark in a stream. timed: for sp_cuda_event_between. */
enum sp_status sp_cuda_event_new(struct sp_cuda_event **ret_event, struct sp_cuda *cuda, bool timed,
                                 struct sp_err *err);
void sp_cuda_event_free(struct sp_cuda_event **event);
enum sp_status sp_cuda_event_record(struct sp_cuda_event *event, struct sp_cuda_stream *stream, struct sp_err *err);
/* The stream goes no further before the event. */
enum sp_status sp_cuda_event_hold(struct sp_cuda_stream *stream, const struct sp_cuda_event *event,
                                  struct sp_err *err);
enum sp_status sp_cuda_event_wait(struct sp_cuda_event *event, struct sp_err *err);
/* Microseconds between two recorded and reached timed events. */
enum sp_status sp_cuda_event_between(const struct sp_cuda_event *first, const struct sp_cuda_event *second,
                                     double *ret_us, struct sp_err *err);

/* What the stream is given between begin and end is not run but kept as a graph. A begin that succeeded is
 * followed by an end, whatever failed between. */
enum sp_status sp_cuda_graph_begin(struct sp_cuda_stream *stream, struct sp_err *err);
enum sp_status sp_cuda_graph_end(struct sp_cuda_graph **ret_graph, struct sp_cuda_stream *stream,
                                 struct sp_err *err);
enum sp_status sp_cuda_graph_run(struct sp_cuda_graph *graph, struct sp_cuda_stream *stream, struct sp_err *err);
void sp_cuda_graph_free(struct sp_cuda_graph **graph);

/* Two marks around a piece of work, whose time goes to one of the device's sums. Belongs to one thread at a time.
 */
struct sp_cuda_span {
    struct sp_cuda *cuda;
    struct sp_cuda_event *first, *last;
};
enum sp_status sp_cuda_span_new(struct sp_cuda_span *span, struct sp_cuda *cuda, struct sp_err *err);
void sp_cuda_span_free(struct sp_cuda_span *span); /* also of one that is zeroed */
enum sp_status sp_cuda_span_begin(struct sp_cuda_span *span, struct sp_cuda_stream *stream, struct sp_err *err);
enum sp_status sp_cuda_span_end(struct sp_cuda_span *span, struct sp_cuda_stream *stream, struct sp_err *err);
/* Once the stream was waited for. */
enum sp_status sp_cuda_span_count(struct sp_cuda_span *span, enum sp_engine_work work, struct sp_err *err);

/* The device's sums, in microseconds. */
void sp_cuda_spent_add(struct sp_cuda *cuda, enum sp_engine_work work, double us);
void sp_cuda_spent(const struct sp_cuda *cuda, uint64_t ret_us[SP_WORK_COUNT]);

/* A named range of the calling thread's time line (NVTX) for profilers. */
void sp_cuda_range_push(const char *name);
void sp_cuda_range_pop(void);

#endif
