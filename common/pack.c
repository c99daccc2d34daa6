/* A pack from its directory: values by pack_read.c, then the files' hashes and the fingerprint; thresholds. */
#include "common/pack.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/pack_read.h"
#include "common/seal.h"
#include "common/yaml.h"

enum { MAX_NET_BYTES = 512 * 1024 * 1024 };

/* Raise it whenever the code between a detector's box and the embedder's input changes a chip by more than
 * rounding: landmark crop, similarity fit, resampling. Templates of before are then not comparable any more. */
enum { PIPELINE_VERSION = 2 };

static enum sp_status check_net(struct sp_pack_net *net, const char *directory, struct sp_err *err)
{
    int length = snprintf(net->path, sizeof net->path, "%s/%s", directory, net->file);
    if (length < 0 || (size_t)length >= sizeof net->path)
        return sp_fail(err, SP_E_LIMIT, "pack %s: the path is longer than %zu bytes", directory,
                       sizeof net->path - 1);
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum sp_status status = sp_file_read(&bytes, &size, net->path, MAX_NET_BYTES, err);
    if (status != SP_OK)
        return status;
    uint8_t hash[32];
    sp_seal_sha256(hash, bytes, size);
    free(bytes);
    if (memcmp(hash, net->sha256, sizeof hash) != 0) {
        char found[65];
        sp_seal_to_hex(found, hash, sizeof hash);
        return sp_fail(err, SP_E_AUTH,
                       "%s: its SHA-256 is %s, pack.yaml says otherwise: the file was changed or damaged; "
                       "make the pack anew",
                       net->path, found);
    }
    return SP_OK;
}

/* A canonical text: floats by their bits, so that no rounding of a printer decides equality. */
static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static size_t describe_net(char *text, size_t room, const char *role, const struct sp_pack_net *net)
{
    char hash[65];
    sp_seal_to_hex(hash, net->sha256, sizeof net->sha256);
    int length =
        snprintf(text, room,
                 "%s %s colour=%d mean=%08" PRIx32 ",%08" PRIx32 ",%08" PRIx32 " scale=%08" PRIx32 " size=%dx%d\n",
                 role, hash, (int)net->colour, float_bits(net->mean[0]), float_bits(net->mean[1]),
                 float_bits(net->mean[2]), float_bits(net->scale), net->width, net->height);
    return (size_t)length;
}

static void set_fingerprint(struct sp_pack *pack)
{
    char text[1024];
    size_t used = (size_t)snprintf(text, sizeof text,
                                   "sallyport pack 1\npipeline %d\nalign %d\nlandmarks %d\ndim %d\nmetric %d\n"
                                   "normalise %d\n",
                                   PIPELINE_VERSION, (int)pack->align, (int)pack->landmark_kind, pack->dim,
                                   (int)pack->metric, (int)pack->normalise);
    /* The net that gives the points decides the chip. A detector gives only a box to the landmark net, and
     * templates behind different detectors compare well (that is how the cascade works): it counts only where it
     * gives the points itself. */
    if (pack->landmark_kind == SP_LANDMARK_NONE)
        used += describe_net(text + used, sizeof text - used, "points", &pack->strong.net);
    else
        used += describe_net(text + used, sizeof text - used, "points", &pack->landmarks);
    used += describe_net(text + used, sizeof text - used, "embedder", &pack->embedder);
    sp_seal_hash(pack->fingerprint, sizeof pack->fingerprint, text, used, NULL, 0);
}

enum sp_status sp_pack_load(struct sp_pack *ret_pack, const char *directory, struct sp_err *err)
{
    char path[1024];
    int length = snprintf(path, sizeof path, "%s/pack.yaml", directory);
    if (length < 0 || (size_t)length >= sizeof path)
        return sp_fail(err, SP_E_LIMIT, "pack %.100s...: the path is longer than %zu bytes", directory,
                       sizeof path - 1);
    struct sp_yaml *yaml = NULL;
    enum sp_status status = sp_yaml_load(&yaml, path, err);
    if (status != SP_OK)
        return status;
    struct sp_pack *pack = malloc(sizeof *pack);
    if (!pack) {
        status = sp_fail(err, SP_E_NOMEM, "%s: out of memory", path);
        goto done;
    }
    status = sp_pack_read(pack, yaml, err);
    if (status == SP_OK)
        status = check_net(&pack->strong.net, directory, err);
    if (status == SP_OK && pack->cheap.kind != SP_DETECTOR_NONE)
        status = check_net(&pack->cheap.net, directory, err);
    if (status == SP_OK && pack->landmark_kind != SP_LANDMARK_NONE)
        status = check_net(&pack->landmarks, directory, err);
    if (status == SP_OK)
        status = check_net(&pack->embedder, directory, err);
    if (status != SP_OK)
        goto done;
    set_fingerprint(pack);
    *ret_pack = *pack;
done:
    free(pack);
    sp_yaml_free(&yaml);
    return status;
}

double sp_pack_threshold(const struct sp_pack *pack, double fpir, int gallery_size)
{
    int people = gallery_size < 1 ? 1 : gallery_size;
    /* 1 - (1 - fpir)^(1/N), without losing digits where fpir is small. */
    double fmr = -expm1(log1p(-fpir) / people);
    int last = pack->calibration_count - 1;
    int at = 0;
    while (at < last - 1 && fmr < pack->calibration[at + 1].fmr)
        at++;
    const struct sp_pack_calibration *a = &pack->calibration[at], *b = a + 1;
    double part = (log(fmr) - log(a->fmr)) / (log(b->fmr) - log(a->fmr));
    return a->threshold + part * (b->threshold - a->threshold);
}

double sp_pack_score(const struct sp_pack *pack, double raw)
{
    return pack->metric == SP_PACK_L2 ? 1.0 - raw : raw;
}
