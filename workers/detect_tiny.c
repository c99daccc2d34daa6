/* The tiny face detector of face-api: tiny-YOLOv2 with separable convolutions, one grid of 32 px cells. */
#include "workers/detect.h"

#include <math.h>

#define CELL_PX 32
#define ANCHORS 5

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

void sp_detect_tiny_decode(const float *grid, int rows, int columns, float threshold,
                           struct sp_candidates *candidates)
{
    /* width, height in cells */
    static const float anchors[ANCHORS][2] = {{1.603231f, 2.094468f},
                                              {6.041143f, 7.080126f},
                                              {2.882459f, 3.518061f},
                                              {4.266906f, 5.178857f},
                                              {9.041765f, 10.66308f}};
    size_t cells = (size_t)rows * (size_t)columns;
    for (int anchor = 0; anchor < ANCHORS; anchor++) {
        const float *planes = grid + (size_t)anchor * 5 * cells;
        for (size_t cell = 0; cell < cells && candidates->count < candidates->capacity; cell++) {
            float score = sigmoid(planes[4 * cells + cell]);
            if (!(score > threshold))
                continue;
            float x = ((float)(cell % (size_t)columns) + sigmoid(planes[cell])) * CELL_PX;
            float y = ((float)(cell / (size_t)columns) + sigmoid(planes[cells + cell])) * CELL_PX;
            float half_width = expf(planes[2 * cells + cell]) * anchors[anchor][0] * CELL_PX / 2;
            float half_height = expf(planes[3 * cells + cell]) * anchors[anchor][1] * CELL_PX / 2;
            candidates->items[candidates->count++] = (struct sp_candidate){
                .box = {x - half_width, y - half_height, x + half_width, y + half_height}, .score = score};
        }
    }
}
