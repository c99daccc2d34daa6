/* The pixel kernels as host code sees them: what they are told and how they are started. Pointers are the device's
 * unless said otherwise; a job table is one struct per picture, part or face, in device memory.
 *
 * Every sp_cuda_pixel_*: enqueues on `stream` (cudaStream_t) and returns 0 or a cudaError_t; never waits. */
#ifndef SALLYPORT_GPU_CUDA_PIXEL_LAUNCH_H
#define SALLYPORT_GPU_CUDA_PIXEL_LAUNCH_H

#include "gpu/pixel_math.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A part of a picture on its way into one row of a net's input. */
struct sp_cuda_fit_job {
    const uint8_t *origin;           /* of the part */
    int stride;                      /* bytes between its rows */
    int source_width, source_height; /* of the part, px */
    struct sp_fit fit;               /* its width and height are the launch's */
    struct sp_tap *taps;             /* [inner_width + inner_height], x first; of this job alone */
    float *weights; /* [inner_width * most taps of x + inner_height * most taps of y]; of this job alone */
};

struct sp_cuda_fit {
    const struct sp_cuda_fit_job *jobs;
    int count;
    int width, height; /* of every tensor, px */
    struct sp_norm norm;
    float *tensor; /* [count][3][height][width] */
};

/* Fill the jobs' tables, then the tensor: two kernels. */
int sp_cuda_pixel_fit(void *stream, const struct sp_cuda_fit *fit);

/* One picture, halved. */
struct sp_cuda_halve_job {
    struct sp_view from;
    uint8_t *to; /* [from.height / 2][from.width / 2][3] */
};

/* most_px: of the largest result. */
int sp_cuda_pixel_halve(void *stream, const struct sp_cuda_halve_job *jobs, int count, int most_px);

/* One chip: where its (halved) part lies and what is wanted of it. */
struct sp_cuda_warp_job {
    struct sp_view view;
    struct sp_warp warp;
    struct sp_similarity map;      /* of the unhalved image, for the tally */
    int image_width, image_height; /* px */
};

struct sp_cuda_warp {
    const struct sp_cuda_warp_job *jobs;
    int count, side;
    int x0, y0, x1, y1;       /* the face's columns and rows on a chip, ends included, 1 px off its edge */
    uint8_t *chips;           /* [count][side][side][3] */
    struct sp_tally *tallies; /* [count] */
};

/* Cut the chips, then count their light: two kernels. */
int sp_cuda_pixel_warp(void *stream, const struct sp_cuda_warp *warp);

struct sp_cuda_chip_planes {
    const uint8_t *chips; /* [..][side][side][3] */
    const int *which;     /* [count]: chips to take */
    int count, side;
    struct sp_norm norm;
    float *tensor; /* [count][3][side][side] */
};

int sp_cuda_pixel_planes(void *stream, const struct sp_cuda_chip_planes *planes);

enum sp_cuda_detector_kind { SP_CUDA_SSD, SP_CUDA_TINY, SP_CUDA_YUNET };

#define SP_CUDA_YUNET_LEVELS 3

/* Rows of a detector's outputs into faces. */
struct sp_cuda_find {
    const struct sp_cuda_fit_job *jobs; /* of whole pictures, as the net saw them */
    int count;
    enum sp_cuda_detector_kind kind;
    int places; /* anchors or cells of one row */
    float score_threshold, iou_threshold;
    const float *boxes, *classes; /* ssd: [count][places][4], [count][places][3]; tiny: boxes is the grid */
    const struct sp_ssd_anchor *anchors;
    int rows, columns;                                  /* tiny */
    struct sp_yunet_level levels[SP_CUDA_YUNET_LEVELS]; /* yunet: of row 0 */
    struct sp_candidate *candidates;                    /* scratch [count][places] */
    struct sp_detections *found;                        /* [count] */
};

/* One block a row: decode, place, suppress, keep the largest. */
int sp_cuda_pixel_find(void *stream, const struct sp_cuda_find *find);

#ifdef __cplusplus
}
#endif

#endif
