/* Matrix product with an optional bias per column. */
#include "gpu/ref.h"

void sp_ref_matmul(const struct sp_layer *layer, const struct sp_tensor *inputs, const struct sp_tensor *out)
{
    const struct sp_tensor *a = &inputs[0], *b = &inputs[1];
    const float *bias = inputs[2].data;
    int rank = a->rank;
    int64_t k = a->dims[rank - 1], n = b->dims[b->rank - 1], m = a->dims[rank - 2];
    int64_t blocks = sp_tensor_count(a, 0, rank - 2);
    (void)layer;
    for (int64_t block = 0; block < blocks; block++) {
        const float *right = b->data + (b->rank > 2 ? block * k * n : 0);
        for (int64_t row = 0; row < m; row++) {
            const float *left = a->data + (block * m + row) * k;
            float *y = out->data + (block * m + row) * n;
            for (int64_t i = 0; i < n; i++)
                y[i] = bias ? bias[i] : 0;
            for (int64_t j = 0; j < k; j++)
                for (int64_t i = 0; i < n; i++)
                    y[i] += left[j] * right[j * n + i];
        }
    }
}
