/* What the device itself can do, measured in the same run as our code: copies and matrix products. The floors of a
 * net or a match are its bytes over the copy rate and its arithmetic over the product rate.
 *
 * usage: gpu_floor [--look]    one "floor NAME VALUE UNIT" line each; --look only names the device. Exit 77 without
 * one. */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
#include <algorithm>
#include <cublas_v2.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

static void check(int code, const char *what)
{
    if (code == 0)
        return;
    std::fprintf(stderr, "gpu_floor: %s: code %d\n", what, code);
    std::exit(1);
}

/* Median milliseconds of one call, over rounds that are timed one by one. */
template <class work> static float median_ms(cudaStream_t stream, int rounds, work call)
{
    cudaEvent_t from, to;
    std::vector<float> times;
    check(cudaEventCreate(&from), "event");
    check(cudaEventCreate(&to), "event");
    for (int i = -3; i < rounds; i++) {
        float ms = 0;
        check(cudaEventRecord(from, stream), "record");
        call();
        check(cudaEventRecord(to, stream), "record");
        check(cudaEventSynchronize(to), "wait");
        check(cudaEventElapsedTime(&ms, from, to), "time");
        if (i >= 0)
            times.push_back(ms);
    }
    cudaEventDestroy(from);
    cudaEventDestroy(to);
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

static __global__ void fill(__half *to, int64_t count, uint32_t seed)
{
    int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
        uint32_t bits = (static_cast<uint32_t>(i) ^ seed) * 2654435761u;
        bits ^= bits >> 15;
        bits *= 2246822519u;
        to[i] = __float2half_rn(static_cast<float>(bits >> 8) / (1 << 23) - 1);
    }
}

static __global__ void nothing()
{
}

static void copies(cudaStream_t stream, size_t bytes)
{
    char *a = nullptr, *b = nullptr, *host = nullptr;
    check(cudaMalloc(&a, bytes), "memory");
    check(cudaMalloc(&b, bytes), "memory");
    check(cudaMallocHost(&host, 256 << 20), "pinned memory");
    check(cudaMemset(a, 1, bytes), "fill");
    float ms = median_ms(stream, 15,
                         [&] { check(cudaMemcpyAsync(b, a, bytes, cudaMemcpyDeviceToDevice, stream), "copy"); });
    std::printf("floor copy_read_and_write %.0f GB/s\n", 2 * static_cast<double>(bytes) / ms / 1e6);
    ms = median_ms(stream, 9,
                   [&] { check(cudaMemcpyAsync(a, host, 256 << 20, cudaMemcpyHostToDevice, stream), "copy"); });
    std::printf("floor upload %.1f GB/s\n", (256 << 20) / ms / 1e6);
    ms = median_ms(stream, 9,
                   [&] { check(cudaMemcpyAsync(host, a, 256 << 20, cudaMemcpyDeviceToHost, stream), "copy"); });
    std::printf("floor download %.1f GB/s\n", (256 << 20) / ms / 1e6);
    cudaFree(a);
    cudaFree(b);
    cudaFreeHost(host);
}

static void products(cudaStream_t stream, int side, int rounds)
{
    __half *a = nullptr, *b = nullptr, *c = nullptr;
    cublasHandle_t blas;
    size_t bytes = static_cast<size_t>(side) * side * 2;
    float one = 1, zero = 0;
    check(cublasCreate(&blas), "cuBLAS");
    check(cublasSetStream(blas, stream), "cuBLAS");
    check(cudaMalloc(&a, bytes), "memory");
    check(cudaMalloc(&b, bytes), "memory");
    check(cudaMalloc(&c, bytes), "memory");
    fill<<<1024, 256, 0, stream>>>(a, static_cast<int64_t>(side) * side, 1);
    fill<<<1024, 256, 0, stream>>>(b, static_cast<int64_t>(side) * side, 7);
    float ms = median_ms(stream, rounds, [&] {
        check(cublasGemmEx(blas, CUBLAS_OP_T, CUBLAS_OP_N, side, side, side, &one, a, CUDA_R_16F, side, b,
                           CUDA_R_16F, side, &zero, c, CUDA_R_16F, side, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
              "product");
    });
    std::printf("floor product_f16_%d %.1f TFLOP/s\n", side, 2.0 * side * side * side / ms / 1e9);
    cublasDestroy(blas);
    cudaFree(a);
    cudaFree(b);
    cudaFree(c);
}

int main(int argc, char **argv)
{
    int devices = 0;
    cudaError_t code = cudaGetDeviceCount(&devices);
    if (code != cudaSuccess || devices == 0) {
        std::printf("SKIP: no CUDA device (%s)\n", cudaGetErrorString(code));
        return 77;
    }
    cudaDeviceProp facts;
    cudaStream_t stream;
    check(cudaGetDeviceProperties(&facts, 0), "device");
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream");
    std::printf("device %s sm_%d%d, %d multiprocessors, %zu MiB, L2 %d MiB\n", facts.name, facts.major, facts.minor,
                facts.multiProcessorCount, facts.totalGlobalMem >> 20, facts.l2CacheSize >> 20);
    if (argc > 1 && !std::strcmp(argv[1], "--look"))
        return 0;
    copies(stream, static_cast<size_t>(1) << 30);
    products(stream, 8192, 10);
    products(stream, 2048, 30);
    std::printf("floor launch %.2f us\n", median_ms(stream, 20, [&] {
                    for (int i = 0; i < 1000; i++)
                        nothing<<<1, 32, 0, stream>>>();
                }));
    return 0;
}
