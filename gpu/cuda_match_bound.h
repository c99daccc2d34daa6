/* How far the device's 16-bit ranking can be off, and from its candidates the exact answer. docs/cuda_matching.md
 * has the proof. Pure host logic, no device. */
#ifndef SALLYPORT_GPU_CUDA_MATCH_BOUND_H
#define SALLYPORT_GPU_CUDA_MATCH_BOUND_H

#include "gpu/backend.h"

/* How the f32 rows of a gallery became halves. */
struct sp_cuda_match_scale {
    double by; /* l2: what rows were multiplied with, a power of two; cosine: what unit rows were. 0: such sizes
                  are not for the device, every probe is on_host */
    double longest; /* length of the longest row; 1 for cosine */
};

/* How one probe is handed to the device. */
struct sp_cuda_match_probe {
    double squares; /* l2: of its length */
    float scale;    /* it is multiplied with that, then rounded */
    float factor;   /* dot products are multiplied with that */
    double unit;    /* the device's K is about K times that */
    double error;   /* K differs from the device's K / unit by at most that */
    bool on_host;   /* zero, or its size and the gallery's are not for 16 bits */
};

/* Scan rows once. halves ([count] or NULL for cosine) and scales ([count] or NULL for l2) are written: half the
 * squared length of every scaled row; what each row is multiplied with. */
struct sp_cuda_match_scale sp_cuda_match_scan(const struct sp_rows *rows, float *halves, float *scales);
struct sp_cuda_match_probe sp_cuda_match_probe(const struct sp_rows *rows, const struct sp_cuda_match_scale *scale,
                                               const float *vector);

enum sp_cuda_match_verdict {
    SP_CUDA_MATCH_PROVED, /* ret_hits are the reference's */
    SP_CUDA_MATCH_WIDEN,  /* an entry that is not among the candidates could belong to the best k */
};

/* The exact best k out of candidates (keys, best first, ended by 0 or by `most`), or what a second look must
 * collect: every entry whose device K is at least *ret_bound. complete: there is no entry that could be missing. */
enum sp_cuda_match_verdict sp_cuda_match_settle(const struct sp_rows *rows, const struct sp_cuda_match_probe *probe,
                                                const float *vector, const uint64_t *keys, int most, bool complete,
                                                int k, struct sp_hit *ret_hits, float *ret_bound);

#endif
