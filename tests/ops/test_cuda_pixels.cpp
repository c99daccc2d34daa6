// The pixel kernels against the CPU's stages (workers/): the same bits, on odd sizes, at edges, outside the
// picture, for one picture and for a full batch, for floods of candidates and for tensors full of NaN. One source
// for a device
// (`cuda_pixels`) and for the emulation (`emulated_pixels`): launchers are called directly, memory is the backend's
// own.
//
// expf is the one function whose last bits a device has of its own. Where it sizes boxes, the device is given sizes
// whose logarithm is 0, and scores that no rounding can make change places; the emulation gets all.
#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
extern "C" {
#include <cmocka.h>
#include "workers/align.h"
#include "workers/detect.h"
#include "workers/quality.h"
#include "workers/resample.h"
}
#include "gpu/cuda_pixel_launch.h"
#include "tests/ops/on_device.h"

static const int MAX_BATCH = 64; // the worker's largest pipeline.max_batch
static bool coarse;              // no box depends on a rounding of expf

static uint32_t seed = 1;

static uint32_t random_bits()
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static float random_float(float low, float high)
{
    return low + (high - low) * static_cast<float>(random_bits()) / (1 << 24);
}

// The logarithm of a box's size over its anchor's.
static float random_size(float low, float high)
{
    float value = random_float(low, high);
    return coarse ? 0 : value;
}

// A picture with some structure, whose rows are longer than its pixels.
struct picture {
    sp_image image;
    std::vector<uint8_t> bytes;
    picture(int width, int height, int padding = 5)
    {
        int stride = 3 * width + padding;
        bytes.resize(static_cast<size_t>(stride) * (height - 1) + static_cast<size_t>(3 * width));
        for (size_t i = 0; i < bytes.size(); i++)
            bytes[i] = static_cast<uint8_t>((random_bits() & 63) + (i / 40 % 3) * 64 + i % 64);
        image = {width, height, stride, bytes.data()};
    }
    picture(const picture &) = delete;
};

struct part_of {
    const picture *from;
    sp_rect rect;
    sp_fit fit;
};

static part_of centred(const picture *from, const sp_box &box)
{
    part_of part = {from, {}, {}};
    part.fit = sp_resample_centred(&box, 33, &part.rect);
    return part;
}

static void check_fit(const std::vector<part_of> &parts, const sp_norm &norm)
{
    std::vector<on_device<uint8_t>> pixels;
    std::vector<on_device<sp_tap>> taps;
    std::vector<on_device<float>> weights;
    std::vector<sp_cuda_fit_job> jobs;
    int width = parts[0].fit.width, height = parts[0].fit.height;
    size_t floats = static_cast<size_t>(width) * height * 3;
    for (const part_of &part : parts) {
        const sp_image &image = part.from->image;
        const sp_fit &fit = part.fit;
        size_t across = static_cast<size_t>(fit.inner_width * sp_pixel_most_taps(&fit.across));
        size_t down = static_cast<size_t>(fit.inner_height * sp_pixel_most_taps(&fit.down));
        pixels.emplace_back(part.from->bytes);
        taps.push_back(on_device<sp_tap>::fresh(static_cast<size_t>(fit.inner_width + fit.inner_height)));
        weights.push_back(on_device<float>::fresh(across + down));
        jobs.push_back({pixels.back().at() + static_cast<size_t>(part.rect.y) * image.stride +
                            static_cast<size_t>(part.rect.x) * 3,
                        image.stride, part.rect.width, part.rect.height, fit, taps.back().at(),
                        weights.back().at()});
    }
    on_device<sp_cuda_fit_job> table(jobs);
    on_device<float> tensor = on_device<float>::fresh(floats * parts.size());
    sp_cuda_fit fit = {table.at(), static_cast<int>(jobs.size()), width, height, norm, tensor.at()};
    assert_int_equal(sp_cuda_pixel_fit(device.native(), &fit), 0);
    std::vector<float> made = tensor.read(), wanted(floats);
    sp_resampler *resampler = nullptr;
    assert_int_equal(sp_resampler_new(&resampler, nullptr), SP_OK);
    for (size_t i = 0; i < parts.size(); i++) {
        assert_int_equal(sp_resample_fit(resampler, &parts[i].from->image, &parts[i].rect, &parts[i].fit, &norm,
                                         wanted.data(), nullptr),
                         SP_OK);
        assert_memory_equal(wanted.data(), made.data() + i * floats, floats * sizeof(float));
        taps[i].read(); // their guards
        weights[i].read();
    }
    sp_resampler_free(&resampler);
}

