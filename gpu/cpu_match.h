/* Vectorised match of the cpu backend. Signatures as in struct sp_backend_ops. */
#ifndef SALLYPORT_GPU_CPU_MATCH_H
#define SALLYPORT_GPU_CPU_MATCH_H

#include "gpu/backend.h"

enum sp_status sp_cpu_gallery_new(void **ret_store, void *state, const struct sp_rows *rows, struct sp_err *err);
void sp_cpu_gallery_free(void *store);
enum sp_status sp_cpu_match(void *state, const struct sp_rows *rows, const void *store, const float *const *vectors,
                            int count, int k, struct sp_hit *ret_hits, struct sp_err *err);

#endif
