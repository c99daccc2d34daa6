/* Packs: a good one, each wrong value named with its line, hashes, fingerprint, thresholds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/pack.h"
#include "common/seal.h"

/* Every net of these packs is the same small file. */
static const char net_bytes[] = "a net";

static const char good[] = "format: 1\n"                                         /* 1 */
                           "name: test\n"                                        /* 2 */
                           "licence: none\n"                                     /* 3 */
                           "align: dlib68\n"                                     /* 4 */
                           "detector:\n"                                         /* 5 */
                           "  strong: {kind: ssd, score: 0.5, iou: 0.4, @NET,\n" /* 6 */
                           "    width: 512, height: 384}\n"                      /* 7 */
                           "landmarks: {kind: points68, @NET,\n"                 /* 8 */
                           "  width: 112, height: 112}\n"                        /* 9 */
                           "embedder: {dim: 128, metric: l2, normalise: no,\n"   /* 10 */
                           "  @NET,\n"                                           /* 11 */
                           "  width: 150, height: 150}\n"                        /* 12 */
                           "calibration:\n"                                      /* 13 */
                           "  - {fmr: 1e-2, threshold: 0.6}\n"                   /* 14 */
                           "  - {fmr: 1e-4, threshold: 0.4}\n";                  /* 15 */

static char directory[] = "/tmp/sallyport-test-pack-XXXXXX";
static char net_text[256];

static void write_file(const char *name, const void *bytes, size_t length)
{
    char path[256];
    struct sp_err err = {0};
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (sp_file_write(path, bytes, length, 0600, &err) != SP_OK)
        fail_msg("%s", err.text);
}

/* Put the good pack with `from` replaced by `to` (all of it) and the net's keys for @NET into the directory. */
static void write_pack(const char *from, const char *to)
{
    char text[8192], out[8192];
    const char *at = strstr(good, from);
    if (!at)
        fail_msg("the test's pack has no '%s'", from);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    out[0] = '\0';
    for (const char *rest = text; rest;) {
        char *net = strstr(rest, "@NET");
        size_t used = strlen(out);
        if (net)
            snprintf(out + used, sizeof out - used, "%.*s%s", (int)(net - rest), rest, net_text);
        else
            snprintf(out + used, sizeof out - used, "%s", rest);
        rest = net ? net + 4 : NULL;
    }
    write_file("pack.yaml", out, strlen(out));
}

static struct sp_pack load(const char *from, const char *to)
{
    struct sp_pack pack;
    struct sp_err err = {0};
    write_pack(from, to);
    if (sp_pack_load(&pack, directory, &err) != SP_OK)
        fail_msg("%s", err.text);
    return pack;
}

static void test_good(void **state)
{
    (void)state;
    struct sp_pack pack = load("", "");
    assert_string_equal(pack.name, "test");
    assert_int_equal(pack.strong.kind, SP_DETECTOR_SSD);
    assert_int_equal(pack.cheap.kind, SP_DETECTOR_NONE);
    assert_int_equal(pack.strong.net.width, 512);
    assert_int_equal(pack.strong.net.height, 384);
    assert_true(pack.strong.score_threshold == 0.5f && pack.strong.iou_threshold == 0.4f);
    assert_int_equal(pack.landmark_kind, SP_LANDMARK_68);
    assert_int_equal(pack.embedder.colour, SP_COLOUR_BGR);
    assert_true(pack.embedder.mean[0] == 1 && pack.embedder.mean[1] == 2 && pack.embedder.mean[2] == 3.5f);
    assert_true(pack.embedder.scale == 0.25f);
    assert_int_equal(pack.embedder.precision, SP_PACK_FP16);
    assert_int_equal(pack.dim, 128);
    assert_false(pack.normalise);
    assert_int_equal(pack.calibration_count, 2);
    char path[256];
    snprintf(path, sizeof path, "%s/n.onnx", directory);
    assert_string_equal(pack.embedder.path, path);
    assert_true(sp_pack_score(&pack, 0.3) == 0.7);
}

/* Of each net, and left out of the others it is fp16. */
static void test_precision(void **state)
{
    (void)state;
    struct sp_pack pack = load("width: 150", "precision: bf16, width: 150");
    assert_int_equal(pack.embedder.precision, SP_PACK_BF16);
    assert_int_equal(pack.strong.net.precision, SP_PACK_FP16);
    assert_int_equal(pack.landmarks.precision, SP_PACK_FP16);
    pack = load("width: 512", "precision: fp16, width: 512");
    assert_int_equal(pack.strong.net.precision, SP_PACK_FP16);
}

