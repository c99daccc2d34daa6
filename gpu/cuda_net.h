/* Nets of the CUDA backend. Signatures as in struct sp_backend_ops; `state` is a struct sp_cuda_nets.
 *
 * A net has one stream, one arena, one cuBLASLt work space and, for each of a ladder of batch sizes (1, 2, 3, 4, 6,
 * 8, 12, ..., max_batch), one graph of all its kernels. A batch runs the graph of the next size up; its surplus
 * rows belong to nobody. Nothing is allocated and the device as a whole is never waited for at run time. */
#ifndef SALLYPORT_GPU_CUDA_NET_H
#define SALLYPORT_GPU_CUDA_NET_H

#include "gpu/cuda_device.h"
#include "gpu/program.h"

struct sp_cuda_choices;

/* What the nets of an engine share. Thread-safe. */
struct sp_cuda_nets {
    struct sp_cuda *cuda;
    struct sp_cuda_choices *choices; /* measured kernels of layers */
};
/* folder: of the file of choices; NULL or "": none. build: the module's, "" where it is not known (then no file).
 */
enum sp_status sp_cuda_nets_open(struct sp_cuda_nets *nets, struct sp_cuda *cuda, const char *folder,
                                 const char *build, struct sp_err *err);
void sp_cuda_nets_close(struct sp_cuda_nets *nets);

enum sp_status sp_cuda_net_new(void **ret_net, void *state, const struct sp_program *program, struct sp_err *err);
enum sp_status sp_cuda_net_run(void *net, int batch, const float *const *inputs, const float **ret_outputs,
                               struct sp_err *err);
/* Once the net has run, with the time of each step at max_batch, measured here (it disturbs no output). */
void sp_cuda_net_describe(const void *net, void (*line)(void *context, const char *text), void *context);
void sp_cuda_net_free(void *net);

/* For what is on the device already: write rows of float NCHW planes to sp_cuda_net_input(..., batch) in the net's
 * stream, enqueue, and read sp_cuda_net_output(..., batch) in the stream, or copy it out and wait. Addresses differ
 * by batch and are good as long as the net. */
struct sp_cuda_stream *sp_cuda_net_stream(void *net);
float *sp_cuda_net_input(void *net, int index, int batch);
const float *sp_cuda_net_output(void *net, int index, int batch);
enum sp_status sp_cuda_net_enqueue(void *net, int batch, struct sp_err *err);

#endif