static void letterboxes_are_the_cpus(void **)
{
    const int sizes[][2] = {{83, 47}, {16, 16}, {16, 301}, {301, 16}, {64, 64}, {65, 129}, {5, 3}};
    const float borders[] = {0, 0.3f, 1.6f};
    for (float border : borders) {
        std::vector<picture *> pictures;
        std::vector<part_of> parts;
        for (auto &size : sizes) {
            pictures.push_back(new picture(size[0], size[1]));
            parts.push_back({pictures.back(),
                             {0, 0, size[0], size[1]},
                             sp_resample_letterbox(size[0], size[1], 64, 37, border)});
        }
        check_fit(parts, {border > 0, {127.5f, 100, 20}, 1 / 128.0f});
        for (picture *one : pictures)
            delete one;
    }
}

static void crops_are_the_cpus(void **)
{
    picture one(120, 90), other(31, 200, 0);
    const sp_box boxes[] = {{0, 0, 120, 90},
                            {119, 89, 120, 90},
                            {3, 5, 11, 13},
                            {60, 0, 120, 7},
                            {0, 40, 9, 90},
                            {0.25f, 0.5f, 119.9f, 89.01f},
                            {118.999f, 88.999f, 120, 90},
                            {33.3f, 20.7f, 66.3f, 53.7f}, // 33 px: neither grows nor shrinks
                            {40.4f, 10.6f, 48.6f, 80.1f}};
    std::vector<part_of> parts;
    for (const sp_box &box : boxes)
        parts.push_back(centred(&one, box));
    for (int i = 0; i < 40; i++) {
        float x = random_float(0, 110), y = random_float(0, 80);
        parts.push_back(centred(&one, {x, y, random_float(x + 8, 120), random_float(y + 8, 90)}));
    }
    parts.push_back(centred(&other, {1, 1, 30, 199}));
    check_fit(parts, {0, {0, 0, 0}, 1});
    check_fit({parts.back()}, {1, {1, 2, 3}, 0.5f});
}

// A batch as large as a worker's, every picture of another odd size.
static void a_full_batch_is_the_cpus(void **)
{
    std::vector<picture *> pictures;
    std::vector<part_of> parts;
    for (int i = 0; i < MAX_BATCH; i++) {
        int width = 17 + i * 37 % 101, height = 9 + i * 53 % 89;
        pictures.push_back(new picture(width, height, i % 4));
        parts.push_back({pictures.back(),
                         {0, 0, width, height},
                         sp_resample_letterbox(width, height, 47, 31, i % 2 ? 0.3f : 0)});
    }
    check_fit(parts, {1, {127.5f, 100, 20}, 1 / 128.0f});
    for (picture *one : pictures)
        delete one;
}

