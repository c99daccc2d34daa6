// Numbers for tests that launch kernels of nets directly: 16-bit floats of the precision in hand, and a generator
// that gives the same ones each time. C++.
#ifndef SALLYPORT_TESTS_OPS_HALF_NUMBERS_H
#define SALLYPORT_TESTS_OPS_HALF_NUMBERS_H

#include <cstdint>
#include <vector>
#include "gpu/cuda_half.h"
#include "gpu/cuda_kernels.h"

inline uint64_t seed = 20261122;
inline sp_precision precision; // of the group that runs

inline int pick(int least, int most)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return least + (int)((seed >> 33) % (uint64_t)(most - least + 1));
}

// From -1 to 1.
inline float number()
{
    return (float)pick(-1000, 1000) / 1000;
}

inline uint16_t half(float value)
{
    return precision == SP_PRECISION_BF16 ? sp_bf16_bits(value) : sp_half_bits(value);
}

inline float value(uint16_t bits)
{
    return precision == SP_PRECISION_BF16 ? sp_bf16_value(bits) : sp_half_value(bits);
}

inline int up(int count, int to)
{
    return (count + to - 1) / to * to;
}

// [rows][pitch] with numbers up to `channels`, times `size`, and zeros behind.
inline std::vector<uint16_t> halfs(size_t rows, int pitch, int channels, float size = 1)
{
    std::vector<uint16_t> all(rows * (size_t)pitch);
    for (size_t i = 0; i < all.size(); i++)
        all[i] = half((int)(i % (size_t)pitch) < channels ? size * number() : 0);
    return all;
}

inline std::vector<float> floats(int count)
{
    std::vector<float> all((size_t)count);
    for (float &each : all)
        each = number();
    return all;
}

// All of a group's tests in fp16, then in bf16; with tests/ops/on_device.h.
#define RUN_IN_BOTH(failed, name, tests)                                                                           \
    do {                                                                                                           \
        (failed) = 0;                                                                                              \
        for (int both = 0; both < 2; both++) {                                                                     \
            int now;                                                                                               \
            precision = both ? SP_PRECISION_BF16 : SP_PRECISION_FP16;                                              \
            RUN_ON_DEVICE(now, name, tests);                                                                       \
            (failed) += now;                                                                                       \
        }                                                                                                          \
    } while (0)

#endif
