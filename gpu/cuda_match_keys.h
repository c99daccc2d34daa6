/* Keys: a score and an entry in 64 bits that order as hits do, larger before; see gpu/cuda_match_work.h. C and C++.
 */
#ifndef SALLYPORT_GPU_CUDA_MATCH_KEYS_H
#define SALLYPORT_GPU_CUDA_MATCH_KEYS_H

#include <stdint.h>
#include <string.h>

/* Device code says how its functions are declared before it includes this. */
#ifndef SP_KEYS
#define SP_KEYS static inline
#endif

/* -0 counts as 0: they tie. */
SP_KEYS uint64_t sp_match_key(float score, uint32_t entry)
{
    uint32_t bits;
    score += 0.0f;
    memcpy(&bits, &score, sizeof bits);
    uint32_t rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return (uint64_t)rising << 32 | (uint32_t)~entry;
}

SP_KEYS float sp_match_key_score(uint64_t key)
{
    uint32_t rising = (uint32_t)(key >> 32), bits = rising & 0x80000000u ? rising & 0x7fffffffu : ~rising;
    float score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

SP_KEYS uint32_t sp_match_key_entry(uint64_t key)
{
    return ~(uint32_t)key;
}

#endif
