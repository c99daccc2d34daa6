#include "tests/ops/emulate/fibers.h"

#include <cstdio>
#include <cstdlib>
#include <vector>
#include "gpu/cuda_half.h"
#include "tests/ops/emulate/crew.h"
#include "tests/ops/emulate/sanitize.h"

/* How many blocks of a launch can be seen to race, and fibers for threads that do not work together. */
static constexpr int most_sets = with_tsan ? 2 : 1, walkers = 16;

[[noreturn]] static void give_up(const char *why)
{
    std::fprintf(stderr, "emulated launch: %s\n", why);
    std::abort();
}

/* The same numbers in every run. */
struct dice {
    uint64_t state = 1;
    size_t below(size_t count)
    {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (size_t)(state >> 33) % count;
    }
    void shuffle(std::vector<int> &items)
    {
        for (size_t i = items.size(); i > 1; i--)
            std::swap(items[i - 1], items[below(i)]);
    }
};

/* One block after another on a set of fibers. The members named mark_... are only addresses. */
struct sp_block {
    int threads;
    const sp_thread_body &body;
    char &mark_launch; /* passed when the launch began */
    sp_crew *crew = sp_crew::borrow();
    std::vector<sp_fiber> fibers;
    std::vector<const uint64_t *> waiting; /* the counter that has to change before a thread gets on; or null */
    std::vector<uint64_t> seen;            /* its value when the thread began to wait */
    std::vector<int> order;                /* in which fibers get their turn; shuffled per block */
    std::vector<char> shared_storage;
    char *shared;
    int64_t number = 0;
    bool filled = false;
    char mark_filled = 0, mark_ended = 0;
    /* Meetings: how many came to the present one, and the number of the present one. Marks take turns: a thread may
     * be at the next meeting before the last has left this one. */
    struct meeting {
        int came = 0;
        uint64_t number = 0;
        char marks[2];
    };
    meeting all_threads;
    bool said = false; /* by somebody who came to the present barrier */
    bool any[2];       /* what barriers of even and odd numbers ended with */
    struct warp {
        meeting lanes;
        uint64_t bits[2][32];
        float *d[32];
        const uint32_t *a[32], *b[32];
    };
    std::vector<warp> warps;

    sp_block(int given_threads, int shared_bytes, const sp_thread_body &given_body, char &launch);
    ~sp_block();
    sp_block(const sp_block &) = delete;
    sp_block &operator=(const sp_block &) = delete;
    void run(int64_t given_number, dice &random);
    void run_thread(int thread);
    void meet(int thread, meeting &at, int count, bool ordered);
    warp &warp_of(int thread)
    {
        return warps[(size_t)thread / 32];
    }
};

sp_block::sp_block(int given_threads, int shared_bytes, const sp_thread_body &given_body, char &launch)
    : threads(given_threads), body(given_body), mark_launch(launch), fibers((size_t)given_threads),
      waiting((size_t)given_threads), seen((size_t)given_threads), shared_storage((size_t)shared_bytes + 128),
      warps((size_t)given_threads / 32)
{
    if (threads % 32)
        give_up("a block whose threads work together needs whole warps");
    /* Its end is the end of the allocation. */
    uintptr_t end = (uintptr_t)shared_storage.data() + shared_storage.size();
    shared = (char *)((end - (size_t)shared_bytes) & ~(uintptr_t)127);
    for (int i = 0; i < threads; i++) {
        fibers[(size_t)i].all = this;
        fibers[(size_t)i].thread = i;
        order.push_back(i);
    }
}

sp_block::~sp_block()
{
    tsan_take(&mark_ended);
    sp_crew::give_back(crew);
}

void sp_block::run_thread(int thread)
{
    tsan_take(&mark_launch);
    tsan_take(&mark_ended);
    if (!filled) {
        std::memset(shared_storage.data(), 0xff, shared_storage.size());
        filled = true;
        tsan_pass(&mark_filled);
    }
    tsan_take(&mark_filled);
    body(number, thread, shared, &fibers[(size_t)thread]);
    if (fibers[(size_t)thread].copy_count)
        give_up("a thread ends with copies it did not wait for");
    if (fibers[(size_t)thread].products.open())
        give_up("a thread ends with products it did not wait for");
    tsan_pass(&mark_ended);
}