static void test_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *says;
        enum sp_status status;
    } rows[] = {
        {"format: 1", "format: 2", "line 1: format '2'", SP_E_VERSION},
        {"format: 1\n", "", "format is missing", SP_E_FORMAT},
        {"name: test", "name: ''", "line 2: name", SP_E_FORMAT},
        {"licence: none\n", "", "licence is missing", SP_E_FORMAT},
        {"dlib68", "dlib67", "line 4: align: 'dlib67' is none of", SP_E_FORMAT},
        {"kind: ssd", "kind: sdd", "line 6: detector.strong.kind", SP_E_FORMAT},
        {"kind: ssd", "kind: none", "line 6: detector.strong.kind", SP_E_FORMAT},
        {"score: 0.5", "score: 1.5", "line 6: detector.strong.score", SP_E_FORMAT},
        {"iou: 0.4", "iou: x", "line 6: detector.strong.iou", SP_E_FORMAT},
        {"width: 512", "width: 512.5", "line 7: detector.strong.width", SP_E_FORMAT},
        {"height: 384", "height: 9999", "line 7: detector.strong.height", SP_E_FORMAT},
        {"height: 384", "heigth: 384", "detector.strong.height is missing", SP_E_FORMAT},
        {"height: 384", "height: 384, depth: 3", "line 7: key detector.strong.depth is unknown", SP_E_FORMAT},
        {"points68", "points5", "line 8: landmarks.kind", SP_E_FORMAT},
        {"{kind: points68, @NET,\n  width: 112, height: 112}", "{kind: none}", "needs landmarks.kind", SP_E_FORMAT},
        {"dim: 128", "dim: 0", "line 10: embedder.dim", SP_E_FORMAT},
        {"dim: 128", "dim: 2000", "line 10: embedder.dim", SP_E_FORMAT},
        {"metric: l2", "metric: l1", "line 10: embedder.metric", SP_E_FORMAT},
        {"normalise: no", "normalise: maybe", "line 10: embedder.normalise", SP_E_FORMAT},
        {"width: 150", "precision: fp64, width: 150", "line 12: embedder.precision: 'fp64' is none of fp16|bf16",
         SP_E_FORMAT},
        {"width: 150", "width: 112", "embedder.width and height must be 150", SP_E_FORMAT},
        {"fmr: 1e-4", "fmr: 1e-1", "line 15: calibration.1.fmr", SP_E_FORMAT},
        {"threshold: 0.4", "threshold: 0.7", "line 15: calibration.1.threshold", SP_E_FORMAT},
        {"metric: l2", "metric: cosine", "line 15: calibration.1.threshold", SP_E_FORMAT},
        {", threshold: 0.4", "", "line 15: calibration.1.fmr", SP_E_FORMAT},
        {"  - {fmr: 1e-4, threshold: 0.4}\n", "", "at least two points", SP_E_FORMAT},
        {"@NET,\n    width", "@NET, file: ../n.onnx,\n    width", "given twice", SP_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_pack pack = {.dim = 77};
        struct sp_err err = {0};
        write_pack(rows[i].from, rows[i].to);
        enum sp_status status = sp_pack_load(&pack, directory, &err);
        if (status != rows[i].status || !strstr(err.text, rows[i].says))
            fail_msg("row %zu: %s: %s", i, sp_status_name(status), err.text);
        assert_int_equal(pack.dim, 77);
    }
}

/* The keys of a net, one of them wrong. */
static void refuse_net(const char *from, const char *to, enum sp_status wanted, const char *says)
{
    char saved[sizeof net_text], text[sizeof net_text];
    struct sp_pack pack;
    struct sp_err err = {0};
    memcpy(saved, net_text, sizeof saved);
    const char *at = strstr(saved, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - saved), saved, to, at + strlen(from));
    memcpy(net_text, text, sizeof text);
    write_pack("", "");
    memcpy(net_text, saved, sizeof saved);
    enum sp_status status = sp_pack_load(&pack, directory, &err);
    if (status != wanted || !strstr(err.text, says))
        fail_msg("%s -> %s: %s: %s", from, to, sp_status_name(status), err.text);
}

