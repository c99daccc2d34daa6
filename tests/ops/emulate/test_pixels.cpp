// The pixel kernels against the CPU's stages (workers/): the same bits, on odd sizes, at edges, outside the
// picture, for floods of candidates and for tensors full of NaN. Buffers are as long as what they hold: the
// sanitizers guard their ends.
#include <cmath>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
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
#include "gpu/cuda_pixels.cu"

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

struct tables {
    std::vector<sp_tap> taps;
    std::vector<float> weights;
};

static sp_cuda_fit_job fit_job(const sp_image &image, const sp_rect &part, const sp_fit &fit, tables &room)
{
    size_t across = static_cast<size_t>(fit.inner_width * sp_pixel_most_taps(part.width, fit.inner_width));
    size_t down = static_cast<size_t>(fit.inner_height * sp_pixel_most_taps(part.height, fit.inner_height));
    room.taps.resize(static_cast<size_t>(fit.inner_width + fit.inner_height));
    room.weights.resize(across + down);
    return {image.pixels + static_cast<size_t>(part.y) * image.stride + static_cast<size_t>(part.x) * 3,
            image.stride,
            part.width,
            part.height,
            fit,
            room.taps.data(),
            room.weights.data()};
}

struct part_of {
    const picture *from;
    sp_rect rect;
    sp_fit fit;
};

