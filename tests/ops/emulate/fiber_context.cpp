#include "tests/ops/emulate/fiber_context.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include "tests/ops/emulate/sanitize.h"

static constexpr size_t stack_bytes = 256 * 1024;

/* Who is switched to, for what begins there. */
static thread_local sp_context *entered;

#ifdef __x86_64__

/* swapcontext asks the kernel for the signal mask, twice a switch, which was two thirds of the emulation's time.
 * This one keeps what a call has to keep and nothing else. */
asm(R"(
    .text
    .type sp_switch_stack, @function
sp_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size sp_switch_stack, .-sp_switch_stack
)");
extern "C" void sp_switch_stack(void **save, void *load);

struct sp_context::place {
    void *top = nullptr;

    void start(char *stack, void (*first)())
    {
        /* As after a call of `first`: eight bytes off a multiple of 16, the way back (nowhere), its address, six
         * registers. */
        uintptr_t end = ((uintptr_t)stack + stack_bytes) & ~(uintptr_t)15;
        void **words = (void **)end;
        memset(words - 8, 0, 8 * sizeof *words);
        words[-2] = (void *)first;
        top = words - 8;
    }
    void go(place &to)
    {
        sp_switch_stack(&top, to.top);
    }
};

#else
#include <ucontext.h>

struct sp_context::place {
    ucontext_t context;

    void start(char *stack, void (*first)())
    {
        getcontext(&context);
        context.uc_stack.ss_sp = stack;
        context.uc_stack.ss_size = stack_bytes;
        context.uc_link = nullptr;
        makecontext(&context, first, 0);
    }
    void go(place &to)
    {
        swapcontext(&context, &to.context);
    }
};

#endif

sp_context::sp_context() : at(new place), tsan(tsan_thread())
{
}

sp_context::sp_context(void (*given_entry)(void *), void *given_argument)
    : entry(given_entry), argument(given_argument), stack(new char[stack_bytes]), at(new place),
      bottom(stack.get()), bytes(stack_bytes), tsan(tsan_new_thread())
{
    at->start(stack.get(), begin);
}

sp_context::~sp_context()
{
    if (!entry)
        return;
    tsan_take(this); /* its stack goes now */
    tsan_end_thread(tsan);
}

void sp_context::before(sp_context &to, bool last)
{
    to.came_from = this;
    entered = &to;
    asan_leave(last ? nullptr : &fake_stack, to.bottom, to.bytes);
    tsan_switch(to.tsan);
}

void sp_context::after()
{
    asan_enter(fake_stack, &came_from->bottom, &came_from->bytes);
}

void sp_context::begin()
{
    sp_context &self = *entered;
    self.after();
    self.entry(self.argument);
    abort();
}

void sp_context::switch_to(sp_context &to)
{
    before(to, false);
    at->go(*to.at);
    after();
}

void sp_context::leave_to(sp_context &to)
{
    tsan_pass(this);
    before(to, true);
    at->go(*to.at);
    abort();
}