void sp_block::run(int64_t given_number, dice &random)
{
    number = given_number;
    filled = false;
    all_threads.came = 0;
    said = false;
    waiting.assign(waiting.size(), nullptr);
    random.shuffle(order);
    sp_crew::task task = [this](int thread) { run_thread(thread); };
    crew->start(threads, task);
    for (bool open = true; open;) {
        bool moved = false;
        open = false;
        for (int thread : order) {
            size_t i = (size_t)thread;
            if (!crew->done(thread) && !(waiting[i] && *waiting[i] == seen[i])) {
                crew->resume(thread);
                moved = true;
            }
            open = open || !crew->done(thread);
        }
        if (open && !moved)
            give_up("no thread gets on: a barrier or a warp's meeting that not all reach");
    }
}

/* Threads of a kernel that never work together, one after another. For the thread sanitizer they are spread over
 * fibers, by a table that begins at another place in each block, so that no two threads share one in all blocks. */
static void run_apart(int64_t blocks, int threads, int shared_bytes, const sp_thread_body &body)
{
    std::vector<char> shared((size_t)shared_bytes + 128);
    char *aligned = (char *)(((uintptr_t)shared.data() + 127) & ~(uintptr_t)127);
    if (!with_tsan) {
        for (int64_t block = 0; block < blocks; block++)
            for (int i = 0; i < threads; i++)
                body(block, i, aligned, nullptr);
        return;
    }
    dice random;
    std::vector<int> table[walkers], order;
    char mark_launch = 0, mark_ended = 0;
    for (int i = 0; i < threads; i++)
        table[random.below(walkers)].push_back(i);
    sp_crew::task walk = [&](int walker) {
        dice own; /* the same for all */
        tsan_take(&mark_launch);
        for (int64_t block = 0; block < blocks; block++) {
            int begin = (int)own.below((size_t)threads);
            for (int at : table[walker])
                body(block, (at + begin) % threads, aligned, nullptr);
        }
        tsan_pass(&mark_ended);
    };
    sp_crew *crew = sp_crew::borrow();
    crew->start(walkers, walk);
    tsan_pass(&mark_launch);
    for (int i = 0; i < walkers; i++)
        order.push_back(i);
    random.shuffle(order);
    for (int walker : order)
        crew->resume(walker);
    tsan_take(&mark_ended);
    sp_crew::give_back(crew);
}

void sp_run_blocks(int64_t blocks, int threads, int shared_bytes, bool together, const sp_thread_body &body)
{
    if (!together) {
        run_apart(blocks, threads, shared_bytes, body);
        return;
    }
    dice random;
    char mark_launch = 0;
    std::vector<std::unique_ptr<sp_block>> sets;
    for (int i = 0; i < most_sets && i < blocks; i++)
        sets.emplace_back(new sp_block(threads, shared_bytes, body, mark_launch));
    tsan_pass(&mark_launch);
    for (int64_t block = 0; block < blocks; block++)
        sets[block < most_sets ? (size_t)block : random.below(sets.size())]->run(block, random);
}

int sp_fiber::lane() const
{
    return thread % 32;
}

void sp_block::meet(int thread, meeting &at, int count, bool ordered)
{
    char *mark = &at.marks[at.number & 1];
    if (ordered)
        tsan_pass(mark);
    if (++at.came < count) {
        waiting[(size_t)thread] = &at.number;
        seen[(size_t)thread] = at.number;
        crew->give_way(thread);
    } else {
        at.came = 0;
        at.number++;
    }
    if (ordered)
        tsan_take(mark);
}

void sp_fiber::barrier()
{
    all->meet(thread, all->all_threads, all->threads, true);
}

bool sp_fiber::barrier_any(bool yes)
{
    bool &any = all->any[all->all_threads.number & 1];
    all->said = all->said || yes;
    if (all->all_threads.came == all->threads - 1) {
        any = all->said;
        all->said = false;
    }
    barrier();
    return any;
}

void sp_fiber::meet()
{
    all->meet(thread, all->warp_of(thread).lanes, 32, true);
}

/* Lanes wait for each other, and that is all. */
void sp_fiber::gather()
{
    all->meet(thread, all->warp_of(thread).lanes, 32, false);
}

uint64_t sp_fiber::exchange(uint64_t bits, int from)
{
    sp_block::warp &warp = all->warp_of(thread);
    uint64_t *side =
        warp.bits[warp.lanes.number & 1]; /* a lane may be one meeting ahead of the slowest, never two */
    side[lane()] = bits;
    gather();
    return side[from & 31];
}

