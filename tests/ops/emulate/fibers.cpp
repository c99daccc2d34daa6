#include "tests/ops/emulate/fibers.h"

#include <cstdio>
#include <cstdlib>
#include "gpu/cuda_half.h"
#include "tests/ops/emulate/fiber_context.h"

struct sp_fibers_state {
    int threads;
    bool together;
    std::vector<sp_fiber> fibers;
    std::vector<bool> ended;
    std::vector<const uint64_t *> waiting; /* the counter that has to change before a thread gets on; or null */
    std::vector<uint64_t> seen;            /* its value when the thread began to wait */
    std::vector<int> order; /* in which fibers get their turn; shuffled per block, with a fixed seed */
    const sp_fibers::body *body = nullptr;
    char *shared = nullptr;
    std::vector<char> shared_storage;
    uint64_t random = 1;
    /* Meetings: how many came to the present one, and the number of the present one. */
    int at_barrier = 0;
    uint64_t barrier_number = 0;
    bool said = false; /* by somebody who came to the present barrier */
    bool any[2];       /* what barriers of even and odd numbers ended with */
    struct warp {
        int came = 0;
        uint64_t number = 0;
        uint64_t bits[2][32];
        float *d[32];
        const uint32_t *a[32], *b[32];
    };
    std::vector<warp> warps;

    void shuffle();
    void wait(int thread, const uint64_t &counter);
    void run_thread(int thread);
};

[[noreturn]] static void give_up(const char *why)
{
    std::fprintf(stderr, "emulated launch: %s\n", why);
    std::abort();
}

/* The stacks of a host thread's emulated threads. They live on from launch to launch, each in a loop over what it
 * is given: making them anew costs more than most kernels. */
struct crew {
    struct member {
        crew *all;
        int thread;
        std::unique_ptr<sp_context> context;
    };
    std::vector<std::unique_ptr<member>> members;
    sp_context *scheduler = nullptr;
    sp_fibers_state *work = nullptr; /* null: leave */

    static void live(void *argument)
    {
        member &self = *(member *)argument;
        for (; self.all->work; self.context->switch_to(*self.all->scheduler))
            self.all->work->run_thread(self.thread);
        self.context->leave_to(*self.all->scheduler);
    }
    void grow(int threads)
    {
        while ((int)members.size() < threads) {
            members.emplace_back(new member{this, (int)members.size(), nullptr});
            members.back()->context.reset(new sp_context(live, members.back().get()));
        }
    }
    void resume(int thread)
    {
        scheduler->switch_to(*members[(size_t)thread]->context);
    }
    ~crew()
    {
        sp_context here;
        scheduler = &here;
        work = nullptr;
        for (size_t i = 0; i < members.size(); i++)
            resume((int)i);
    }
};

static thread_local crew own_crew;

/* Called on the thread's stack. */
void sp_fibers_state::wait(int thread, const uint64_t &counter)
{
    waiting[(size_t)thread] = &counter;
    seen[(size_t)thread] = counter;
    own_crew.members[(size_t)thread]->context->switch_to(*own_crew.scheduler);
}

void sp_fibers_state::run_thread(int thread)
{
    (*body)(thread, shared, &fibers[(size_t)thread]);
    for (const auto &group : fibers[(size_t)thread].groups)
        if (!group.empty())
            give_up("a thread ends with copies it did not wait for");
    ended[(size_t)thread] = true;
}

void sp_fibers_state::shuffle()
{
    for (size_t i = order.size(); i > 1; i--) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        std::swap(order[i - 1], order[(random >> 33) % i]);
    }
}

