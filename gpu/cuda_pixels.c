/* The host's side of the pixel kernels: where pictures, tables and results lie, and in which order things happen.
 *
 * Pictures and chips are the session's stream's work, rows of a net's input and what follows the net's stream's; an
 * event keeps the second behind the first. Every call that downloads waits, so the tables of a call are free at the
 * next; what a failed call leaves in a stream is waited for before its memory is touched again. */
#include "gpu/cuda_pixels.h"

#include <stdlib.h>
#include <string.h>
#include "gpu/cuda_device.h"
#include "gpu/cuda_net.h"
#include "gpu/cuda_pixel_launch.h"

#define MOST_LEVELS  12
#define MOST_ANCHORS 4 /* detectors whose anchors are kept */

/* Memory that grows: on the device, pinned on the host, or both with the same layout. */
struct room {
    bool on_device, on_host;
    void *device, *host;
    size_t bytes;
};

struct picture {
    int built;                              /* halvings that are done */
    struct sp_view levels[MOST_LEVELS + 1]; /* on the device */
};

struct anchors {
    const struct sp_ssd_anchor *host;
    void *device;
};

struct session {
    struct sp_cuda *cuda;
    struct sp_cuda_stream *stream;
    struct sp_cuda_event *ready; /* pictures, or chips, are there */
    struct sp_cuda_span span;    /* of the call in hand; rows' begins where they are put */
    struct sp_cuda_stream *busy; /* a net's, which was given work on our memory and was not waited for; or NULL */
    int max_pictures, max_chips, side;
    struct picture *pictures;    /* [max_pictures] */
    struct room pixels, staging; /* the batch on the device with room for its halvings; its bytes on the host */
    struct room jobs;            /* job tables of the call in hand; fit's stay until find */
    struct room taps, weights;
    struct room candidates, results;
    struct room chips, tallies, which;
    struct anchors anchors[MOST_ANCHORS];
};

static size_t aligned(size_t bytes)
{
    return (bytes + 255) & ~(size_t)255;
}

/* Nobody uses our memory any more. After a failure as well: what was enqueued before it still runs. */
static enum sp_status settle(struct session *session, struct sp_err *err)
{
    enum sp_status status = session->busy ? sp_cuda_wait(session->busy, err) : SP_OK;
    session->busy = NULL;
    enum sp_status own = sp_cuda_wait(session->stream, status ? NULL : err);
    return status ? status : own;
}

/* The end of a call that answers: wait, whatever `status` it got that far with, and count the device's time. */
static enum sp_status finish(struct session *session, struct sp_cuda_stream *stream, enum sp_engine_work work,
                             enum sp_status status, struct sp_err *err)
{
    if (!status)
        status = sp_cuda_span_end(&session->span, stream, err);
    if (stream != session->stream)
        session->busy = stream;
    enum sp_status settled = settle(session, status ? NULL : err);
    status = status ? status : settled;
    return status ? status : sp_cuda_span_count(&session->span, work, err);
}

/* Make the room hold `bytes`; what it held is lost. Nobody may be using it. */
static enum sp_status reserve(struct session *session, struct room *room, size_t bytes, struct sp_err *err)
{
    if (bytes <= room->bytes)
        return SP_OK;
    bytes = aligned(bytes + bytes / 4);
    sp_cuda_memory_free(session->cuda, &room->device);
    sp_cuda_pinned_free(session->cuda, &room->host);
    room->bytes = 0;
    enum sp_status status = room->on_device ? sp_cuda_memory_new(&room->device, session->cuda, bytes, err) : SP_OK;
    if (!status && room->on_host)
        status = sp_cuda_pinned_new(&room->host, session->cuda, bytes, err);
    if (!status)
        room->bytes = bytes;
    return status;
}

static void drop(struct session *session, struct room *room)
{
    sp_cuda_memory_free(session->cuda, &room->device);
    sp_cuda_pinned_free(session->cuda, &room->host);
}

