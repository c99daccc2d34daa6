// That the thread sanitizer sees what a device could do wrong, and is silent where a device promises an order: each
// defect beside the kernel that is right. Every case is a process of its own. A skip in builds without that
// sanitizer.
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>
extern "C" {
#include <cmocka.h>
// race_streams.c
void two_streams(bool right);
void host_and_stream(bool right);
}
#include "gpu/cuda_launch.cuh"
#include "tests/ops/emulate/order.h"

static constexpr int found_status = 66, most_blocks = 8;

struct plan {
    bool right;
    float *out; // of most_blocks * 64 floats
    const sp_half8 *in;
};

// Another thread's number out of shared memory.
struct barrier_case {
    using args = plan;
    static constexpr int threads = 64, shared = 64 * 4;
    static constexpr bool together = true;
    static void run(const args &a, const sp_here &here)
    {
        float *numbers = (float *)(void *)here.shared;
        numbers[here.thread] = (float)here.thread;
        if (a.right)
            sp_barrier(here);
        else
            sp_warp_barrier(here); // the other warp's numbers are not there
        a.out[here.block * 64 + here.thread] = numbers[63 - here.thread];
        sp_barrier(here);
    }
};

// A lane's numbers after a shuffle, which makes lanes wait and orders no memory.
struct shuffle_case {
    using args = plan;
    static constexpr int threads = 64, shared = 64 * 4;
    static constexpr bool together = true;
    static void run(const args &a, const sp_here &here)
    {
        float *numbers = (float *)(void *)here.shared + here.thread / 32 * 32;
        int lane = here.thread % 32;
        numbers[lane] = (float)lane;
        float sum = sp_shuffle_xor(here, numbers[lane], 1) + (sp_ballot(here, lane == 3) ? 1.0f : 0.0f);
        if (a.right)
            sp_warp_barrier(here);
        a.out[here.block * 64 + here.thread] = numbers[lane ^ 1] + sum;
    }
};

// Any thread may have said yes: a barrier like the other one.
struct any_case {
    using args = plan;
    static constexpr int threads = 64, shared = 64 * 4;
    static constexpr bool together = true;
    static void run(const args &a, const sp_here &here)
    {
        float *numbers = (float *)(void *)here.shared;
        for (int round = 0; round < 3; round++) {
            numbers[here.thread] = (float)round;
            if (sp_barrier_any(here, here.thread == 40 && round < 2) != (round < 2))
                abort();
            a.out[here.block * 64 + here.thread] = numbers[63 - here.thread];
            if (a.right)
                sp_barrier(here);
        }
    }
};

// The wait is the issuing thread's; the others need a barrier after it.
struct copy_case {
    using args = plan;
    static constexpr int threads = 32, shared = 32 * 16;
    static constexpr bool together = true;
    static void run(const args &a, const sp_here &here)
    {
        sp_half *rows = (sp_half *)(void *)here.shared;
        if (!a.right)
            sp_barrier(here);
        sp_copy16(here, rows + here.thread * 8, a.in + here.thread, true);
        sp_copy_commit(here);
        sp_copy_wait<0>(here);
        if (a.right)
            sp_barrier(here);
        a.out[here.block * 64 + here.thread] = sp_float(rows[(31 - here.thread) * 8]);
    }
};

// Two stages in turn: the next copy may write as soon as it is issued, while another warp still reads the stage.
struct stage_case {
    using args = plan;
    static constexpr int threads = 64, shared = 2 * 64 * 16;
    static constexpr bool together = true;
    static void run(const args &a, const sp_here &here)
    {
        sp_half *rows = (sp_half *)(void *)here.shared;
        float sum = 0;
        sp_copy16(here, rows + here.thread * 8, a.in + here.thread, true);
        sp_copy_commit(here);
        for (int step = 0; step < 4; step++) {
            sp_half *now = rows + step % 2 * 512, *next = rows + (step + 1) % 2 * 512;
            if (!a.right && step < 3)
                sp_copy16(here, next + here.thread * 8, a.in + here.thread, true);
            sp_copy_commit(here);
            if (a.right)
                sp_copy_wait<0>(here);
            else
                sp_copy_wait<1>(here);
            sp_barrier(here); // what was read before it may be written after it, not before
            if (a.right && step < 3)
                sp_copy16(here, next + here.thread * 8, a.in + here.thread, true);
            sp_copy_commit(here);
            sum += sp_float(now[(63 - here.thread) * 8]);
        }
        sp_copy_wait<0>(here);
        a.out[here.block * 64 + here.thread] = sum;
    }
};

