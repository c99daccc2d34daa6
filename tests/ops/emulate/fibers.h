/* A launch's blocks of device threads on the CPU.
 *
 * Each thread is a fiber (its own stack, switched by hand); it gives way where a device thread waits for others. A
 * round in which no fiber gets on is a deadlock: a barrier that not all reach, and ends the test with a sentence.
 * Asynchronous copies are made as late as their wait allows, and from their issue on NaN lies where they go. Shared
 * memory is filled with a pattern that reads as NaN before each block; it is allocated to its size, so
 * AddressSanitizer sees its end.
 *
 * Under the thread sanitizer each fiber is a thread of its own to it, and in order with the others only where a
 * device promises it: all of a block at a barrier, a warp's lanes at a warp's barrier. Shuffles, ballots and
 * products make lanes wait and order no memory. A copy may write at any moment from its issue to its wait. Blocks
 * of one launch are in no order; they are spread over two sets of fibers, and a race of two blocks that fell to one
 * set is not seen. So are the threads of a kernel that never work together over a few fibers, another way in each
 * block. */
#ifndef SALLYPORT_TESTS_OPS_EMULATE_FIBERS_H
#define SALLYPORT_TESTS_OPS_EMULATE_FIBERS_H

#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>
#include "tests/ops/emulate/products.h"

struct sp_block;

/* What a kernel calls through gpu/cuda_launch.cuh. */
class sp_fiber
{
  public:
    void barrier();
    bool barrier_any(bool yes);
    void meet(); /* with the other lanes of the warp */
    int lane() const;
    template <class T> T shuffle(T value, int from)
    {
        uint64_t bits = 0;
        T result;
        std::memcpy(&bits, &value, sizeof value);
        bits = exchange(bits, from);
        std::memcpy(&result, &bits, sizeof result);
        return result;
    }
    uint32_t ballot(bool condition);
    void copy16(void *shared, const void *from, bool valid);
    void commit();
    void wait(int left);
    /* d: [rows][columns][4] floats of this lane; a: [rows][4]; b: [columns][2], fp16 or bf16 in pairs. */
    void multiply(float *d, const uint32_t *a, const uint32_t *b, int rows, int columns, bool bf16 = false);
    sp_products products; /* asynchronous ones */

  private:
    friend struct sp_block;
    static constexpr int most_copies = 64;
    struct copy {
        void *to;
        const void *from;
        bool valid;
        uint32_t group;
    };
    void gather();
    uint64_t exchange(uint64_t bits, int from);
    sp_block *all = nullptr;
    int thread = 0;
    std::vector<copy> copies; /* under way, oldest first, in a ring; of most_copies, where there are any */
    uint32_t first_copy = 0, copy_count = 0, group = 0; /* the group is still open */
};

using sp_thread_body = std::function<void(int64_t block, int thread, char *shared, sp_fiber *fiber)>;

/* A launch, whole. `fiber` is null where the threads do not work together. */
void sp_run_blocks(int64_t blocks, int threads, int shared_bytes, bool together, const sp_thread_body &body);

#endif
