/* The tiny face detector of face-api: tiny-YOLOv2 with separable convolutions, one grid of 32 px cells. */
#include "workers/detect.h"

void sp_detect_tiny_decode(const float *grid, int rows, int columns, float threshold,
                           struct sp_candidates *candidates)
{
    for (int i = 0; i < SP_TINY_ANCHORS * rows * columns && candidates->count < candidates->capacity; i++)
        candidates->count +=
            sp_pixel_tiny(grid, rows, columns, i, threshold, &candidates->items[candidates->count]);
}
