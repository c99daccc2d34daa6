/* A depthwise convolution and the pointwise one behind it in one kernel: what lies between them is never written.
 *
 * A block's tile is the pointwise convolution's matrix product; its left side, which else is read from the image
 * between, is made here, 32 channels a step, rounded as it would have been. The weights come by asynchronous
 * copies, as in the implicit product. Blocks of the same pixels and other output channels make the left side again:
 * worth it where one tile holds all channels, or nearly. */
#ifndef SALLYPORT_GPU_CUDA_SEPARABLE_CUH
#define SALLYPORT_GPU_CUDA_SEPARABLE_CUH

#include "gpu/cuda_conv.cuh"
#include "gpu/cuda_depthwise.cuh"
#include "gpu/cuda_finish.cuh"

inline namespace SP_ELEMENT
{
template <class tile> struct sp_separable_kernel {
    using args = sp_cuda_separable;
    static constexpr int threads = tile::threads;
    static constexpr int left = tile::m * sp_tile_row, right = tile::n * sp_tile_row; /* halfs of a stage */
    static constexpr int shared = tile::shared_of((2 * left + sp_tile_stages * right) * 2);
    static constexpr bool together = true;
    static_assert(shared <= 99 * 1024, "some devices have no more");
    static constexpr int rows_each = tile::m * 4 / threads, columns_each = tile::n * 4 / threads;
    static_assert(tile::m * 4 % (2 * threads) == 0 && tile::n * 4 % threads == 0,
                  "every thread makes and copies the same number of pieces");

    struct maker {
        sp_depthwise_window windows[rows_each];
        int inside;             /* how many of them are pixels; the rest lies past the last one */
        const sp_half *weights; /* of this thread's piece in the tile's first row */
        int piece, place;       /* its first channel in a step; where it lies in a stage */
    };

    SP_BOTH static void begin(const args &a, const sp_here &here, int64_t m0, int n0, maker &make)
    {
        int row = here.thread / 4;
        int64_t area = static_cast<int64_t>(a.point.oh) * a.point.ow;
        make.inside = 0;
        make.piece = here.thread % 4 * 8;
        SP_UNROLL
        for (int i = 0; i < rows_each; i++) {
            int64_t m = m0 + row + i * (threads / 4), n = m / area;
            int rest = static_cast<int>(m - n * area);
            make.windows[i] = sp_depthwise_window_of(a.depth, n, rest / a.point.ow, rest % a.point.ow);
            make.inside += n < a.point.n;
            if (n >= a.point.n)
                make.windows[i].y = a.depth.h; /* reads nothing */
        }
        make.weights = static_cast<const sp_half *>(a.point.weights) +
                       static_cast<int64_t>(n0 + row) * a.point.k_padded + make.piece;
        make.place = row * sp_tile_row + make.piece;
    }

    /* The left side of step `step`. */
    SP_BOTH static void produce(const args &a, const maker &make, int step, sp_half *to)
    {
        int channel = step * sp_tile_step + make.piece;
        bool real = channel < a.depth.pitch; /* else past k's end: zeros, as the weights there */
        SP_UNROLL
        for (int i = 0; i < rows_each; i += 2) {
            const sp_depthwise_window windows[2] = {make.windows[i], make.windows[i + 1]};
            float sum[2][8];
            if (real)
                sp_depthwise_sums(a.depth, windows, channel, sum);
            SP_UNROLL
            for (int j = 0; j < 2; j++) {
                sp_half8 value = sp_zero8();
                if (real && i + j < make.inside)
                    value = sp_finished8(sum[j], a.depth.act, channel, a.depth.channels);
                sp_store8(to + make.place + (i + j) * (threads / 4) * sp_tile_row, value);
            }
        }
    }

    /* Begin to copy the next step's weights, and move on. */
    SP_BOTH static void copy(const args &a, const sp_here &here, maker &make, sp_half *to)
    {
        SP_UNROLL
        for (int i = 0; i < columns_each; i++)
            sp_copy16(here, to + make.place + i * (threads / 4) * sp_tile_row,
                      make.weights + static_cast<int64_t>(i) * (threads / 4) * a.point.k_padded, true);
        make.weights += sp_tile_step;
    }

    SP_BOTH static int64_t blocks(const args &a)
    {
        return sp_conv_kernel<tile>::blocks(a.point);
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        using product = sp_conv_kernel<tile>;
        int64_t m0 = here.block / product::tiles_n(a.point) * tile::m;
        int n0 = static_cast<int>(here.block % product::tiles_n(a.point)) * tile::n;
        int steps = a.point.k_padded / sp_tile_step;
        sp_half *lefts = reinterpret_cast<sp_half *>(here.shared), *rights = lefts + 2 * left;
        typename tile::sums sum;
        maker make;
        tile::clear(sum);
        begin(a, here, m0, n0, make);
        for (int i = 0; i < sp_tile_stages - 1; i++) {
            if (i < steps)
                copy(a, here, make, rights + i * right);
            sp_copy_commit(here);
        }
        produce(a, make, 0, lefts);
        for (int i = 0, now = 0, next = sp_tile_stages - 1; i < steps; i++) {
            sp_copy_wait<sp_tile_stages - 2>(here);
            sp_barrier(here); /* both sides of step i are here, and nobody reads those of step i - 1 any more */
            if (i + sp_tile_stages - 1 < steps)
                copy(a, here, make, rights + next * right);
            sp_copy_commit(here);
            if (i + 1 < steps)
                produce(a, make, i + 1, lefts + (i + 1) % 2 * left);
            tile::multiply(here, lefts + i % 2 * left, rights + now * right, sum);
            now = now + 1 == sp_tile_stages ? 0 : now + 1;
            next = next + 1 == sp_tile_stages ? 0 : next + 1;
        }
        sp_barrier(here); /* all copies arrived before the last step; nobody reads the stages any more */
        tile::store(here, m0, n0, sum, typename product::finish{a.point});
    }
};

} // namespace SP_ELEMENT

#endif
