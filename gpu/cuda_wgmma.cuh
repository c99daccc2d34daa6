/* Hopper's matrix products (sm_90a): four warps multiply 64 rows by N columns straight out of shared memory, and go
 * on while it happens.
 *
 * Both factors lie along k in rows of 64 halfs, which begin at multiples of 1024 bytes: row r at 128 r bytes, and
 * in it the sixteen bytes number c at place c ^ (r % 8), as the descriptors' 128-byte swizzle reads them (PTX ISA,
 * "Matrix descriptor" and "Swizzling modes"). Sums lie as those of mma.m16n8k16, warp w of the four with rows 16 w
 * to 16 w + 15.
 *
 * Order: whoever wrote a factor waits for its copies, calls sp_wgmma_written and passes a barrier; after
 * sp_wgmma_begin come products, then sp_wgmma_commit; a factor may be written again, and sums be read, once
 * sp_wgmma_wait said that the group is through. */
#ifndef SALLYPORT_GPU_CUDA_WGMMA_CUH
#define SALLYPORT_GPU_CUDA_WGMMA_CUH

#include "gpu/cuda_launch.cuh"

constexpr int sp_wgmma_step = 64;    /* halfs of a row */
constexpr int sp_wgmma_slack = 1024; /* bytes of shared memory that aligning may cost */

/* The block's shared memory from its first multiple of 1024 bytes on. */
SP_BOTH char *sp_wgmma_shared(const sp_here &here)
{
    return here.shared + (0 - reinterpret_cast<uintptr_t>(here.shared)) % sp_wgmma_slack;
}

/* The place of eight numbers, in halfs from the first row on; c: which eight of the row. */
SP_BOTH int sp_wgmma_place(int row, int c)
{
    return row * sp_wgmma_step + (c ^ row % 8) * 8;
}

/* The descriptor of rows from `rows` (a multiple of 8 of them after an aligned one) and their numbers from k on, a
 * multiple of 16: address / 16; 1024 / 16 from eight rows to the next eight; swizzle of 128 bytes. */
template <class half> SP_BOTH uint64_t sp_wgmma_rows([[maybe_unused]] const sp_here &here, const half *rows, int k)
{
#ifdef __CUDA_ARCH__
    uint64_t address = __cvta_generic_to_shared(rows + k);
#else
    uint64_t address = static_cast<uint64_t>(reinterpret_cast<const char *>(rows + k) - sp_wgmma_shared(here));
#endif
    return (address & 0x3ffff) >> 4 | 1ull << 16 | 64ull << 32 | 1ull << 62;
}

/* This thread's writes to shared memory are there for products, after the barrier that follows. */
SP_BOTH void sp_wgmma_written()
{
#ifdef __CUDA_ARCH__
    asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory");
#endif
}

SP_BOTH void sp_wgmma_begin()
{
#ifdef __CUDA_ARCH__
    asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory");
#endif
}

/* Close a group of products. */
SP_BOTH void sp_wgmma_commit([[maybe_unused]] const sp_here &here)
{
#ifdef __CUDA_ARCH__
    asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory");
#elif !defined(__CUDACC__)
    here.fiber->products.commit();
#endif
}

/* All groups but the newest `left` are through. */
template <int left> SP_BOTH void sp_wgmma_wait([[maybe_unused]] const sp_here &here)
{
#ifdef __CUDA_ARCH__
    asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(left) : "memory");
#elif !defined(__CUDACC__)
    here.fiber->products.wait(left);
#endif
}

