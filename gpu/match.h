/* The plain specification of a match: one score at a time. */
#ifndef SALLYPORT_GPU_MATCH_H
#define SALLYPORT_GPU_MATCH_H

#include "gpu/backend.h"

/* Score of `vector` against row `entry`, summed in double. `inverse` is 1 / length of the vector (cosine only). */
float sp_match_score(const struct sp_rows *rows, int entry, const float *vector, double inverse);
/* 1 / length, 0 for a zero vector. */
double sp_match_inverse_length(const float *vector, int dim);
/* Whether hit a goes before hit b. */
bool sp_match_before(enum sp_metric metric, struct sp_hit a, struct sp_hit b);
/* Insert into hits[0..*count-1], sorted, of at most k; a hit worse than k others is dropped. */
void sp_match_insert(enum sp_metric metric, struct sp_hit *hits, int *count, int k, struct sp_hit hit);
/* As struct sp_backend_ops's match. */
enum sp_status sp_match_ref(void *state, const struct sp_rows *rows, const void *store, const float *const *vectors,
                            int count, int k, struct sp_hit *ret_hits, struct sp_err *err);

#endif
