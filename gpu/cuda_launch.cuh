/* How a kernel is written here, so that the same source runs on a device and, in tests, on the CPU under
 * sanitizers.
 *
 * A kernel is a struct with
 *     using args = struct ...;                      plain values and device pointers, at most 4 KiB
 *     static constexpr int threads, shared;         per block; bytes of shared memory
 *     static constexpr bool together;               uses barriers, shuffles, matrix products or asynchronous copies
 *     SP_BOTH static void run(const args &, const sp_here &);
 * and a launcher, extern "C" in its .cu, calls sp_launch<kernel>(stream, blocks, args). Index arithmetic and edges
 * are in SP_BOTH functions of the family's .cuh. On the host sp_launch runs every block and thread: one after
 * another where `together` is false, else each as a fiber that yields at every point where a device would wait
 * (tests/ops/emulate/fibers.h), in a shuffled order. The thread sanitizer knows there what a device promises and
 * reports what lacks a barrier or a wait, whatever the order made of it.
 *
 * The 16-bit float is fp16, or bf16 where SP_BF16 is defined. The nets' kernels are compiled both ways
 * (gpu/cuda.cmake): all that they define lies in `inline namespace SP_ELEMENT`, and their launchers are
 * called SP_LAUNCHER(name), so that no symbol of the one is the other's. */
#ifndef SALLYPORT_GPU_CUDA_LAUNCH_CUH
#define SALLYPORT_GPU_CUDA_LAUNCH_CUH

#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#define SP_BOTH __host__ __device__ __forceinline__
#else
#include <cmath>
#include "gpu/cuda_half.h"
#include "tests/ops/emulate/fibers.h"
#include "tests/ops/emulate/plain_device.h"
#define SP_BOTH inline
#endif
#ifdef __CUDA_ARCH__
#define SP_UNROLL _Pragma("unroll")
#define SP_ROLL   _Pragma("unroll 1")
#else
#define SP_UNROLL
#define SP_ROLL
#endif

/* Where a thread is. Blocks form one line. */
struct sp_here {
    int64_t block;
    int thread;
    char *shared; /* aligned to 128 bytes */
#ifndef __CUDACC__
    sp_fiber *fiber;
#endif
};

/* 16-bit floats: storage only, arithmetic is in float. Eight of them are one 16-byte access. */
#ifdef SP_BF16
#define SP_ELEMENT             sp_bf16
#define SP_LAUNCHER(name)      sp_cuda_##name##_bf16
#define SP_IF_BF16(bf16, fp16) bf16
#else
#define SP_ELEMENT             sp_f16
#define SP_LAUNCHER(name)      sp_cuda_##name##_f16
#define SP_IF_BF16(bf16, fp16) fp16
#endif
#define SP_MMA_TYPES SP_IF_BF16("bf16.bf16", "f16.f16")

inline namespace SP_ELEMENT
{
#ifdef __CUDACC__
typedef SP_IF_BF16(__nv_bfloat16, __half) sp_half;
SP_BOTH float sp_float(sp_half value)
{
    return SP_IF_BF16(__bfloat162float, __half2float)(value);
}
SP_BOTH sp_half sp_round(float value)
{
    return SP_IF_BF16(__float2bfloat16_rn, __float2half_rn)(value);
}
#else
struct sp_half {
    uint16_t bits;
};
SP_BOTH float sp_float(sp_half value)
{
    return SP_IF_BF16(sp_bf16_value, sp_half_value)(value.bits);
}
SP_BOTH sp_half sp_round(float value)
{
    return sp_half{SP_IF_BF16(sp_bf16_bits, sp_half_bits)(value)};
}
#endif

struct alignas(16) sp_half8 {
    sp_half at[8];
};

SP_BOTH sp_half8 sp_load8(const sp_half *from)
{
#ifdef __CUDA_ARCH__
    uint4 bits = *reinterpret_cast<const uint4 *>(from);
    return *reinterpret_cast<sp_half8 *>(&bits);
#else
    return *reinterpret_cast<const sp_half8 *>(from); /* UBSan checks the alignment */
#endif
}

SP_BOTH void sp_store8(sp_half *to, const sp_half8 &value)
{
#ifdef __CUDA_ARCH__
    *reinterpret_cast<uint4 *>(to) = *reinterpret_cast<const uint4 *>(&value);
#else
    *reinterpret_cast<sp_half8 *>(to) = value;
#endif
}

SP_BOTH sp_half8 sp_zero8()
{
    sp_half8 zero;
    memset(&zero, 0, sizeof zero);
    return zero;
}
} // namespace SP_ELEMENT

/* All threads of the block are here, and see each other's shared memory. */
SP_BOTH void sp_barrier([[maybe_unused]] const sp_here &here)
{
#ifdef __CUDA_ARCH__
    __syncthreads();
#elif !defined(__CUDACC__)
    here.fiber->barrier();
#endif
}