void sp_cuda_pixels_free(void *opened)
{
    struct session *session = opened;
    if (!session)
        return;
    struct room *rooms[] = {&session->pixels,  &session->staging,    &session->jobs,    &session->taps,
                            &session->weights, &session->candidates, &session->results, &session->chips,
                            &session->tallies, &session->which};
    if (session->stream)
        settle(session, NULL);
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
        drop(session, rooms[i]);
    for (int i = 0; i < MOST_ANCHORS; i++)
        sp_cuda_memory_free(session->cuda, &session->anchors[i].device);
    if (session->ready)
        sp_cuda_event_free(&session->ready);
    sp_cuda_span_free(&session->span);
    if (session->stream)
        sp_cuda_stream_free(&session->stream);
    free(session->pictures);
    free(session);
}

enum sp_status sp_cuda_pixels_new(void **ret_session, void *state, int max_pictures, int max_chips, int side,
                                  struct sp_err *err)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return sp_fail(err, SP_E_NOMEM, "pixels: out of memory");
    session->cuda = state;
    session->max_pictures = max_pictures;
    session->max_chips = max_chips;
    session->side = side;
    session->pixels.on_device = session->taps.on_device = session->weights.on_device = true;
    session->candidates.on_device = session->chips.on_device = true;
    session->staging.on_host = true;
    struct room *both[] = {&session->jobs, &session->results, &session->tallies, &session->which};
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++)
        both[i]->on_device = both[i]->on_host = true;
    session->pictures = calloc((size_t)max_pictures, sizeof *session->pictures);
    enum sp_status status =
        session->pictures ? sp_cuda_enter(session->cuda, err) : sp_fail(err, SP_E_NOMEM, "pixels: out of memory");
    size_t chips = (size_t)max_chips, chip = (size_t)side * (size_t)side * 3;
    if (!status)
        status = sp_cuda_stream_new(&session->stream, session->cuda, err);
    if (!status)
        status = sp_cuda_event_new(&session->ready, session->cuda, false, err);
    if (!status)
        status = sp_cuda_span_new(&session->span, session->cuda, err);
    if (!status)
        status = reserve(session, &session->chips, chips * chip, err);
    if (!status)
        status = reserve(session, &session->tallies, chips * sizeof(struct sp_tally), err);
    if (!status)
        status = reserve(session, &session->which, chips * sizeof(int), err);
    if (status)
        sp_cuda_pixels_free(session);
    else
        *ret_session = session;
    return status;
}

/* Where each picture and its halvings will lie; the pictures first, as they go up in one copy. Returns the bytes of
 * all, and of the pictures alone. base: NULL to count only. */
static size_t lay_out(struct session *session, int count, const struct sp_image *const *images, uint8_t *base,
                      size_t *ret_pictures)
{
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        struct picture *picture = &session->pictures[i];
        picture->built = 0;
        picture->levels[0] =
            (struct sp_view){base ? base + at : NULL, images[i]->width, images[i]->height, images[i]->width * 3};
        at += aligned((size_t)images[i]->width * (size_t)images[i]->height * 3);
    }
    *ret_pictures = at;
    for (int i = 0; i < count; i++)
        for (int level = 1; level <= MOST_LEVELS; level++) {
            int width = images[i]->width >> level, height = images[i]->height >> level;
            session->pictures[i].levels[level] =
                (struct sp_view){base ? base + at : NULL, width, height, width * 3};
            at += aligned((size_t)width * (size_t)height * 3);
        }
    return at;
}

