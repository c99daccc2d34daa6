/* Embedding: aligned chips to templates, in batches. */
#ifndef SALLYPORT_WORKERS_EMBED_H
#define SALLYPORT_WORKERS_EMBED_H

#include "gpu/engine.h"
#include "gpu/pixels.h"
#include "workers/resample.h"

struct sp_embedder;

/* Load the pack's embedder for batches up to max_batch; its input must be square with the side of the pack's
 * alignment and its output pack->dim wide. Blocking. engine must outlive it. */
enum sp_status sp_embedder_new(struct sp_embedder **ret_embedder, struct sp_engine *engine,
                               const struct sp_pack *pack, int max_batch, struct sp_err *err);
void sp_embedder_free(struct sp_embedder **embedder);

/* Chips taken together; at least 1. */
int sp_embedder_batch(const struct sp_embedder *embedder);

/* Put a chip, RGB [side][side][3], in place as row of the next batch. */
void sp_embedder_set(struct sp_embedder *embedder, int row, const uint8_t *chip);
/* Run rows 0..count-1. */
enum sp_status sp_embedder_run(struct sp_embedder *embedder, int count, struct sp_err *err);
/* Run `count` chips of the session's last cut: which[i] becomes row i. */
enum sp_status sp_embedder_run_on(struct sp_embedder *embedder, struct sp_pixels *pixels, int count,
                                  const int *which, struct sp_err *err);
/* The template of a row of the last run, dim floats, of length 1 where the pack says so. False when it is not a
 * finite vector (or has no direction to normalise): such a face cannot be compared. */
bool sp_embedder_vector(const struct sp_embedder *embedder, int row, float *ret_vector);
/* Whether all that the net gave for the row are finite numbers. */
bool sp_embedder_finite(const struct sp_embedder *embedder, int row);

#endif
