/* The 16-bit floats as their bits, for packing weights on the host: fp16 of IEEE 754 (11 bits of precision, up to
 * 65504) and bf16, the upper half of a float (8 bits, a float's range). C and C++. */
#ifndef SALLYPORT_GPU_CUDA_HALF_H
#define SALLYPORT_GPU_CUDA_HALF_H

#include <stdint.h>
#include <string.h>

/* Nearest, ties to even; over 65504 infinity, NaN stays NaN. */
static inline uint16_t sp_half_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
    if (size > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (size >= 0x477ff000u) /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7c00u);
    if (size < 0x33000001u) /* at most half of the smallest subnormal */
        return (uint16_t)sign;
    uint32_t exponent = size >> 23, mantissa = (size & 0x7fffffu) | 0x800000u;
    uint32_t shift = exponent < 113 ? 126 - exponent : 13; /* subnormals lose more */
    uint32_t kept = mantissa >> shift, rest = mantissa & ((1u << shift) - 1), middle = 1u << (shift - 1);
    kept += rest > middle || (rest == middle && (kept & 1));
    /* A normal's leading one adds to the exponent field, as does a carry out of the rounding. */
    return (uint16_t)(sign | (exponent < 113 ? kept : kept + ((exponent - 113) << 10)));
}

static inline float sp_half_value(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3ffu, bits;
    if (exponent == 0) {
        float small = (float)mantissa * 0x1p-24f;
        return sign ? -small : small;
    }
    bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | mantissa << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Nearest, ties to even, subnormals too; what rounds to 2^128 is infinity, NaN stays NaN. */
static inline uint16_t sp_bf16_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u); /* quiet, so that something is left of it */
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline float sp_bf16_value(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