enum sp_status sp_cuda_pixels_load(void *opened, int count, const struct sp_image *const *images,
                                   struct sp_err *err)
{
    struct session *session = opened;
    size_t pictures, all = lay_out(session, count, images, NULL, &pictures);
    enum sp_status status = sp_cuda_enter(session->cuda, err);
    if (!status)
        status = settle(session, err);
    if (!status)
        status = reserve(session, &session->pixels, all, err);
    if (!status)
        status = reserve(session, &session->staging, pictures, err);
    if (status)
        return status;
    lay_out(session, count, images, session->pixels.device, &pictures);
    for (int i = 0; i < count; i++) {
        const struct sp_image *image = images[i];
        size_t row = (size_t)image->width * 3;
        uint8_t *to = (uint8_t *)session->staging.host +
                      (session->pictures[i].levels[0].pixels - (const uint8_t *)session->pixels.device);
        if ((size_t)image->stride == row)
            memcpy(to, image->pixels, row * (size_t)image->height);
        else
            for (int y = 0; y < image->height; y++)
                memcpy(to + (size_t)y * row, image->pixels + (size_t)y * (size_t)image->stride, row);
    }
    status = sp_cuda_copy_in(session->stream, session->pixels.device, session->staging.host, pictures, err);
    return status ? status : sp_cuda_event_record(session->ready, session->stream, err);
}

/* Fill in the jobs of count parts; their tables lie one after another. */
static enum sp_status plan_fit(struct session *session, int count, const struct sp_part *parts, struct sp_err *err)
{
    size_t taps = 0, weights = 0;
    enum sp_status status = reserve(session, &session->jobs, (size_t)count * sizeof(struct sp_cuda_fit_job), err);
    for (int pass = 0; pass < 2 && !status; pass++) {
        struct sp_cuda_fit_job *jobs = session->jobs.host;
        taps = weights = 0;
        for (int i = 0; i < count; i++) {
            const struct sp_part *part = &parts[i];
            const struct sp_view *view = &session->pictures[part->picture].levels[0];
            if (part->rect.width > view->width - part->rect.x || part->rect.height > view->height - part->rect.y)
                return sp_fail(err, SP_E_INVALID, "pixels: part %d leaves its picture", i);
            if (pass)
                jobs[i] = (struct sp_cuda_fit_job){
                    .origin = view->pixels + (size_t)part->rect.y * (size_t)view->stride + (size_t)part->rect.x * 3,
                    .stride = view->stride,
                    .source_width = part->rect.width,
                    .source_height = part->rect.height,
                    .fit = part->fit,
                    .taps = (struct sp_tap *)session->taps.device + taps,
                    .weights = (float *)session->weights.device + weights};
            taps += (size_t)part->fit.inner_width + (size_t)part->fit.inner_height;
            weights += (size_t)part->fit.inner_width * (size_t)sp_pixel_most_taps(&part->fit.across) +
                       (size_t)part->fit.inner_height * (size_t)sp_pixel_most_taps(&part->fit.down);
        }
        if (!pass)
            status = reserve(session, &session->taps, taps * sizeof(struct sp_tap), err);
        if (!pass && !status)
            status = reserve(session, &session->weights, weights * sizeof(float), err);
    }
    return status;
}

enum sp_status sp_cuda_pixels_fit(void *opened, void *net, int count, const struct sp_part *parts,
                                  const struct sp_norm *norm, struct sp_err *err)
{
    struct session *session = opened;
    struct sp_cuda_stream *stream = sp_cuda_net_stream(net);
    enum sp_status status = sp_cuda_enter(session->cuda, err);
    if (!status && session->busy)
        status = settle(session, err);
    if (!status)
        status = plan_fit(session, count, parts, err);
    session->busy = stream;
    if (!status)
        status = sp_cuda_event_hold(stream, session->ready, err);
    if (!status)
        status = sp_cuda_span_begin(&session->span, stream, err);
    if (!status)
        status = sp_cuda_copy_in(stream, session->jobs.device, session->jobs.host,
                                 (size_t)count * sizeof(struct sp_cuda_fit_job), err);
    if (status)
        return status;
    struct sp_cuda_fit fit = {.jobs = session->jobs.device,
                              .count = count,
                              .width = parts[0].fit.width,
                              .height = parts[0].fit.height,
                              .norm = *norm,
                              .tensor = sp_cuda_net_input(net, 0, count)};
    return SP_CUDA_TRY(session->cuda, err, sp_cuda_pixel_fit(sp_cuda_stream_native(stream), &fit));
}

