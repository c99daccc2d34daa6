/* `sallyport model import face-api`: the npm package's weights -> five ONNX files and a pack.yaml. pack.yaml is
 * written last, so that an interrupted import leaves no pack that loads. */
#include "ops/model.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/program.h"
#include "common/seal.h"
#include "ops/faceapi_nets.h"
#include "ops/package.h"

const char sp_model_import_help[] =
    "Usage: sallyport model import face-api [options]\n"
    "Fetch the npm package " SP_PACKAGE_NAME ", check its hash, convert its nets to ONNX and write the\n"
    "default model pack. A pack that is there already and sound is kept.\n"
    "\n"
    "  -o, --output DIR    where the pack goes; default $XDG_DATA_HOME/sallyport/packs/face-api,\n"
    "                      else ~/.local/share/sallyport/packs/face-api\n"
    "      --package FILE  use this vladmandic-face-api-1.7.15.tgz; nothing is fetched\n"
    "      --keep-package DIR  keep the package's licence and its six sample photographs there\n"
    "                      (DIR/LICENSE, DIR/demo/sample1.jpg ...)\n"
    "      --force         write the pack even where one is\n"
    "\nExamples:\n"
    "  sallyport model import face-api\n"
    "  sallyport model import face-api --package vladmandic-face-api-1.7.15.tgz -o /srv/packs/face-api\n"
    "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 the package cannot be fetched, 4 its hash is wrong.\n";

enum { MAX_FILE = 64 * 1024 * 1024, MAX_NETS = 8 };

struct import {
    char output[1024];
    const char *package; /* NULL: fetch */
    const char *kept;    /* NULL: keep nothing */
    bool force;
    struct {
        const char *net;
        char sha256[65];
    } hashes[MAX_NETS];
    int hash_count;
};

/* Everything the pack says, with @NET@ where the hash of that net's file goes. docs/models.md explains the keys and
 * where the numbers are from. */
static const char pack_text[] =
    "# The default model pack, written by `sallyport model import face-api`. docs/models.md explains every key.\n"
    "format: 1\n"
    "name: face-api\n"
    "licence: \"MIT (package, detectors, landmarks); public domain (face_recognition, by dlib's author); see "
    "LICENSE\"\n"
    "detector:\n"
    "  strong:\n"
    "    kind: ssd\n"
    "    file: ssd_mobilenetv1.onnx\n"
    "    sha256: @ssd_mobilenetv1@\n"
    "    colour: rgb\n"
    "    mean: [127.5, 127.5, 127.5]\n"
    "    scale: 0.00784313725490196\n"
    "    width: 512\n"
    "    height: 512\n"
    "    score: 0.5\n"
    "    iou: 0.5\n"
    "  cheap:\n"
    "    kind: tiny\n"
    "    file: tiny_face_detector.onnx\n"
    "    sha256: @tiny_face_detector@\n"
    "    colour: rgb\n"
    "    mean: [117.001, 114.697, 97.404]\n"
    "    scale: 0.00392156862745098\n"
    "    width: 416\n"
    "    height: 416\n"
    "    score: 0.5\n"
    "    iou: 0.4\n"
    "landmarks:\n"
    "  kind: points68\n"
    "  file: face_landmark_68.onnx\n"
    "  sha256: @face_landmark_68@\n"
    "  colour: rgb\n"
    "  mean: [122.782, 117.001, 104.298]\n"
    "  scale: 0.00392156862745098\n"
    "  width: 112\n"
    "  height: 112\n"
    "align: dlib68\n"
    "embedder:\n"
    "  file: face_recognition.onnx\n"
    "  sha256: @face_recognition@\n"
    "  colour: rgb\n"
    "  mean: [122.782, 117.001, 104.298]\n"
    "  scale: 0.00392156862745098\n"
    "  width: 150\n"
    "  height: 150\n"
    "  dim: 128\n"
    "  metric: l2\n"
    "  normalise: no\n"
    "# Raw L2 distances at which one impostor comparison in 1/fmr passes.\n"
    "calibration:\n"
    "  - {fmr: 1e-1, threshold: 0.757}\n"
    "  - {fmr: 3e-2, threshold: 0.704}\n"
    "  - {fmr: 1e-2, threshold: 0.666}\n"
    "  - {fmr: 3e-3, threshold: 0.630}\n"
    "  - {fmr: 1e-3, threshold: 0.603}\n"
    "  - {fmr: 3e-4, threshold: 0.580}\n"
    "  - {fmr: 1e-4, threshold: 0.555}\n"
    "  - {fmr: 1.7e-5, threshold: 0.500}\n";

