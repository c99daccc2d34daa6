/* A stack to run on besides the thread's own, and what a sanitizer has to know of it. The only place that knows how
 * stacks are switched. */
#ifndef SALLYPORT_TESTS_OPS_EMULATE_FIBER_CONTEXT_H
#define SALLYPORT_TESTS_OPS_EMULATE_FIBER_CONTEXT_H

#include <cstddef>
#include <memory>

class sp_context
{
  public:
    sp_context(); /* what runs now */
    /* Calls entry(argument) when it is first switched to; entry ends in leave_to. Any thread may switch to it. */
    sp_context(void (*entry)(void *argument), void *argument);
    ~sp_context();
    sp_context(const sp_context &) = delete;
    sp_context &operator=(const sp_context &) = delete;

    /* Called by what runs in this one; returns when something switches back. To the thread sanitizer each context
     * is a thread, and a switch orders nothing. */
    void switch_to(sp_context &to);
    [[noreturn]] void leave_to(sp_context &to);

  private:
    static void begin();
    void before(sp_context &to, bool last);
    void after();

    void (*entry)(void *argument) = nullptr;
    void *argument = nullptr;
    std::unique_ptr<char[]> stack;
    struct place;
    std::unique_ptr<place> at;       /* where it goes on */
    sp_context *came_from = nullptr; /* who switched here last */
    const void *bottom = nullptr;
    size_t bytes = 0;
    void *fake_stack = nullptr;
    void *tsan = nullptr;
};

#endif
