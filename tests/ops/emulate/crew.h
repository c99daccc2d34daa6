/* The fibers that stand for device threads. They live on from launch to launch, each in a loop over what it is
 * given: making them anew costs more than most kernels. */
#ifndef SALLYPORT_TESTS_OPS_EMULATE_CREW_H
#define SALLYPORT_TESTS_OPS_EMULATE_CREW_H

#include <functional>
#include <memory>
#include <vector>
#include "tests/ops/emulate/fiber_context.h"

class sp_crew
{
  public:
    using task = std::function<void(int number)>;
    /* A crew that nobody else has; all of them are given back in the end. Any thread may have any crew. */
    static sp_crew *borrow();
    static void give_back(sp_crew *crew);

    sp_crew() = default;
    ~sp_crew();
    sp_crew(const sp_crew &) = delete;
    sp_crew &operator=(const sp_crew &) = delete;

    /* What each of so many members does, once, from its first turn on. */
    void start(int count, const task &work);
    void resume(int number);   /* a turn: until it gives way or is done */
    void give_way(int number); /* called on the member's stack */
    bool done(int number) const
    {
        return members[(size_t)number]->done;
    }

  private:
    struct member {
        sp_crew *crew;
        int number;
        bool done;
        std::unique_ptr<sp_context> context;
    };
    static void live(void *argument);
    std::vector<std::unique_ptr<member>> members;
    std::unique_ptr<sp_context> caller; /* who started it and gives the turns */
    const task *work = nullptr;         /* null: leave */
};

#endif
