#include "workers/vision.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/reason.h"
#include "gpu/pixels.h"
#include "workers/align.h"
#include "workers/detect.h"
#include "workers/embed.h"
#include "workers/landmark.h"
#include "workers/quality.h"
#include "workers/resample.h"

/* The black frames of the retries, as shares of the longer side. The first brings faces that fill their picture
 * into the detector's range. The second shows large faces to the anchors of small ones: of 23 hard crops (closed
 * eyes, dark, blurred) in which the first two tries find nothing or little, 0.5 finds 11, 1.0 finds 7, 1.6
 * finds 18. */
static const float retry_borders[] = {0.3f, 1.6f};
/* The landmark net sees nothing in a smaller crop, px. */
#define MIN_CROP_PX 8

/* One face on its way: which row and which place in its row. Everything computed for it goes there and nowhere
 * else. */
struct errand {
    int row, place;
};

/* Where a row stands with the strong detector. */
enum row_state {
    ROW_LEAVE,         /* done */
    ROW_LOOK,          /* to be looked at */
    ROW_LOOK_BORDERED, /* nothing found: to be looked at with a border */
    ROW_FOUND,         /* faces found that are not described yet */
};

/* Nets whose numbers are looked at on the host, and whether one of them was not finite. */
enum { NET_LANDMARKS, NET_EMBEDDER, NETS };
enum told { TOLD_NOTHING, TOLD_NOT_YET, TOLD };

struct sp_vision {
    const struct sp_pack *pack;
    struct sp_vision_limits limits;
    int max_batch;
    enum told not_finite[NETS];
    struct sp_resampler *resampler;
    struct sp_detector *strong;
    struct sp_detector *cheap;        /* NULL: the strong one does its work */
    struct sp_landmarker *landmarker; /* NULL: the detector's five points are used */
    struct sp_embedder *embedder;
    /* Scratch of one slice of max_batch rows. */
    struct sp_detections *detections; /* [max_batch] */
    const struct sp_image **chosen;   /* [max_batch]: images of the rows a detector is asked about */
    int *chosen_rows;                 /* [max_batch] */
    enum row_state *states;           /* [max_batch] */
    struct errand *placed;            /* [max_batch]: faces whose crops are in place for the landmark net */
    struct errand *errands;           /* [max_batch * SP_MAX_FACES] */
    struct errand *embeds;            /* [batch of the embedder]: faces whose chips are in place */
    int embed_count;
    uint8_t *chip; /* RGB of the face in hand */
    /* Where the backend keeps pictures on its device; NULL: the loops of this host. One cut: [batch of the
     * embedder]. */
    struct sp_pixels *pixels;
    struct sp_cut *cuts;
    struct sp_tally *tallies;
    struct errand *cut_errands;
    int *chips;
};

/* One slice: its rows and where its time goes. */
struct slice {
    int count;
    const struct sp_image *const *images;
    const enum sp_vision_mode *modes;
    struct sp_faces *faces;
    struct sp_vision_timings *timings;
};

struct sp_vision_limits sp_vision_limits_default(void)
{
    return (struct sp_vision_limits){
        .min_enrol_eye_px = 24,
        .min_probe_eye_px = 20,
        .min_sharpness = 10,
        .min_exposure = 10,
        .min_pose = 10,
    };
}

/* Add the time since *from to *total_us and start the next stage's. */
static void lap(struct timespec *from, uint32_t *total_us)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *total_us += (uint32_t)((now.tv_sec - from->tv_sec) * 1000000 + (now.tv_nsec - from->tv_nsec) / 1000);
    *from = now;
}

/* What cannot work together is refused at load, not at the first face. */
static enum sp_status check_pack(const struct sp_pack *pack, struct sp_err *err)
{
    bool five = pack->landmark_kind == SP_LANDMARK_NONE;
    if (pack->strong.kind == SP_DETECTOR_NONE)
        return sp_fail(err, SP_E_INVALID, "pack %s: it has no strong detector", pack->name);
    if (five && pack->align == SP_ALIGN_DLIB68)
        return sp_fail(err, SP_E_INVALID, "pack %s: alignment dlib68 needs a landmark net", pack->name);
    if (five && (pack->strong.kind != SP_DETECTOR_YUNET ||
                 (pack->cheap.kind != SP_DETECTOR_NONE && pack->cheap.kind != SP_DETECTOR_YUNET)))
        return sp_fail(err, SP_E_INVALID,
                       "pack %s: without a landmark net every detector must give five points (YuNet)", pack->name);
    return SP_OK;
}

