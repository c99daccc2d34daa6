/* Two clocks that are never mixed: monotonic nanoseconds decide order, age and budgets inside a machine; wall
 * milliseconds (Unix epoch) are recorded and used for dated windows in data. */
#ifndef SALLYPORT_COMMON_CLOCK_H
#define SALLYPORT_COMMON_CLOCK_H

#include <stdint.h>

#define SP_NS_PER_MS 1000000ull

uint64_t sp_clock_mono_ns(void);
int64_t sp_clock_wall_ms(void);
/* "2026-12-04T18:20:00.000Z"; ret_text holds at least 25 bytes. */
void sp_clock_format(char *ret_text, int64_t wall_ms);
/* ISO 8601 with Z or an offset (+02:00) to wall milliseconds; 0 on success, -1 if it is not one. */
int sp_clock_parse(const char *text, int64_t *ret_wall_ms);

#endif
