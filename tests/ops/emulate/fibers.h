/* A block of device threads on the CPU.
 *
 * Each thread is a fiber (its own stack, switched by hand); it gives way where a device thread waits for others. A round
 * in which no fiber gets on is a deadlock: a barrier that not all reach, and ends the test with a sentence.
 * Asynchronous copies are made as late as their wait allows. Shared memory is filled with a pattern that reads as NaN
 * before each block; it is allocated to its size, so AddressSanitizer sees its end. */
#ifndef SALLYPORT_TESTS_OPS_EMULATE_FIBERS_H
#define SALLYPORT_TESTS_OPS_EMULATE_FIBERS_H

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

struct sp_fibers_state;

/* What a kernel calls through gpu/cuda_launch.cuh. */
class sp_fiber {
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
    /* d: [rows][columns][4] floats of this lane; a: [rows][4]; b: [columns][2]. */
    void multiply(float *d, const uint32_t *a, const uint32_t *b, int rows, int columns);

private:
    friend struct sp_fibers_state;
    friend class sp_fibers;
    struct copy {
        void *to;
        const void *from;
        bool valid;
    };
    uint64_t exchange(uint64_t bits, int from);
    sp_fibers_state *all = nullptr;
    int thread = 0;
    std::vector<std::vector<copy>> groups; /* the last one is still open */
};

class sp_fibers {
public:
    using body = std::function<void(int thread, char *shared, sp_fiber *fiber)>;
    sp_fibers(int threads, int shared_bytes, bool together);
    ~sp_fibers();
    sp_fibers(const sp_fibers &) = delete;
    sp_fibers &operator=(const sp_fibers &) = delete;
    void run(const body &thread_body);

private:
    std::unique_ptr<sp_fibers_state> state;
};

#endif
