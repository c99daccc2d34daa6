#include "gpu/cuda_agree.h"

#include <math.h>
#include "gpu/cuda_half.h"

#define PART (SP_CUDA_AGREE_COUNT / 3)

/* Of the largest number: two roundings of the result, one of the library's bias, and what sums in another order
 * differ by, with as much again to spare. A wrong address or a lost term is off by far more. */
static float bound_of(enum sp_precision precision)
{
    return precision == SP_PRECISION_BF16 ? 1.0f / 32 : 1.0f / 256;
}

static float value_of(enum sp_precision precision, uint16_t bits)
{
    return precision == SP_PRECISION_BF16 ? sp_bf16_value(bits) : sp_half_value(bits);
}

static float largest_of(enum sp_precision precision, const uint16_t *numbers, size_t count)
{
    float largest = 0;
    for (size_t i = 0; i < count; i++) {
        float value = fabsf(value_of(precision, numbers[i]));
        largest = isfinite(value) && value > largest ? value : largest;
    }
    return largest;
}

bool sp_cuda_agree_same(enum sp_precision precision, const uint16_t *rule, const uint16_t *other, size_t count)
{
    float bound = largest_of(precision, rule, count) * bound_of(precision);
    for (size_t i = 0; i < count; i++) {
        if (rule[i] == other[i])
            continue;
        float value = value_of(precision, rule[i]);
        float difference = fabsf(value_of(precision, other[i]) - value);
        if (isfinite(value) && !(difference <= bound))
            return false;
    }
    return true;
}

enum sp_status sp_cuda_agree_new(struct sp_cuda_agree *agree, struct sp_cuda *cuda, enum sp_precision precision,
                                 struct sp_err *err)
{
    void *rule = NULL, *other = NULL;
    enum sp_status status = sp_cuda_pinned_new(&rule, cuda, SP_CUDA_AGREE_COUNT * sizeof(uint16_t), err);
    if (!status)
        status = sp_cuda_pinned_new(&other, cuda, SP_CUDA_AGREE_COUNT * sizeof(uint16_t), err);
    *agree = (struct sp_cuda_agree){.cuda = cuda, .precision = precision, .rule = rule, .other = other};
    if (status)
        sp_cuda_agree_free(agree);
    return status;
}

void sp_cuda_agree_free(struct sp_cuda_agree *agree)
{
    void *rule = agree->rule, *other = agree->other;
    if (!agree->cuda)
        return;
    sp_cuda_pinned_free(agree->cuda, &rule);
    sp_cuda_pinned_free(agree->cuda, &other);
    *agree = (struct sp_cuda_agree){0};
}

/* All of `count` numbers, or their three parts, into `to`. */
static enum sp_status take(struct sp_cuda_agree *agree, struct sp_cuda_stream *stream, uint16_t *to,
                           const void *out, size_t count, struct sp_err *err)
{
    const uint16_t *from = out;
    enum sp_status status = SP_OK;
    agree->count = count < SP_CUDA_AGREE_COUNT ? count : SP_CUDA_AGREE_COUNT;
    if (count <= SP_CUDA_AGREE_COUNT)
        status = sp_cuda_copy_out(stream, to, from, count * sizeof *from, err);
    else
        for (size_t part = 0; part < 3 && !status; part++)
            status = sp_cuda_copy_out(stream, to + part * PART, from + (count - PART) / 2 * part,
                                      PART * sizeof *from, err);
    return status ? status : sp_cuda_wait(stream, err);
}

enum sp_status sp_cuda_agree_spoil(struct sp_cuda_stream *stream, void *out, size_t count, struct sp_err *err)
{
    return sp_cuda_fill(stream, out, 0xff, count * sizeof(uint16_t), err);
}

enum sp_status sp_cuda_agree_keep(struct sp_cuda_agree *agree, struct sp_cuda_stream *stream, const void *out,
                                  size_t count, struct sp_err *err)
{
    enum sp_status status = take(agree, stream, agree->rule, out, count, err);
    agree->tells = !status && largest_of(agree->precision, agree->rule, agree->count) > 0;
    return status;
}

enum sp_status sp_cuda_agree_look(struct sp_cuda_agree *agree, struct sp_cuda_stream *stream, const void *out,
                                  size_t count, bool *ret_same, struct sp_err *err)
{
    enum sp_status status = take(agree, stream, agree->other, out, count, err);
    if (!status)
        *ret_same = sp_cuda_agree_same(agree->precision, agree->rule, agree->other, agree->count);
    return status;
}
