/* Orders that a device promises and a host cannot see, for the thread sanitizer: what is in no such order is a
 * race, however it happened to run. In other builds all of this is nothing. */
#ifndef SALLYPORT_TESTS_OPS_EMULATE_ORDER_H
#define SALLYPORT_TESTS_OPS_EMULATE_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether anybody watches: a build with the thread sanitizer. */
bool sp_order_watched(void);

/* What was done before the mark was passed comes before what is done after it is taken. A mark is an address. */
void sp_order_pass(void *mark);
void sp_order_take(void *mark);

/* memset that nobody watches: new memory is known to be its taker's, and each watched byte costs four more. */
void sp_order_fill(void *memory, int byte, size_t bytes);

/* A strand's work is in an order of its own: neither before nor after what its caller does, but for marks. */
struct sp_strand;
void sp_strand_new(struct sp_strand **ret_strand);
void sp_strand_do(struct sp_strand *strand, void (*work)(void *argument), void *argument); /* returns when done */
void sp_strand_free(struct sp_strand **strand);

#ifdef __cplusplus
}
#endif

#endif