static enum sp_status load_nets(struct sp_vision *vision, struct sp_engine *engine, struct sp_err *err)
{
    const struct sp_pack *pack = vision->pack;
    enum sp_status status = sp_detector_new(&vision->strong, engine, &pack->strong, vision->max_batch, err);
    if (status == SP_OK && pack->cheap.kind != SP_DETECTOR_NONE)
        status = sp_detector_new(&vision->cheap, engine, &pack->cheap, vision->max_batch, err);
    if (status == SP_OK && pack->landmark_kind != SP_LANDMARK_NONE)
        status = sp_landmarker_new(&vision->landmarker, engine, pack, vision->max_batch, err);
    if (status == SP_OK)
        status = sp_embedder_new(&vision->embedder, engine, pack, vision->max_batch, err);
    return status;
}

static enum sp_status take_device(struct sp_vision *vision, struct sp_engine *engine, struct sp_err *err)
{
    int batch = sp_embedder_batch(vision->embedder);
    vision->cuts = calloc((size_t)batch, sizeof *vision->cuts);
    vision->tallies = calloc((size_t)batch, sizeof *vision->tallies);
    vision->cut_errands = calloc((size_t)batch, sizeof *vision->cut_errands);
    vision->chips = calloc((size_t)batch, sizeof *vision->chips);
    if (!vision->cuts || !vision->tallies || !vision->cut_errands || !vision->chips)
        return sp_fail(err, SP_E_NOMEM, "vision: out of memory for %d chips", batch);
    return sp_pixels_new(&vision->pixels, engine, vision->max_batch, batch, sp_align_side(vision->pack->align),
                         err);
}

enum sp_status sp_vision_new(struct sp_vision **ret_vision, struct sp_engine *engine, const struct sp_pack *pack,
                             const struct sp_vision_limits *limits, int max_batch, struct sp_err *err)
{
    struct sp_vision *vision = NULL;
    enum sp_status status = check_pack(pack, err);
    if (status != SP_OK)
        return status;
    if (max_batch < 1)
        return sp_fail(err, SP_E_INVALID, "vision: a batch of %d", max_batch);
    vision = calloc(1, sizeof *vision);
    if (!vision)
        return sp_fail(err, SP_E_NOMEM, "vision: out of memory");
    vision->pack = pack;
    vision->limits = *limits;
    vision->max_batch = max_batch;
    size_t rows = (size_t)max_batch, side = (size_t)sp_align_side(pack->align);
    status = sp_resampler_new(&vision->resampler, err);
    if (status == SP_OK)
        status = load_nets(vision, engine, err);
    if (status != SP_OK)
        goto fail;
    vision->detections = calloc(rows, sizeof *vision->detections);
    vision->chosen = calloc(rows, sizeof *vision->chosen);
    vision->chosen_rows = calloc(rows, sizeof *vision->chosen_rows);
    vision->states = calloc(rows, sizeof *vision->states);
    vision->placed = calloc(rows, sizeof *vision->placed);
    vision->errands = calloc(rows * SP_MAX_FACES, sizeof *vision->errands);
    vision->embeds = calloc((size_t)sp_embedder_batch(vision->embedder), sizeof *vision->embeds);
    vision->chip = malloc(side * side * 3);
    if (sp_pixels_offered(engine) && (status = take_device(vision, engine, err)) != SP_OK)
        goto fail;
    if (!vision->detections || !vision->chosen || !vision->chosen_rows || !vision->states || !vision->placed ||
        !vision->errands || !vision->embeds || !vision->chip) {
        status = sp_fail(err, SP_E_NOMEM, "vision: out of memory for a batch of %d", max_batch);
        goto fail;
    }
    *ret_vision = vision;
    return SP_OK;
fail:
    sp_vision_free(&vision);
    return status;
}

