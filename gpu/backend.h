/* What a backend provides. One constant table each: sp_backend_ref, sp_backend_cpu, later sp_backend_cuda.
 *
 * `state` belongs to the engine and may be used by several threads at once; a net by one thread at a time. */
#ifndef SALLYPORT_GPU_BACKEND_H
#define SALLYPORT_GPU_BACKEND_H

#include "gpu/gallery.h"
#include "gpu/pixels.h"
#include "gpu/program.h"

/* Rows of a gallery in host memory, as every backend keeps them for exact scores. */
struct sp_rows {
    enum sp_metric metric;
    int dim;
    int count;
    const float *rows;    /* [count][dim] */
    const float *inverse; /* [count]: 1 / length, 0 for a zero row; cosine only, else NULL */
};

/* One probe with what its gallery consists of. */
struct sp_match_row {
    const float *vector; /* [dim], finite */
    const struct sp_rows *rows;
    const void *store;
};

struct sp_backend_ops {
    const char *name;

    /* Open the device. ret_text: at least 160 bytes, what sp_engine_describe says. On failure nothing is kept. */
    enum sp_status (*open)(void **ret_state, const struct sp_engine_config *config, char *ret_text,
                           size_t text_size, struct sp_err *err);
    void (*close)(void *state);
    /* As sp_engine_spent. Optional. */
    void (*spent)(const void *state, uint64_t ret_us[SP_WORK_COUNT]);
    /* As sp_engine_note. Optional. */
    void (*note)(void *state, char *ret_text, size_t size);

    /* Plan a net for 1..program->max_batch. The program stays alive and unchanged as long as the net. */
    enum sp_status (*net_new)(void **ret_net, void *state, const struct sp_program *program, struct sp_err *err);
    /* As sp_net_run. */
    enum sp_status (*net_run)(void *net, int batch, const float *const *inputs, const float **ret_outputs,
                              struct sp_err *err);
    void (*net_describe)(const void *net, void (*line)(void *context, const char *text), void *context);
    void (*net_free)(void *net);

    /* Device-side form of a gallery's rows (which outlive it). *ret_store may stay NULL where none is needed. */
    enum sp_status (*gallery_new)(void **ret_store, void *state, const struct sp_rows *rows, struct sp_err *err);
    void (*gallery_free)(void *store);
    /* Top-k of probes that all point at one gallery; vectors are finite, 1 <= k <= 64. hits[row * k + rank]. */
    enum sp_status (*match)(void *state, const struct sp_rows *rows, const void *store, const float *const *vectors,
                            int count, int k, struct sp_hit *ret_hits, struct sp_err *err);
    /* The same for probes that point at any number of galleries, in one call. Optional: without it, neighbouring
     * probes of one gallery go to `match` together. */
    enum sp_status (*match_many)(void *state, const struct sp_match_row *rows, int count, int k,
                                 struct sp_hit *ret_hits, struct sp_err *err);
    /* Bytes of device memory a store takes. Optional: 0. */
    size_t (*gallery_bytes)(const void *store);
    /* Pictures on the device. NULL: none; the host's loops do it. */
    const struct sp_pixel_ops *pixels;
};

extern const struct sp_backend_ops sp_backend_ref;
extern const struct sp_backend_ops sp_backend_cpu;

/* For gallery.c and pixels.c. */
const struct sp_backend_ops *sp_engine_backend(const struct sp_engine *engine);
void *sp_engine_state(const struct sp_engine *engine);
void *sp_net_planned(const struct sp_net *net); /* the backend's net */

#endif