/* A barrier too: whether `yes` is true in any thread of the block. */
SP_BOTH bool sp_barrier_any([[maybe_unused]] const sp_here &here, bool yes)
{
#ifdef __CUDA_ARCH__
    return __syncthreads_or(yes) != 0;
#elif !defined(__CUDACC__)
    return here.fiber->barrier_any(yes);
#else
    return yes;
#endif
}

/* The warp's lanes are here, and see each other's shared memory. */
SP_BOTH void sp_warp_barrier([[maybe_unused]] const sp_here &here)
{
#ifdef __CUDA_ARCH__
    __syncwarp();
#elif !defined(__CUDACC__)
    here.fiber->meet();
#endif
}

/* The value that lane (own ^ mask) of the warp holds; all 32 lanes call it. */
template <class T>
SP_BOTH T sp_shuffle_xor([[maybe_unused]] const sp_here &here, T value, [[maybe_unused]] int mask)
{
    static_assert(sizeof(T) <= 8, "one register or two");
#ifdef __CUDA_ARCH__
    return __shfl_xor_sync(0xffffffffu, value, mask);
#elif !defined(__CUDACC__)
    return here.fiber->shuffle(value, here.fiber->lane() ^ mask);
#else
    return value;
#endif
}

/* The value that lane `lane` holds. */
template <class T> SP_BOTH T sp_shuffle([[maybe_unused]] const sp_here &here, T value, [[maybe_unused]] int lane)
{
#ifdef __CUDA_ARCH__
    return __shfl_sync(0xffffffffu, value, lane);
#elif !defined(__CUDACC__)
    return here.fiber->shuffle(value, lane);
#else
    return value;
#endif
}

/* One bit per lane, set where its condition holds. */
SP_BOTH uint32_t sp_ballot([[maybe_unused]] const sp_here &here, bool condition)
{
#ifdef __CUDA_ARCH__
    return __ballot_sync(0xffffffffu, condition);
#elif !defined(__CUDACC__)
    return here.fiber->ballot(condition);
#else
    return condition;
#endif
}

/* Begin to copy 16 bytes into shared memory, zeros where `valid` is false (`from` is then not read but still some
 * address of the device). Both sides are aligned to 16. */
SP_BOTH void sp_copy16([[maybe_unused]] const sp_here &here, [[maybe_unused]] void *shared,
                       [[maybe_unused]] const void *from, [[maybe_unused]] bool valid)
{
#ifdef __CUDA_ARCH__
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(
                     static_cast<unsigned>(__cvta_generic_to_shared(shared))),
                 "l"(__cvta_generic_to_global(from)), "r"(valid ? 16 : 0)
                 : "memory");
#elif !defined(__CUDACC__)
    here.fiber->copy16(shared, from, valid);
#endif
}

/* Close a group of this thread's copies. */
SP_BOTH void sp_copy_commit([[maybe_unused]] const sp_here &here)
{
#ifdef __CUDA_ARCH__
    asm volatile("cp.async.commit_group;\n" ::: "memory");
#elif !defined(__CUDACC__)
    here.fiber->commit();
#endif
}

/* This thread's groups have arrived, except the newest `left`. A barrier makes them visible to the block. */
template <int left> SP_BOTH void sp_copy_wait([[maybe_unused]] const sp_here &here)
{
#ifdef __CUDA_ARCH__
    asm volatile("cp.async.wait_group %0;\n" ::"n"(left) : "memory");
#elif !defined(__CUDACC__)
    here.fiber->wait(left);
#endif
}

/* A warp's fragments of D[16][8] += A[16][16] B[16][8], 16-bit floats with float sums. As PTX's mma.m16n8k16 has
 * them: with g = lane / 4 and t = lane % 4, a holds rows g, g + 8 (fastest) of columns 2t, 2t + 1 and those 8
 * further; b column g, rows 2t, 2t + 1 and those 8 further; d rows g, g, g + 8, g + 8 of columns 2t, 2t + 1. */
struct sp_mma_a {
    uint32_t at[4];
};
struct sp_mma_b {
    uint32_t at[2];
};
struct sp_mma_d {
    float at[4];
};

SP_BOTH int sp_mma_row(int lane, int item)
{
    return lane / 4 + (item >= 2 ? 8 : 0);
}

SP_BOTH int sp_mma_column(int lane, int item)
{
    return lane % 4 * 2 + item % 2;
}

inline namespace SP_ELEMENT
{
/* A's fragment out of shared memory: row r of the 16x16 block begins at block + r * pitch halfs (pitch a multiple
 * of 8). */
SP_BOTH void sp_mma_load_a(const sp_here &here, sp_mma_a &a, const sp_half *block, int pitch)
{
    int lane = here.thread % 32;
#ifdef __CUDA_ARCH__
    const sp_half *row = block + lane % 16 * pitch + lane / 16 * 8;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(a.at[0]), "=r"(a.at[1]), "=r"(a.at[2]), "=r"(a.at[3])
                 : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
                 : "memory");
#else
    for (int i = 0; i < 4; i++)
        memcpy(&a.at[i], block + (lane / 4 + i % 2 * 8) * pitch + i / 2 * 8 + lane % 4 * 2, 4);
#endif
}

