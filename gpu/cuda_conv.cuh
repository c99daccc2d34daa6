/* Convolution as an implicit matrix product on the tensor cores.
 *
 * A block makes a tile of output pixels (of the whole batch in one line) by output channels (cuda_tile.cuh). Along
 * k it goes in steps of 32 numbers: four 16-byte pieces per row, each from one tap's eight channels, zeros where
 * the tap lies outside the image. `sp_tile_stages` steps are under way at once (asynchronous copies). What a step
 * costs beside its products is a few additions per row: where a pixel's window begins and how far a tap is from
 * there are known before. */
#ifndef SALLYPORT_GPU_CUDA_CONV_CUH
#define SALLYPORT_GPU_CUDA_CONV_CUH

#include "gpu/cuda_finish.cuh"
#include "gpu/cuda_tile.cuh"

inline namespace SP_ELEMENT
{
/* Farther down than any image reaches, and above where even that does not reach it. */
constexpr int sp_conv_below = 1 << 29, sp_conv_above = -(1 << 30);

/* An output pixel's window: where in the batch's images its first tap lies, or would lie. */
struct sp_conv_pixel {
    int64_t first;
    int y, x;
};

SP_BOTH sp_conv_pixel sp_conv_pixel_of(const sp_cuda_conv &a, int64_t m)
{
    sp_conv_pixel pixel;
    int64_t area = static_cast<int64_t>(a.oh) * a.ow, n = m / area;
    int rest = static_cast<int>(m - n * area);
    pixel.y = rest / a.ow * a.stride[0] - a.pad[0];
    pixel.x = rest % a.ow * a.stride[1] - a.pad[1];
    pixel.first = ((n * a.h + pixel.y) * a.w + pixel.x) * a.pitch;
    if (n >= a.n) /* past the last pixel */
        pixel.y = sp_conv_above;
    return pixel;
}

/* A place along k: tap (ky, kx) and channel; and how far that is from the first tap: pixels down and right, numbers
 * in memory. */
struct sp_conv_tap {
    int ky, kx, channel;
    int down, right;
    int64_t numbers;
};

SP_BOTH void sp_conv_advance(const sp_cuda_conv &a, sp_conv_tap &tap, int by)
{
    tap.channel += by;
    tap.numbers += by;
    if (tap.channel < a.pitch)
        return;
    do {
        tap.channel -= a.pitch;
        tap.right += a.dilation[1];
        if (++tap.kx == a.kernel[1]) {
            tap.kx = tap.right = 0;
            tap.down = ++tap.ky < a.kernel[0] ? tap.down + a.dilation[0] : sp_conv_below; /* past k's end: zeros */
        }
    } while (tap.channel >= a.pitch);
    tap.numbers = (static_cast<int64_t>(tap.down) * a.w + tap.right) * a.pitch + tap.channel;
}

/* Whether the pixel's window lies in the image at this tap. */
SP_BOTH bool sp_conv_inside(const sp_cuda_conv &a, const sp_conv_pixel &pixel, const sp_conv_tap &tap)
{
    return static_cast<unsigned>(pixel.y + tap.down) < static_cast<unsigned>(a.h) &&
           static_cast<unsigned>(pixel.x + tap.right) < static_cast<unsigned>(a.w);
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

template <class tile> struct sp_conv_kernel {
    using args = sp_cuda_conv;
    static constexpr int threads = tile::threads;
    static constexpr int stage = (tile::m + tile::n) * sp_tile_row; /* halfs */
    static constexpr int shared = tile::shared_of(sp_tile_stages * stage * 2);
    static constexpr bool together = true;
    static_assert(shared <= 99 * 1024, "some devices have no more");
    static constexpr int rows_each = tile::m * 4 / threads, columns_each = tile::n * 4 / threads;
    static_assert(tile::m * 4 % threads == 0 && tile::n * 4 % threads == 0,
                  "every thread copies the same number of pieces");

    struct loader {
        sp_conv_pixel pixels[rows_each];
        sp_conv_tap tap;
        const sp_half *weights; /* of this thread's piece in the tile's first row */
        int place;              /* of its piece in a stage */
    };

    SP_BOTH static void begin(const args &a, const sp_here &here, int64_t m0, int n0, loader &load)
    {
        int row = here.thread / 4, piece = here.thread % 4 * 8;
        SP_UNROLL
        for (int i = 0; i < rows_each; i++)
            load.pixels[i] = sp_conv_pixel_of(a, m0 + row + i * (threads / 4));
        load.tap = sp_conv_tap{};
        sp_conv_advance(a, load.tap, piece);
        load.weights =
            static_cast<const sp_half *>(a.weights) + static_cast<int64_t>(n0 + row) * a.k_padded + piece;
        load.place = row * sp_tile_row + piece;
    }

    /* Begin to copy the next step into a stage, and move on. */
    SP_BOTH static void copy(const args &a, const sp_here &here, loader &load, sp_half *to)
    {
        const sp_half *x = static_cast<const sp_half *>(a.x);
        to += load.place;
        SP_UNROLL
        for (int i = 0; i < rows_each; i++) {
            bool inside = sp_conv_inside(a, load.pixels[i], load.tap);
            sp_copy16(here, to + i * (threads / 4) * sp_tile_row,
                      x + (inside ? load.pixels[i].first + load.tap.numbers : 0), inside);
        }
        to += tile::m * sp_tile_row;
        SP_UNROLL
        for (int i = 0; i < columns_each; i++)
            sp_copy16(here, to + i * (threads / 4) * sp_tile_row,
                      load.weights + static_cast<int64_t>(i) * (threads / 4) * a.k_padded, true);
        load.weights += sp_tile_step;
        sp_conv_advance(a, load.tap, sp_tile_step);
    }

    /* What the pixels' sums become: bias, residual, activation, one rounding. */
    struct finish {
        const args &a;
        SP_BOTH void operator()(int64_t m, int channel, const float *line) const
        {
            float result[8];
            if (channel >= a.out_pitch || m >= static_cast<int64_t>(a.n) * a.oh * a.ow)
                return;
            const float *bias = sp_conv_bias(a, m) + channel;
            SP_UNROLL
            for (int c = 0; c < 8; c++)
                result[c] = line[c] + bias[c];
            sp_finish8(result, a.residual, a.out, m * a.out_pitch + channel, a.act, channel, a.oc);
        }
    };

    SP_BOTH static int tiles_n(const args &a)
    {
        return (a.out_pitch + tile::n - 1) / tile::n;
    }

    SP_BOTH static int64_t blocks(const args &a)
    {
        return sp_blocks(static_cast<int64_t>(a.n) * a.oh * a.ow, tile::m) * tiles_n(a);
    }

    SP_BOTH static void run(const args &a, const sp_here &here)
    {
        /* Blocks that share pixels are neighbours, so that the second finds them in the cache. */
        int64_t m0 = here.block / tiles_n(a) * tile::m;
        int n0 = static_cast<int>(here.block % tiles_n(a)) * tile::n, steps = a.k_padded / sp_tile_step;
        sp_half *shared = reinterpret_cast<sp_half *>(here.shared);
        typename tile::sums sum;
        loader load;
        tile::clear(sum);
        begin(a, here, m0, n0, load);
        for (int i = 0; i < sp_tile_stages - 1; i++) {
            if (i < steps)
                copy(a, here, load, shared + i * stage);
            sp_copy_commit(here);
        }
        for (int i = 0, now = 0, next = sp_tile_stages - 1; i < steps; i++) {
            sp_copy_wait<sp_tile_stages - 2>(here);
            sp_barrier(here); /* step i is here, and nobody reads the stage of step i - 1 any more */
            if (i + sp_tile_stages - 1 < steps)
                copy(a, here, load, shared + next * stage);
            sp_copy_commit(here);
            tile::multiply(here, shared + now * stage, shared + now * stage + tile::m * sp_tile_row, sum);
            now = now + 1 == sp_tile_stages ? 0 : now + 1;
            next = next + 1 == sp_tile_stages ? 0 : next + 1;
        }
        sp_barrier(here); /* all copies arrived before the last step; nobody reads the stages any more */
        tile::store(here, m0, n0, sum, finish{a});
    }
};

} // namespace SP_ELEMENT

#endif
