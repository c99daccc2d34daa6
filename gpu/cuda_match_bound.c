#include "gpu/cuda_match_bound.h"

#include <math.h>
#include <stdlib.h>
#include "gpu/cuda_match_keys.h"
#include "gpu/match.h"

#define LANES      8  /* sums side by side: the compiler may use vectors, the order is ours */
#define TOP        14 /* the largest scaled number is below 2^14: sums of 4096 products stay far inside f32 */
#define SMALLEST   (-80)
#define LARGEST    100     /* binary exponents that the device is given; beyond them f32 itself runs out */
#define MOST_APART 60      /* of a probe's and a gallery's exponents */
#define UNSURE     0x1p-19 /* scores closer than that (relative) may be equal as floats, or sums may differ */

static double sum_of(const double *sums)
{
    double sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += sums[i];
    return sum;
}

/* Squared length; *largest becomes the largest magnitude. */
static double measure(const float *vector, int dim, float *largest)
{
    double sums[LANES] = {0};
    float most = 0;
    int i = 0;
    for (; i + LANES <= dim; i += LANES)
        for (int j = 0; j < LANES; j++)
            sums[j] += (double)vector[i + j] * vector[i + j];
    for (; i < dim; i++)
        sums[0] += (double)vector[i] * vector[i];
    for (i = 0; i < dim; i++)
        most = fabsf(vector[i]) > most ? fabsf(vector[i]) : most;
    *largest = most;
    return sum_of(sums);
}

/* 0.5 <= value / 2^exponent < 1, where the device takes such values. */
static bool takes(double value, int *exponent)
{
    frexp(value, exponent);
    return value > 0 && *exponent >= SMALLEST && *exponent <= LARGEST;
}

struct sp_cuda_match_scale sp_cuda_match_scan(const struct sp_rows *rows, float *halves, float *scales)
{
    struct sp_cuda_match_scale scale = {.by = rows->metric == SP_METRIC_COSINE ? ldexp(1, TOP) : 0, .longest = 1};
    double longest = 0;
    float largest = 0;
    int exponent;
    for (int i = 0; i < rows->count; i++) {
        float most;
        double squares = measure(rows->rows + (size_t)i * (size_t)rows->dim, rows->dim, &most);
        if (rows->metric == SP_METRIC_COSINE) {
            scales[i] = squares > 0 ? (float)(ldexp(1, TOP) / sqrt(squares)) : 0;
            if (squares > 0 && !takes(sqrt(squares), &exponent))
                scale.by = 0;
        } else {
            halves[i] = (float)(squares / 2);
            longest = fmax(longest, squares);
            largest = fmaxf(largest, most);
        }
    }
    if (rows->metric == SP_METRIC_COSINE)
        return scale;
    scale.longest = sqrt(longest);
    if (takes(largest, &exponent))
        scale.by = ldexp(1, TOP - exponent);
    for (int i = 0; i < rows->count; i++) {
        float most;
        double squares = measure(rows->rows + (size_t)i * (size_t)rows->dim, rows->dim, &most);
        halves[i] = (float)(squares * scale.by * scale.by / 2);
    }
    return scale;
}

struct sp_cuda_match_probe sp_cuda_match_probe(const struct sp_rows *rows, const struct sp_cuda_match_scale *scale,
                                               const float *vector)
{
    float largest;
    int exponent, of_gallery;
    struct sp_cuda_match_probe probe = {.squares = measure(vector, rows->dim, &largest), .on_host = true};
    double columns = (rows->dim + 15) / 16 * 16;
    /* Two roundings to 11 bits, all that is of second order, and the tensor cores' sums. */
    double relative = 0x1p-10 + 0x1p-18 + columns * 0x1p-22 * (1 + 0x1p-9);
    if (scale->by == 0)
        return probe;
    if (rows->metric == SP_METRIC_COSINE) {
        double length = sqrt(probe.squares);
        if (!takes(length, &exponent))
            return probe;
        probe.scale = (float)(scale->by / length);
        probe.factor = 1;
        probe.unit = scale->by * scale->by;
        probe.error = relative;
        probe.on_host = false;
        return probe;
    }
    frexp(scale->by, &of_gallery); /* by is 2^(of_gallery - 1) */
    of_gallery = TOP - (of_gallery - 1);
    if (!takes(largest, &exponent) || abs(exponent - of_gallery) > MOST_APART)
        return probe;
    probe.scale = ldexpf(1, TOP - exponent);
    probe.factor = ldexpf(1, exponent - of_gallery);
    probe.unit = scale->by * scale->by;
    probe.error = sqrt(probe.squares) * scale->longest * relative + scale->longest * scale->longest * 0x1p-21 +
                  probe.squares * 0x1p-40;
    probe.on_host = false;
    return probe;
}

