/* What the sanitizers have to be told by the emulation; nothing in other builds. The only place that asks which
 * sanitizer there is, but for the plain device's guards. For files that the thread sanitizer leaves alone; the
 * build says WITH_TSAN to them. */
#ifndef SALLYPORT_TESTS_OPS_EMULATE_SANITIZE_H
#define SALLYPORT_TESTS_OPS_EMULATE_SANITIZE_H

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

/* Which stack is left and which is entered. */
#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
inline void asan_leave(void **fake_stack, const void *bottom, size_t bytes)
{
    __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
}
inline void asan_enter(void *fake_stack, const void **left_bottom, size_t *left_bytes)
{
    __sanitizer_finish_switch_fiber(fake_stack, left_bottom, left_bytes);
}
#else
inline void asan_leave(void **, const void *, size_t)
{
}
inline void asan_enter(void *, const void **, size_t *)
{
}
#endif

/* A thread of the thread sanitizer's. To switch to it orders nothing. */
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
extern "C" {
void __tsan_acquire(void *mark);
void __tsan_release(void *mark);
void __tsan_read_range(void *at, unsigned long bytes);
void __tsan_write_range(void *at, unsigned long bytes);
void __tsan_ignore_thread_begin();
void __tsan_ignore_thread_end();
}
constexpr bool with_tsan = true;
inline void *tsan_thread()
{
    return __tsan_get_current_fiber();
}
inline void *tsan_new_thread()
{
    return __tsan_create_fiber(0);
}
inline void tsan_end_thread(void *thread)
{
    __tsan_destroy_fiber(thread);
}
inline void tsan_switch(void *thread)
{
    __tsan_switch_to_fiber(thread, __tsan_switch_to_fiber_no_sync);
}
/* Memory that the emulation takes and gives back meanwhile is nobody's. */
struct tsan_pause {
    tsan_pause()
    {
        __tsan_ignore_thread_begin();
    }
    ~tsan_pause()
    {
        __tsan_ignore_thread_end();
    }
};
inline void tsan_pass(void *mark)
{
    __tsan_release(mark);
}
inline void tsan_take(void *mark)
{
    __tsan_acquire(mark);
}
inline void tsan_read(const void *at, size_t bytes)
{
    __tsan_read_range(const_cast<void *>(at), bytes);
}
inline void tsan_write(void *at, size_t bytes)
{
    __tsan_write_range(at, bytes);
}
#else
constexpr bool with_tsan = false;
inline void *tsan_thread()
{
    return nullptr;
}
inline void *tsan_new_thread()
{
    return nullptr;
}
inline void tsan_end_thread(void *)
{
}
inline void tsan_switch(void *)
{
}
struct tsan_pause {
    tsan_pause()
    {
    }
};
inline void tsan_pass(void *)
{
}
inline void tsan_take(void *)
{
}
inline void tsan_read(const void *, size_t)
{
}
inline void tsan_write(void *, size_t)
{
}
#endif

#endif
