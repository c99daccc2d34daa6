#include "gpu/cuda_weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/cuda_half.h"

#define MOST_CLASSES 16 /* per side; a 7x7 window with padding 3 has 7 */

static int taps_of(const struct sp_cuda_source *source)
{
    return source->window.kernel[0] * source->window.kernel[1];
}

/* Which of the window's taps at output position `at` lie inside; bit k for tap k. */
static uint64_t taps_inside(const struct sp_window *window, int side, int at, int in)
{
    uint64_t mask = 0;
    for (int k = 0; k < window->kernel[side]; k++) {
        int64_t i =
            (int64_t)at * window->stride[side] - window->pad_begin[side] + (int64_t)k * window->dilation[side];
        mask |= (uint64_t)(i >= 0 && i < in) << k;
    }
    return mask;
}

/* The class of every position along one side; how many there are, or -1 when too many. */
static int classify(const struct sp_window *window, int side, int in, int out, int *classes, uint64_t *masks)
{
    int count = 0;
    for (int at = 0; at < out; at++) {
        uint64_t mask = taps_inside(window, side, at, in);
        int found = 0;
        while (found < count && masks[found] != mask)
            found++;
        if (found == MOST_CLASSES)
            return -1;
        if (found == count)
            masks[count++] = mask;
        classes[at] = found;
    }
    return count;
}

/* Bias of one output channel where the taps of `rows` and `columns` count. */
static float bias_of(const struct sp_cuda_source *source, int oc, uint64_t rows, uint64_t columns)
{
    double sum = source->bias ? source->bias[oc] : 0;
    const float *w = source->weights + (int64_t)oc * source->ic * taps_of(source);
    for (int ic = 0; source->shift && ic < source->ic; ic++)
        for (int y = 0; y < source->window.kernel[0]; y++)
            for (int x = 0; x < source->window.kernel[1]; x++, w++)
                if (rows >> y & columns >> x & 1)
                    sum += (double)*w * source->shift[ic];
    return (float)sum;
}

bool sp_cuda_border_new(struct sp_cuda_border *ret_border, const struct sp_cuda_source *source, int pitch,
                        bool *ret_memory)
{
    struct sp_cuda_border border = {.row_classes = 1, .column_classes = 1};
    uint64_t rows[MOST_CLASSES] = {~(uint64_t)0}, columns[MOST_CLASSES] = {~(uint64_t)0};
    bool fits = true;
    if (source->shift && source->window.kernel[0] <= 64 && source->window.kernel[1] <= 64) {
        border.row_class = malloc((size_t)source->oh * sizeof(int) + 1);
        border.column_class = malloc((size_t)source->ow * sizeof(int) + 1);
        if (!border.row_class || !border.column_class)
            goto nomem;
        border.row_classes = classify(&source->window, 0, source->h, source->oh, border.row_class, rows);
        border.column_classes = classify(&source->window, 1, source->w, source->ow, border.column_class, columns);
        fits = border.row_classes > 0 && border.column_classes > 0;
    } else if (source->shift) {
        fits = false;
    }
    if (!fits) {
        sp_cuda_border_clear(&border);
        return false;
    }
    border.bias = calloc((size_t)border.row_classes * (size_t)border.column_classes * (size_t)pitch, sizeof(float));
    if (!border.bias)
        goto nomem;
    for (int r = 0; r < border.row_classes; r++)
        for (int c = 0; c < border.column_classes; c++)
            for (int oc = 0; oc < source->oc; oc++)
                border.bias[((size_t)r * (size_t)border.column_classes + (size_t)c) * (size_t)pitch + (size_t)oc] =
                    bias_of(source, oc, rows[r], columns[c]);
    if (border.row_classes == 1 && border.column_classes == 1) {
        free(border.row_class);
        free(border.column_class);
        border.row_class = border.column_class = NULL;
    }
    *ret_border = border;
    return true;
nomem:
    sp_cuda_border_clear(&border);
    *ret_memory = true;
    return false;
}

void sp_cuda_border_clear(struct sp_cuda_border *border)
{
    free(border->row_class);
    free(border->column_class);
    free(border->bias);
    *border = (struct sp_cuda_border){0};
}

static uint16_t half_of(float value, enum sp_precision precision)
{
    return precision == SP_PRECISION_BF16 ? sp_bf16_bits(value) : sp_half_bits(value);
}

uint16_t *sp_cuda_pack_conv(const struct sp_cuda_source *source, enum sp_precision precision, int rows, int columns)
{
    int taps = taps_of(source), pitch = sp_cuda_pitch(source->ic);
    uint16_t *packed = calloc((size_t)rows * (size_t)columns + 1, sizeof *packed);
    for (int oc = 0; packed && oc < source->oc; oc++) {
        for (int ic = 0; ic < source->ic; ic++) {
            const float *w = source->weights + ((int64_t)oc * source->ic + ic) * taps;
            float scale = source->scale ? source->scale[ic] : 1;
            for (int tap = 0; tap < taps; tap++)
                packed[(size_t)oc * (size_t)columns + (size_t)tap * (size_t)pitch + (size_t)ic] =
                    half_of(w[tap] * scale, precision);
        }
    }
    return packed;
}

uint16_t *sp_cuda_pack_depthwise(const struct sp_cuda_source *source, enum sp_precision precision)
{
    int taps = taps_of(source), pitch = sp_cuda_pitch(source->oc);
    uint16_t *packed = calloc((size_t)taps * (size_t)pitch + 1, sizeof *packed);
    for (int c = 0; packed && c < source->oc; c++)
        for (int tap = 0; tap < taps; tap++)
            packed[(size_t)tap * (size_t)pitch + (size_t)c] =
                half_of(source->weights[(int64_t)c * taps + tap], precision);
    return packed;
}

float *sp_cuda_pack_grouped(const struct sp_cuda_source *source, int group)
{
    int taps = taps_of(source), each = source->ic / group;
    float *packed = calloc((size_t)source->oc * (size_t)taps * (size_t)each + 1, sizeof *packed);
    for (int oc = 0; packed && oc < source->oc; oc++)
        for (int ic = 0; ic < each; ic++)
            for (int tap = 0; tap < taps; tap++)
                packed[((size_t)oc * (size_t)taps + (size_t)tap) * (size_t)each + (size_t)ic] =
                    source->weights[((int64_t)oc * each + ic) * taps + tap];
    return packed;
}

uint16_t *sp_cuda_pack_matrix(const float *b, enum sp_precision precision, int64_t k, int64_t n)
{
    uint16_t *packed = calloc((size_t)(k * n) + 1, sizeof *packed);
    for (int64_t i = 0; packed && i < k; i++)
        for (int64_t j = 0; j < n; j++)
            packed[j * k + i] = half_of(b[i * n + j], precision);
    return packed;
}

uint16_t *sp_cuda_pack_halfs(const float *from, enum sp_precision precision, size_t count)
{
    uint16_t *packed = malloc(count * sizeof *packed + 1);
    for (size_t i = 0; packed && i < count; i++)
        packed[i] = half_of(from[i], precision);
    return packed;
}

float *sp_cuda_pack_vector(const float *from, int64_t count, int64_t padded)
{
    float *packed = calloc((size_t)padded + 1, sizeof *packed);
    if (packed && from)
        memcpy(packed, from, (size_t)count * sizeof *packed);
    return packed;
}

bool sp_cuda_overflows(const uint16_t *halfs, enum sp_precision precision, size_t count)
{
    uint16_t infinite = half_of(INFINITY, precision);
    for (size_t i = 0; i < count; i++)
        if ((halfs[i] & 0x7fff) == infinite)
            return true;
    return false;
}
