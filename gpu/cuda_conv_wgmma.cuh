/* The implicit product of cuda_conv.cuh on Hopper's matrix products: 128 output pixels by up to 256 output channels
 * a block, two groups of four warps with 64 pixels each, steps of 64 along k.
 *
 * Four stages of shared memory, of which one is multiplied, one may still be, and two are on their way: a step is
 * copied into the stage whose products, those of two steps before, every warp has waited for. */
#ifndef SALLYPORT_GPU_CUDA_CONV_WGMMA_CUH
#define SALLYPORT_GPU_CUDA_CONV_WGMMA_CUH

#include "gpu/cuda_conv.cuh"
#include "gpu/cuda_finish.cuh"
#include "gpu/cuda_wgmma.cuh"

inline namespace SP_ELEMENT
{
template <int columns> struct sp_conv_wgmma_kernel {
    using args = sp_cuda_conv;
    using tile = sp_tile<128, columns, 16, columns>; /* whose sums lie as the products leave them */
    using plain = sp_conv_kernel<tile>;
    static constexpr int threads = tile::threads, stages = 4;
    static constexpr int stage = (tile::m + columns) * sp_wgmma_step; /* halfs */
    static constexpr int shared = stages * stage * 2 + sp_wgmma_slack;
    static constexpr bool together = true;
    static constexpr int rows_apart = threads / 8; /* eight threads copy a row */
    static constexpr int rows_each = tile::m / rows_apart, columns_each = columns / rows_apart;
    static_assert(threads == 256 && rows_apart % 8 == 0,
                  "two groups of four warps; a thread's rows are swizzled alike");

    struct feeder {
        sp_conv_pixel pixels[rows_each];
        sp_conv_tap tap;
        const sp_half *weights; /* of this thread's piece in the tile's first row */
        int place, column;      /* of its piece in a stage, and along k */
        int rows;               /* of weights from its first one on that are there */
    };

    SP_BOTH static void begin(const args &a, const sp_here &here, int64_t m0, int n0, feeder &load)
    {
        int row = here.thread / 8, piece = here.thread % 8;
        SP_UNROLL
        for (int i = 0; i < rows_each; i++)
            load.pixels[i] = sp_conv_pixel_of(a, m0 + row + i * rows_apart);
        load.column = piece * 8;
        load.tap = sp_conv_tap{};
        sp_conv_advance(a, load.tap, load.column);
        load.weights =
            static_cast<const sp_half *>(a.weights) + static_cast<int64_t>(n0 + row) * a.k_padded + load.column;
        load.place = sp_wgmma_place(row, piece);
        load.rows = (a.out_pitch + SP_CUDA_CONV_OC - 1) / SP_CUDA_CONV_OC * SP_CUDA_CONV_OC - n0 - row;
    }

    /* Begin to copy the next step into a stage, and move on. */
    SP_BOTH static void copy(const args &a, const sp_here &here, feeder &load, sp_half *to)
    {
        const sp_half *x = static_cast<const sp_half *>(a.x), *weights = static_cast<const sp_half *>(a.weights);
        to += load.place;
        SP_UNROLL
        for (int i = 0; i < rows_each; i++) {
            bool inside = sp_conv_inside(a, load.pixels[i], load.tap);
            sp_copy16(here, to + i * rows_apart * sp_wgmma_step,
                      x + (inside ? load.pixels[i].first + load.tap.numbers : 0), inside);
        }
        to += tile::m * sp_wgmma_step;
        SP_UNROLL
        for (int i = 0; i < columns_each; i++) {
            bool there = load.column < a.k_padded && i * rows_apart < load.rows;
            sp_copy16(here, to + i * rows_apart * sp_wgmma_step,
                      there ? load.weights + static_cast<int64_t>(i) * rows_apart * a.k_padded : weights, there);
        }
        load.weights += sp_wgmma_step;
        load.column += sp_wgmma_step;
        sp_conv_advance(a, load.tap, sp_wgmma_step);
    }

    SP_BOTH static void multiply(const sp_here &here, const sp_half *from, typename tile::sums &sum)
    {
        const sp_half *left = from + here.thread / 128 * 64 * sp_wgmma_step,
                      *right = from + tile::m * sp_wgmma_step;
        sp_wgmma_begin();
        SP_UNROLL
        for (int k = 0; k < sp_wgmma_step; k += 16)
            sp_wgmma(here, sum[0], sp_wgmma_rows(here, left, k), sp_wgmma_rows(here, right, k));
        sp_wgmma_commit(here);
    }

    SP_BOTH static int64_t blocks(const args &a)
    {
        return plain::blocks(a);
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        int64_t m0 = here.block / plain::tiles_n(a) * tile::m;
        int n0 = static_cast<int>(here.block % plain::tiles_n(a)) * tile::n;
        int steps = (a.k_padded + sp_wgmma_step - 1) / sp_wgmma_step;
        sp_half *factors = reinterpret_cast<sp_half *>(sp_wgmma_shared(here));
        typename tile::sums sum;
        feeder load;
        tile::clear(sum);
        begin(a, here, m0, n0, load);
        for (int i = 0; i < stages - 2; i++) {
            if (i < steps)
                copy(a, here, load, factors + i * stage);
            sp_copy_commit(here);
        }
        for (int i = 0; i < steps; i++) {
            sp_copy_wait<stages - 3>(here);
            sp_wgmma_written();
            sp_barrier(here); /* step i is here, and the products of step i - 2 are through */
            if (i + stages - 2 < steps)
                copy(a, here, load, factors + (i + stages - 2) % stages * stage);
            sp_copy_commit(here);
            multiply(here, factors + i % stages * stage, sum);
            sp_wgmma_wait<1>(here);
        }
        sp_wgmma_wait<0>(here);
        sp_barrier(here); /* all copies arrived before the last step; nobody reads the stages any more */
        tile::store(here, m0, n0, sum, typename plain::finish{a});
    }
};
} // namespace SP_ELEMENT

#endif
