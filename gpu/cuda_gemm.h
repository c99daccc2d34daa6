/* Matrix products on cuBLASLt: weights [n][k] fixed at load, any number of rows up to a maximum at run time.
 *
 * D[m][n] = act(A[m][k] W^T + C + bias): A and W half (16 bits, in the net's precision) row-major, D, C and bias
 * half or all f32, sums in float. */
#ifndef SALLYPORT_GPU_CUDA_GEMM_H
#define SALLYPORT_GPU_CUDA_GEMM_H

#include "gpu/cuda_device.h"
#include "gpu/engine.h"

struct sp_cuda_blas; /* one handle and work space per net: its stream only */
struct sp_cuda_gemm;

enum sp_status sp_cuda_blas_new(struct sp_cuda_blas **ret_blas, struct sp_cuda *cuda, struct sp_err *err);
void sp_cuda_blas_free(struct sp_cuda_blas **blas);

struct sp_cuda_gemm_config {
    const void *weights; /* device, half [n][pitch] */
    const void *bias;    /* device, [n] of the output's type, or NULL */
    int64_t n, k;        /* multiples of 8 */
    int64_t pitch;       /* of the weights' rows, >= k, a multiple of 8 */
    bool relu;
    bool add; /* there is a C */
    bool f32_output;
    enum sp_precision precision;
    int64_t most_rows;
};

/* Of the library, as it counts. */
int sp_cuda_blas_version(void);

/* Choose the library's algorithms for row counts rows[0..count-1] (ascending, the last is most_rows).
 * SP_E_UNSUPPORTED where it has none. */
enum sp_status sp_cuda_gemm_new(struct sp_cuda_gemm **ret_gemm, struct sp_cuda_blas *blas,
                                const struct sp_cuda_gemm_config *config, const int64_t *rows, int count,
                                struct sp_err *err);
void sp_cuda_gemm_free(struct sp_cuda_gemm **gemm);
/* Without waiting. `which`: index of the row count. c is NULL where the product has none. */
enum sp_status sp_cuda_gemm_run(struct sp_cuda_gemm *gemm, struct sp_cuda_stream *stream, int which, const void *a,
                                const void *c, void *d, struct sp_err *err);

#endif