// The device may read what is copied until the wait.
struct source_case {
    using args = plan;
    static constexpr int threads = 32, shared = 32 * 16;
    static constexpr bool together = true;
    static void run(const args &a, const sp_here &here)
    {
        sp_half *rows = (sp_half *)(void *)here.shared, *source = (sp_half *)(void *)a.out + here.block * 256;
        sp_copy16(here, rows + here.thread * 8, source + here.thread * 8, true);
        sp_copy_commit(here);
        if (a.right)
            sp_copy_wait<0>(here);
        sp_barrier(here);
        source[(31 - here.thread) * 8] = sp_round(1);
        sp_copy_wait<0>(here);
    }
};

// Blocks of a launch run at once.
struct blocks_case {
    using args = plan;
    static constexpr int threads = 32, shared = 0;
    static constexpr bool together = true;
    static void run(const args &a, const sp_here &here)
    {
        a.out[(a.right ? here.block * 64 : 0) + here.thread] = 1;
    }
};

// So do threads of a kernel whose threads never meet: one reads what another writes.
struct apart_case {
    using args = plan;
    static constexpr int threads = 64, shared = 0;
    static constexpr bool together = false;
    static void run(const args &a, const sp_here &here)
    {
        int64_t own = here.block * 64 + here.thread;
        a.out[own] = a.right ? a.out[own] + 1 : a.out[own ^ 1] + 1;
    }
};

// A counter that all blocks count up, and a place of its own for each.
struct counter_case {
    using args = plan;
    static constexpr int threads = 32, shared = 0;
    static constexpr bool together = true;
    static void run(const args &a, const sp_here &here)
    {
        uint32_t *counter = (uint32_t *)(void *)a.out;
        uint32_t at = a.right ? __atomic_fetch_add(counter, 1u, __ATOMIC_RELAXED) : (*counter)++;
        a.out[1 + at] = (float)here.thread;
    }
};

static plan some_plan(bool right)
{
    static std::vector<float> out(most_blocks * 64 + 64);
    static std::vector<sp_half8> in(64);
    return {right, (float *)(((uintptr_t)out.data() + 15) & ~(uintptr_t)15), in.data()};
}

template <class kernel> static void launch(bool right)
{
    sp_launch<kernel>(nullptr, kernel::threads == 64 ? 5 : 3, some_plan(right));
    sp_launch<kernel>(nullptr, 2, some_plan(right)); // launches come one after another
}

struct named_case {
    const char *name;
    void (*run)(bool right);
};

static const named_case cases[] = {
    {"no barrier between two warps", launch<barrier_case>},
    {"only a shuffle between two lanes", launch<shuffle_case>},
    {"no barrier before the next round", launch<any_case>},
    {"a copy waited for, no barrier", launch<copy_case>},
    {"a stage copied over while it is read", launch<stage_case>},
    {"a copy's source written before its wait", launch<source_case>},
    {"two blocks write one address", launch<blocks_case>},
    {"two threads apart, one address", launch<apart_case>},
    {"a counter without an atomic", launch<counter_case>},
    {"two streams without an event", two_streams},
    {"the host writes what a stream reads", host_and_stream},
};

// The exit status of one case in a process of its own, quiet.
static int status_of(const named_case &which, bool right)
{
    char number[16];
    snprintf(number, sizeof number, "%d", (int)(&which - cases));
    pid_t child = fork();
    if (child == 0) {
        char options[64];
        snprintf(options, sizeof options, "halt_on_error=1:exitcode=%d", found_status);
        setenv("TSAN_OPTIONS", options, 1);
        if (!getenv("SALLYPORT_SHOW") && !freopen("/dev/null", "w", stderr))
            _exit(2);
        execl("/proc/self/exe", "test_races", number, right ? "right" : "wrong", (char *)nullptr);
        _exit(2);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void races_are_seen(void **)
{
    for (const named_case &each : cases)
        if (status_of(each, false) != found_status)
            fail_msg("%s: not seen", each.name);
}

static void orders_are_known(void **)
{
    for (const named_case &each : cases)
        if (status_of(each, true) != 0)
            fail_msg("%s: seen in the kernel that is right", each.name);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        cases[atoi(argv[1])].run(strcmp(argv[2], "right") == 0);
        return 0;
    }
    if (!sp_order_watched()) {
        puts("SKIP: a build without the thread sanitizer sees no races");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(races_are_seen),
        cmocka_unit_test(orders_are_known),
    };
    return cmocka_run_group_tests_name("races", tests, nullptr, nullptr);
}