/* As sp_match_score but for the last bits: sums side by side. */
static float score_fast(const struct sp_rows *rows, int entry, const float *vector, double inverse)
{
    const float *row = rows->rows + (size_t)entry * (size_t)rows->dim;
    double sums[LANES] = {0}, squares[LANES] = {0};
    int i = 0, whole = rows->dim / LANES * LANES;
    if (rows->metric == SP_METRIC_L2) {
        for (; i < whole; i += LANES) {
            for (int j = 0; j < LANES; j++) {
                double difference = (double)row[i + j] - vector[i + j];
                sums[j] += difference * difference;
            }
        }
        for (; i < rows->dim; i++)
            sums[0] += ((double)row[i] - vector[i]) * ((double)row[i] - vector[i]);
        return (float)sqrt(sum_of(sums));
    }
    for (; i < whole; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            sums[j] += (double)row[i + j] * vector[i + j];
            squares[j] += (double)row[i + j] * row[i + j];
        }
    }
    for (; i < rows->dim; i++) {
        sums[0] += (double)row[i] * vector[i];
        squares[0] += (double)row[i] * row[i];
    }
    double length = sum_of(squares);
    return length > 0 ? (float)(sum_of(sums) * inverse / sqrt(length)) : 0;
}

/* The least K with which an entry could still be as good as `worst`, the k-th best so far; less some for what
 * floats cannot tell apart. */
static double least_rival(enum sp_metric metric, const struct sp_cuda_match_probe *probe, float worst)
{
    if (metric == SP_METRIC_COSINE)
        return worst - UNSURE;
    return (probe->squares - (double)worst * worst * (1 + UNSURE)) / 2;
}

/* Whether two neighbours in the order could change places by how their sums were made. */
static bool too_close(enum sp_metric metric, const struct sp_hit *hits, int count)
{
    for (int i = 0; i + 1 < count; i++) {
        double a = fabs((double)hits[i].score), b = fabs((double)hits[i + 1].score);
        double apart = fabs((double)hits[i].score - hits[i + 1].score);
        if (apart <= fmax(a, b) * UNSURE / 2 + (metric == SP_METRIC_COSINE ? 1e-12 : 0))
            return true;
    }
    return false;
}

enum sp_cuda_match_verdict sp_cuda_match_settle(const struct sp_rows *rows, const struct sp_cuda_match_probe *probe,
                                                const float *vector, const uint64_t *keys, int most, bool complete,
                                                int k, struct sp_hit *ret_hits, float *ret_bound)
{
    struct sp_hit best[SP_MATCH_MAX_K + 1];
    double inverse = probe->squares > 0 ? 1 / sqrt(probe->squares) : 0;
    int have = 0, looked = 0;
    bool proved = complete;
    double rival = -INFINITY;
    for (; looked < most && keys[looked] && !(proved && !complete); looked++) {
        int entry = (int)sp_match_key_entry(keys[looked]);
        sp_match_insert(rows->metric, best, &have, k + 1,
                        (struct sp_hit){entry, score_fast(rows, entry, vector, inverse)});
        if (have >= k)
            rival = least_rival(rows->metric, probe, best[k - 1].score);
        /* Whatever comes after is, for the device, no better than this one. */
        if (!complete)
            proved = have >= k && sp_match_key_score(keys[looked]) / probe->unit + probe->error < rival;
    }
    if (!proved) {
        *ret_bound = nextafterf((float)((rival - probe->error) * probe->unit), -INFINITY);
        return SP_CUDA_MATCH_WIDEN;
    }
    if (too_close(rows->metric, best, have)) {
        have = 0;
        double exact = sp_match_inverse_length(vector, rows->dim);
        for (int i = 0; i < looked; i++) {
            int entry = (int)sp_match_key_entry(keys[i]);
            sp_match_insert(rows->metric, best, &have, k,
                            (struct sp_hit){entry, sp_match_score(rows, entry, vector, exact)});
        }
    }
    for (int i = 0; i < k; i++)
        ret_hits[i] = i < have ? best[i] : (struct sp_hit){-1, 0};
    return SP_CUDA_MATCH_PROVED;
}
