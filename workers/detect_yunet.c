/* YuNet: anchor-free, one box and five points a cell, strides 8, 16 and 32. */
#include "workers/detect.h"

#include <math.h>

static float unit(float x)
{
    return x > 0 ? (x < 1 ? x : 1) : 0; /* a NaN gives 0 */
}

void sp_detect_yunet_decode(const struct sp_yunet_level *level, float threshold, struct sp_candidates *candidates)
{
    float stride = (float)level->stride;
    int cells = level->rows * level->columns;
    for (int cell = 0; cell < cells && candidates->count < candidates->capacity; cell++) {
        float score = sqrtf(unit(level->scores[cell]) * unit(level->objectness[cell]));
        if (!(score > threshold))
            continue;
        const float *t = level->boxes + 4 * cell, *p = level->points + 10 * cell;
        float column = (float)(cell % level->columns), row = (float)(cell / level->columns);
        float x = (column + t[0]) * stride, y = (row + t[1]) * stride;
        float half_width = expf(t[2]) * stride / 2, half_height = expf(t[3]) * stride / 2;
        struct sp_candidate *candidate = &candidates->items[candidates->count++];
        *candidate =
            (struct sp_candidate){.box = {x - half_width, y - half_height, x + half_width, y + half_height},
                                  .score = score,
                                  .has_points = true};
        for (int i = 0; i < 5; i++)
            candidate->points[i] = (struct sp_point){(p[2 * i] + column) * stride, (p[2 * i + 1] + row) * stride};
    }
}
