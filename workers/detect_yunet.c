/* YuNet: anchor-free, one box and five points a cell, strides 8, 16 and 32. */
#include "workers/detect.h"

void sp_detect_yunet_decode(const struct sp_yunet_level *level, float threshold, struct sp_candidates *candidates)
{
    int cells = level->rows * level->columns;
    for (int cell = 0; cell < cells && candidates->count < candidates->capacity; cell++)
        candidates->count += sp_pixel_yunet(level, cell, threshold, &candidates->items[candidates->count]);
}
