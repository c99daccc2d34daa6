/* Convolution as an implicit matrix product on the tensor cores.
 *
 * A block makes a tile of `tile_m` output pixels (of the whole batch in one line) by `tile_n` output channels.
 * Along k it goes in steps of 32 numbers: four 16-byte pieces per row, each from one tap's eight channels, zeros
 * where the tap lies outside the image. `stages` steps are under way at once (asynchronous copies). Rows of shared
 * memory are 40 halfs long, so that eight of them begin in eight different groups of four banks. */
#ifndef SALLYPORT_GPU_CUDA_CONV_CUH
#define SALLYPORT_GPU_CUDA_CONV_CUH

#include "gpu/cuda_finish.cuh"

constexpr int sp_conv_step = SP_CUDA_CONV_K;
constexpr int sp_conv_row = sp_conv_step + 8; /* halfs of a row in shared memory */
constexpr int sp_conv_stages = 3;
constexpr int sp_conv_lines = 36; /* floats of a row where results are turned: 16-byte aligned, spread over banks */

/* An output pixel's window: item and the input position of its first tap. `inside` is false past the last pixel. */
struct sp_conv_pixel {
    int64_t item; /* offset of the item's image */
    int y, x;
    bool inside;
};

SP_BOTH sp_conv_pixel sp_conv_pixel_of(const sp_cuda_conv &a, int64_t m)
{
    sp_conv_pixel pixel;
    int64_t area = static_cast<int64_t>(a.oh) * a.ow, n = m / area;
    int rest = static_cast<int>(m - n * area);
    pixel.inside = n < a.n;
    pixel.item = n * a.h * a.w * a.pitch;
    pixel.y = rest / a.ow * a.stride[0] - a.pad[0];
    pixel.x = rest % a.ow * a.stride[1] - a.pad[1];
    return pixel;
}

/* A place along k: tap (ky, kx) and channel. */
struct sp_conv_tap {
    int ky, kx, channel;
};

SP_BOTH void sp_conv_advance(const sp_cuda_conv &a, sp_conv_tap &tap, int by)
{
    tap.channel += by;
    while (tap.channel >= a.pitch) {
        tap.channel -= a.pitch;
        if (++tap.kx == a.kernel[1]) {
            tap.kx = 0;
            tap.ky++;
        }
    }
}

/* Offset in the image of the eight channels that this pixel has at this tap; -1: zeros (border, or past k's end).
 */
SP_BOTH int64_t sp_conv_source(const sp_cuda_conv &a, const sp_conv_pixel &pixel, const sp_conv_tap &tap)
{
    int y = pixel.y + tap.ky * a.dilation[0], x = pixel.x + tap.kx * a.dilation[1];
    bool valid = pixel.inside && tap.ky < a.kernel[0] && y >= 0 && y < a.h && x >= 0 && x < a.w;
    return valid ? pixel.item + (static_cast<int64_t>(y) * a.w + x) * a.pitch + tap.channel : -1;
}

/* The bias row of an output pixel: pixels whose window hangs over a border may have their own (see sp_cuda_border).
 */
SP_BOTH const float *sp_conv_bias(const sp_cuda_conv &a, int64_t m)
{
    if (!a.row_class)
        return a.bias;
    int64_t area = static_cast<int64_t>(a.oh) * a.ow;
    int rest = static_cast<int>(m % area);
    int at = a.row_class[rest / a.ow] * a.column_classes + a.column_class[rest % a.ow];
    return a.bias + static_cast<int64_t>(at) * a.out_pitch;
}