void sp_vision_free(struct sp_vision **vision)
{
    if (!vision || !*vision)
        return;
    struct sp_vision *v = *vision;
    sp_pixels_free(&v->pixels); /* before the nets whose streams it works in */
    free(v->cuts);
    free(v->tallies);
    free(v->cut_errands);
    free(v->chips);
    sp_resampler_free(&v->resampler);
    sp_detector_free(&v->strong);
    sp_detector_free(&v->cheap);
    sp_landmarker_free(&v->landmarker);
    sp_embedder_free(&v->embedder);
    free(v->detections);
    free(v->chosen);
    free(v->chosen_rows);
    free(v->states);
    free(v->placed);
    free(v->errands);
    free(v->embeds);
    free(v->chip);
    free(v);
    *vision = NULL;
}

/* Put what the detector found for a row in place of what was there. */
static void take_detections(struct sp_faces *faces, const struct sp_detections *detections, bool strong,
                            bool bordered)
{
    faces->count = detections->count;
    faces->strong = strong;
    faces->bordered = bordered;
    for (int i = 0; i < detections->count; i++) {
        const struct sp_candidate *found = &detections->items[i];
        struct sp_face *face = &faces->faces[i];
        face->box = found->box;
        face->detector_score = found->score;
        face->point_count = found->has_points ? 5 : 0;
        for (int p = 0; p < face->point_count; p++)
            face->points[p] = found->points[p];
        face->quality = (struct sp_quality){0};
        face->reason = SP_REASON_NONE;
        face->embedded = false;
    }
}

/* Ask a detector about the rows in vision->chosen_rows[0..chosen-1]; a strong one that finds nothing leaves what a
 * cheaper one found. */
static enum sp_status detect(struct sp_vision *vision, const struct slice *slice, int chosen, bool strong,
                             float border, struct sp_err *err)
{
    struct sp_detector *detector = strong || !vision->cheap ? vision->strong : vision->cheap;
    if (chosen == 0)
        return SP_OK;
    for (int i = 0; i < chosen; i++)
        vision->chosen[i] = slice->images[vision->chosen_rows[i]];
    enum sp_status status = vision->pixels ? sp_detector_find(detector, vision->pixels, chosen, vision->chosen_rows,
                                                              vision->chosen, border, vision->detections, err)
                                           : sp_detector_run(detector, vision->resampler, chosen, vision->chosen,
                                                             border, vision->detections, err);
    if (status != SP_OK)
        return status;
    for (int i = 0; i < chosen; i++) {
        struct sp_faces *faces = &slice->faces[vision->chosen_rows[i]];
        faces->strong = detector == vision->strong;
        if (vision->detections[i].count > 0)
            take_detections(faces, &vision->detections[i], faces->strong, border > 0);
    }
    return SP_OK;
}

static void remember_not_finite(struct sp_vision *vision, int net)
{
    if (vision->not_finite[net] == TOLD_NOTHING)
        vision->not_finite[net] = TOLD_NOT_YET;
}

const char *sp_vision_not_finite(struct sp_vision *vision)
{
    const char *const paths[NETS] = {vision->pack->landmarks.path, vision->pack->embedder.path};
    for (int net = 0; net < NETS; net++) {
        if (vision->not_finite[net] != TOLD_NOT_YET)
            continue;
        vision->not_finite[net] = TOLD;
        return paths[net];
    }
    return NULL;
}

/* Run the embedder on the faces that wait for it: their chips are in place, or on the device. */
static enum sp_status flush_embeds(struct sp_vision *vision, const struct slice *slice, struct sp_err *err)
{
    if (vision->embed_count == 0)
        return SP_OK;
    enum sp_status status = vision->pixels ? sp_embedder_run_on(vision->embedder, vision->pixels,
                                                                vision->embed_count, vision->chips, err)
                                           : sp_embedder_run(vision->embedder, vision->embed_count, err);
    for (int i = 0; i < vision->embed_count && status == SP_OK; i++) {
        struct sp_face *face = &slice->faces[vision->embeds[i].row].faces[vision->embeds[i].place];
        face->embedded = sp_embedder_vector(vision->embedder, i, face->vector);
        if (!face->embedded)
            face->reason = SP_REASON_NO_FACE;
        if (!face->embedded && !sp_embedder_finite(vision->embedder, i))
            remember_not_finite(vision, NET_EMBEDDER);
    }
    vision->embed_count = 0;
    return status;
}

