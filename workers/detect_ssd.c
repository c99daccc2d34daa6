/* SSD MobileNet V1 of face-api (WIDER FACE): six levels of prior boxes, y before x everywhere. */
#include "workers/detect.h"

#include <math.h>

#define LEVELS  6
#define BASE_PX 512 /* the input for which scales are given; larger inputs keep the anchors' size in px */

/* Shapes of one level: 3 on the first, 6 on the others. */
static int shape_count(int level)
{
    return level == 0 ? 3 : 6;
}

static float level_scale(int level)
{
    return level == LEVELS ? 1 : 0.2f + 0.15f * (float)level;
}

/* Scale and aspect ratio of one shape of a level. */
static void shape_of(int level, int shape, float *ret_scale, float *ret_ratio)
{
    static const float first_ratios[3] = {1, 2, 0.5f};
    static const float ratios[6] = {1, 1, 2, 0.5f, 3, 1.0f / 3};
    *ret_scale = level_scale(level);
    if (level == 0) {
        *ret_ratio = first_ratios[shape];
        if (shape == 0)
            *ret_scale = 0.1f;
        return;
    }
    *ret_ratio = ratios[shape];
    if (shape == 1)
        *ret_scale = sqrtf(level_scale(level) * level_scale(level + 1));
}

int sp_detect_ssd_anchor_count(int width, int height)
{
    int count = 0;
    for (int level = 0; level < LEVELS; level++)
        count += shape_count(level) * (width / (16 << level)) * (height / (16 << level));
    return count;
}

void sp_detect_ssd_anchors(int width, int height, struct sp_ssd_anchor *ret_anchors)
{
    for (int level = 0; level < LEVELS; level++) {
        int stride = 16 << level, shapes = shape_count(level);
        for (int row = 0; row < height / stride; row++)
            for (int column = 0; column < width / stride; column++)
                for (int shape = 0; shape < shapes; shape++) {
                    float scale, ratio;
                    shape_of(level, shape, &scale, &ratio);
                    *ret_anchors++ = (struct sp_ssd_anchor){.x = ((float)column + 0.5f) * (float)stride,
                                                            .y = ((float)row + 0.5f) * (float)stride,
                                                            .width = scale * BASE_PX * sqrtf(ratio),
                                                            .height = scale * BASE_PX / sqrtf(ratio)};
                }
    }
}

void sp_detect_ssd_decode(const float *boxes, const float *classes, const struct sp_ssd_anchor *anchors, int count,
                          float threshold, struct sp_candidates *candidates)
{
    for (int i = 0; i < count && candidates->count < candidates->capacity; i++)
        candidates->count +=
            sp_pixel_ssd(boxes, classes, anchors, i, threshold, &candidates->items[candidates->count]);
}