static void check_fit(const std::vector<part_of> &parts, const sp_norm &norm)
{
    std::vector<tables> rooms(parts.size());
    std::vector<sp_cuda_fit_job> jobs;
    int width = parts[0].fit.width, height = parts[0].fit.height;
    size_t floats = static_cast<size_t>(width) * height * 3;
    for (size_t i = 0; i < parts.size(); i++)
        jobs.push_back(fit_job(parts[i].from->image, parts[i].rect, parts[i].fit, rooms[i]));
    std::vector<float> tensor(floats * parts.size(), NAN), wanted(floats);
    sp_cuda_fit fit = {jobs.data(), static_cast<int>(jobs.size()), width, height, norm, tensor.data()};
    assert_int_equal(sp_cuda_pixel_fit(nullptr, &fit), 0);
    sp_resampler *resampler = nullptr;
    assert_int_equal(sp_resampler_new(&resampler, nullptr), SP_OK);
    for (size_t i = 0; i < parts.size(); i++) {
        assert_int_equal(sp_resample_fit(resampler, &parts[i].from->image, &parts[i].rect, &parts[i].fit, &norm,
                                         wanted.data(), nullptr),
                         SP_OK);
        assert_memory_equal(wanted.data(), tensor.data() + i * floats, floats * sizeof(float));
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
    const sp_rect rects[] = {{0, 0, 120, 90}, {119, 89, 1, 1}, {3, 5, 8, 8}, {60, 0, 60, 7}, {0, 40, 9, 50}};
    std::vector<part_of> parts;
    for (const sp_rect &rect : rects)
        parts.push_back({&one, rect, sp_resample_centred(rect.width, rect.height, 33)});
    parts.push_back({&other, {1, 1, 29, 198}, sp_resample_centred(29, 198, 33)});
    check_fit(parts, {0, {0, 0, 0}, 1});
    check_fit({parts.back()}, {1, {1, 2, 3}, 0.5f});
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
    std::vector<sp_view> levels = {{image.pixels, image.width, image.height, image.stride}};
    std::vector<std::vector<uint8_t>> halves(static_cast<size_t>(most));
    for (auto &half : halves) {
        sp_view last = levels.back();
        int width = last.width / 2, height = last.height / 2;
        half.resize(static_cast<size_t>(width) * height * 3);
        sp_cuda_halve_job job = {last, half.data()};
        assert_int_equal(sp_cuda_pixel_halve(nullptr, &job, 1, width * height), 0);
        levels.push_back({half.data(), width, height, width * 3});
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
    std::vector<uint8_t> chips(bytes * maps.size(), 0xee), wanted(bytes);
    std::vector<sp_tally> tallies(maps.size());
    sp_quality_area(kind, &x0, &y0, &x1, &y1);
    sp_cuda_warp call = {jobs.data(),   static_cast<int>(jobs.size()), side, x0, y0, x1, y1, chips.data(),
                         tallies.data()};
    assert_int_equal(sp_cuda_pixel_warp(nullptr, &call), 0);
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
}

static void planes_are_the_cpus(void **)
{
    const int side = 19, which[3] = {4, 0, 4};
    const sp_norm norm = {1, {1, 2, 3}, 0.25f};
    std::vector<uint8_t> chips(side * side * 3 * 5);
    for (uint8_t &byte : chips)
        byte = static_cast<uint8_t>(random_bits());
    std::vector<float> tensor(3 * side * side * 3, NAN), wanted(side * side * 3);
    sp_cuda_planes planes = {chips.data(), which, 3, side, norm, tensor.data()};
    assert_int_equal(sp_cuda_pixel_planes(nullptr, &planes), 0);
    for (int i = 0; i < 3; i++) {
        sp_resample_planes(chips.data() + which[i] * side * side * 3, side, &norm, wanted.data());
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
        assert_true(a.score == b.score && a.has_points == b.has_points);
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
    std::vector<sp_candidate> scratch(static_cast<size_t>(rows) * static_cast<size_t>(call.places));
    std::vector<sp_detections> found(static_cast<size_t>(rows));
    call.jobs = jobs.data();
    call.count = rows;
    call.candidates = scratch.data();
    call.found = found.data();
    assert_int_equal(sp_cuda_pixel_find(nullptr, &call), 0);
    return found;
}

// Scores as logits: few, many, all the same, none, not numbers.
static float logit(int row)
{
    return row == 0 ? random_float(-6, 1) : row == 1 ? random_float(-1, 3) : row == 2 ? 1 : row == 3 ? -9 : NAN;
}

static void ssd_faces_are_the_cpus(void **)
{
    const int rows = 5, places = sp_detect_ssd_anchor_count(512, 512);
    std::vector<sp_ssd_anchor> anchors(static_cast<size_t>(places));
    std::vector<float> boxes(static_cast<size_t>(rows * places * 4)),
        classes(static_cast<size_t>(rows * places * 3));
    sp_detect_ssd_anchors(512, 512, anchors.data());
    for (float &value : boxes)
        value = random_float(-3, 3);
    for (size_t i = 0; i < classes.size(); i++)
        classes[i] = logit(static_cast<int>(i) / (places * 3));
    sp_fit fit = sp_resample_letterbox(picture_width, picture_height, 512, 512, 0.3f);
    sp_cuda_find call = {};
    call.kind = SP_CUDA_SSD;
    call.places = places;
    call.score_threshold = 0.6f;
    call.iou_threshold = 0.4f;
    call.boxes = boxes.data();
    call.classes = classes.data();
    call.anchors = anchors.data();
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

static void tiny_faces_are_the_cpus(void **)
{
    const int rows = 5, high = 7, wide = 9, cells = high * wide;
    std::vector<float> grid(static_cast<size_t>(rows * 25 * cells));
    for (size_t i = 0; i < grid.size(); i++)
        grid[i] = static_cast<int>(i) / cells % 5 == 4 ? logit(static_cast<int>(i) / (25 * cells))
                                                       : random_float(-2, 0.5f);
    sp_fit fit = sp_resample_letterbox(picture_width, picture_height, wide * 32, high * 32, 0);
    sp_cuda_find call = {};
    call.kind = SP_CUDA_TINY;
    call.places = 5 * cells;
    call.score_threshold = 0.5f;
    call.iou_threshold = 0.3f;
    call.boxes = grid.data();
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

static void yunet_faces_are_the_cpus(void **)
{
    const int rows = 4,
              side = 160; // the last row has more faces than are kept: one too many would leave the buffer
    std::vector<float> tensors[3][4];
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
                tensors[l][kind][i] = kind > 1   ? random_float(-1, 1)
                                      : row == 0 ? NAN
                                                 : random_float(row > 1 ? 0.2f : -1, 1);
            }
        }
        call.levels[l] = {stride,
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
        for (sp_yunet_level level : call.levels) {
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

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(letterboxes_are_the_cpus), cmocka_unit_test(crops_are_the_cpus),
        cmocka_unit_test(chips_are_the_cpus),       cmocka_unit_test(planes_are_the_cpus),
        cmocka_unit_test(ssd_faces_are_the_cpus),   cmocka_unit_test(tiny_faces_are_the_cpus),
        cmocka_unit_test(yunet_faces_are_the_cpus),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