template <int tile_m, int tile_n, int warp_m, int warp_n> struct sp_conv_kernel {
    using args = sp_cuda_conv;
    static constexpr int warps_m = tile_m / warp_m, warps_n = tile_n / warp_n;
    static constexpr int threads = warps_m * warps_n * 32;
    static constexpr int stage = (tile_m + tile_n) * sp_conv_row; /* halfs */
    static constexpr int pipeline_bytes = sp_conv_stages * stage * 2;
    static constexpr int turning_bytes = warps_m * warps_n * 16 * sp_conv_lines * 4;
    static constexpr int shared = pipeline_bytes > turning_bytes ? pipeline_bytes : turning_bytes;
    static constexpr bool together = true;
    static constexpr int rows_each = tile_m * 4 / threads, columns_each = tile_n * 4 / threads;
    static_assert(tile_m * 4 % threads == 0 && tile_n * 4 % threads == 0 && warp_n == 32 && warp_m % 16 == 0,
                  "every thread copies the same number of pieces, and results are turned 32 channels at a time");

    using sums = sp_mma_d[warp_m / 16][warp_n / 8];

    struct loader {
        sp_conv_pixel pixels[rows_each];
        sp_conv_tap tap;
        const sp_half *weights; /* of this thread's piece in the tile's first row */
        int row, piece;
    };

    SP_BOTH static void begin(const args &a, const sp_here &here, int64_t m0, int n0, loader &load)
    {
        load.row = here.thread / 4;
        load.piece = here.thread % 4 * 8;
        SP_UNROLL
        for (int i = 0; i < rows_each; i++)
            load.pixels[i] = sp_conv_pixel_of(a, m0 + load.row + i * (threads / 4));
        load.tap = sp_conv_tap{0, 0, 0};
        sp_conv_advance(a, load.tap, load.piece);
        load.weights =
            static_cast<const sp_half *>(a.weights) + static_cast<int64_t>(n0 + load.row) * a.k_padded + load.piece;
    }

    /* Begin to copy the next step into a stage, and move on. */
    SP_BOTH static void copy(const args &a, const sp_here &here, loader &load, sp_half *to)
    {
        const sp_half *x = static_cast<const sp_half *>(a.x);
        SP_UNROLL
        for (int i = 0; i < rows_each; i++) {
            int64_t from = sp_conv_source(a, load.pixels[i], load.tap);
            sp_copy16(here, to + (load.row + i * (threads / 4)) * sp_conv_row + load.piece,
                      x + (from < 0 ? 0 : from), from >= 0);
        }
        to += tile_m * sp_conv_row;
        SP_UNROLL
        for (int i = 0; i < columns_each; i++)
            sp_copy16(here, to + (load.row + i * (threads / 4)) * sp_conv_row + load.piece,
                      load.weights + static_cast<int64_t>(i) * (threads / 4) * a.k_padded, true);
        load.weights += sp_conv_step;
        sp_conv_advance(a, load.tap, sp_conv_step);
    }

    SP_BOTH static void multiply(const sp_here &here, const sp_half *from, sums &sum)
    {
        int warp = here.thread / 32;
        const sp_half *left = from + warp / warps_n * warp_m * sp_conv_row;
        const sp_half *right = from + (tile_m + warp % warps_n * warp_n) * sp_conv_row;
        SP_UNROLL
        for (int k = 0; k < sp_conv_step; k += 16) {
            sp_mma_a a[warp_m / 16];
            sp_mma_b b[warp_n / 8];
            SP_UNROLL
            for (int i = 0; i < warp_m / 16; i++)
                sp_mma_load_a(here, a[i], left + i * 16 * sp_conv_row + k, sp_conv_row);
            SP_UNROLL
            for (int j = 0; j < warp_n / 8; j += 2)
                sp_mma_load_b(here, b[j], b[j + 1], right + j * 8 * sp_conv_row + k, sp_conv_row);
            sp_mma<warp_m / 16, warp_n / 8>(here, sum, a, b);
        }
    }

    /* Sixteen rows of the warp's tile at a time go through shared memory, so that a lane ends with eight channels
     * of one pixel. */
    SP_BOTH static void store(const args &a, const sp_here &here, int64_t m0, int n0, const sums &sum)
    {
        int warp = here.thread / 32, lane = here.thread % 32;
        float *lines = reinterpret_cast<float *>(here.shared) + warp * 16 * sp_conv_lines;
        int64_t rows = static_cast<int64_t>(a.n) * a.oh * a.ow;
        SP_UNROLL
        for (int i = 0; i < warp_m / 16; i++) {
            SP_UNROLL
            for (int j = 0; j < warp_n / 8; j++) {
                SP_UNROLL
                for (int item = 0; item < 4; item++)
                    lines[sp_mma_row(lane, item) * sp_conv_lines + j * 8 + sp_mma_column(lane, item)] =
                        sum[i][j].at[item];
            }
            sp_warp_barrier(here);
            SP_UNROLL
            for (int half = 0; half < 2; half++) {
                int row = half * 8 + lane / 4, column = lane % 4 * 8;
                int64_t m = m0 + warp / warps_n * warp_m + i * 16 + row;
                int channel = n0 + warp % warps_n * warp_n + column;
                if (m < rows && channel < a.out_pitch) {
                    const float *bias = sp_conv_bias(a, m) + channel, *line = lines + row * sp_conv_lines + column;
                    float result[8];
                    SP_UNROLL
                    for (int c = 0; c < 8; c++)
                        result[c] = line[c] + bias[c];
                    sp_finish8(result, a.residual, a.out, m * a.out_pitch + channel, a.act, channel, a.oc);
                }
            }
            sp_warp_barrier(here);
        }
    }

    SP_BOTH static int tiles_n(const args &a)
    {
        return (a.out_pitch + tile_n - 1) / tile_n;
    }

    SP_BOTH static int64_t blocks(const args &a)
    {
        return sp_blocks(static_cast<int64_t>(a.n) * a.oh * a.ow, tile_m) * tiles_n(a);
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        /* Blocks that share pixels are neighbours, so that the second finds them in the cache. */
        int64_t m0 = here.block / tiles_n(a) * tile_m;
        int n0 = static_cast<int>(here.block % tiles_n(a)) * tile_n, steps = a.k_padded / sp_conv_step;
        sp_half *shared = reinterpret_cast<sp_half *>(here.shared);
        sums sum;
        SP_UNROLL
        for (int i = 0; i < warp_m / 16; i++) {
            SP_UNROLL
            for (int j = 0; j < warp_n / 8; j++) {
                SP_UNROLL
                for (int item = 0; item < 4; item++)
                    sum[i][j].at[item] = 0;
            }
        }
        loader load;
        begin(a, here, m0, n0, load);
        for (int i = 0; i < sp_conv_stages - 1; i++) {
            if (i < steps)
                copy(a, here, load, shared + i * stage);
            sp_copy_commit(here);
        }
        for (int i = 0; i < steps; i++) {
            sp_copy_wait<sp_conv_stages - 2>(here);
            sp_barrier(here); /* step i is here, and nobody reads the stage of step i - 1 any more */
            if (i + sp_conv_stages - 1 < steps)
                copy(a, here, load, shared + (i + sp_conv_stages - 1) % sp_conv_stages * stage);
            sp_copy_commit(here);
            multiply(here, shared + i % sp_conv_stages * stage, sum);
        }
        sp_barrier(here); /* all copies arrived before the last step; nobody reads the stages any more */
        store(a, here, m0, n0, sum);
    }
};

#endif