inline namespace SP_ELEMENT
{
#ifdef __CUDA_ARCH__
#define SP_WGMMA_REGISTERS(i) "+f"(d[i].at[0]), "+f"(d[i].at[1]), "+f"(d[i].at[2]), "+f"(d[i].at[3])

__device__ __forceinline__ void sp_wgmma_issue(sp_mma_d (&d)[8], uint64_t a, uint64_t b)
{
    asm volatile("{\n.reg .pred p;\nsetp.eq.b32 p, 0, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n64k16.f32." SP_MMA_TYPES " "
                 "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "
                 "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
                 "%32, %33, p, 1, 1, 0, 0;\n}\n"
                 : SP_WGMMA_REGISTERS(0), SP_WGMMA_REGISTERS(1), SP_WGMMA_REGISTERS(2), SP_WGMMA_REGISTERS(3),
                   SP_WGMMA_REGISTERS(4), SP_WGMMA_REGISTERS(5), SP_WGMMA_REGISTERS(6), SP_WGMMA_REGISTERS(7)
                 : "l"(a), "l"(b));
}

__device__ __forceinline__ void sp_wgmma_issue(sp_mma_d (&d)[16], uint64_t a, uint64_t b)
{
    asm volatile("{\n.reg .pred p;\nsetp.eq.b32 p, 0, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n128k16.f32." SP_MMA_TYPES " "
                 "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "
                 "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, "
                 "%35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, "
                 "%52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
                 "%64, %65, p, 1, 1, 0, 0;\n}\n"
                 : SP_WGMMA_REGISTERS(0), SP_WGMMA_REGISTERS(1), SP_WGMMA_REGISTERS(2), SP_WGMMA_REGISTERS(3),
                   SP_WGMMA_REGISTERS(4), SP_WGMMA_REGISTERS(5), SP_WGMMA_REGISTERS(6), SP_WGMMA_REGISTERS(7),
                   SP_WGMMA_REGISTERS(8), SP_WGMMA_REGISTERS(9), SP_WGMMA_REGISTERS(10), SP_WGMMA_REGISTERS(11),
                   SP_WGMMA_REGISTERS(12), SP_WGMMA_REGISTERS(13), SP_WGMMA_REGISTERS(14), SP_WGMMA_REGISTERS(15)
                 : "l"(a), "l"(b));
}

__device__ __forceinline__ void sp_wgmma_issue(sp_mma_d (&d)[32], uint64_t a, uint64_t b)
{
    asm volatile("{\n.reg .pred p;\nsetp.eq.b32 p, 0, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n256k16.f32." SP_MMA_TYPES " "
                 "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "
                 "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, "
                 "%35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, "
                 "%52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, %64, %65, %66, %67, %68, "
                 "%69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, %84, %85, "
                 "%86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, %101, "
                 "%102, %103, %104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, %115, "
                 "%116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127}, "
                 "%128, %129, p, 1, 1, 0, 0;\n}\n"
                 : SP_WGMMA_REGISTERS(0), SP_WGMMA_REGISTERS(1), SP_WGMMA_REGISTERS(2), SP_WGMMA_REGISTERS(3),
                   SP_WGMMA_REGISTERS(4), SP_WGMMA_REGISTERS(5), SP_WGMMA_REGISTERS(6), SP_WGMMA_REGISTERS(7),
                   SP_WGMMA_REGISTERS(8), SP_WGMMA_REGISTERS(9), SP_WGMMA_REGISTERS(10), SP_WGMMA_REGISTERS(11),
                   SP_WGMMA_REGISTERS(12), SP_WGMMA_REGISTERS(13), SP_WGMMA_REGISTERS(14), SP_WGMMA_REGISTERS(15),
                   SP_WGMMA_REGISTERS(16), SP_WGMMA_REGISTERS(17), SP_WGMMA_REGISTERS(18), SP_WGMMA_REGISTERS(19),
                   SP_WGMMA_REGISTERS(20), SP_WGMMA_REGISTERS(21), SP_WGMMA_REGISTERS(22), SP_WGMMA_REGISTERS(23),
                   SP_WGMMA_REGISTERS(24), SP_WGMMA_REGISTERS(25), SP_WGMMA_REGISTERS(26), SP_WGMMA_REGISTERS(27),
                   SP_WGMMA_REGISTERS(28), SP_WGMMA_REGISTERS(29), SP_WGMMA_REGISTERS(30), SP_WGMMA_REGISTERS(31)
                 : "l"(a), "l"(b));
}

#undef SP_WGMMA_REGISTERS
#endif

/* d += A B for k from 0 to 15 of the descriptors; d: N / 8 blocks of eight columns. */
template <int blocks>
SP_BOTH void sp_wgmma([[maybe_unused]] const sp_here &here, [[maybe_unused]] sp_mma_d (&d)[blocks],
                      [[maybe_unused]] uint64_t a, [[maybe_unused]] uint64_t b)
{
#ifdef __CUDA_ARCH__
    sp_wgmma_issue(d, a, b);
#elif !defined(__CUDACC__)
    here.fiber->products.product(here.thread, &d[0].at[0], blocks, sp_wgmma_shared(here), a, b,
                                 SP_IF_BF16(true, false));
#endif
}
} // namespace SP_ELEMENT

#endif