enum sp_status sp_cuda_pixels_chips(void *opened, void *net, int count, const int *which,
                                    const struct sp_norm *norm, struct sp_err *err)
{
    struct session *session = opened;
    struct sp_cuda_stream *stream = sp_cuda_net_stream(net);
    enum sp_status status = sp_cuda_enter(session->cuda, err);
    if (!status && session->busy)
        status = settle(session, err);
    if (!status)
        status = reserve(session, &session->which, (size_t)count * sizeof *which, err);
    if (status)
        return status;
    session->busy = stream;
    memcpy(session->which.host, which, (size_t)count * sizeof *which);
    status = sp_cuda_event_hold(stream, session->ready, err);
    if (!status)
        status = sp_cuda_span_begin(&session->span, stream, err);
    if (!status)
        status =
            sp_cuda_copy_in(stream, session->which.device, session->which.host, (size_t)count * sizeof *which, err);
    struct sp_cuda_chip_planes planes = {.chips = session->chips.device,
                                         .which = session->which.device,
                                         .count = count,
                                         .side = session->side,
                                         .norm = *norm,
                                         .tensor = status ? NULL : sp_cuda_net_input(net, 0, count)};
    return status ? status
                  : SP_CUDA_TRY(session->cuda, err, sp_cuda_pixel_planes(sp_cuda_stream_native(stream), &planes));
}

enum sp_status sp_cuda_pixels_run(void *opened, void *net, int count, int outputs, const int64_t *floats,
                                  const float **ret_outputs, struct sp_err *err)
{
    struct session *session = opened;
    struct sp_cuda_stream *stream = sp_cuda_net_stream(net);
    size_t at[SP_NET_MAX_PORTS], all = 0;
    for (int i = 0; i < outputs; i++) {
        at[i] = all;
        all += aligned((size_t)count * (size_t)floats[i] * sizeof(float));
    }
    enum sp_status status = sp_cuda_enter(session->cuda, err);
    if (!status)
        status = reserve(session, &session->results, all, err);
    if (!status)
        status = sp_cuda_net_enqueue(net, count, err);
    for (int i = 0; i < outputs && !status; i++)
        status = sp_cuda_copy_out(stream, (char *)session->results.host + at[i], sp_cuda_net_output(net, i, count),
                                  (size_t)count * (size_t)floats[i] * sizeof(float), err);
    status = finish(session, stream, SP_WORK_RUN, status, err);
    for (int i = 0; i < outputs && !status; i++)
        ret_outputs[i] = (const float *)(const void *)((const char *)session->results.host + at[i]);
    return status;
}

/* The anchors' copy on the device, made when they are first seen. */
static enum sp_status keep_anchors(struct session *session, const struct sp_finder *finder, const void **ret_device,
                                   struct sp_err *err)
{
    size_t bytes = (size_t)finder->places * sizeof *finder->anchors;
    for (int i = 0; i < MOST_ANCHORS; i++) {
        struct anchors *slot = &session->anchors[i];
        enum sp_status status = SP_OK;
        if (slot->host && slot->host != finder->anchors)
            continue;
        if (!slot->host) {
            if (!slot->device)
                status = sp_cuda_memory_new(&slot->device, session->cuda, bytes, err);
            if (!status)
                status = sp_cuda_upload(session->cuda, slot->device, finder->anchors, bytes, err);
            if (!status)
                slot->host = finder->anchors;
            else
                sp_cuda_memory_free(session->cuda, &slot->device);
        }
        *ret_device = slot->device;
        return status;
    }
    return sp_fail(err, SP_E_LIMIT, "pixels: more than %d detectors with anchors", MOST_ANCHORS);
}

