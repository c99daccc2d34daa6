#include "workers/detect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define YUNET_LEVELS 3

struct sp_detector {
    struct sp_pack_detector spec;
    struct sp_net *net;
    struct sp_norm norm;
    int batch, width, height;   /* images, px, px */
    int boxes, classes;         /* ssd: output numbers */
    int yunet[YUNET_LEVELS][4]; /* yunet: output numbers of scores, objectness, boxes, points */
    struct sp_ssd_anchor *anchors;
    float *input;                    /* [batch][3][height][width] */
    struct sp_fit *fits;             /* [batch] */
    struct sp_part *parts;           /* [batch]: the same for a device */
    struct sp_finder finder;         /* for a device */
    struct sp_candidates candidates; /* scratch of one row */
};

static int by_score(const void *left, const void *right)
{
    return sp_pixel_by_score(left, right);
}

static int by_area(const void *left, const void *right)
{
    return sp_pixel_by_area(left, right);
}

void sp_detect_nms(struct sp_candidates *candidates, float iou_threshold)
{
    struct sp_candidate *items = candidates->items;
    int kept = 0;
    if (candidates->count == 0)
        return;
    qsort(items, (size_t)candidates->count, sizeof *items, by_score);
    int count = candidates->count < SP_NMS_MAX_CANDIDATES ? candidates->count : SP_NMS_MAX_CANDIDATES;
    for (int i = 0; i < count; i++) {
        bool seen = false;
        for (int k = 0; k < kept && !seen; k++)
            seen = sp_pixel_same_face(&items[k].box, &items[i].box, iou_threshold);
        if (!seen)
            items[kept++] = items[i];
    }
    candidates->count = kept;
}

void sp_detect_place(struct sp_candidates *candidates, const struct sp_fit *fit, int image_width, int image_height)
{
    int kept = 0;
    for (int i = 0; i < candidates->count; i++) {
        struct sp_candidate item = candidates->items[i];
        if (sp_pixel_place(&item, fit, image_width, image_height))
            candidates->items[kept++] = item;
    }
    candidates->count = kept;
}

void sp_detect_keep_largest(struct sp_candidates *candidates)
{
    if (candidates->count > 0)
        qsort(candidates->items, (size_t)candidates->count, sizeof *candidates->items, by_area);
    if (candidates->count > SP_MAX_FACES)
        candidates->count = SP_MAX_FACES;
}

/* The output called name must hold `floats` a row. */
static enum sp_status find_output(const struct sp_detector *detector, const char *name, int64_t floats,
                                  int *ret_index, struct sp_err *err)
{
    int64_t per_row = 1;
    int index = sp_net_output_index(detector->net, name);
    if (index < 0)
        return sp_fail(err, SP_E_FORMAT, "%s: no output \"%s\": not a net of the detector kind that the pack names",
                       detector->spec.net.path, name);
    const struct sp_tensor_info *info = sp_net_output(detector->net, index);
    for (int i = 1; i < info->rank; i++)
        per_row *= info->dims[i];
    if (per_row != floats)
        return sp_fail(err, SP_E_FORMAT, "%s: output \"%s\" has %lld values a picture where %d x %d px need %lld",
                       detector->spec.net.path, name, (long long)per_row, detector->width, detector->height,
                       (long long)floats);
    *ret_index = index;
    return SP_OK;
}

static enum sp_status bind_ssd(struct sp_detector *detector, struct sp_err *err)
{
    if (detector->width % 64 || detector->height % 64 || detector->width < 512 || detector->height < 512)
        return sp_fail(err, SP_E_INVALID, "%s: an ssd input of %d x %d px: use multiples of 64, at least 512",
                       detector->spec.net.path, detector->width, detector->height);
    int count = sp_detect_ssd_anchor_count(detector->width, detector->height);
    enum sp_status status = find_output(detector, "boxes", (int64_t)count * 4, &detector->boxes, err);
    if (status == SP_OK)
        status = find_output(detector, "classes", (int64_t)count * 3, &detector->classes, err);
    if (status != SP_OK)
        return status;
    detector->anchors = calloc((size_t)count, sizeof *detector->anchors);
    if (!detector->anchors)
        return sp_fail(err, SP_E_NOMEM, "detector: out of memory for %d anchors", count);
    sp_detect_ssd_anchors(detector->width, detector->height, detector->anchors);
    detector->candidates.capacity = count;
    return SP_OK;
}

static enum sp_status bind_tiny(struct sp_detector *detector, struct sp_err *err)
{
    int rows = detector->height / 32, columns = detector->width / 32;
    detector->candidates.capacity = 5 * rows * columns;
    if (detector->width % 32 || detector->height % 32)
        return sp_fail(err, SP_E_INVALID, "%s: a tiny detector input of %d x %d px: use multiples of 32",
                       detector->spec.net.path, detector->width, detector->height);
    return find_output(detector, sp_net_output(detector->net, 0)->name, 25LL * rows * columns, &detector->boxes,
                       err);
}