/* As mkdir -p. */
static enum sp_status make_directories(const char *path, struct sp_err *err)
{
    char part[2048];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = part + 1;; slash++) {
        slash = strchr(slash, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return sp_fail_errno(err, "%s: cannot make the directory", part);
        if (!slash)
            return SP_OK;
        *slash = '/';
    }
}

/* Write DIRECTORY/NAME, whatever it is. */
static enum sp_status write_into(const char *directory, const char *name, const void *bytes, size_t length,
                                 struct sp_err *err)
{
    char path[1280];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, name) >= sizeof path)
        return sp_fail(err, SP_E_LIMIT, "%s: the path is too long", directory);
    return sp_file_write(path, bytes, length, 0644, err);
}

static enum sp_status copy_into(const char *directory, const char *name, const char *root, const char *from,
                                struct sp_err *err)
{
    char path[1280];
    uint8_t *bytes = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "%s/%s", root, from);
    enum sp_status status = sp_file_read(&bytes, &length, path, MAX_FILE, err);
    if (status == SP_OK)
        status = write_into(directory, name, bytes, length, err);
    free(bytes);
    return status;
}

static enum sp_status convert(struct import *import, const char *models, const char *net, struct sp_err *err)
{
    struct sp_faceapi_weights *weights = NULL;
    uint8_t *onnx = NULL, hash[32];
    size_t length = 0;
    char name[128];
    snprintf(name, sizeof name, "%s.onnx", net);
    enum sp_status status = sp_faceapi_weights_load(&weights, models, net, err);
    if (status == SP_OK)
        status = sp_faceapi_nets_convert(net, weights, &onnx, &length, err);
    sp_faceapi_weights_free(&weights);
    if (status == SP_OK)
        status = write_into(import->output, name, onnx, length, err);
    if (status == SP_OK) {
        sp_seal_sha256(hash, onnx, length);
        import->hashes[import->hash_count].net = net;
        sp_seal_to_hex(import->hashes[import->hash_count++].sha256, hash, sizeof hash);
        printf("  %-24s %9zu bytes\n", name, length);
    }
    free(onnx);
    return status;
}

static const char *hash_of(const struct import *import, const char *net, size_t length)
{
    for (int i = 0; i < import->hash_count; i++)
        if (strlen(import->hashes[i].net) == length && memcmp(import->hashes[i].net, net, length) == 0)
            return import->hashes[i].sha256;
    return "unsealed";
}

static enum sp_status write_pack(const struct import *import, struct sp_err *err)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return sp_fail(err, SP_E_NOMEM, "pack.yaml: out of memory");
    for (const char *at = pack_text; *at;) {
        size_t plain = strcspn(at, "@");
        fwrite(at, 1, plain, out);
        at += plain;
        if (*at) {
            size_t name = strcspn(at + 1, "@");
            fputs(hash_of(import, at + 1, name), out);
            at += name + 2;
        }
    }
    enum sp_status status = SP_OK;
    if (fclose(out) != 0)
        status = sp_fail(err, SP_E_NOMEM, "pack.yaml: out of memory");
    else
        status = write_into(import->output, "pack.yaml", text, length, err);
    free(text);
    return status;
}

static enum sp_status keep_package(const struct import *import, const struct sp_package *package,
                                   struct sp_err *err)
{
    char demo[sizeof import->output + 8];
    const char *root = sp_package_root(package);
    snprintf(demo, sizeof demo, "%s/demo", import->kept);
    enum sp_status status = make_directories(demo, err);
    if (status == SP_OK)
        status = copy_into(import->kept, "LICENSE", root, "LICENSE", err);
    for (int i = 1; status == SP_OK && i <= SP_PACKAGE_PHOTOS; i++) {
        char name[32], from[32];
        snprintf(name, sizeof name, "sample%d.jpg", i);
        snprintf(from, sizeof from, "demo/sample%d.jpg", i);
        status = copy_into(demo, name, root, from, err);
    }
    return status;
}

