#include "tests/ops/emulate/fibers.h"

#include <cstdio>
#include <cstdlib>
#include <ucontext.h>
#include "gpu/cuda_half.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

static constexpr size_t stack_bytes = 128 * 1024;

struct sp_fibers_state {
    int threads;
    size_t shared_bytes;
    bool together;
    std::vector<sp_fiber> fibers;
    std::vector<ucontext_t> contexts;
    std::vector<bool> ended;
    std::vector<int> order; /* in which fibers get their turn; shuffled per block, with a fixed seed */
    ucontext_t scheduler;
    const sp_fibers::body *body = nullptr;
    char *shared = nullptr;
    std::vector<char> shared_storage;
    int current = 0;
    uint64_t random = 1, moves = 0;
    /* Meetings: how many came to the present one, and the number of the present one. */
    int at_barrier = 0;
    uint64_t barrier_number = 0;
    struct warp {
        int came = 0;
        uint64_t number = 0;
        uint64_t bits[2][32];
        float *d[32];
        const uint32_t *a[32], *b[32];
    };
    std::vector<warp> warps;
#ifdef WITH_ASAN
    void *fake_stack = nullptr;
    const void *scheduler_stack = nullptr;
    size_t scheduler_size = 0;
    std::vector<void *> fakes;
#endif

    void yield();
    void resume(int thread);
    static void enter();
    void run_fiber();
};

static thread_local sp_fibers_state *entering;

/* Kept from launch to launch: making them anew costs more than most kernels. */
static thread_local std::vector<std::unique_ptr<char[]>> stacks;

[[noreturn]] static void give_up(const char *why)
{
    std::fprintf(stderr, "emulated launch: %s\n", why);
    std::abort();
}

void sp_fibers_state::yield()
{
    int self = current;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(&fakes[(size_t)self], scheduler_stack, scheduler_size);
#endif
    swapcontext(&contexts[(size_t)self], &scheduler);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(fakes[(size_t)self], &scheduler_stack, &scheduler_size);
#endif
}

void sp_fibers_state::run_fiber()
{
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);
#endif
    int self = current;
    (*body)(self, shared, &fibers[(size_t)self]);
    for (const auto &group : fibers[(size_t)self].groups)
        if (!group.empty())
            give_up("a thread ends with copies it did not wait for");
    ended[(size_t)self] = true;
    moves++;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(nullptr, scheduler_stack, scheduler_size);
#endif
    setcontext(&scheduler);
}

void sp_fibers_state::enter()
{
    entering->run_fiber();
}

