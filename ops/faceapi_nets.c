#include "ops/faceapi_nets.h"

#include <string.h>

/* SSD is written for operator set 10, where Clip has its bounds as attributes: OpenCV's importer, the independent
 * runtime of the tests, refuses them as inputs. The others need Pad with its amounts as an input (11). */
static const struct net {
    const char *name;
    int opset;
    void (*layers)(struct sp_faceapi_build *build);
} nets[] = {
    {"ssd_mobilenetv1", 10, sp_faceapi_detectors_ssd_layers},
    {"tiny_face_detector", 11, sp_faceapi_detectors_tiny_layers},
    {"face_landmark_68", 11, sp_faceapi_landmarks_layers},
    {"face_landmark_68_tiny", 11, sp_faceapi_landmarks_tiny_layers},
    {"face_recognition", 11, sp_faceapi_recognition_layers},
};

enum { NETS = sizeof nets / sizeof nets[0] };

const char *const *sp_faceapi_nets_names(void)
{
    static const char *const names[] = {"ssd_mobilenetv1",       "tiny_face_detector", "face_landmark_68",
                                        "face_landmark_68_tiny", "face_recognition",   NULL};
    return names;
}

enum sp_status sp_faceapi_nets_convert(const char *net, const struct sp_faceapi_weights *weights,
                                       uint8_t **ret_bytes, size_t *ret_length, struct sp_err *err)
{
    for (int i = 0; i < NETS; i++) {
        if (strcmp(nets[i].name, net) != 0)
            continue;
        struct sp_faceapi_build build;
        enum sp_status status = sp_faceapi_build_start(&build, net, nets[i].opset, weights, err);
        if (status != SP_OK)
            return status;
        sp_onnx_write_meta(build.onnx, "source", "@vladmandic/face-api 1.7.15");
        nets[i].layers(&build);
        return sp_faceapi_build_finish(&build, ret_bytes, ret_length, err);
    }
    return sp_fail(err, SP_E_NOTFOUND, "face-api has no net '%s'", net);
}
