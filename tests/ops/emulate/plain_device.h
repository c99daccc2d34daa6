/* A device of plain memory behind gpu/cuda_device.h, for tests of the backend's host code without a device.
 *
 * What a stream is given is done as late as it may be: when somebody waits. New device memory is filled with a
 * pattern that reads as NaN, not zeroed: galleries get used memory in life. */
#ifndef SALLYPORT_TESTS_OPS_EMULATE_PLAIN_DEVICE_H
#define SALLYPORT_TESTS_OPS_EMULATE_PLAIN_DEVICE_H

#include <stddef.h>

#define PLAIN_DEVICE_PAYLOAD 1024 /* most bytes one piece of work takes along */

struct sp_cuda;

struct plain_device_config {
    int multiprocessors;
    size_t shared_bytes;
    size_t memory_bytes; /* what is taken beyond is refused with SP_E_NOMEM */
};

#ifdef __cplusplus
extern "C" {
#endif

void plain_device_new(struct sp_cuda **ret_cuda, const struct plain_device_config *config);
/* For emulated launchers: work(copy of payload), in the stream's order. */
void plain_device_do(void *native_stream, void (*work)(const void *payload), const void *payload, size_t bytes);
/* Device memory that is taken now. */
size_t plain_device_taken(struct sp_cuda *cuda);
/* The n-th call from now on (1, 2, ...) finds the device broken; 0: none does, and it is whole again. */
void plain_device_break(struct sp_cuda *cuda, int n);

/* Devices opened from now on (sp_cuda_open) count time for their events: what each piece of work takes, in us; the
 * same work given several times in a row is then done once. NULL: no time passes, and the device says that its
 * times mean nothing. */
void plain_device_clock(double (*us)(const void *payload, size_t bytes));

/* The n-th allocation from now on fails, once. */
void plain_device_short(struct sp_cuda *cuda, int n);

#ifdef __cplusplus
}
#endif

#endif