void sp_fibers_state::resume(int thread)
{
    current = thread;
    entering = this;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(&fake_stack, stacks[(size_t)thread].get(), stack_bytes);
#endif
    swapcontext(&scheduler, &contexts[(size_t)thread]);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

sp_fibers::sp_fibers(int threads, int shared_bytes, bool together) : state(new sp_fibers_state)
{
    state->threads = threads;
    state->shared_bytes = (size_t)shared_bytes;
    state->together = together;
    state->shared_storage.resize((size_t)shared_bytes + 128);
    /* Its end is the end of the allocation. */
    uintptr_t end = (uintptr_t)state->shared_storage.data() + state->shared_storage.size();
    state->shared = (char *)((end - (size_t)shared_bytes) & ~(uintptr_t)127);
    state->fibers.resize(together ? (size_t)threads : 1);
    for (size_t i = 0; i < state->fibers.size(); i++) {
        state->fibers[i].all = state.get();
        state->fibers[i].thread = (int)i;
    }
    if (!together)
        return;
    if (threads % 32)
        give_up("a block whose threads work together needs whole warps");
    while (stacks.size() < (size_t)threads)
        stacks.emplace_back(new char[stack_bytes]);
    state->contexts.resize((size_t)threads);
    state->warps.resize((size_t)threads / 32);
    for (int i = 0; i < threads; i++)
        state->order.push_back(i);
#ifdef WITH_ASAN
    state->fakes.resize((size_t)threads);
#endif
}

sp_fibers::~sp_fibers() = default;

void sp_fibers::run(const body &thread_body)
{
    sp_fibers_state &s = *state;
    std::memset(s.shared_storage.data(), 0xff, s.shared_storage.size());
    if (!s.together) {
        for (int i = 0; i < s.threads; i++)
            thread_body(i, s.shared, nullptr);
        return;
    }
    s.body = &thread_body;
    s.ended.assign((size_t)s.threads, false);
    s.at_barrier = 0;
    for (size_t i = s.order.size(); i > 1; i--) {
        s.random = s.random * 6364136223846793005u + 1442695040888963407u;
        std::swap(s.order[i - 1], s.order[(s.random >> 33) % i]);
    }
    for (int i = 0; i < s.threads; i++) {
        s.fibers[(size_t)i].groups.assign(1, {});
        getcontext(&s.contexts[(size_t)i]);
        s.contexts[(size_t)i].uc_stack.ss_sp = stacks[(size_t)i].get();
        s.contexts[(size_t)i].uc_stack.ss_size = stack_bytes;
        s.contexts[(size_t)i].uc_link = nullptr;
        makecontext(&s.contexts[(size_t)i], sp_fibers_state::enter, 0);
    }
    for (bool open = true; open;) {
        uint64_t before = s.moves;
        open = false;
        for (int thread : s.order) {
            if (s.ended[(size_t)thread])
                continue;
            s.resume(thread);
            open = open || !s.ended[(size_t)thread];
        }
        if (open && s.moves == before)
            give_up("no thread gets on: a barrier or a warp's meeting that not all reach");
    }
}

int sp_fiber::lane() const
{
    return thread % 32;
}

void sp_fiber::barrier()
{
    uint64_t number = all->barrier_number;
    all->moves++;
    if (++all->at_barrier == all->threads) {
        all->at_barrier = 0;
        all->barrier_number++;
    } else {
        while (all->barrier_number == number)
            all->yield();
        all->moves++;
    }
}

void sp_fiber::meet()
{
    sp_fibers_state::warp &warp = all->warps[(size_t)thread / 32];
    uint64_t number = warp.number;
    all->moves++;
    if (++warp.came == 32) {
        warp.came = 0;
        warp.number++;
    } else {
        while (warp.number == number)
            all->yield();
        all->moves++;
    }
}

uint64_t sp_fiber::exchange(uint64_t bits, int from)
{
    sp_fibers_state::warp &warp = all->warps[(size_t)thread / 32];
    int side = (int)(warp.number & 1); /* a lane may be one meeting ahead of the slowest, never two */
    warp.bits[side][lane()] = bits;
    meet();
    return warp.bits[side][from & 31];
}

uint32_t sp_fiber::ballot(bool condition)
{
    uint32_t mask = 0;
    sp_fibers_state::warp &warp = all->warps[(size_t)thread / 32];
    int side = (int)(warp.number & 1);
    warp.bits[side][lane()] = condition;
    meet();
    for (int i = 0; i < 32; i++)
        mask |= (uint32_t)warp.bits[side][i] << i;
    return mask;
}

void sp_fiber::copy16(void *shared, const void *from, bool valid)
{
    if ((uintptr_t)shared % 16 || (uintptr_t)from % 16)
        give_up("an asynchronous copy that is not aligned to 16 bytes");
    groups.back().push_back({shared, from, valid});
}

void sp_fiber::commit()
{
    groups.emplace_back();
}

void sp_fiber::wait(int left)
{
    while ((int)groups.size() - 1 > left) {
        for (const copy &one : groups.front()) {
            if (one.valid)
                std::memcpy(one.to, one.from, 16);
            else
                std::memset(one.to, 0, 16);
        }
        groups.erase(groups.begin());
    }
}

static float half_at(uint32_t pair, int which, bool bf16)
{
    uint16_t bits = (uint16_t)(pair >> (16 * which));
    return bf16 ? sp_bf16_value(bits) : sp_half_value(bits);
}

/* One 16x8x16 product out of the lanes' fragments. */
static void product(sp_fibers_state::warp &warp, int i, int j, int columns, bool bf16)
{
    float a[16][16], b[16][8];
    for (int lane = 0; lane < 32; lane++) {
        int g = lane / 4, t = lane % 4;
        for (int r = 0; r < 4; r++)
            for (int h = 0; h < 2; h++)
                a[g + r % 2 * 8][r / 2 * 8 + t * 2 + h] = half_at(warp.a[lane][i * 4 + r], h, bf16);
        for (int r = 0; r < 2; r++)
            for (int h = 0; h < 2; h++)
                b[r * 8 + t * 2 + h][g] = half_at(warp.b[lane][j * 2 + r], h, bf16);
    }
    for (int lane = 0; lane < 32; lane++) {
        for (int item = 0; item < 4; item++) {
            int row = lane / 4 + item / 2 * 8, column = lane % 4 * 2 + item % 2;
            float sum = 0;
            for (int k = 0; k < 16; k++)
                sum += a[row][k] * b[k][column];
            warp.d[lane][(i * columns + j) * 4 + item] += sum;
        }
    }
}

void sp_fiber::multiply(float *d, const uint32_t *a, const uint32_t *b, int rows, int columns, bool bf16)
{
    sp_fibers_state::warp &warp = all->warps[(size_t)thread / 32];
    warp.d[lane()] = d;
    warp.a[lane()] = a;
    warp.b[lane()] = b;
    meet();
    if (lane() == 0) /* the others wait in the second meeting, their fragments stay where they are */
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                product(warp, i, j, columns, bf16);
    meet();
}