static void name_outputs(struct sp_cuda_find *find, const struct sp_finder *finder, void *net)
{
    if (finder->kind != SP_FINDER_YUNET)
        find->boxes = sp_cuda_net_output(net, finder->boxes, find->count);
    if (finder->kind == SP_FINDER_SSD)
        find->classes = sp_cuda_net_output(net, finder->classes, find->count);
    for (int i = 0; i < SP_FINDER_LEVELS && finder->kind == SP_FINDER_YUNET; i++) {
        const int *outputs = finder->levels[i].outputs;
        find->levels[i] = (struct sp_yunet_level){.stride = finder->levels[i].stride,
                                                  .rows = finder->levels[i].rows,
                                                  .columns = finder->levels[i].columns,
                                                  .scores = sp_cuda_net_output(net, outputs[0], find->count),
                                                  .objectness = sp_cuda_net_output(net, outputs[1], find->count),
                                                  .boxes = sp_cuda_net_output(net, outputs[2], find->count),
                                                  .points = sp_cuda_net_output(net, outputs[3], find->count)};
    }
}

enum sp_status sp_cuda_pixels_find(void *opened, void *net, int count, const struct sp_finder *finder,
                                   struct sp_detections *ret_detections, struct sp_err *err)
{
    struct session *session = opened;
    struct sp_cuda_stream *stream = sp_cuda_net_stream(net);
    size_t bytes = (size_t)count * sizeof *ret_detections;
    const void *anchors = NULL;
    enum sp_status status = sp_cuda_enter(session->cuda, err);
    if (!status && finder->kind == SP_FINDER_SSD)
        status = keep_anchors(session, finder, &anchors, err);
    if (!status)
        status = reserve(session, &session->candidates,
                         (size_t)count * (size_t)finder->places * sizeof(struct sp_candidate), err);
    if (!status)
        status = reserve(session, &session->results, bytes, err);
    if (!status)
        status = sp_cuda_net_enqueue(net, count, err);
    if (status)
        return status;
    struct sp_cuda_find find = {.jobs = session->jobs.device,
                                .count = count,
                                .kind = finder->kind == SP_FINDER_SSD    ? SP_CUDA_SSD
                                        : finder->kind == SP_FINDER_TINY ? SP_CUDA_TINY
                                                                         : SP_CUDA_YUNET,
                                .places = finder->places,
                                .score_threshold = finder->score_threshold,
                                .iou_threshold = finder->iou_threshold,
                                .anchors = anchors,
                                .rows = finder->rows,
                                .columns = finder->columns,
                                .candidates = session->candidates.device,
                                .found = session->results.device};
    name_outputs(&find, finder, net);
    status = SP_CUDA_TRY(session->cuda, err, sp_cuda_pixel_find(sp_cuda_stream_native(stream), &find));
    if (!status)
        status = sp_cuda_copy_out(stream, session->results.host, session->results.device, bytes, err);
    status = finish(session, stream, SP_WORK_FIND, status, err);
    if (!status)
        memcpy(ret_detections, session->results.host, bytes);
    return status;
}