/* Landmarks of the faces of count errands; a face without any is NO_FACE: the detector was wrong. */
static enum sp_status find_landmarks(struct sp_vision *vision, const struct slice *slice,
                                     const struct errand *errands, int count, struct sp_err *err)
{
    struct errand *placed = vision->placed;
    for (int first = 0; first < count;) {
        int rows = 0, batch = sp_landmarker_batch(vision->landmarker);
        for (; first < count && rows < batch; first++) {
            const struct sp_image *image = slice->images[errands[first].row];
            struct sp_face *face = &slice->faces[errands[first].row].faces[errands[first].place];
            struct sp_box box = sp_landmark_box(image, &face->box);
            if (!(box.x1 - box.x0 >= MIN_CROP_PX && box.y1 - box.y0 >= MIN_CROP_PX)) {
                face->reason = SP_REASON_NO_FACE;
                continue;
            }
            enum sp_status status = SP_OK;
            if (vision->pixels)
                sp_landmarker_place(vision->landmarker, rows, errands[first].row, &box);
            else
                status = sp_landmarker_set(vision->landmarker, rows, vision->resampler, image, &box, err);
            if (status != SP_OK)
                return status;
            placed[rows++] = errands[first];
        }
        if (rows == 0)
            break;
        enum sp_status status = vision->pixels ? sp_landmarker_run_on(vision->landmarker, vision->pixels, rows, err)
                                               : sp_landmarker_run(vision->landmarker, rows, err);
        if (status != SP_OK)
            return status;
        for (int i = 0; i < rows; i++) {
            struct sp_face *face = &slice->faces[placed[i].row].faces[placed[i].place];
            face->point_count = 68;
            if (!sp_landmarker_points(vision->landmarker, i, face->points)) {
                face->reason = SP_REASON_NO_FACE;
                remember_not_finite(vision, NET_LANDMARKS);
            }
        }
    }
    return SP_OK;
}

/* Align and judge one face; what is good enough waits for the embedder. */
static enum sp_status judge(struct sp_vision *vision, const struct slice *slice, const struct errand *errand,
                            struct timespec *clock, struct sp_err *err)
{
    const struct sp_image *image = slice->images[errand->row];
    struct sp_face *face = &slice->faces[errand->row].faces[errand->place];
    struct sp_similarity map;
    bool enrol = slice->modes[errand->row] == SP_VISION_ENROL;
    if (face->reason != SP_REASON_NONE)
        return SP_OK;
    if (sp_align_map(&map, vision->pack->align, face->points, face->point_count, NULL) != SP_OK ||
        sp_resample_warp(vision->resampler, image, &map, sp_align_side(vision->pack->align), vision->chip, NULL) !=
            SP_OK) {
        face->reason = SP_REASON_NO_FACE;
        return SP_OK;
    }
    lap(clock, &slice->timings->align_us);
    struct sp_quality_face view = {.chip = vision->chip,
                                   .kind = vision->pack->align,
                                   .map = &map,
                                   .image_width = image->width,
                                   .image_height = image->height};
    sp_align_five(face->points, face->point_count, view.five);
    sp_quality_measure(&view, &face->quality);
    face->reason = sp_quality_reason(&face->quality, &vision->limits,
                                     enrol ? vision->limits.min_enrol_eye_px : vision->limits.min_probe_eye_px);
    lap(clock, &slice->timings->quality_us);
    if (face->reason != SP_REASON_NONE)
        return SP_OK;
    sp_embedder_set(vision->embedder, vision->embed_count, vision->chip);
    vision->embeds[vision->embed_count++] = *errand;
    enum sp_status status = SP_OK;
    if (vision->embed_count == sp_embedder_batch(vision->embedder))
        status = flush_embeds(vision, slice, err);
    lap(clock, &slice->timings->embed_us);
    return status;
}