// Chips of one picture by the kernels: its halvings, the cuts, the sums.
static void check_chips(const picture &from, const std::vector<sp_similarity> &maps, sp_align_kind kind)
{
    const sp_image &image = from.image;
    int side = sp_align_side(kind), most = 0, x0, y0, x1, y1;
    std::vector<sp_warp> warps(maps.size());
    for (size_t i = 0; i < maps.size(); i++) {
        assert_int_equal(sp_resample_plan_warp(&warps[i], image.width, image.height, &maps[i], side, nullptr),
                         SP_OK);
        most = warps[i].levels > most ? warps[i].levels : most;
    }
    on_device<uint8_t> pixels(from.bytes);
    std::vector<sp_view> levels = {{pixels.at(), image.width, image.height, image.stride}};
    std::vector<on_device<uint8_t>> halves;
    for (int level = 0; level < most; level++) {
        sp_view last = levels.back();
        int width = last.width / 2, height = last.height / 2;
        halves.push_back(on_device<uint8_t>::fresh(static_cast<size_t>(width) * height * 3));
        on_device<sp_cuda_halve_job> job({{last, halves.back().at()}});
        if (width * height > 0)
            assert_int_equal(sp_cuda_pixel_halve(device.native(), job.at(), 1, width * height), 0);
        levels.push_back({halves.back().at(), width, height, width * 3});
        halves.back().read(); // done with the job's memory; its guards
    }
    std::vector<sp_cuda_warp_job> jobs;
    for (size_t i = 0; i < maps.size(); i++) {
        const sp_warp &warp = warps[i];
        sp_view view = levels[static_cast<size_t>(warp.levels)];
        view.pixels +=
            static_cast<size_t>(warp.part.y >> warp.levels) * view.stride + (warp.part.x >> warp.levels) * 3;
        view.width = warp.part.width >> warp.levels;
        view.height = warp.part.height >> warp.levels;
        jobs.push_back({view, warp, maps[i], image.width, image.height});
    }
    size_t bytes = static_cast<size_t>(side) * side * 3;
    on_device<sp_cuda_warp_job> table(jobs);
    on_device<uint8_t> chips_made = on_device<uint8_t>::fresh(bytes * maps.size());
    on_device<sp_tally> tallies_made = on_device<sp_tally>::fresh(maps.size());
    sp_quality_area(kind, &x0, &y0, &x1, &y1);
    sp_cuda_warp call = {table.at(),       static_cast<int>(jobs.size()), side, x0, y0, x1, y1, chips_made.at(),
                         tallies_made.at()};
    assert_int_equal(sp_cuda_pixel_warp(device.native(), &call), 0);
    std::vector<uint8_t> chips = chips_made.read(), wanted(bytes);
    std::vector<sp_tally> tallies = tallies_made.read();
    sp_resampler *resampler = nullptr;
    assert_int_equal(sp_resampler_new(&resampler, nullptr), SP_OK);
    for (size_t i = 0; i < maps.size(); i++) {
        assert_int_equal(sp_resample_warp(resampler, &image, &maps[i], side, wanted.data(), nullptr), SP_OK);
        assert_memory_equal(wanted.data(), chips.data() + i * bytes, bytes);
        sp_quality_face face = {wanted.data(), kind,         &maps[i],
                                image.width,   image.height, {{10, 10}, {60, 12}, {35, 40}, {15, 60}, {55, 62}}};
        sp_quality measured, graded;
        sp_quality_measure(&face, &measured);
        sp_quality_grade(face.five, &tallies[i], &graded);
        assert_memory_equal(&measured, &graded, sizeof graded);
    }
    sp_resampler_free(&resampler);
}

static void chips_are_the_cpus(void **)
{
    picture large(643, 411), small(40, 33);
    check_chips(large,
                {{1, 0, 0, 0},
                 {1.3f, 0.5f, -100, -300},
                 {0.4f, 0.1f, -20, 9},
                 {0.13f, -0.05f, 20, 30},
                 {0.03f, 0, 60, 60},
                 {0.3f, 0.02f, 400, 400},
                 {2, 0, -9000, 0},
                 {0.002f, 0.001f, 70, 70}},
                SP_ALIGN_DLIB68);
    check_chips(small, {{3, 0.2f, 0, 0}, {0.2f, 0.2f, 50, 40}, {1, 0, 100, 0}}, SP_ALIGN_ARCFACE5);
    check_chips(small, {{2, 0.1f, -3, 5}}, SP_ALIGN_ARCFACE5);
    std::vector<sp_similarity> many;
    for (int i = 0; i < MAX_BATCH; i++)
        many.push_back({random_float(0.05f, 2), random_float(-1, 1), random_float(-90, 90), random_float(-90, 90)});
    check_chips(large, many, SP_ALIGN_ARCFACE5);
}