static enum sp_status make_pack(struct import *import, const struct sp_package *package, struct sp_err *err)
{
    enum sp_status status = make_directories(import->output, err);
    if (status == SP_OK)
        status = copy_into(import->output, "LICENSE", sp_package_root(package), "LICENSE", err);
    for (const char *const *net = sp_faceapi_nets_names(); status == SP_OK && *net; net++)
        status = convert(import, sp_package_models(package), *net, err);
    if (status == SP_OK)
        status = write_pack(import, err);
    return status;
}

/* The last file that keep_package writes is there. */
static bool kept_already(const char *directory)
{
    char path[1280];
    struct stat about;
    snprintf(path, sizeof path, "%s/demo/sample%d.jpg", directory, SP_PACKAGE_PHOTOS);
    return stat(path, &about) == 0;
}

static enum sp_status run_import(struct import *import, struct sp_err *err)
{
    struct sp_package *package = NULL;
    struct sp_pack pack;
    struct sp_err ignored = {0};
    enum sp_status status = sp_seal_start(err);
    if (status != SP_OK)
        return status;
    bool sound = !import->force && sp_pack_load(&pack, import->output, &ignored) == SP_OK;
    bool keep = import->kept && (import->force || !kept_already(import->kept));
    if (!sound || keep)
        status = sp_package_open(&package, import->package, err);
    if (status == SP_OK && !sound)
        status = make_pack(import, package, err);
    if (status == SP_OK && keep)
        status = keep_package(import, package, err);
    sp_package_free(&package);
    if (status == SP_OK)
        status = sp_pack_load(&pack, import->output, err);
    if (status != SP_OK)
        return status;
    char fingerprint[2 * SP_PACK_FINGERPRINT_BYTES + 1];
    sp_seal_to_hex(fingerprint, pack.fingerprint, sizeof pack.fingerprint);
    printf("pack %s %s %s, fingerprint %s\n", pack.name, sound ? "is already in" : "written to", import->output,
           fingerprint);
    return SP_OK;
}

static enum sp_status default_output(char *ret_path, size_t size, struct sp_err *err)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int length = -1;
    if (data && data[0] == '/')
        length = snprintf(ret_path, size, "%s/sallyport/packs/face-api", data);
    else if (home && home[0] == '/')
        length = snprintf(ret_path, size, "%s/.local/share/sallyport/packs/face-api", home);
    if (length < 0 || (size_t)length >= size)
        return sp_fail(err, SP_E_INVALID, "no home directory to put the pack in; say where with --output DIR");
    return SP_OK;
}

int sp_model_import(int argc, char **argv)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"package", required_argument, NULL, 'p'},
        {"keep-package", required_argument, NULL, 'k'},
        {"force", no_argument, NULL, 'f'},
        {0},
    };
    struct import import = {0};
    struct sp_err err = {0};
    const char *output = NULL;
    for (int option; (option = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
        if (option == 'o')
            output = optarg;
        else if (option == 'p')
            import.package = optarg;
        else if (option == 'k')
            import.kept = optarg;
        else if (option == 'f')
            import.force = true;
        else
            return sp_command_usage("model import", "option not understood");
    }
    if (argc - optind != 1 || strcmp(argv[optind], "face-api") != 0)
        return sp_command_usage("model import", "the one thing to import is 'face-api'");
    if (output && (!*output || strlen(output) >= sizeof import.output))
        return sp_command_usage("model import", "the path given with --output is empty or too long");
    if (import.kept && (!*import.kept || strlen(import.kept) >= sizeof import.output))
        return sp_command_usage("model import", "the path given with --keep-package is empty or too long");
    if (output)
        memcpy(import.output, output, strlen(output) + 1);
    else if (default_output(import.output, sizeof import.output, &err) != SP_OK)
        return sp_command_fail(&err);
    if (run_import(&import, &err) != SP_OK)
        return sp_command_fail(&err);
    return SP_EXIT_OK;
}
