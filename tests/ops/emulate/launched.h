/* Which kernel a launch on the plain device is, by the size of its payload: the blocks and the arguments. For
 * clocks. */
#ifndef SALLYPORT_TESTS_OPS_EMULATE_LAUNCHED_H
#define SALLYPORT_TESTS_OPS_EMULATE_LAUNCHED_H

#include <string.h>
#include "gpu/cuda_choice.h"

struct launched_conv {
    int64_t blocks;
    struct sp_cuda_conv conv;
};

/* The enum sp_cuda_choice of a product of our own; -1 for any other launch. */
static inline int launched_choice(const void *payload, size_t size)
{
    struct launched_conv product;
    struct {
        int64_t blocks;
        struct sp_cuda_separable both;
    } separable;
    if (size == sizeof product) {
        memcpy(&product, payload, size);
        return (int)product.conv.tile;
    }
    if (size == sizeof separable) {
        memcpy(&separable, payload, size);
        return SP_CHOICE_SEPARABLE + (int)separable.both.point.tile;
    }
    return -1;
}

#endif