/* Two fragments of B, for 16 columns: column c of the 16x16 block, sixteen numbers along k, begins at block + c *
 * pitch. */
SP_BOTH void sp_mma_load_b(const sp_here &here, sp_mma_b &b0, sp_mma_b &b1, const sp_half *block, int pitch)
{
    int lane = here.thread % 32;
#ifdef __CUDA_ARCH__
    const sp_half *row = block + (lane / 16 * 8 + lane % 8) * pitch + lane / 8 % 2 * 8;
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
                 : "=r"(b0.at[0]), "=r"(b0.at[1]), "=r"(b1.at[0]), "=r"(b1.at[1])
                 : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
                 : "memory");
#else
    for (int i = 0; i < 2; i++) {
        memcpy(&b0.at[i], block + lane / 4 * pitch + i * 8 + lane % 4 * 2, 4);
        memcpy(&b1.at[i], block + (8 + lane / 4) * pitch + i * 8 + lane % 4 * 2, 4);
    }
#endif
}

/* d[i][j] += a[i] b[j] for a whole warp's tile. On the host one meeting of the lanes does all of it. */
template <int rows, int columns>
SP_BOTH void sp_mma([[maybe_unused]] const sp_here &here, [[maybe_unused]] sp_mma_d (&d)[rows][columns],
                    [[maybe_unused]] const sp_mma_a (&a)[rows], [[maybe_unused]] const sp_mma_b (&b)[columns])
{
#ifdef __CUDA_ARCH__
    SP_UNROLL
    for (int i = 0; i < rows; i++) {
        SP_UNROLL
        for (int j = 0; j < columns; j++)
            asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." SP_MMA_TYPES ".f32 {%0, %1, %2, %3}, "
                         "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
                         : "+f"(d[i][j].at[0]), "+f"(d[i][j].at[1]), "+f"(d[i][j].at[2]), "+f"(d[i][j].at[3])
                         : "r"(a[i].at[0]), "r"(a[i].at[1]), "r"(a[i].at[2]), "r"(a[i].at[3]), "r"(b[j].at[0]),
                           "r"(b[j].at[1]));
    }
#elif !defined(__CUDACC__)
    here.fiber->multiply(&d[0][0].at[0], &a[0].at[0], &b[0].at[0], rows, columns, SP_IF_BF16(true, false));
#endif
}
} // namespace SP_ELEMENT

#ifdef __CUDACC__
template <class kernel> __global__ void __launch_bounds__(kernel::threads) sp_run(const typename kernel::args args)
{
    extern __shared__ __align__(128) char shared[];
    kernel::run(args, sp_here{static_cast<int64_t>(blockIdx.x), static_cast<int>(threadIdx.x), shared});
}

/* 0 or a cudaError_t. Never waits. */
template <class kernel> int sp_launch(void *stream, int64_t blocks, const typename kernel::args &args)
{
    if (blocks <= 0)
        return blocks < 0 ? cudaErrorInvalidValue : cudaSuccess;
    if (blocks > INT32_MAX)
        return cudaErrorInvalidValue;
    if (kernel::shared > 48 * 1024) {
        cudaError_t code =
            cudaFuncSetAttribute(sp_run<kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize, kernel::shared);
        if (code != cudaSuccess)
            return code;
    }
    sp_run<kernel>
        <<<static_cast<unsigned>(blocks), kernel::threads, kernel::shared, static_cast<cudaStream_t>(stream)>>>(
            args);
    return cudaGetLastError();
}
#else
template <class kernel> struct sp_emulated_launch {
    int64_t blocks;
    typename kernel::args args;

    static void run(const void *payload)
    {
        const sp_emulated_launch &self = *static_cast<const sp_emulated_launch *>(payload);
        sp_run_blocks(self.blocks, kernel::threads, kernel::shared, kernel::together,
                      [&](int64_t block, int thread, char *shared, sp_fiber *fiber) {
                          kernel::run(self.args, sp_here{block, thread, shared, fiber});
                      });
    }
};

/* Without a stream at once, else in its order (tests/ops/emulate/plain_device.h). */
template <class kernel> int sp_launch(void *stream, int64_t blocks, const typename kernel::args &args)
{
    static_assert(kernel::shared <= 227 * 1024 && kernel::threads <= 1024, "no device has more");
    static_assert(sizeof args <= 4096, "kernel parameters");
    static_assert(sizeof(sp_emulated_launch<kernel>) <= PLAIN_DEVICE_PAYLOAD, "what the plain device takes along");
    if (blocks < 0 || blocks > INT32_MAX)
        return 1;
    sp_emulated_launch<kernel> launch{blocks, args};
    if (stream)
        plain_device_do(stream, sp_emulated_launch<kernel>::run, &launch, sizeof launch);
    else
        sp_emulated_launch<kernel>::run(&launch);
    return 0;
}
#endif

#endif
