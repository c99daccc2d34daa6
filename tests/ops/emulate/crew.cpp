#include "tests/ops/emulate/crew.h"

#include <atomic>
#include <thread>
#include "tests/ops/emulate/sanitize.h"

/* Those that nobody has. A flag of our own and no mutex: launches of two threads are in no order because they took
 * fibers from one place. */
static std::atomic_flag shelf_taken = ATOMIC_FLAG_INIT;

static std::vector<std::unique_ptr<sp_crew>> &shelf()
{
    static std::vector<std::unique_ptr<sp_crew>> crews;
    return crews;
}

static void lock_shelf()
{
    while (shelf_taken.test_and_set(std::memory_order_acquire))
        std::this_thread::yield();
}

static void unlock_shelf()
{
    shelf_taken.clear(std::memory_order_release);
}

sp_crew *sp_crew::borrow()
{
    tsan_pause pause;
    sp_crew *crew = nullptr;
    lock_shelf();
    if (!shelf().empty()) {
        crew = shelf().back().release();
        shelf().pop_back();
    }
    unlock_shelf();
    return crew ? crew : new sp_crew;
}

void sp_crew::give_back(sp_crew *crew)
{
    tsan_pause pause;
    lock_shelf();
    shelf().emplace_back(crew);
    unlock_shelf();
}

void sp_crew::live(void *argument)
{
    member &self = *(member *)argument;
    for (; self.crew->work; self.crew->give_way(self.number)) {
        (*self.crew->work)(self.number);
        self.done = true;
    }
    self.context->leave_to(*self.crew->caller);
}

void sp_crew::start(int count, const task &given_work)
{
    tsan_pause pause;
    while ((int)members.size() < count) {
        members.emplace_back(new member{this, (int)members.size(), true, nullptr});
        members.back()->context.reset(new sp_context(live, members.back().get()));
    }
    work = &given_work;
    caller.reset(new sp_context);
    for (int i = 0; i < count; i++)
        members[(size_t)i]->done = false;
}

void sp_crew::resume(int number)
{
    caller->switch_to(*members[(size_t)number]->context);
}

void sp_crew::give_way(int number)
{
    members[(size_t)number]->context->switch_to(*caller);
}

sp_crew::~sp_crew()
{
    work = nullptr;
    caller.reset(new sp_context);
    for (size_t i = 0; i < members.size(); i++)
        resume((int)i);
}