sp_fibers::sp_fibers(int threads, int shared_bytes, bool together) : state(new sp_fibers_state)
{
    state->threads = threads;
    state->together = together;
    state->shared_storage.resize((size_t)shared_bytes + 128);
    /* Its end is the end of the allocation. */
    uintptr_t end = (uintptr_t)state->shared_storage.data() + state->shared_storage.size();
    state->shared = (char *)((end - (size_t)shared_bytes) & ~(uintptr_t)127);
    if (!together)
        return;
    if (threads % 32)
        give_up("a block whose threads work together needs whole warps");
    state->fibers.resize((size_t)threads);
    state->warps.resize((size_t)threads / 32);
    for (int i = 0; i < threads; i++) {
        state->fibers[(size_t)i].all = state.get();
        state->fibers[(size_t)i].thread = i;
        state->order.push_back(i);
    }
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
    sp_context here;
    own_crew.grow(s.threads);
    own_crew.scheduler = &here;
    own_crew.work = &s;
    s.body = &thread_body;
    s.ended.assign((size_t)s.threads, false);
    s.waiting.assign((size_t)s.threads, nullptr);
    s.seen.assign((size_t)s.threads, 0);
    s.at_barrier = 0;
    s.shuffle();
    for (sp_fiber &fiber : s.fibers)
        fiber.groups.assign(1, {});
    for (bool open = true; open;) {
        bool moved = false;
        open = false;
        for (int thread : s.order) {
            size_t i = (size_t)thread;
            if (!s.ended[i] && !(s.waiting[i] && *s.waiting[i] == s.seen[i])) {
                own_crew.resume(thread);
                moved = true;
            }
            open = open || !s.ended[i];
        }
        if (open && !moved)
            give_up("no thread gets on: a barrier or a warp's meeting that not all reach");
    }
}

int sp_fiber::lane() const
{
    return thread % 32;
}

void sp_fiber::barrier()
{
    if (++all->at_barrier < all->threads) {
        all->wait(thread, all->barrier_number);
        return;
    }
    all->at_barrier = 0;
    all->barrier_number++;
}

bool sp_fiber::barrier_any(bool yes)
{
    bool &any = all->any[all->barrier_number & 1];
    all->said = all->said || yes;
    if (all->at_barrier == all->threads - 1) {
        any = all->said;
        all->said = false;
    }
    barrier();
    return any;
}

void sp_fiber::meet()
{
    sp_fibers_state::warp &warp = all->warps[(size_t)thread / 32];
    if (++warp.came < 32) {
        all->wait(thread, warp.number);
        return;
    }
    warp.came = 0;
    warp.number++;
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

/* Of every 16-bit float. */
static const float *half_values()
{
    static const std::vector<float> values = [] {
        std::vector<float> all(0x10000);
        for (uint32_t bits = 0; bits < all.size(); bits++)
            all[bits] = sp_half_value((uint16_t)bits);
        return all;
    }();
    return values.data();
}

/* A row of B: the compiler's own vectors, as it does not find them by itself. */
typedef float row_b __attribute__((vector_size(32)));

/* The lanes' fragment number i as a matrix. */
static void matrix_a(const sp_fibers_state::warp &warp, int i, const float *values, float (&a)[16][16])
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

static void matrix_b(const sp_fibers_state::warp &warp, int j, const float *values, row_b *b)
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
static void product(const sp_fibers_state::warp &warp, int at, const float (&a)[16][16], const row_b *b)
{
    for (int row = 0; row < 16; row++) {
        row_b sums = {};
        for (int k = 0; k < 16; k++)
            sums += a[row][k] * b[k];
        for (int column = 0; column < 8; column++)
            warp.d[row % 8 * 4 + column / 2][at * 4 + row / 8 * 2 + column % 2] += sums[column];
    }
}

static void products(const sp_fibers_state::warp &warp, int rows, int columns)
{
    const float *values = half_values();
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

void sp_fiber::multiply(float *d, const uint32_t *a, const uint32_t *b, int rows, int columns)
{
    sp_fibers_state::warp &warp = all->warps[(size_t)thread / 32];
    warp.d[lane()] = d;
    warp.a[lane()] = a;
    warp.b[lane()] = b;
    meet();
    if (lane() == 0) /* the others wait in the second meeting, their fragments stay where they are */
        products(warp, rows, columns);
    meet();
}
