/* Pixels on the device: the pictures of a batch go up once, and every stage from them to the nets' inputs, the
 * faces and the chips stays there. What each stage computes is said in workers/ (resample.h, detect.h, quality.h),
 * whose loops are the reference; results are the same bits, except behind expf (a box may differ by 1e-5 of its
 * size).
 *
 * A session belongs to one thread at a time and holds one batch of pictures; the next batch replaces it. Memory
 * grows to the largest batch seen, then no more allocation. Calls that return numbers wait for the device; the
 * others only enqueue. A call that fails leaves the session usable, unless the device is broken (SP_E_DEVICE). */
#ifndef SALLYPORT_GPU_PIXELS_H
#define SALLYPORT_GPU_PIXELS_H

#include "gpu/engine.h"
#include "gpu/pixel.h"

struct sp_pixels;

/* Whether the engine's backend has this; else the host's own loops do it. */
bool sp_pixels_offered(const struct sp_engine *engine);

/* For batches up to max_pictures and max_chips chips of side x side px. engine must outlive it, and so must the
 * nets that it is given. */
enum sp_status sp_pixels_new(struct sp_pixels **ret_pixels, struct sp_engine *engine, int max_pictures,
                             int max_chips, int side, struct sp_err *err);
void sp_pixels_free(struct sp_pixels **pixels);

/* Take the pixels of images[0..count-1]; pictures are called by these places from here on. */
enum sp_status sp_pixels_load(struct sp_pixels *pixels, int count, const struct sp_image *const *images,
                              struct sp_err *err);

/* Part of a picture, for one row of a net's input. */
struct sp_part {
    int picture;
    struct sp_rect rect;
    struct sp_fit fit;
};

/* Rows 0..count-1 of the net's first input, as sp_resample_fit. The net's next run on this session takes them. */
enum sp_status sp_pixels_fit(struct sp_pixels *pixels, struct sp_net *net, int count, const struct sp_part *parts,
                             const struct sp_norm *norm, struct sp_err *err);
/* The same rows from chips of the last sp_pixels_cut: which[i] is the place of the cut. */
enum sp_status sp_pixels_chips(struct sp_pixels *pixels, struct sp_net *net, int count, const int *which,
                               const struct sp_norm *norm, struct sp_err *err);
/* Run the net on those rows. ret_outputs as sp_net_run; valid until the session's next call. */
enum sp_status sp_pixels_run(struct sp_pixels *pixels, struct sp_net *net, int count, const float **ret_outputs,
                             struct sp_err *err);

enum sp_finder_kind { SP_FINDER_SSD, SP_FINDER_TINY, SP_FINDER_YUNET };
#define SP_FINDER_LEVELS 3

/* How a detector's outputs become faces; numbers are those of the net's outputs. */
struct sp_finder {
    enum sp_finder_kind kind;
    int places; /* anchors, or cells, of one row */
    float score_threshold, iou_threshold;
    int boxes, classes;                  /* ssd; tiny: boxes is the grid */
    const struct sp_ssd_anchor *anchors; /* ssd: [places]; the same memory, unchanged, as long as the session */
    int rows, columns;                   /* tiny */
    struct {
        int stride, rows, columns;
        int outputs[4];         /* scores, objectness, boxes, points */
    } levels[SP_FINDER_LEVELS]; /* yunet */
};

/* As sp_pixels_run on rows that sp_pixels_fit put there from whole pictures, with the faces of each row: decoded,
 * placed in the picture, suppressed, the largest kept. */
enum sp_status sp_pixels_find(struct sp_pixels *pixels, struct sp_net *net, int count,
                              const struct sp_finder *finder, struct sp_detections *ret_detections,
                              struct sp_err *err);

/* One chip to cut. */
struct sp_cut {
    int picture;
    struct sp_warp warp;
    struct sp_similarity map;
};

/* The columns and rows of a chip that show the face, ends included, at least 1 px off its edge. */
struct sp_face_area {
    int x0, y0, x1, y1;
};

/* Cut count chips and say what their light is. They stay until the next cut. */
enum sp_status sp_pixels_cut(struct sp_pixels *pixels, int count, const struct sp_cut *cuts,
                             const struct sp_face_area *area, struct sp_tally *ret_tallies, struct sp_err *err);

/* What a backend provides; session and net are its own. Checked arguments; floats: of one row of each output. */
struct sp_pixel_ops {
    enum sp_status (*open)(void **ret_session, void *state, int max_pictures, int max_chips, int side,
                           struct sp_err *err);
    void (*close)(void *session);
    enum sp_status (*load)(void *session, int count, const struct sp_image *const *images, struct sp_err *err);
    enum sp_status (*fit)(void *session, void *net, int count, const struct sp_part *parts,
                          const struct sp_norm *norm, struct sp_err *err);
    enum sp_status (*chips)(void *session, void *net, int count, const int *which, const struct sp_norm *norm,
                            struct sp_err *err);
    enum sp_status (*run)(void *session, void *net, int count, int outputs, const int64_t *floats,
                          const float **ret_outputs, struct sp_err *err);
    enum sp_status (*find)(void *session, void *net, int count, const struct sp_finder *finder,
                           struct sp_detections *ret_detections, struct sp_err *err);
    enum sp_status (*cut)(void *session, int count, const struct sp_cut *cuts, const struct sp_face_area *area,
                          struct sp_tally *ret_tallies, struct sp_err *err);
};

#endif
