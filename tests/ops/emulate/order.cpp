#include "tests/ops/emulate/order.h"

#include <cstring>
#include <memory>
#include "tests/ops/emulate/fiber_context.h"
#include "tests/ops/emulate/sanitize.h"

bool sp_order_watched(void)
{
    return with_tsan;
}

void sp_order_pass(void *mark)
{
    tsan_pass(mark);
}

void sp_order_take(void *mark)
{
    tsan_take(mark);
}

void sp_order_fill(void *memory, int byte, size_t bytes)
{
    tsan_pause pause;
    memset(memory, byte, bytes);
}

/* It needs a stack of its own too: the caller's frames would be found to race with each other. */
struct sp_strand {
    std::unique_ptr<sp_context> context;
    sp_context *caller = nullptr;
    void (*work)(void *argument) = nullptr; /* null: leave */
    void *argument = nullptr;

    static void live(void *self)
    {
        sp_strand &strand = *(sp_strand *)self;
        for (; strand.work; strand.context->switch_to(*strand.caller))
            strand.work(strand.argument);
        strand.context->leave_to(*strand.caller);
    }
    void resume()
    {
        sp_context here;
        caller = &here;
        here.switch_to(*context);
    }
};

void sp_strand_new(struct sp_strand **ret_strand)
{
    *ret_strand = new sp_strand;
    if (with_tsan)
        (*ret_strand)->context.reset(new sp_context(sp_strand::live, *ret_strand));
}

void sp_strand_do(struct sp_strand *strand, void (*work)(void *argument), void *argument)
{
    if (!with_tsan) {
        work(argument);
        return;
    }
    strand->work = work;
    strand->argument = argument;
    strand->resume();
}

void sp_strand_free(struct sp_strand **strand)
{
    if (*strand && with_tsan)
        sp_strand_do(*strand, nullptr, nullptr);
    delete *strand;
    *strand = nullptr;
}