static void planes_are_the_cpus(void **)
{
    const int side = 19;
    const std::vector<int> which = {4, 0, 4};
    const sp_norm norm = {1, {1, 2, 3}, 0.25f};
    std::vector<uint8_t> chips(side * side * 3 * 5);
    for (uint8_t &byte : chips)
        byte = static_cast<uint8_t>(random_bits());
    on_device<uint8_t> from(chips);
    on_device<int> numbers(which);
    on_device<float> made = on_device<float>::fresh(3 * side * side * 3);
    sp_cuda_chip_planes planes = {from.at(), numbers.at(), 3, side, norm, made.at()};
    assert_int_equal(sp_cuda_pixel_planes(device.native(), &planes), 0);
    std::vector<float> tensor = made.read(), wanted(side * side * 3);
    for (int i = 0; i < 3; i++) {
        sp_resample_planes(chips.data() + which[static_cast<size_t>(i)] * side * side * 3, side, &norm,
                           wanted.data());
        assert_memory_equal(wanted.data(), tensor.data() + i * side * side * 3, wanted.size() * sizeof(float));
    }
}

// What the CPU makes of a row's candidates.
static void finish(sp_candidates *list, const sp_fit &fit, int width, int height, float iou)
{
    sp_detect_place(list, &fit, width, height);
    sp_detect_nms(list, iou);
    sp_detect_keep_largest(list);
}

static void check_found(const sp_candidates &wanted, const sp_detections &found)
{
    assert_int_equal(wanted.count, found.count);
    for (int i = 0; i < found.count; i++) {
        const sp_candidate &a = wanted.items[i], &b = found.items[i];
        assert_memory_equal(&a.box, &b.box, sizeof a.box);
        assert_true(device.emulated ? a.score == b.score : fabsf(a.score - b.score) <= 1e-6f);
        assert_true(a.has_points == b.has_points);
        if (a.has_points)
            assert_memory_equal(a.points, b.points, sizeof a.points);
    }
}

static const int picture_width = 700, picture_height = 500;

// Run the kernel on rows whose picture, but for the fit, is the same.
static std::vector<sp_detections> find(sp_cuda_find call, const sp_fit &fit, int rows)
{
    std::vector<sp_cuda_fit_job> jobs(static_cast<size_t>(rows),
                                      {nullptr, 0, picture_width, picture_height, fit, nullptr, nullptr});
    on_device<sp_cuda_fit_job> table(jobs);
    on_device<sp_candidate> scratch =
        on_device<sp_candidate>::fresh(static_cast<size_t>(rows) * static_cast<size_t>(call.places));
    on_device<sp_detections> found = on_device<sp_detections>::fresh(static_cast<size_t>(rows));
    call.jobs = table.at();
    call.count = rows;
    call.candidates = scratch.at();
    call.found = found.at();
    assert_int_equal(sp_cuda_pixel_find(device.native(), &call), 0);
    std::vector<sp_detections> made = found.read();
    scratch.read(); // its guards
    return made;
}

// Scores as logits: few, many, all the same, none, not numbers. Coarse ones lie on a grid that no threshold is on.
static float logit(int row)
{
    float value = row == 0   ? random_float(-6, 1)
                  : row == 1 ? random_float(-1, 3)
                  : row == 2 ? 1
                  : row == 3 ? -9
                             : NAN;
    return coarse ? roundf(value * 64) / 64 : value;
}

// Every comparison that a rounding could turn, and then all of them where both sides round alike.
static void both_ways(void (*check)())
{
    coarse = true;
    check();
    coarse = false;
    if (device.emulated)
        check();
}

static void check_ssd()
{
    const int rows = 5, places = sp_detect_ssd_anchor_count(512, 512);
    std::vector<sp_ssd_anchor> anchors(static_cast<size_t>(places));
    std::vector<float> boxes(static_cast<size_t>(rows * places * 4)),
        classes(static_cast<size_t>(rows * places * 3));
    sp_detect_ssd_anchors(512, 512, anchors.data());
    for (size_t i = 0; i < boxes.size(); i++)
        boxes[i] = i % 4 < 2 ? random_float(-3, 3) : random_size(-3, 3);
    for (size_t i = 0; i < classes.size(); i++)
        classes[i] = logit(static_cast<int>(i) / (places * 3));
    sp_fit fit = sp_resample_letterbox(picture_width, picture_height, 512, 512, 0.3f);
    sp_cuda_find call = {};
    call.kind = SP_CUDA_SSD;
    call.places = places;
    call.score_threshold = 0.6f;
    call.iou_threshold = 0.4f;
    on_device<float> boxes_there(boxes), classes_there(classes);
    on_device<sp_ssd_anchor> anchors_there(anchors);
    call.boxes = boxes_there.at();
    call.classes = classes_there.at();
    call.anchors = anchors_there.at();
    std::vector<sp_detections> found = find(call, fit, rows);
    std::vector<sp_candidate> items(static_cast<size_t>(places));
    for (int row = 0; row < rows; row++) {
        sp_candidates list = {0, places, items.data()};
        sp_detect_ssd_decode(boxes.data() + row * places * 4, classes.data() + row * places * 3, anchors.data(),
                             places, 0.6f, &list);
        assert_true(row != 1 || list.count > SP_NMS_MAX_CANDIDATES); // the flood is one
        finish(&list, fit, picture_width, picture_height, 0.4f);
        check_found(list, found[static_cast<size_t>(row)]);
        assert_true(row > 2 ? list.count == 0 : list.count > 0);
    }
}

