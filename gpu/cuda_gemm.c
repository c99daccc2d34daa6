#include "gpu/cuda_gemm.h"

#include <cublasLt.h>
#include <stdlib.h>

/* Row-major D[m][n] = A[m][k] W[n][k]^T is, in the library's column-major words, D^T[n][m] = W A^T: its first
 * operand is the weights, transposed, its second the activations. */

#define WORK_BYTES                                                                                                 \
    ((size_t)32 << 20) /* NVIDIA's advice for Hopper; each net has its own, so streams never share it */

struct sp_cuda_blas {
    struct sp_cuda *cuda;
    cublasLtHandle_t handle;
    void *work;
};

struct plan {
    cublasLtMatrixLayout_t a, d;
    cublasLtMatmulAlgo_t algo;
};

struct sp_cuda_gemm {
    struct sp_cuda_blas *blas;
    struct sp_cuda_gemm_config config;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t weights;
    struct plan *plans;
    int count;
};

#define BLAS_TRY(blas, err, call) check_blas((blas), sp_cuda_fault((blas)->cuda), call, #call, (err))

static enum sp_status check_blas(struct sp_cuda_blas *blas, int fault, cublasStatus_t code, const char *statement,
                                 struct sp_err *err)
{
    if (fault)
        return sp_cuda_check(blas->cuda, fault, statement, err);
    return sp_cuda_check_named(blas->cuda, code != CUBLAS_STATUS_SUCCESS, code == CUBLAS_STATUS_ALLOC_FAILED,
                               cublasLtGetStatusString(code), statement, err);
}

enum sp_status sp_cuda_blas_new(struct sp_cuda_blas **ret_blas, struct sp_cuda *cuda, struct sp_err *err)
{
    struct sp_cuda_blas *blas = calloc(1, sizeof *blas);
    if (!blas)
        return sp_fail(err, SP_E_NOMEM, "no memory for cuBLASLt");
    blas->cuda = cuda;
    enum sp_status status = BLAS_TRY(blas, err, cublasLtCreate(&blas->handle));
    if (!status)
        status = sp_cuda_memory_new(&blas->work, cuda, WORK_BYTES, err);
    if (status)
        sp_cuda_blas_free(&blas);
    else
        *ret_blas = blas;
    return status;
}

void sp_cuda_blas_free(struct sp_cuda_blas **blas)
{
    if (!*blas)
        return;
    sp_cuda_memory_free((*blas)->cuda, &(*blas)->work);
    if ((*blas)->handle)
        cublasLtDestroy((*blas)->handle);
    free(*blas);
    *blas = NULL;
}

int sp_cuda_blas_version(void)
{
    return (int)cublasLtGetVersion();
}

static cudaDataType_t half_type(const struct sp_cuda_gemm_config *config)
{
    return config->precision == SP_PRECISION_BF16 ? CUDA_R_16BF : CUDA_R_16F;
}

/* Of D and C, and by the library's rule of the bias. */
static cudaDataType_t output_type(const struct sp_cuda_gemm_config *config)
{
    return config->f32_output ? CUDA_R_32F : half_type(config);
}

