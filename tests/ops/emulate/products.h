/* One thread's asynchronous matrix products (gpu/cuda_wgmma.cuh): what its registers will hold of them.
 *
 * A device may read the factors at any moment between a product's issue and its wait. Here they are read at both,
 * and where they are not the same, or a descriptor says something that the layout does not have, the test ends with
 * a sentence. */
#ifndef SALLYPORT_TESTS_OPS_EMULATE_PRODUCTS_H
#define SALLYPORT_TESTS_OPS_EMULATE_PRODUCTS_H

#include <cstdint>
#include <vector>

class sp_products
{
  public:
    /* d += A B: 64 rows by 8 * blocks columns of 128 threads, of which `thread` has [blocks][4] numbers at d.
     * Descriptors count from `shared`. */
    void product(int thread, float *d, int blocks, const char *shared, uint64_t a, uint64_t b, bool bf16);
    void commit();
    void wait(int left);
    bool open() const; /* something was issued that was not waited for */

  private:
    struct one {
        int thread, blocks;
        float *d;
        const char *shared;
        uint64_t a, b;
        bool bf16;
        std::vector<float> first; /* what the factors gave at issue */
    };
    static std::vector<float> compute(const one &product);
    std::vector<std::vector<one>> groups = std::vector<std::vector<one>>(1); /* the last one is still open */
};

#endif