// A place within a cell is a sigmoid too; at 0 it is a half everywhere.
static float place_in_cell(float low, float high)
{
    return random_size(low, high);
}

static void check_tiny()
{
    const int rows = 5, high = 7, wide = 9, cells = high * wide;
    std::vector<float> grid(static_cast<size_t>(rows * 25 * cells));
    for (size_t i = 0; i < grid.size(); i++) {
        int plane = static_cast<int>(i) / cells % 5;
        grid[i] = plane == 4  ? logit(static_cast<int>(i) / (25 * cells))
                  : plane < 2 ? place_in_cell(-2, 0.5f)
                              : random_size(-2, 0.5f);
    }
    sp_fit fit = sp_resample_letterbox(picture_width, picture_height, wide * 32, high * 32, 0);
    sp_cuda_find call = {};
    call.kind = SP_CUDA_TINY;
    call.places = 5 * cells;
    call.score_threshold = 0.5f;
    call.iou_threshold = 0.3f;
    on_device<float> there(grid);
    call.boxes = there.at();
    call.rows = high;
    call.columns = wide;
    std::vector<sp_detections> found = find(call, fit, rows);
    std::vector<sp_candidate> items(5 * cells);
    for (int row = 0; row < rows; row++) {
        sp_candidates list = {0, 5 * cells, items.data()};
        sp_detect_tiny_decode(grid.data() + row * 25 * cells, high, wide, 0.5f, &list);
        finish(&list, fit, picture_width, picture_height, 0.3f);
        check_found(list, found[static_cast<size_t>(row)]);
    }
}

static void check_yunet()
{
    const int rows = 4,
              side = 160; // the last row has more faces than are kept: one too many would leave the buffer
    std::vector<float> tensors[3][4];
    std::vector<on_device<float>> there;
    sp_yunet_level levels[3];
    sp_cuda_find call = {};
    call.kind = SP_CUDA_YUNET;
    call.score_threshold = 0.6f;
    call.iou_threshold = 0.3f;
    for (int l = 0; l < 3; l++) {
        int stride = 8 << l, cells = (side / stride) * (side / stride);
        const int floats[4] = {1, 1, 4, 10};
        for (int kind = 0; kind < 4; kind++) {
            tensors[l][kind].resize(static_cast<size_t>(rows * cells * floats[kind]));
            for (size_t i = 0; i < tensors[l][kind].size(); i++) {
                int row = static_cast<int>(i) / (cells * floats[kind]);
                tensors[l][kind][i] = kind == 2 && i % 4 > 1 ? random_size(-1, 1)
                                      : kind > 1             ? random_float(-1, 1)
                                      : row == 0             ? NAN
                                                             : random_float(row > 1 ? 0.2f : -1, 1);
            }
        }
        for (int kind = 0; kind < 4; kind++)
            there.emplace_back(tensors[l][kind]);
        const on_device<float> *last = &there[static_cast<size_t>(l) * 4];
        call.levels[l] = {stride,       side / stride, side / stride, last[0].at(),
                          last[1].at(), last[2].at(),  last[3].at()};
        levels[l] = {stride,
                     side / stride,
                     side / stride,
                     tensors[l][0].data(),
                     tensors[l][1].data(),
                     tensors[l][2].data(),
                     tensors[l][3].data()};
        call.places += cells;
    }
    sp_fit fit = sp_resample_letterbox(picture_width, picture_height, side, side, 0);
    std::vector<sp_detections> found = find(call, fit, rows);
    std::vector<sp_candidate> items(static_cast<size_t>(call.places));
    for (int row = 0; row < rows; row++) {
        sp_candidates list = {0, call.places, items.data()};
        for (sp_yunet_level level : levels) {
            int first = row * level.rows * level.columns;
            level.scores += first;
            level.objectness += first;
            level.boxes += first * 4;
            level.points += first * 10;
            sp_detect_yunet_decode(&level, 0.6f, &list);
        }
        finish(&list, fit, picture_width, picture_height, 0.3f);
        check_found(list, found[static_cast<size_t>(row)]);
        assert_true(row == 0 ? list.count == 0 : row > 1 ? list.count == SP_MAX_FACES : list.count > 0);
    }
}

