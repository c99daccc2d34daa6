/* A model pack: a directory with pack.yaml and the ONNX files it names. The pack says everything that decides a
 * template: nets, colour order, means, alignment, metric, calibration; its fingerprint travels with every template and
 * two fingerprints are never compared. docs/models.md documents every key of pack.yaml. */
#ifndef SALLYPORT_COMMON_PACK_H
#define SALLYPORT_COMMON_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

#define SP_PACK_FINGERPRINT_BYTES 16
#define SP_PACK_MAX_CALIBRATION   32

enum sp_detector_kind { SP_DETECTOR_NONE, SP_DETECTOR_SSD, SP_DETECTOR_TINY, SP_DETECTOR_YUNET };
enum sp_landmark_kind { SP_LANDMARK_NONE, SP_LANDMARK_68 }; /* NONE: the detector's own five points */
enum sp_align_kind {
    SP_ALIGN_DLIB68,  /* 150 px chip from points 27..54 and 60..64 of 68 */
    SP_ALIGN_DLIB5,   /* 150 px chip from eyes, nose, mouth corners (YuNet order) */
    SP_ALIGN_ARCFACE5 /* 112 px chip from eyes, nose, mouth corners */
};
enum sp_pack_metric { SP_PACK_L2, SP_PACK_COSINE };
enum sp_colour { SP_COLOUR_RGB, SP_COLOUR_BGR };
enum sp_pack_precision { SP_PACK_FP16, SP_PACK_BF16 }; /* of a device's activations and weights (gpu/engine.h) */

/* One net of a pack: where it is and how pixels become its input: (x - mean[c]) * scale, c in the net's colour order. */
struct sp_pack_net {
    char file[128];     /* relative to the pack's directory, no path separators that leave it; "" = absent */
    char path[1024];    /* absolute or as given: directory + file */
    uint8_t sha256[32]; /* of the file, checked at load */
    enum sp_colour colour;
    float mean[3];
    float scale;
    int width, height; /* input size in px; detectors: the largest letterbox used */
    enum sp_pack_precision precision;
};

struct sp_pack_detector {
    struct sp_pack_net net;
    enum sp_detector_kind kind;
    float score_threshold; /* 0..1 */
    float iou_threshold;   /* NMS */
};

/* One measured point: at this raw metric value, an impostor comparison passes with probability fmr. */
struct sp_pack_calibration {
    double fmr;
    double threshold; /* raw metric value: a distance for l2, a similarity for cosine */
};

struct sp_pack {
    char name[64];
    char licence[256];
    struct sp_pack_detector strong; /* enrolment, and an encounter's last try */
    struct sp_pack_detector cheap;  /* every frame; kind NONE: the strong one is used for all */
    enum sp_landmark_kind landmark_kind;
    struct sp_pack_net landmarks;
    enum sp_align_kind align;
    struct sp_pack_net embedder;
    int dim; /* of a template */
    bool normalise; /* L2-normalise the embedding before use (cosine packs); face_recognition: false */
    enum sp_pack_metric metric;
    int calibration_count; /* sorted by falling fmr */
    struct sp_pack_calibration calibration[SP_PACK_MAX_CALIBRATION];
    uint8_t fingerprint[SP_PACK_FINGERPRINT_BYTES]; /* BLAKE2b of every field and file hash that changes a template */
};

/* Read DIRECTORY/pack.yaml, check every value and every file's sha256. SP_E_FORMAT names file, line and key. Blocking. */
enum sp_status sp_pack_load(struct sp_pack *ret_pack, const char *directory, struct sp_err *err);

/* The raw metric threshold for a false positive identification rate `fpir` (0 < fpir < 1) against a gallery of
 * `gallery_size` people: fmr = 1 - (1 - fpir)^(1/N), then linear interpolation of the calibration over log(fmr),
 * extrapolated with the outermost slope beyond the table's ends. */
double sp_pack_threshold(const struct sp_pack *pack, double fpir, int gallery_size);

/* Raw metric value -> score, larger is better for every metric: l2 -> 1 - distance, cosine -> the similarity. */
double sp_pack_score(const struct sp_pack *pack, double raw);

#endif