/* Grade the faces that were cut on the device and embed the good ones. */
static enum sp_status judge_cuts(struct sp_vision *vision, const struct slice *slice, int count,
                                 struct timespec *clock, struct sp_err *err)
{
    struct sp_face_area area;
    if (count == 0)
        return SP_OK;
    sp_quality_area(vision->pack->align, &area.x0, &area.y0, &area.x1, &area.y1);
    enum sp_status status = sp_pixels_cut(vision->pixels, count, vision->cuts, &area, vision->tallies, err);
    lap(clock, &slice->timings->align_us);
    for (int i = 0; i < count && status == SP_OK; i++) {
        const struct errand *errand = &vision->cut_errands[i];
        struct sp_face *face = &slice->faces[errand->row].faces[errand->place];
        bool enrol = slice->modes[errand->row] == SP_VISION_ENROL;
        struct sp_point five[5];
        sp_align_five(face->points, face->point_count, five);
        sp_quality_grade(five, &vision->tallies[i], &face->quality);
        face->reason = sp_quality_reason(&face->quality, &vision->limits,
                                         enrol ? vision->limits.min_enrol_eye_px : vision->limits.min_probe_eye_px);
        if (face->reason != SP_REASON_NONE)
            continue;
        vision->chips[vision->embed_count] = i;
        vision->embeds[vision->embed_count++] = *errand;
    }
    lap(clock, &slice->timings->quality_us);
    if (status == SP_OK)
        status = flush_embeds(vision, slice, err);
    lap(clock, &slice->timings->embed_us);
    return status;
}

/* judge, for the faces of count errands whose pictures are on the device. */
static enum sp_status judge_all(struct sp_vision *vision, const struct slice *slice, const struct errand *errands,
                                int count, struct timespec *clock, struct sp_err *err)
{
    int cut = 0, batch = sp_embedder_batch(vision->embedder), side = sp_align_side(vision->pack->align);
    enum sp_status status = SP_OK;
    for (int i = 0; i < count && status == SP_OK; i++) {
        const struct sp_image *image = slice->images[errands[i].row];
        struct sp_face *face = &slice->faces[errands[i].row].faces[errands[i].place];
        struct sp_cut *next = &vision->cuts[cut];
        if (face->reason != SP_REASON_NONE)
            continue;
        next->picture = errands[i].row;
        if (sp_align_map(&next->map, vision->pack->align, face->points, face->point_count, NULL) != SP_OK ||
            sp_resample_plan_warp(&next->warp, image->width, image->height, &next->map, side, NULL) != SP_OK) {
            face->reason = SP_REASON_NO_FACE;
            continue;
        }
        vision->cut_errands[cut++] = errands[i];
        if (cut < batch)
            continue;
        status = judge_cuts(vision, slice, cut, clock, err);
        cut = 0;
    }
    return status == SP_OK ? judge_cuts(vision, slice, cut, clock, err) : status;
}

/* Landmarks, alignment, quality and templates of every face of the chosen rows. */
static enum sp_status describe(struct sp_vision *vision, const struct slice *slice, int chosen, struct sp_err *err)
{
    struct timespec clock;
    int count = 0;
    enum sp_status status = SP_OK;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    for (int i = 0; i < chosen; i++) {
        int row = vision->chosen_rows[i];
        for (int place = 0; place < slice->faces[row].count; place++)
            vision->errands[count++] = (struct errand){row, place};
    }
    if (vision->landmarker)
        status = find_landmarks(vision, slice, vision->errands, count, err);
    lap(&clock, &slice->timings->landmark_us);
    vision->embed_count = 0;
    if (vision->pixels && status == SP_OK)
        status = judge_all(vision, slice, vision->errands, count, &clock, err);
    for (int i = 0; i < count && status == SP_OK && !vision->pixels; i++)
        status = judge(vision, slice, &vision->errands[i], &clock, err);
    if (status == SP_OK)
        status = flush_embeds(vision, slice, err);
    lap(&clock, &slice->timings->embed_us);
    for (int i = 0; i < chosen && status == SP_OK; i++)
        sp_quality_set_single(&slice->faces[vision->chosen_rows[i]]);
    return status;
}