static void test_refuses_nets(void **state)
{
    (void)state;
    refuse_net("n.onnx", "../n.onnx", SP_E_FORMAT, "line 6: detector.strong.file");
    refuse_net("n.onnx", ".n", SP_E_FORMAT, "line 6: detector.strong.file");
    refuse_net("n.onnx", "absent.onnx", SP_E_NOTFOUND, "absent.onnx");
    refuse_net("bgr", "grb", SP_E_FORMAT, "line 6: detector.strong.colour");
    refuse_net("3.5]", "300]", SP_E_FORMAT, "line 6: detector.strong.mean.2");
    refuse_net(", 3.5]", "]", SP_E_FORMAT, "mean.2 is missing");
    refuse_net("3.5]", "3.5, 4]", SP_E_FORMAT, "mean.3 is unknown");
    refuse_net("0.25", "0", SP_E_FORMAT, "line 6: detector.strong.scale");
    char hash[65];
    const char *at = strstr(net_text, "sha256: ");
    snprintf(hash, sizeof hash, "%.64s", at + 8);
    refuse_net(hash, "unsealed", SP_E_FORMAT, "sallyport model seal");
    refuse_net(hash, "abc", SP_E_FORMAT, "line 6: detector.strong.sha256");
    refuse_net(hash, "0000000000000000000000000000000000000000000000000000000000000000", SP_E_AUTH,
               "n.onnx: its SHA-256");
    refuse_net(hash, "g000000000000000000000000000000000000000000000000000000000000000", SP_E_FORMAT,
               "not a SHA-256");
}

static bool same_print(const struct sp_pack *a, const struct sp_pack *b)
{
    return memcmp(a->fingerprint, b->fingerprint, sizeof a->fingerprint) == 0;
}

static void test_fingerprint(void **state)
{
    (void)state;
    struct sp_pack base = load("", "");
    /* What leaves templates comparable. */
    static const char *const keep[][2] = {{"name: test", "name: other"},
                                          {"score: 0.5", "score: 0.7"},
                                          {"kind: ssd", "kind: yunet"},
                                          {"width: 150", "precision: bf16, width: 150"},
                                          {"threshold: 0.4", "threshold: 0.3"}};
    for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++) {
        struct sp_pack pack = load(keep[i][0], keep[i][1]);
        if (!same_print(&base, &pack))
            fail_msg("%s changes the fingerprint", keep[i][1]);
    }
    /* What does not. */
    static const char *const change[][2] = {
        {"dim: 128", "dim: 64"},
        {"normalise: no", "normalise: yes"},
        {"height: 112", "height: 96"},
    };
    for (size_t i = 0; i < sizeof change / sizeof change[0]; i++) {
        struct sp_pack pack = load(change[i][0], change[i][1]);
        if (same_print(&base, &pack))
            fail_msg("%s keeps the fingerprint", change[i][1]);
    }
    char saved[sizeof net_text];
    memcpy(saved, net_text, sizeof saved);
    memcpy(strstr(net_text, "0.25"), "0.26", 4);
    struct sp_pack scaled = load("", "");
    memcpy(net_text, saved, sizeof saved);
    assert_false(same_print(&base, &scaled));
    struct sp_pack again = load("", "");
    assert_true(same_print(&base, &again));
}

static void test_threshold(void **state)
{
    (void)state;
    struct sp_pack pack = load("", "");
    /* One person: fmr is the fpir. */
    assert_true(fabs(sp_pack_threshold(&pack, 1e-2, 1) - 0.6) < 1e-9);
    assert_true(fabs(sp_pack_threshold(&pack, 1e-4, 1) - 0.4) < 1e-9);
    assert_true(fabs(sp_pack_threshold(&pack, 1e-3, 1) - 0.5) < 1e-9);
    /* Beyond both ends, with the outer slope of 0.1 per decade. */
    assert_true(fabs(sp_pack_threshold(&pack, 1e-6, 1) - 0.2) < 1e-9);
    assert_true(fabs(sp_pack_threshold(&pack, 0.1, 1) - 0.7) < 1e-9);
    /* A hundred people at 1 %: close to fmr 1e-4; never looser for more people. */
    assert_true(fabs(sp_pack_threshold(&pack, 1e-2, 100) - 0.4) < 1e-3);
    double before = 1;
    for (int people = 1; people < 100000; people *= 3) {
        double threshold = sp_pack_threshold(&pack, 0.03, people);
        assert_true(threshold < before);
        before = threshold;
    }
    assert_true(sp_pack_threshold(&pack, 0.03, 0) == sp_pack_threshold(&pack, 0.03, 1));
}

static int set_up(void **state)
{
    (void)state;
    uint8_t hash[32];
    char hex[65];
    struct sp_err err = {0};
    if (sp_seal_start(&err) != SP_OK || !mkdtemp(directory))
        return -1;
    sp_seal_sha256(hash, net_bytes, sizeof net_bytes);
    sp_seal_to_hex(hex, hash, sizeof hash);
    snprintf(net_text, sizeof net_text, "file: n.onnx, sha256: %s, colour: bgr, mean: [1, 2, 3.5], scale: 0.25",
             hex);
    write_file("n.onnx", net_bytes, sizeof net_bytes);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/n.onnx", directory);
    unlink(path);
    snprintf(path, sizeof path, "%s/pack.yaml", directory);
    unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),         cmocka_unit_test(test_precision),   cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_nets), cmocka_unit_test(test_fingerprint), cmocka_unit_test(test_threshold),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
