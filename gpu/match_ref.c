#include "gpu/match.h"

#include <math.h>

double sp_match_inverse_length(const float *vector, int dim)
{
    double squares = 0;
    for (int i = 0; i < dim; i++)
        squares += (double)vector[i] * vector[i];
    return squares > 0 ? 1 / sqrt(squares) : 0;
}

float sp_match_score(const struct sp_rows *rows, int entry, const float *vector, double inverse)
{
    const float *row = rows->rows + (size_t)entry * (size_t)rows->dim;
    double sum = 0;
    if (rows->metric == SP_METRIC_L2) {
        for (int i = 0; i < rows->dim; i++)
            sum += ((double)row[i] - vector[i]) * ((double)row[i] - vector[i]);
        return (float)sqrt(sum);
    }
    for (int i = 0; i < rows->dim; i++)
        sum += (double)row[i] * vector[i];
    return (float)(sum * inverse * sp_match_inverse_length(row, rows->dim));
}

bool sp_match_before(enum sp_metric metric, struct sp_hit a, struct sp_hit b)
{
    if (a.score != b.score)
        return metric == SP_METRIC_L2 ? a.score < b.score : a.score > b.score;
    return a.entry < b.entry;
}

void sp_match_insert(enum sp_metric metric, struct sp_hit *hits, int *count, int k, struct sp_hit hit)
{
    if (*count == k && !sp_match_before(metric, hit, hits[k - 1]))
        return;
    int at = *count < k ? (*count)++ : k - 1;
    for (; at > 0 && sp_match_before(metric, hit, hits[at - 1]); at--)
        hits[at] = hits[at - 1];
    hits[at] = hit;
}

enum sp_status sp_match_ref(void *state, const struct sp_rows *rows, const void *store, const float *const *vectors,
                            int count, int k, struct sp_hit *ret_hits, struct sp_err *err)
{
    (void)state;
    (void)store;
    (void)err;
    for (int row = 0; row < count; row++) {
        struct sp_hit *hits = ret_hits + (size_t)row * (size_t)k;
        double inverse = sp_match_inverse_length(vectors[row], rows->dim);
        int have = 0;
        for (int entry = 0; entry < rows->count; entry++)
            sp_match_insert(rows->metric, hits, &have, k,
                            (struct sp_hit){entry, sp_match_score(rows, entry, vectors[row], inverse)});
        for (; have < k; have++)
            hits[have] = (struct sp_hit){-1, 0};
    }
    return SP_OK;
}
