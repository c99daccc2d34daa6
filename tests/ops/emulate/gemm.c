/* gpu/cuda_gemm.h by definition, for the plain device: rounded where the library rounds. */
#include "gpu/cuda_gemm.h"

#include <stdlib.h>
#include <string.h>
#include "gpu/cuda_half.h"
#include "tests/ops/emulate/plain_device.h"

#define MOST_SIZES 32

struct sp_cuda_blas {
    struct sp_cuda *cuda;
};

struct sp_cuda_gemm {
    struct sp_cuda_blas *blas;
    struct sp_cuda_gemm_config config;
    int64_t rows[MOST_SIZES];
};

enum sp_status sp_cuda_blas_new(struct sp_cuda_blas **ret_blas, struct sp_cuda *cuda, struct sp_err *err)
{
    enum sp_status status = SP_CUDA_TRY(cuda, err, 0);
    if (!status && !(*ret_blas = calloc(1, sizeof **ret_blas)))
        abort();
    if (!status)
        (*ret_blas)->cuda = cuda;
    return status;
}

int sp_cuda_blas_version(void)
{
    return 0;
}

void sp_cuda_blas_free(struct sp_cuda_blas **blas)
{
    free(*blas);
    *blas = NULL;
}

enum sp_status sp_cuda_gemm_new(struct sp_cuda_gemm **ret_gemm, struct sp_cuda_blas *blas,
                                const struct sp_cuda_gemm_config *config, const int64_t *rows, int count,
                                struct sp_err *err)
{
    enum sp_status status = SP_CUDA_TRY(blas->cuda, err, 0);
    if (status)
        return status;
    struct sp_cuda_gemm *gemm = calloc(1, sizeof *gemm);
    if (!gemm || count > MOST_SIZES)
        abort();
    gemm->blas = blas;
    gemm->config = *config;
    memcpy(gemm->rows, rows, (size_t)count * sizeof *rows);
    *ret_gemm = gemm;
    return SP_OK;
}

void sp_cuda_gemm_free(struct sp_cuda_gemm **gemm)
{
    free(*gemm);
    *gemm = NULL;
}

struct product {
    struct sp_cuda_gemm_config config;
    int64_t rows;
    const void *a, *c;
    void *d;
};

static float half_at(const struct sp_cuda_gemm_config *config, const void *data, int64_t at)
{
    uint16_t bits = ((const uint16_t *)data)[at];
    return config->precision == SP_PRECISION_BF16 ? sp_bf16_value(bits) : sp_half_value(bits);
}

/* Of what has the output's type. */
static float number_at(const struct sp_cuda_gemm_config *config, const void *data, int64_t at)
{
    return config->f32_output ? ((const float *)data)[at] : half_at(config, data, at);
}

static void multiply(const void *payload)
{
    const struct product *p = payload;
    const struct sp_cuda_gemm_config *config = &p->config;
    for (int64_t row = 0; row < p->rows; row++) {
        for (int64_t n = 0; n < config->n; n++) {
            float sum = 0;
            int64_t at = row * config->n + n;
            for (int64_t k = 0; k < config->k; k++)
                sum += half_at(config, p->a, row * config->k + k) *
                       half_at(config, config->weights, n * config->pitch + k);
            if (config->add)
                sum += number_at(config, p->c, at);
            if (config->bias)
                sum += number_at(config, config->bias, n);
            if (config->relu)
                sum = sum > 0 ? sum : 0;
            if (config->f32_output)
                ((float *)p->d)[at] = sum;
            else
                ((uint16_t *)p->d)[at] =
                    config->precision == SP_PRECISION_BF16 ? sp_bf16_bits(sum) : sp_half_bits(sum);
        }
    }
}

enum sp_status sp_cuda_gemm_run(struct sp_cuda_gemm *gemm, struct sp_cuda_stream *stream, int which, const void *a,
                                const void *c, void *d, struct sp_err *err)
{
    struct product product = {.config = gemm->config, .rows = gemm->rows[which], .a = a, .c = c, .d = d};
    enum sp_status status = SP_CUDA_TRY(gemm->blas->cuda, err, 0);
    if (!status)
        plain_device_do(sp_cuda_stream_native(stream), multiply, &product, sizeof product);
    return status;
}
