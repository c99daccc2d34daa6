/* oneDNN steps of one net at one batch size: values in their layouts, memory, primitives. Private to gpu/cpu_*.c.
 */
#ifndef SALLYPORT_GPU_CPU_BUILD_H
#define SALLYPORT_GPU_CPU_BUILD_H

#include <oneapi/dnnl/dnnl.h>
#include "gpu/plan.h"
#include "gpu/ref.h"

/* Where a memory lies. */
enum sp_cpu_place_kind {
    SP_CPU_ARENA,    /* buffer `index` of the variant */
    SP_CPU_INPUT,    /* the caller's rows of input `index` */
    SP_CPU_OUTPUT,   /* the net's rows of output `index` */
    SP_CPU_CONSTANT, /* `data` */
    SP_CPU_SCRATCH,  /* the net's scratchpad */
};

struct sp_cpu_place {
    enum sp_cpu_place_kind kind;
    int index;
    void *data;
};

/* A value in one layout. */
struct sp_cpu_form {
    dnnl_memory_desc_t md;
    struct sp_cpu_place place;
};

/* A oneDNN memory whose address is set once memory is planned, or at each run for inputs and outputs. */
struct sp_cpu_bound {
    dnnl_memory_t memory;
    struct sp_cpu_place place;
};

struct sp_cpu_step {
    const struct sp_layer *layer;
    dnnl_primitive_t primitive; /* NULL: zero a buffer (inputs NULL) or run the reference */
    dnnl_exec_arg_t *args;      /* owned */
    int arg_count;
    char *note;      /* "conv ... jit:avx512_core", owned */
    int64_t last_ns; /* of its last run; 0 before */

    struct sp_cpu_place zero; /* zero step: this buffer */
    size_t zero_bytes;
    struct sp_tensor *inputs; /* reference step; owned */
    struct sp_cpu_place *input_places;
    struct sp_tensor residual, out;
    struct sp_cpu_place residual_place, out_place;
    const float *slope;
};

/* A net planned for exactly `batch` items. */
struct sp_cpu_variant {
    int batch;
    struct sp_cpu_step *steps;
    int step_count, step_capacity;
    struct sp_cpu_bound *bounds;
    int bound_count, bound_capacity;
    size_t arena_bytes, scratch_bytes;
    struct sp_plan_item *buffers; /* indices as in places */
    int buffer_count, buffer_capacity;
};

/* Constants in the layouts primitives asked for, shared by all variants of a net. */
struct sp_cpu_weight {
    int value;
    dnnl_memory_desc_t md;
    void *data; /* owned */
};

struct sp_cpu_weights {
    struct sp_cpu_weight *at;
    int count, capacity;
};

#define SP_CPU_MOST_FORMS 4

struct sp_cpu_value {
    struct sp_cpu_form forms[SP_CPU_MOST_FORMS]; /* [0] is the one it was made in */
    int form_count;
};

struct sp_cpu_build {
    const struct sp_program *program;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int block;                   /* channels of one vector: 16 or 8 */
    dnnl_format_tag_t block_tag; /* their layout */
    bool blocked;                /* most of the net's work fits that layout */
    struct sp_cpu_variant *variant;
    struct sp_cpu_weights *weights;
    struct sp_cpu_value *values; /* [values of the program] */
    int *last;                   /* [values]: last layer that reads it; layer_count for outputs */
    int *buffer_last;            /* [buffers]: the same over all values that share the buffer */
    int buffer_last_capacity;
    int at; /* layer in work */
    struct sp_err *err;
};

/* Build all steps; the builder's tables are freed again, the variant is the caller's to free also on failure. */
enum sp_status sp_cpu_build_variant(struct sp_cpu_build *build);
void sp_cpu_variant_free(struct sp_cpu_variant *variant);
void sp_cpu_weights_free(struct sp_cpu_weights *weights);

/* Names the layer in work and oneDNN's status. */
enum sp_status sp_cpu_fail(const struct sp_cpu_build *build, dnnl_status_t status, const char *what);

/* Descriptor of a value at the variant's batch, in row-major order or by tag. */
void sp_cpu_md(const struct sp_cpu_build *build, int value, dnnl_memory_desc_t *ret_md);
void sp_cpu_md_tagged(const struct sp_cpu_build *build, int value, dnnl_format_tag_t tag,
                      dnnl_memory_desc_t *ret_md);