/* Halve the pictures as often as the cuts ask for, level by level, all pictures of a level together. */
static enum sp_status build_levels(struct session *session, int count, const struct sp_cut *cuts,
                                   struct sp_cuda_halve_job *host, const struct sp_cuda_halve_job *device,
                                   struct sp_err *err)
{
    int job_count = 0;
    struct {
        int first, count, most_px;
    } launches[MOST_LEVELS + 1] = {{0}};
    for (int level = 1; level <= MOST_LEVELS; level++) {
        launches[level].first = job_count;
        for (int i = 0; i < count; i++) {
            struct picture *picture = &session->pictures[cuts[i].picture];
            if (cuts[i].warp.levels < level || picture->built >= level)
                continue;
            const struct sp_view *to = &picture->levels[level];
            uintptr_t address = (uintptr_t)to->pixels; /* ours to write */
            int px = to->width * to->height;
            host[job_count++] = (struct sp_cuda_halve_job){picture->levels[level - 1], (uint8_t *)address};
            launches[level].most_px = px > launches[level].most_px ? px : launches[level].most_px;
            launches[level].count++;
            picture->built = level;
        }
    }
    if (job_count == 0)
        return SP_OK;
    enum sp_status status =
        sp_cuda_copy_in(session->stream, (void *)(uintptr_t)device, host, (size_t)job_count * sizeof *host, err);
    void *stream = sp_cuda_stream_native(session->stream);
    for (int level = 1; level <= MOST_LEVELS && !status; level++)
        if (launches[level].count && launches[level].most_px)
            status = SP_CUDA_TRY(session->cuda, err,
                                 sp_cuda_pixel_halve(stream, device + launches[level].first, launches[level].count,
                                                     launches[level].most_px));
    return status;
}

enum sp_status sp_cuda_pixels_cut(void *opened, int count, const struct sp_cut *cuts,
                                  const struct sp_face_area *area, struct sp_tally *ret_tallies, struct sp_err *err)
{
    struct session *session = opened;
    size_t warps = aligned((size_t)count * sizeof(struct sp_cuda_warp_job));
    size_t halves = (size_t)session->max_pictures * MOST_LEVELS * sizeof(struct sp_cuda_halve_job);
    enum sp_status status = sp_cuda_enter(session->cuda, err);
    if (!status && session->busy)
        status = settle(session, err);
    if (!status)
        status = reserve(session, &session->jobs, warps + halves, err);
    if (status)
        return status;
    struct sp_cuda_warp_job *jobs = session->jobs.host;
    status = sp_cuda_span_begin(&session->span, session->stream, err);
    if (status)
        return status;
    status = build_levels(
        session, count, cuts, (struct sp_cuda_halve_job *)(void *)((char *)session->jobs.host + warps),
        (const struct sp_cuda_halve_job *)(const void *)((const char *)session->jobs.device + warps), err);
    for (int i = 0; i < count; i++) {
        const struct picture *picture = &session->pictures[cuts[i].picture];
        const struct sp_warp *warp = &cuts[i].warp;
        struct sp_view view = picture->levels[warp->levels];
        view.pixels += (size_t)(warp->part.y >> warp->levels) * (size_t)view.stride +
                       (size_t)(warp->part.x >> warp->levels) * 3;
        view.width = warp->part.width >> warp->levels;
        view.height = warp->part.height >> warp->levels;
        jobs[i] = (struct sp_cuda_warp_job){view, *warp, cuts[i].map, picture->levels[0].width,
                                            picture->levels[0].height};
    }
    if (!status)
        status = sp_cuda_copy_in(session->stream, session->jobs.device, jobs, (size_t)count * sizeof *jobs, err);
    struct sp_cuda_warp warp = {.jobs = session->jobs.device,
                                .count = count,
                                .side = session->side,
                                .x0 = area->x0,
                                .y0 = area->y0,
                                .x1 = area->x1,
                                .y1 = area->y1,
                                .chips = session->chips.device,
                                .tallies = session->tallies.device};
    if (!status)
        status = SP_CUDA_TRY(session->cuda, err, sp_cuda_pixel_warp(sp_cuda_stream_native(session->stream), &warp));
    if (!status)
        status = sp_cuda_event_record(session->ready, session->stream, err);
    size_t bytes = (size_t)count * sizeof *ret_tallies;
    if (!status)
        status = sp_cuda_copy_out(session->stream, session->tallies.host, session->tallies.device, bytes, err);
    status = finish(session, session->stream, SP_WORK_CUT, status, err);
    if (!status)
        memcpy(ret_tallies, session->tallies.host, bytes);
    return status;
}