static void ssd_faces_are_the_cpus(void **)
{
    both_ways(check_ssd);
}

static void tiny_faces_are_the_cpus(void **)
{
    both_ways(check_tiny);
}

static void yunet_faces_are_the_cpus(void **)
{
    both_ways(check_yunet);
}

// One face a row, at a full batch: its size goes through expf, and may differ by 1e-5 of itself.
static void sizes_are_nearly_the_cpus(void **)
{
    const int high = 7, wide = 9, cells = high * wide;
    std::vector<float> grid(static_cast<size_t>(MAX_BATCH * 25 * cells), -20);
    for (int row = 0; row < MAX_BATCH; row++)
        for (int plane = 0; plane < 5; plane++) {
            size_t at = static_cast<size_t>((row * 25 + row % 5 * 5 + plane) * cells + row * 7 % cells);
            grid[at] = plane == 4 ? 2 : random_float(-1, 0.3f);
        }
    sp_fit fit = sp_resample_letterbox(picture_width, picture_height, wide * 32, high * 32, 0);
    on_device<float> there(grid);
    sp_cuda_find call = {};
    call.kind = SP_CUDA_TINY;
    call.places = 5 * cells;
    call.score_threshold = 0.5f;
    call.iou_threshold = 0.3f;
    call.boxes = there.at();
    call.rows = high;
    call.columns = wide;
    std::vector<sp_detections> found = find(call, fit, MAX_BATCH);
    std::vector<sp_candidate> items(5 * cells);
    for (int row = 0; row < MAX_BATCH; row++) {
        sp_candidates list = {0, 5 * cells, items.data()};
        sp_detect_tiny_decode(grid.data() + row * 25 * cells, high, wide, 0.5f, &list);
        finish(&list, fit, picture_width, picture_height, 0.3f);
        const sp_box &a = list.items[0].box, &b = found[static_cast<size_t>(row)].items[0].box;
        assert_int_equal(list.count, 1);
        assert_int_equal(found[static_cast<size_t>(row)].count, 1);
        float most = 1e-5f * fmaxf(a.x1 - a.x0, a.y1 - a.y0) + 1e-4f; // and rounding of places up to 700
        assert_true(fabsf(a.x0 - b.x0) <= most && fabsf(a.x1 - b.x1) <= most);
        assert_true(fabsf(a.y0 - b.y0) <= most && fabsf(a.y1 - b.y1) <= most);
    }
}

int main(int argc, char **argv)
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(letterboxes_are_the_cpus),  cmocka_unit_test(crops_are_the_cpus),
        cmocka_unit_test(a_full_batch_is_the_cpus),  cmocka_unit_test(chips_are_the_cpus),
        cmocka_unit_test(planes_are_the_cpus),       cmocka_unit_test(ssd_faces_are_the_cpus),
        cmocka_unit_test(tiny_faces_are_the_cpus),   cmocka_unit_test(yunet_faces_are_the_cpus),
        cmocka_unit_test(sizes_are_nearly_the_cpus),
    };
    int failed = open_device(argc, argv);
    if (failed >= 0)
        return failed;
    RUN_ON_DEVICE(failed, "pixels", tests);
    close_device();
    return failed;
}