static enum sp_status bind_yunet(struct sp_detector *detector, struct sp_err *err)
{
    static const char *const kinds[4] = {"cls", "obj", "bbox", "kps"};
    static const int floats[4] = {1, 1, 4, 10};
    if (detector->width % 32 || detector->height % 32)
        return sp_fail(err, SP_E_INVALID, "%s: a YuNet input of %d x %d px: use multiples of 32",
                       detector->spec.net.path, detector->width, detector->height);
    for (int level = 0; level < YUNET_LEVELS; level++) {
        int stride = 8 << level, cells = (detector->width / stride) * (detector->height / stride);
        detector->candidates.capacity += cells;
        for (int kind = 0; kind < 4; kind++) {
            char name[16];
            snprintf(name, sizeof name, "%s_%d", kinds[kind], stride);
            enum sp_status status =
                find_output(detector, name, (int64_t)cells * floats[kind], &detector->yunet[level][kind], err);
            if (status != SP_OK)
                return status;
        }
    }
    return SP_OK;
}

static enum sp_status bind(struct sp_detector *detector, struct sp_err *err)
{
    switch (detector->spec.kind) {
    case SP_DETECTOR_SSD:
        return bind_ssd(detector, err);
    case SP_DETECTOR_TINY:
        return bind_tiny(detector, err);
    case SP_DETECTOR_YUNET:
        return bind_yunet(detector, err);
    case SP_DETECTOR_NONE:
        break;
    }
    return sp_fail(err, SP_E_INVALID, "pack: a detector of kind %d does not exist", (int)detector->spec.kind);
}

/* What a device is told about the outputs. */
static struct sp_finder finder_of(const struct sp_detector *detector)
{
    struct sp_finder finder = {.places = detector->candidates.capacity,
                               .score_threshold = detector->spec.score_threshold,
                               .iou_threshold = detector->spec.iou_threshold,
                               .boxes = detector->boxes,
                               .classes = detector->classes,
                               .anchors = detector->anchors,
                               .rows = detector->height / 32,
                               .columns = detector->width / 32};
    finder.kind = detector->spec.kind == SP_DETECTOR_SSD    ? SP_FINDER_SSD
                  : detector->spec.kind == SP_DETECTOR_TINY ? SP_FINDER_TINY
                                                            : SP_FINDER_YUNET;
    for (int level = 0; level < YUNET_LEVELS; level++) {
        int stride = 8 << level;
        finder.levels[level].stride = stride;
        finder.levels[level].rows = detector->height / stride;
        finder.levels[level].columns = detector->width / stride;
        for (int kind = 0; kind < 4; kind++)
            finder.levels[level].outputs[kind] = detector->yunet[level][kind];
    }
    return finder;
}

enum sp_status sp_detector_new(struct sp_detector **ret_detector, struct sp_engine *engine,
                               const struct sp_pack_detector *spec, int max_batch, struct sp_err *err)
{
    struct sp_net_config config = {.max_batch = max_batch,
                                   .height = spec->net.height,
                                   .width = spec->net.width,
                                   .precision = sp_vision_precision(&spec->net)};
    struct sp_detector *detector = calloc(1, sizeof *detector);
    enum sp_status status = SP_OK;
    if (!detector)
        return sp_fail(err, SP_E_NOMEM, "detector: out of memory");
    detector->spec = *spec;
    detector->norm = sp_resample_norm(&spec->net);
    status = sp_net_load(&detector->net, engine, spec->net.path, &config, err);
    if (status != SP_OK)
        goto fail;
    const struct sp_tensor_info *in = sp_net_input(detector->net, 0);
    if (sp_net_input_count(detector->net) != 1 || in->rank != 4 || in->dims[1] != 3) {
        status = sp_fail(err, SP_E_FORMAT, "%s: not a detector: its input must be [N,3,H,W]", spec->net.path);
        goto fail;
    }
    detector->batch = in->dims[0] < max_batch ? (int)in->dims[0] : max_batch;
    detector->height = (int)in->dims[2];
    detector->width = (int)in->dims[3];
    status = bind(detector, err);
    if (status != SP_OK)
        goto fail;
    size_t floats = (size_t)detector->batch * 3 * (size_t)detector->width * (size_t)detector->height;
    detector->input = malloc(floats * sizeof(float));
    detector->fits = calloc((size_t)detector->batch, sizeof *detector->fits);
    detector->parts = calloc((size_t)detector->batch, sizeof *detector->parts);
    detector->candidates.items = calloc((size_t)detector->candidates.capacity, sizeof *detector->candidates.items);
    if (!detector->input || !detector->fits || !detector->parts || !detector->candidates.items) {
        status = sp_fail(err, SP_E_NOMEM, "detector: out of memory for %d pictures", detector->batch);
        goto fail;
    }
    detector->finder = finder_of(detector);
    *ret_detector = detector;
    return SP_OK;
fail:
    sp_detector_free(&detector);
    return status;
}