static bool usable(const struct sp_faces *faces)
{
    for (int i = 0; i < faces->count; i++)
        if (faces->faces[i].reason == SP_REASON_NONE)
            return true;
    return false;
}

/* Collect the rows in this state into vision->chosen_rows. */
static int choose(struct sp_vision *vision, int count, enum row_state state)
{
    int chosen = 0;
    for (int row = 0; row < count; row++)
        if (vision->states[row] == state)
            vision->chosen_rows[chosen++] = row;
    return chosen;
}

/* The strong detector on the rows that are to be looked at in this state; what it found moves them on. */
static enum sp_status look(struct sp_vision *vision, const struct slice *slice, enum row_state state, float border,
                           struct sp_err *err)
{
    int chosen = choose(vision, slice->count, state);
    enum sp_status status = detect(vision, slice, chosen, true, border, err);
    for (int i = 0; i < chosen && status == SP_OK; i++)
        vision->states[vision->chosen_rows[i]] = vision->detections[i].count > 0 ? ROW_FOUND : ROW_LOOK_BORDERED;
    return status;
}

/* Enrolments, and last frames without a usable face: the strong detector, then with a border where it found
 * nothing. */
static enum sp_status look_hard(struct sp_vision *vision, const struct slice *slice, struct sp_err *err)
{
    struct timespec clock;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    for (int row = 0; row < slice->count; row++) {
        const struct sp_faces *faces = &slice->faces[row];
        bool wanted =
            slice->modes[row] == SP_VISION_ENROL || (slice->modes[row] == SP_VISION_LAST && !usable(faces));
        vision->states[row] = !wanted || (faces->strong && faces->count > 0) ? ROW_LEAVE
                              : faces->strong                                ? ROW_LOOK_BORDERED
                                                                             : ROW_LOOK;
    }
    enum sp_status status = look(vision, slice, ROW_LOOK, 0, err);
    for (size_t i = 0; i < sizeof retry_borders / sizeof retry_borders[0] && status == SP_OK; i++)
        status = look(vision, slice, ROW_LOOK_BORDERED, retry_borders[i], err);
    lap(&clock, &slice->timings->detect_us);
    if (status == SP_OK)
        status = describe(vision, slice, choose(vision, slice->count, ROW_FOUND), err);
    return status;
}

static enum sp_status analyse_slice(struct sp_vision *vision, const struct slice *slice, struct sp_err *err)
{
    struct timespec clock;
    int chosen = 0;
    clock_gettime(CLOCK_MONOTONIC, &clock);
    for (int row = 0; row < slice->count; row++) {
        slice->faces[row].count = 0;
        slice->faces[row].strong = slice->faces[row].bordered = false;
        if (slice->modes[row] != SP_VISION_ENROL)
            vision->chosen_rows[chosen++] = row;
    }
    enum sp_status status = SP_OK;
    if (vision->pixels)
        status = sp_pixels_load(vision->pixels, slice->count, slice->images, err);
    if (status == SP_OK)
        status = detect(vision, slice, chosen, false, 0, err);
    lap(&clock, &slice->timings->detect_us);
    if (status == SP_OK)
        status = describe(vision, slice, chosen, err);
    if (status == SP_OK)
        status = look_hard(vision, slice, err);
    return status;
}

enum sp_status sp_vision_analyse(struct sp_vision *vision, int count, const struct sp_image *const *images,
                                 const enum sp_vision_mode *modes, struct sp_faces *ret_faces,
                                 struct sp_vision_timings *ret_timings, struct sp_err *err)
{
    struct sp_vision_timings timings = {0};
    enum sp_status status = SP_OK;
    for (int first = 0; first < count && status == SP_OK; first += vision->max_batch) {
        struct slice slice = {.count = count - first < vision->max_batch ? count - first : vision->max_batch,
                              .images = images + first,
                              .modes = modes + first,
                              .faces = ret_faces + first,
                              .timings = &timings};
        status = analyse_slice(vision, &slice, err);
    }
    if (status == SP_OK && ret_timings)
        *ret_timings = timings;
    return status;
}