uint32_t sp_fiber::ballot(bool condition)
{
    uint32_t mask = 0;
    sp_block::warp &warp = all->warp_of(thread);
    uint64_t *side = warp.bits[warp.lanes.number & 1];
    side[lane()] = condition;
    gather();
    for (int i = 0; i < 32; i++)
        mask |= (uint32_t)side[i] << i;
    return mask;
}

/* The device may read and write from now on; it does when it has to. */
void sp_fiber::copy16(void *shared, const void *from, bool valid)
{
    if ((uintptr_t)shared % 16 || (uintptr_t)from % 16)
        give_up("an asynchronous copy that is not aligned to 16 bytes");
    if (copy_count == most_copies)
        give_up("more asynchronous copies of a thread than are emulated");
    if (copies.empty())
        copies.resize(most_copies);
    if (valid)
        tsan_read(from, 16);
    std::memset(shared, 0xff, 16);
    tsan_write(shared, 16);
    copies[(first_copy + copy_count++) % most_copies] = {shared, from, valid, group};
}

void sp_fiber::commit()
{
    group++;
}

void sp_fiber::wait(int left)
{
    for (; copy_count && (int)(group - copies[first_copy].group) > left; copy_count--) {
        const copy &one = copies[first_copy];
        if (one.valid) {
            tsan_read(one.from, 16);
            std::memcpy(one.to, one.from, 16);
        } else {
            std::memset(one.to, 0, 16);
        }
        tsan_write(one.to, 16);
        first_copy = (first_copy + 1) % most_copies;
    }
}

/* Of every 16-bit float. */
static std::vector<float> values_of(float (*value)(uint16_t))
{
    std::vector<float> all(0x10000);
    for (uint32_t bits = 0; bits < all.size(); bits++)
        all[bits] = value((uint16_t)bits);
    return all;
}

static const float *half_values(bool bf16)
{
    static const std::vector<float> f16 = values_of(sp_half_value), other = values_of(sp_bf16_value);
    return (bf16 ? other : f16).data();
}

/* A row of B: the compiler's own vectors, as it does not find them by itself. */
typedef float row_b __attribute__((vector_size(32)));

/* The lanes' fragment number i as a matrix. */
static void matrix_a(const sp_block::warp &warp, int i, const float *values, float (&a)[16][16])
{
    for (int lane = 0; lane < 32; lane++) {
        int g = lane / 4, t = lane % 4;
        for (int r = 0; r < 4; r++) {
            uint32_t pair = warp.a[lane][i * 4 + r];
            float *to = &a[g + r % 2 * 8][r / 2 * 8 + t * 2];
            to[0] = values[pair & 0xffff];
            to[1] = values[pair >> 16];
        }
    }
}

static void matrix_b(const sp_block::warp &warp, int j, const float *values, row_b *b)
{
    for (int lane = 0; lane < 32; lane++) {
        int g = lane / 4, t = lane % 4;
        for (int r = 0; r < 2; r++) {
            uint32_t pair = warp.b[lane][j * 2 + r];
            b[r * 8 + t * 2][g] = values[pair & 0xffff];
            b[r * 8 + t * 2 + 1][g] = values[pair >> 16];
        }
    }
}

/* d, number `at` of each lane, += a b. */
static void product(const sp_block::warp &warp, int at, const float (&a)[16][16], const row_b *b)
{
    for (int row = 0; row < 16; row++) {
        row_b sums = {};
        for (int k = 0; k < 16; k++)
            sums += a[row][k] * b[k];
        for (int column = 0; column < 8; column++)
            warp.d[row % 8 * 4 + column / 2][at * 4 + row / 8 * 2 + column % 2] += sums[column];
    }
}

static void multiply_all(const sp_block::warp &warp, int rows, int columns, bool bf16)
{
    const float *values = half_values(bf16);
    float a[16][16];
    row_b b[16][16];
    if (columns > 16)
        give_up("a product of more than 128 columns");
    for (int j = 0; j < columns; j++)
        matrix_b(warp, j, values, b[j]);
    for (int i = 0; i < rows; i++) {
        matrix_a(warp, i, values, a);
        for (int j = 0; j < columns; j++)
            product(warp, i * columns + j, a, b[j]);
    }
}

void sp_fiber::multiply(float *d, const uint32_t *a, const uint32_t *b, int rows, int columns, bool bf16)
{
    sp_block::warp &warp = all->warp_of(thread);
    warp.d[lane()] = d;
    warp.a[lane()] = a;
    warp.b[lane()] = b;
    gather();
    if (lane() == 0) /* the others wait in the second meeting, their fragments stay where they are */
        multiply_all(warp, rows, columns, bf16);
    gather();
}