/* Whether the elements lie in row-major order without gaps. */
bool sp_cpu_md_is_plain(const dnnl_memory_desc_t *md);
/* Channels last, or in blocks of channels: worth keeping. */
bool sp_cpu_md_is_packed(const dnnl_memory_desc_t *md);

/* The value in exactly this layout; a reorder is added where it is not there yet. */
enum sp_status sp_cpu_need(struct sp_cpu_build *build, int value, const dnnl_memory_desc_t *md,
                           struct sp_cpu_form *ret_form);
enum sp_status sp_cpu_need_plain(struct sp_cpu_build *build, int value, struct sp_cpu_form *ret_form);
/* The layout the value was made in. */
struct sp_cpu_form *sp_cpu_native(struct sp_cpu_build *build, int value);
/* The layer in work is the last that reads the value's memory, and that is in the arena. */
bool sp_cpu_is_last_use(const struct sp_cpu_build *build, int value);
bool sp_cpu_same_place(struct sp_cpu_place a, struct sp_cpu_place b);
/* A constant of the program in this layout. `from` describes its data as it is. */
enum sp_status sp_cpu_weight(struct sp_cpu_build *build, int value, const dnnl_memory_desc_t *from,
                             const dnnl_memory_desc_t *md, struct sp_cpu_place *ret_place);

enum sp_status sp_cpu_new_buffer(struct sp_cpu_build *build, size_t bytes, struct sp_cpu_place *ret_place);
/* Say where and how the layer's output now is. */
void sp_cpu_define(struct sp_cpu_build *build, int value, const dnnl_memory_desc_t *md, struct sp_cpu_place place);

/* One argument of a primitive. */
struct sp_cpu_arg {
    int id;
    const dnnl_memory_desc_t *md;
    struct sp_cpu_place place;
};

/* Create the primitive of `pd` (destroyed in any case) and append it as a step with its scratchpad. */
enum sp_status sp_cpu_add_primitive(struct sp_cpu_build *build, const struct sp_layer *layer,
                                    dnnl_primitive_desc_t pd, const struct sp_cpu_arg *args, int count);
/* A copy from one layout to another. */
enum sp_status sp_cpu_add_reorder(struct sp_cpu_build *build, const struct sp_layer *layer,
                                  const struct sp_cpu_form *from, const struct sp_cpu_form *to);
enum sp_status sp_cpu_add_zero(struct sp_cpu_build *build, const struct sp_layer *layer, struct sp_cpu_place place,
                               size_t bytes);
/* The layer by the reference, on row-major tensors. */
enum sp_status sp_cpu_add_reference(struct sp_cpu_build *build, const struct sp_layer *layer);
/* Implementation name; "" without one. A name with "ref" in it is oneDNN's own slow fallback. */
const char *sp_cpu_impl(dnnl_primitive_desc_t pd);
bool sp_cpu_is_slow(dnnl_primitive_desc_t pd);

/* Attributes with a user scratchpad, a sum (where sum is true), then act. *ret_act_done says whether act is among
 * them; slope: memory descriptor of a PRELU's slopes is {1,c,1,..} row-major. */
enum sp_status sp_cpu_attr(const struct sp_cpu_build *build, bool sum, const struct sp_act *act,
                           dnnl_primitive_attr_t *ret_attr, bool *ret_act_done);
/* Descriptor of the slopes for an output of this rank. */
void sp_cpu_channel_md(int64_t channels, int rank, dnnl_memory_desc_t *ret_md);

/* One layer each; SP_E_UNSUPPORTED without a sentence means: take the reference. */
typedef enum sp_status sp_cpu_layer_fn(struct sp_cpu_build *build, const struct sp_layer *layer);
sp_cpu_layer_fn sp_cpu_conv;
sp_cpu_layer_fn sp_cpu_pool;
sp_cpu_layer_fn sp_cpu_matmul;
sp_cpu_layer_fn sp_cpu_binary;
sp_cpu_layer_fn sp_cpu_unary;
sp_cpu_layer_fn sp_cpu_scale;
sp_cpu_layer_fn sp_cpu_reshape;
sp_cpu_layer_fn sp_cpu_transpose;
sp_cpu_layer_fn sp_cpu_concat;
sp_cpu_layer_fn sp_cpu_pad;
sp_cpu_layer_fn sp_cpu_resize;
/* Activation `act` of a value already defined, in place where that is allowed; the value is defined anew. */
enum sp_status sp_cpu_apply_act(struct sp_cpu_build *build, const struct sp_layer *layer, int value);

#endif
