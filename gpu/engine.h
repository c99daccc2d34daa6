/* The engine: ONNX graphs on a compute backend, behind one small interface.
 *
 * Threads: an engine may be shared; an sp_net belongs to one thread at a time (it owns its activations).
 * Tensors at this interface are host memory, float32, row-major, NCHW for images. A backend may use any layout
 * inside. Knows nothing of workers/, ZeroMQ or Redis. */
#ifndef SALLYPORT_GPU_ENGINE_H
#define SALLYPORT_GPU_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

#define SP_TENSOR_MAX_RANK 8
#define SP_NET_MAX_PORTS   32

enum sp_backend {
    SP_BACKEND_AUTO, /* the best that works here */
    SP_BACKEND_CPU,  /* oneDNN where built and supported, else the reference */
    SP_BACKEND_REF,  /* the plain C reference of every op: the specification */
    SP_BACKEND_CUDA,
};

/* What a test makes a device do at one of its calls. */
enum sp_engine_fault {
    SP_FAULT_NONE,
    SP_FAULT_MEMORY, /* an allocation on the device fails once */
    SP_FAULT_DEVICE, /* a call finds the device broken; as in life, every later call does too */
};

struct sp_engine_config {
    enum sp_backend backend;
    int device;  /* cuda: device number; default 0 */
    int threads; /* cpu: compute threads of one sp_net_run; default 1 (OpenMP spin barriers hurt on shared cores) */
    bool wgmma;  /* cuda: let Hopper's own matrix products be chosen too, on devices of compute capability 9.0 */
    const char *cache_dir; /* cuda: folder where measured choices of kernels are kept; NULL or "": none */
    /* Tests only; zero in life. The fault comes at call number `fault_after` (1, 2, ...) of its kind after the
     * device was taken; the first ones are the opening's own. */
    enum sp_engine_fault fault;
    int fault_after;
};

struct sp_engine;

/* Open a backend. SP_E_UNSUPPORTED with the reason where the backend is not built or has no device (never for
 * AUTO). */
enum sp_status sp_engine_open(struct sp_engine **ret_engine, const struct sp_engine_config *config,
                              struct sp_err *err);
void sp_engine_free(struct sp_engine **engine);
/* "cpu (oneDNN 2.6.3, avx512_core_bf16)"; and for AUTO why a better backend was not taken, "" if it was. */
const char *sp_engine_describe(const struct sp_engine *engine);
const char *sp_engine_fallback_reason(const struct sp_engine *engine);
/* What a person should know that hinders nothing (a cache that was not read or written); "" if there is nothing. */
void sp_engine_note(const struct sp_engine *engine, char *ret_text, size_t size);

/* What a device spends its time on, as its own clock tells it: from the first to the last piece of work of a call.
 */
enum sp_engine_work {
    SP_WORK_FIND, /* pictures into a detector, and faces out of it */
    SP_WORK_RUN,  /* parts or chips through a net */
    SP_WORK_CUT,  /* chips, and their light */
    SP_WORK_MATCH,
    SP_WORK_COUNT,
};
const char *sp_engine_work_word(int work);
/* Microseconds so far; zeros where the backend has no such clock. Lock-free. */
void sp_engine_spent(const struct sp_engine *engine, uint64_t ret_us[SP_WORK_COUNT]);

struct sp_tensor_info {
    char name[64];
    int rank;
    int64_t dims[SP_TENSOR_MAX_RANK]; /* dims[0] is the batch the net was planned for */
};

/* What a device's 16-bit activations and weights are; sums are float either way. Backends that compute in float
 * (ref, cpu) do so whatever it says. */
enum sp_precision {
    SP_PRECISION_FP16, /* 11 bits of precision, numbers up to 65504 */
    SP_PRECISION_BF16, /* 8 bits, numbers as large as a float's: for nets that fp16 cannot hold */
};

struct sp_net_config {
    int max_batch; /* memory is planned for 1..max_batch; files with a fixed batch are re-batched when the graph
                      allows */
    int height;    /* input height and width in px where the file leaves them open; 0 = the file's own */
    int width;
    size_t max_bytes; /* most memory for activations and folded constants; 0 = 4 GiB */
    enum sp_precision precision;
};

struct sp_net;

/* Load an ONNX file: bounded pre-scan, parse, fold, fuse, plan. An unsupported op is named with its node
 * (SP_E_UNSUPPORTED); a damaged file is SP_E_FORMAT with the offset; over a limit SP_E_LIMIT. */
enum sp_status sp_net_load(struct sp_net **ret_net, struct sp_engine *engine, const char *path,
                           const struct sp_net_config *config, struct sp_err *err);
/* As sp_net_load, from `length` bytes that are only read during the call; `name` stands for the path in errors. */
enum sp_status sp_net_load_memory(struct sp_net **ret_net, struct sp_engine *engine, const uint8_t *bytes,
                                  size_t length, const char *name, const struct sp_net_config *config,
                                  struct sp_err *err);
void sp_net_free(struct sp_net **net);

int sp_net_input_count(const struct sp_net *net);
int sp_net_output_count(const struct sp_net *net);
/* Shapes at max_batch. index in 0..count-1. */
const struct sp_tensor_info *sp_net_input(const struct sp_net *net, int index);
const struct sp_tensor_info *sp_net_output(const struct sp_net *net, int index);
/* Index of the output with this name, or -1. */
int sp_net_output_index(const struct sp_net *net, const char *name);

/* Run rows 0..batch-1 (1 <= batch <= max_batch). inputs[i] points at batch rows of input i. After return
 * outputs[i] points at batch rows of output i, owned by the net and valid until its next run. No allocation. */
enum sp_status sp_net_run(struct sp_net *net, int batch, const float *const *inputs, const float **ret_outputs,
                          struct sp_err *err);

/* One line per planned step of a single item ("conv 3x3 s2 g1 3->32 relu @1x32x256x256 jit:avx512_core 410.0 us"),
 * for `model inspect`; with the time of its last run where the backend keeps it and it has run. Never NULL. */
void sp_net_describe(const struct sp_net *net, void (*line)(void *context, const char *text), void *context);

#endif