void sp_detector_free(struct sp_detector **detector)
{
    if (!detector || !*detector)
        return;
    sp_net_free(&(*detector)->net);
    free((*detector)->anchors);
    free((*detector)->input);
    free((*detector)->fits);
    free((*detector)->parts);
    free((*detector)->candidates.items);
    free(*detector);
    *detector = NULL;
}

/* Decode one row of the outputs into detector->candidates. */
static void decode(struct sp_detector *detector, const float *const *outputs, int row)
{
    struct sp_candidates *candidates = &detector->candidates;
    float threshold = detector->spec.score_threshold;
    int columns = detector->width / 32, rows = detector->height / 32, anchors = candidates->capacity;
    candidates->count = 0;
    switch (detector->spec.kind) {
    case SP_DETECTOR_SSD:
        sp_detect_ssd_decode(outputs[detector->boxes] + (size_t)row * (size_t)anchors * 4,
                             outputs[detector->classes] + (size_t)row * (size_t)anchors * 3, detector->anchors,
                             anchors, threshold, candidates);
        break;
    case SP_DETECTOR_TINY:
        sp_detect_tiny_decode(outputs[detector->boxes] + (size_t)row * 25 * (size_t)(rows * columns), rows, columns,
                              threshold, candidates);
        break;
    case SP_DETECTOR_YUNET:
        for (int i = 0; i < YUNET_LEVELS; i++) {
            struct sp_yunet_level level = {.stride = 8 << i};
            level.rows = detector->height / level.stride;
            level.columns = detector->width / level.stride;
            size_t first = (size_t)row * (size_t)(level.rows * level.columns);
            level.scores = outputs[detector->yunet[i][0]] + first;
            level.objectness = outputs[detector->yunet[i][1]] + first;
            level.boxes = outputs[detector->yunet[i][2]] + first * 4;
            level.points = outputs[detector->yunet[i][3]] + first * 10;
            sp_detect_yunet_decode(&level, threshold, candidates);
        }
        break;
    case SP_DETECTOR_NONE:
        break;
    }
}

/* One full or partial batch of the net. */
static enum sp_status run_batch(struct sp_detector *detector, struct sp_resampler *resampler, int count,
                                const struct sp_image *const *images, float border,
                                struct sp_detections *ret_detections, struct sp_err *err)
{
    size_t floats = 3 * (size_t)detector->width * (size_t)detector->height;
    const float *inputs[1] = {detector->input}, *outputs[SP_NET_MAX_PORTS];
    for (int i = 0; i < count; i++) {
        const struct sp_image *image = images[i];
        struct sp_rect whole = {0, 0, image->width, image->height};
        detector->fits[i] =
            sp_resample_letterbox(image->width, image->height, detector->width, detector->height, border);
        enum sp_status status = sp_resample_fit(resampler, image, &whole, &detector->fits[i], &detector->norm,
                                                detector->input + (size_t)i * floats, err);
        if (status != SP_OK)
            return status;
    }
    enum sp_status status = sp_net_run(detector->net, count, inputs, outputs, err);
    if (status != SP_OK)
        return status;
    for (int i = 0; i < count; i++) {
        struct sp_candidates *candidates = &detector->candidates;
        decode(detector, outputs, i);
        sp_detect_place(candidates, &detector->fits[i], images[i]->width, images[i]->height);
        sp_detect_nms(candidates, detector->spec.iou_threshold);
        sp_detect_keep_largest(candidates);
        ret_detections[i].count = candidates->count;
        for (int k = 0; k < candidates->count; k++)
            ret_detections[i].items[k] = candidates->items[k];
    }
    return SP_OK;
}

enum sp_status sp_detector_run(struct sp_detector *detector, struct sp_resampler *resampler, int count,
                               const struct sp_image *const *images, float border,
                               struct sp_detections *ret_detections, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int first = 0; first < count && status == SP_OK; first += detector->batch) {
        int rows = count - first < detector->batch ? count - first : detector->batch;
        status = run_batch(detector, resampler, rows, images + first, border, ret_detections + first, err);
    }
    return status;
}

enum sp_status sp_detector_find(struct sp_detector *detector, struct sp_pixels *pixels, int count,
                                const int *pictures, const struct sp_image *const *images, float border,
                                struct sp_detections *ret_detections, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int first = 0; first < count && status == SP_OK; first += detector->batch) {
        int rows = count - first < detector->batch ? count - first : detector->batch;
        for (int i = 0; i < rows; i++) {
            int width = images[first + i]->width, height = images[first + i]->height;
            detector->parts[i] =
                (struct sp_part){pictures[first + i],
                                 {0, 0, width, height},
                                 sp_resample_letterbox(width, height, detector->width, detector->height, border)};
        }
        status = sp_pixels_fit(pixels, detector->net, rows, detector->parts, &detector->norm, err);
        if (status == SP_OK)
            status = sp_pixels_find(pixels, detector->net, rows, &detector->finder, ret_detections + first, err);
    }
    return status;
}
