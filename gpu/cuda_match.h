/* Matches on the device: one call over many galleries. See docs/cuda_matching.md. */
#ifndef SALLYPORT_GPU_CUDA_MATCH_H
#define SALLYPORT_GPU_CUDA_MATCH_H

#include "gpu/backend.h"
#include "gpu/cuda_gallery.h"

struct sp_cuda_match; /* galleries, and a few places in which batches run side by side */

/* What has happened since it was opened. */
struct sp_cuda_match_counts {
    uint64_t probes;  /* that the device ranked */
    uint64_t widened; /* of them, whose candidates did not prove the answer: looked at a second time */
    uint64_t on_host; /* probes that the host scored against the whole gallery */
};

enum sp_status sp_cuda_match_new(struct sp_cuda_match **ret_match, struct sp_cuda *cuda, struct sp_err *err);
void sp_cuda_match_free(struct sp_cuda_match **match);
struct sp_cuda_galleries *sp_cuda_match_galleries(struct sp_cuda_match *match);
struct sp_cuda_match_counts sp_cuda_match_count(struct sp_cuda_match *match);

/* As struct sp_backend_ops's match_many; stores are struct sp_cuda_gallery. Blocking, thread-safe. No allocation.
 */
enum sp_status sp_cuda_match_run(struct sp_cuda_match *match, const struct sp_match_row *rows, int count, int k,
                                 struct sp_hit *ret_hits, struct sp_err *err);

#endif
