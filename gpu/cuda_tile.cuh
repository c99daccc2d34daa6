/* A block's tile of a matrix product on the tensor cores: m rows by n columns, sums in registers, the factors out
 * of shared memory in steps of `sp_tile_step` along k.
 *
 * Rows of shared memory are 40 halfs long, so that eight of them begin in eight different groups of four banks. A
 * warp's part should be as square as its registers allow: with 64x32 a step reads 96 bytes of shared memory per
 * product of 16x8x16, with 64x64 it reads 64 bytes, and the products of a recent device are faster than the former.
 */
#ifndef SALLYPORT_GPU_CUDA_TILE_CUH
#define SALLYPORT_GPU_CUDA_TILE_CUH

#include "gpu/cuda_finish.cuh"

inline namespace SP_ELEMENT
{
constexpr int sp_tile_step = SP_CUDA_CONV_K;
constexpr int sp_tile_row = sp_tile_step + 8; /* halfs of a row in shared memory */
constexpr int sp_tile_stages = 3;
constexpr int sp_tile_lines = 36; /* floats of a row where results are turned: 16-byte aligned, spread over banks */

template <int tile_m, int tile_n, int warp_m, int warp_n> struct sp_tile {
    static constexpr int m = tile_m, n = tile_n;
    static constexpr int warps_m = tile_m / warp_m, warps_n = tile_n / warp_n;
    static constexpr int threads = warps_m * warps_n * 32;
    static constexpr int turning_bytes = warps_m * warps_n * 16 * sp_tile_lines * 4;
    static_assert(warp_n % 32 == 0 && warp_m % 16 == 0, "results are turned 16 rows by 32 channels at a time");

    using sums = sp_mma_d[warp_m / 16][warp_n / 8];

    /* Bytes of shared memory of a kernel that needs so many for its factors. */
    SP_BOTH static constexpr int shared_of(int factors)
    {
        return factors > turning_bytes ? factors : turning_bytes;
    }

    SP_BOTH static void clear(sums &sum)
    {
        SP_UNROLL
        for (int i = 0; i < warp_m / 16; i++) {
            SP_UNROLL
            for (int j = 0; j < warp_n / 8; j++) {
                SP_UNROLL
                for (int item = 0; item < 4; item++)
                    sum[i][j].at[item] = 0;
            }
        }
    }

    /* One step: left [m][sp_tile_row], right [n][sp_tile_row], both along k. */
    SP_BOTH static void multiply(const sp_here &here, const sp_half *left, const sp_half *right, sums &sum)
    {
        int warp = here.thread / 32;
        left += warp / warps_n * warp_m * sp_tile_row;
        right += warp % warps_n * warp_n * sp_tile_row;
        SP_UNROLL
        for (int k = 0; k < sp_tile_step; k += 16) {
            sp_mma_a a[warp_m / 16];
            sp_mma_b b[warp_n / 8];
            SP_UNROLL
            for (int i = 0; i < warp_m / 16; i++)
                sp_mma_load_a(here, a[i], left + i * 16 * sp_tile_row + k, sp_tile_row);
            SP_UNROLL
            for (int j = 0; j < warp_n / 8; j += 2)
                sp_mma_load_b(here, b[j], b[j + 1], right + j * 8 * sp_tile_row + k, sp_tile_row);
            sp_mma<warp_m / 16, warp_n / 8>(here, sum, a, b);
        }
    }

    /* Give the sums away, eight channels of a row at a time: finish(row, channel, const float line[8]). They go
     * through shared memory, which must be free: a warp's sixteen rows by 32 channels at a time. */
    template <class finish>
    SP_BOTH static void store(const sp_here &here, int64_t m0, int n0, const sums &sum, const finish &give)
    {
        int warp = here.thread / 32, lane = here.thread % 32;
        float *lines = reinterpret_cast<float *>(here.shared) + warp * 16 * sp_tile_lines;
        m0 += warp / warps_n * warp_m;
        n0 += warp % warps_n * warp_n;
        SP_UNROLL
        for (int part = 0; part < warp_m / 16 * (warp_n / 32); part++) {
            int i = part / (warp_n / 32), first = part % (warp_n / 32) * 4;
            SP_UNROLL
            for (int j = 0; j < 4; j++) {
                SP_UNROLL
                for (int item = 0; item < 4; item++)
                    lines[sp_mma_row(lane, item) * sp_tile_lines + j * 8 + sp_mma_column(lane, item)] =
                        sum[i][first + j].at[item];
            }
            sp_warp_barrier(here);
            SP_UNROLL
            for (int half = 0; half < 2; half++) {
                int row = half * 8 + lane / 4, column = lane % 4 * 8;
                give(m0 + i * 16 + row, n0 + first * 8 + column, lines + row * sp_tile_lines + column);
            }
            sp_warp_barrier(here);
        }
    }
};

/* Warps of 64 or 32 rows by 64 or 32 channels. The large one is for devices whose products are fast, the small ones
 * for small batches, which would leave multiprocessors idle, and for few channels. */
typedef sp_tile<256, 128, 64, 64> sp_tile_256x128;
typedef sp_tile<128, 128, 64, 32> sp_tile_128x128;
typedef sp_tile<128, 64, 64, 32> sp_tile_128x64;
typedef sp_tile<64, 64, 32, 32> sp_tile_64x64;
typedef sp_tile<64, 32, 32, 32> sp_tile_64x32;

static_assert(SP_CUDA_CONV_OC % 128 == 0, "weights are padded to whole tiles");

/* Launch the kernel of one of the tiles that every product has. */
template <template <class> class kernel, class arguments>
int sp_tile_launch(void *stream, const arguments &args, enum sp_cuda_tile tile)
{
    switch (tile) {
    case SP_TILE_128X128:
        return sp_launch<kernel<sp_tile_128x128>>(stream, kernel<sp_tile_128x128>::blocks(args), args);
    case SP_TILE_128X64:
        return sp_launch<kernel<sp_tile_128x64>>(stream, kernel<sp_tile_128x64>::blocks(args), args);
    case SP_TILE_64X64:
        return sp_launch<kernel<sp_tile_64x64>>(stream, kernel<sp_tile_64x64>::blocks(args), args);
    default:
        return sp_launch<kernel<sp_tile_64x32>>(stream, kernel<sp_tile_64x32>::blocks(args), args);
    }
}

} // namespace SP_ELEMENT

#endif