static enum sp_status describe(struct sp_cuda_gemm *gemm, struct sp_err *err)
{
    const struct sp_cuda_gemm_config *config = &gemm->config;
    struct sp_cuda_blas *blas = gemm->blas;
    cublasOperation_t transposed = CUBLAS_OP_T;
    cublasLtEpilogue_t epilogue = config->bias
                                      ? (config->relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS)
                                  : config->relu ? CUBLASLT_EPILOGUE_RELU
                                                 : CUBLASLT_EPILOGUE_DEFAULT;
    cudaDataType_t bias_type = output_type(config);
    enum sp_status status =
        BLAS_TRY(blas, err, cublasLtMatmulDescCreate(&gemm->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    if (!status)
        status = BLAS_TRY(blas, err,
                          cublasLtMatmulDescSetAttribute(gemm->operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                                         sizeof transposed));
    if (!status)
        status = BLAS_TRY(blas, err,
                          cublasLtMatmulDescSetAttribute(gemm->operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                                         sizeof epilogue));
    if (!status && config->bias)
        status = BLAS_TRY(blas, err,
                          cublasLtMatmulDescSetAttribute(gemm->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                         &config->bias, sizeof config->bias));
    if (!status && config->bias)
        status = BLAS_TRY(blas, err,
                          cublasLtMatmulDescSetAttribute(gemm->operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE,
                                                         &bias_type, sizeof bias_type));
    if (!status)
        status = BLAS_TRY(blas, err,
                          cublasLtMatrixLayoutCreate(&gemm->weights, half_type(config), (uint64_t)config->k,
                                                     (uint64_t)config->n, config->pitch));
    return status;
}

static enum sp_status choose(struct sp_cuda_gemm *gemm, struct plan *plan, int64_t rows, struct sp_err *err)
{
    const struct sp_cuda_gemm_config *config = &gemm->config;
    struct sp_cuda_blas *blas = gemm->blas;
    cublasLtMatmulPreference_t preference = NULL;
    cublasLtMatmulHeuristicResult_t result = {0};
    size_t work = WORK_BYTES;
    uint32_t aligned = 16; /* what the planner of activations promises */
    uint32_t in_float =
        CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE; /* parts of a sum are never rounded to the output's type */
    int found = 0;
    enum sp_status status = BLAS_TRY(
        blas, err,
        cublasLtMatrixLayoutCreate(&plan->a, half_type(config), (uint64_t)config->k, (uint64_t)rows, config->k));
    if (!status)
        status = BLAS_TRY(blas, err,
                          cublasLtMatrixLayoutCreate(&plan->d, output_type(config), (uint64_t)config->n,
                                                     (uint64_t)rows, config->n));
    if (!status)
        status = BLAS_TRY(blas, err, cublasLtMatmulPreferenceCreate(&preference));
    if (!status)
        status = BLAS_TRY(blas, err,
                          cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                               &work, sizeof work));
    if (!status)
        status = BLAS_TRY(blas, err,
                          cublasLtMatmulPreferenceSetAttribute(
                              preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &in_float, sizeof in_float));
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    for (int i = 0; i < 4 && !status; i++)
        status = BLAS_TRY(
            blas, err, cublasLtMatmulPreferenceSetAttribute(preference, alignments[i], &aligned, sizeof aligned));
    if (!status)
        status = BLAS_TRY(blas, err,
                          cublasLtMatmulAlgoGetHeuristic(blas->handle, gemm->operation, gemm->weights, plan->a,
                                                         plan->d, plan->d, preference, 1, &result, &found));
    if (!status && (found == 0 || result.state != CUBLAS_STATUS_SUCCESS))
        status = sp_fail(err, SP_E_UNSUPPORTED, "cuBLASLt has no product of %lld rows, n %lld, k %lld",
                         (long long)rows, (long long)config->n, (long long)config->k);
    if (preference)
        cublasLtMatmulPreferenceDestroy(preference);
    plan->algo = result.algo;
    return status;
}

enum sp_status sp_cuda_gemm_new(struct sp_cuda_gemm **ret_gemm, struct sp_cuda_blas *blas,
                                const struct sp_cuda_gemm_config *config, const int64_t *rows, int count,
                                struct sp_err *err)
{
    struct sp_cuda_gemm *gemm = calloc(1, sizeof *gemm);
    enum sp_status status = SP_OK;
    if (!gemm)
        return sp_fail(err, SP_E_NOMEM, "no memory for a product");
    gemm->blas = blas;
    gemm->config = *config;
    gemm->count = count;
    gemm->plans = calloc((size_t)count + 1, sizeof *gemm->plans);
    if (!gemm->plans)
        status = sp_fail(err, SP_E_NOMEM, "no memory for a product");
    if (!status)
        status = describe(gemm, err);
    for (int i = 0; i < count && !status; i++)
        status = choose(gemm, &gemm->plans[i], rows[i], err);
    if (status)
        sp_cuda_gemm_free(&gemm);
    else
        *ret_gemm = gemm;
    return status;
}

void sp_cuda_gemm_free(struct sp_cuda_gemm **gemm)
{
    struct sp_cuda_gemm *self = *gemm;
    if (!self)
        return;
    for (int i = 0; self->plans && i < self->count; i++) {
        if (self->plans[i].a)
            cublasLtMatrixLayoutDestroy(self->plans[i].a);
        if (self->plans[i].d)
            cublasLtMatrixLayoutDestroy(self->plans[i].d);
    }
    if (self->weights)
        cublasLtMatrixLayoutDestroy(self->weights);
    if (self->operation)
        cublasLtMatmulDescDestroy(self->operation);
    free(self->plans);
    free(self);
    *gemm = NULL;
}

enum sp_status sp_cuda_gemm_run(struct sp_cuda_gemm *gemm, struct sp_cuda_stream *stream, int which, const void *a,
                                const void *c, void *d, struct sp_err *err)
{
    struct plan *plan = &gemm->plans[which];
    float one = 1, beta = gemm->config.add ? 1 : 0;
    return BLAS_TRY(gemm->blas, err,
                    cublasLtMatmul(gemm->blas->handle, gemm->operation, &one, gemm->config.weights, gemm->weights,
                                   a, plan->a, &beta, c ? c : d, plan->d, d, plan->d, &plan->algo, gemm->blas->work,
                                   WORK_BYTES, sp_cuda_stream_native(stream)));
}
