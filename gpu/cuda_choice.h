/* Which kernel is fastest for a layer of some shape at some batch size, as measured on this device; and the file
 * that keeps it from one start to the next.
 *
 * The file is ours alone, `cuda-<hash of the identity>.choices` in the configured folder, little-endian:
 *
 *     8  "SPCHOIC1"      4  count      4  words of a layer      192  identity, padded with zeros
 *     count x (words x i32, choice i32)      8  FNV-1a of all bytes before
 *
 * It is a hint: a file that is damaged or of another device, driver or build is ignored (the note says so) and
 * written anew. Written beside and renamed, so that a reader sees all of it or the old one. */
#ifndef SALLYPORT_GPU_CUDA_CHOICE_H
#define SALLYPORT_GPU_CUDA_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"
#include "gpu/cuda_kernels.h"

/* What a convolution can be given to: one of the implicit product's tiles, the library, or one of the tiles that
 * make the depthwise convolution before it as well. */
enum sp_cuda_choice {
    SP_CHOICE_LIBRARY = SP_TILE_COUNT,
    SP_CHOICE_SEPARABLE,
    SP_CHOICE_COUNT = SP_CHOICE_SEPARABLE + SP_TILE_COUNT
};
/* Of a depthwise convolution: another step makes it. */
#define SP_CHOICE_TAKEN 1

/* The tile of a choice that is not the library. */
static inline enum sp_cuda_tile sp_cuda_choice_tile(int choice)
{
    return (enum sp_cuda_tile)(choice < SP_CHOICE_SEPARABLE ? choice : choice - SP_CHOICE_SEPARABLE);
}

#define SP_CUDA_LAYER_WORDS  40
#define SP_CUDA_IDENTITY     192
#define SP_CUDA_MOST_CHOICES 16384

/* All that the time of a layer depends on; words that are not used are 0. */
struct sp_cuda_layer {
    int32_t words[SP_CUDA_LAYER_WORDS];
};

struct sp_cuda_chosen {
    struct sp_cuda_layer layer;
    int32_t choice; /* below SP_CHOICE_COUNT */
};

/* Thread-safe. */
struct sp_cuda_choices;

/* identity: what the measurements hold for (device, versions, build). folder: NULL or "": no file. SP_E_NOMEM only.
 */
enum sp_status sp_cuda_choices_new(struct sp_cuda_choices **ret_choices, const char *identity, const char *folder,
                                   struct sp_err *err);
void sp_cuda_choices_free(struct sp_cuda_choices **choices);
bool sp_cuda_choices_find(struct sp_cuda_choices *choices, const struct sp_cuda_layer *layer, int *ret_choice);
/* Remember. What does not fit any more is measured again next time. */
void sp_cuda_choices_put(struct sp_cuda_choices *choices, const struct sp_cuda_layer *layer, int choice);
/* A kernel is not taken: the note says why ("gives other numbers"), how often that was, and which the last one is.
 */
void sp_cuda_choices_refuse(struct sp_cuda_choices *choices, const char *step, int batch, const char *why);
/* Write the file if there is one to write and something is new. */
void sp_cuda_choices_save(struct sp_cuda_choices *choices);
/* What people should know: a kernel was refused, or the file was not read or not written; "" if there is nothing.
 */
void sp_cuda_choices_note(struct sp_cuda_choices *choices, char *ret_text, size_t size);

/* The file's bytes; ret_chosen has room for SP_CUDA_MOST_CHOICES. SP_E_FORMAT with the offset, SP_E_INVALID where
 * it is whole but of another identity. */
enum sp_status sp_cuda_choices_parse(const uint8_t *bytes, size_t length, const char *identity,
                                     struct sp_cuda_chosen *ret_chosen, int *ret_count, struct sp_err *err);

#endif
