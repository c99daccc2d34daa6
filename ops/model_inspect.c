/* `sallyport model inspect`: what a pack or an ONNX file holds, as the engine sees it. */
#include "ops/model.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/program.h"
#include "common/seal.h"
#include "gpu/engine.h"
#include "ops/json.h"

const char sp_model_inspect_help[] =
    "Usage: sallyport model inspect PACK|FILE.onnx [options]\n"
    "Check a pack (a directory with pack.yaml) or an ONNX file and say what is in it: nets, shapes, hashes,\n"
    "calibration, fingerprint, and the steps the engine runs.\n"
    "\n"
    "      --json          one JSON object on stdout, steps included\n"
    "      --steps         also the steps of a pack's nets (of a file they are always said)\n"
    "      --size WxH      input size in px for a FILE.onnx that leaves it open; default 640x640\n"
    "      --backend B     ref, cpu, cuda or auto; default auto\n"
    "      --precision P   fp16 or bf16 on a device, for a FILE.onnx; a pack says it for each net; default fp16\n"
    "\nExamples:\n"
    "  sallyport model inspect ~/.local/share/sallyport/packs/face-api\n"
    "  sallyport model inspect yunet_n_dynamic.onnx --size 320x320 --json\n"
    "\nExit codes: 0 sound, 1 failed (damaged, an unsupported op), 2 wrong usage, 4 a hash is wrong.\n";

struct inspect {
    const char *target;
    bool json, steps;
    struct sp_engine_config config;
    struct sp_net_config size;
    struct sp_engine *engine;
};

enum sp_status sp_model_backend(enum sp_backend *ret_backend, const char *text, struct sp_err *err)
{
    static const char *const names[] = {
        [SP_BACKEND_AUTO] = "auto", [SP_BACKEND_CPU] = "cpu", [SP_BACKEND_REF] = "ref", [SP_BACKEND_CUDA] = "cuda"};
    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++)
        if (strcmp(names[i], text) == 0) {
            *ret_backend = (enum sp_backend)i;
            return SP_OK;
        }
    return sp_fail(err, SP_E_INVALID, "backend '%.40s' is none of auto, cpu, ref, cuda", text);
}

enum sp_status sp_model_precision(enum sp_precision *ret_precision, const char *text, struct sp_err *err)
{
    bool bf16 = strcmp(text, "bf16") == 0;
    if (!bf16 && strcmp(text, "fp16") != 0)
        return sp_fail(err, SP_E_INVALID, "precision '%.40s' is neither fp16 nor bf16", text);
    *ret_precision = bf16 ? SP_PRECISION_BF16 : SP_PRECISION_FP16;
    return SP_OK;
}

const char *sp_model_precision_word(enum sp_precision precision)
{
    return precision == SP_PRECISION_BF16 ? "bf16" : "fp16";
}

enum sp_precision sp_model_precision_of(const struct sp_pack_net *net)
{
    return net->precision == SP_PACK_BF16 ? SP_PRECISION_BF16 : SP_PRECISION_FP16;
}

static void print_ports(const struct sp_net *net, bool outputs)
{
    int count = outputs ? sp_net_output_count(net) : sp_net_input_count(net);
    for (int i = 0; i < count; i++) {
        const struct sp_tensor_info *info = outputs ? sp_net_output(net, i) : sp_net_input(net, i);
        printf("    %s %s [", outputs ? "output" : "input ", info->name);
        for (int d = 0; d < info->rank; d++)
            printf("%s%lld", d ? "," : "", (long long)info->dims[d]);
        printf("]\n");
    }
}

static void json_ports(struct sp_json *json, const char *key, const struct sp_net *net, bool outputs)
{
    int count = outputs ? sp_net_output_count(net) : sp_net_input_count(net);
    sp_json_open(json, key, '[');
    for (int i = 0; i < count; i++) {
        const struct sp_tensor_info *info = outputs ? sp_net_output(net, i) : sp_net_input(net, i);
        sp_json_open(json, NULL, '{');
        sp_json_text(json, "name", info->name);
        sp_json_open(json, "shape", '[');
        for (int d = 0; d < info->rank; d++)
            sp_json_number(json, NULL, (double)info->dims[d]);
        sp_json_close(json, ']');
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
}

static void print_step(void *context, const char *text)
{
    (void)context;
    printf("      %s\n", text);
}

static void json_step(void *context, const char *text)
{
    sp_json_text(context, NULL, text);
}

/* Shapes and steps of one file; json NULL: as text. */
static enum sp_status say_net(const struct inspect *inspect, struct sp_json *json, const char *path,
                              const struct sp_net_config *size, bool steps, struct sp_err *err)
{
    struct sp_net *net = NULL;
    enum sp_status status = sp_net_load(&net, inspect->engine, path, size, err);
    if (status != SP_OK)
        return status;
    if (json) {
        json_ports(json, "inputs", net, false);
        json_ports(json, "outputs", net, true);
        sp_json_open(json, "steps", '[');
        sp_net_describe(net, json_step, json);
        sp_json_close(json, ']');
    } else {
        print_ports(net, false);
        print_ports(net, true);
        if (steps)
            sp_net_describe(net, print_step, NULL);
    }
    sp_net_free(&net);
    return SP_OK;
}

static enum sp_status say_pack_net(const struct inspect *inspect, struct sp_json *json, const char *role,
                                   const char *kind, const struct sp_pack_net *net, struct sp_err *err)
{
    char hash[65];
    const char *colour = net->colour == SP_COLOUR_RGB ? "rgb" : "bgr";
    const char *precision = sp_model_precision_word(sp_model_precision_of(net));
    sp_seal_to_hex(hash, net->sha256, sizeof net->sha256);
    if (json) {
        sp_json_open(json, NULL, '{');
        sp_json_text(json, "role", role);
        sp_json_text(json, "kind", kind);
        sp_json_text(json, "file", net->file);
        sp_json_text(json, "sha256", hash);
        sp_json_text(json, "colour", colour);
        sp_json_open(json, "mean", '[');
        for (int i = 0; i < 3; i++)
            sp_json_number(json, NULL, net->mean[i]);
        sp_json_close(json, ']');
        sp_json_number(json, "scale", net->scale);
        sp_json_number(json, "width", net->width);
        sp_json_number(json, "height", net->height);
        sp_json_text(json, "precision", precision);
    } else {
        printf("  %s: %s, %s\n    sha256 %s\n    %s, mean %g %g %g, scale %.9g, %d x %d px, %s on a device\n", role,
               kind, net->file, hash, colour, net->mean[0], net->mean[1], net->mean[2], net->scale, net->width,
               net->height, precision);
    }
    const struct sp_net_config size = {
        .max_batch = 1, .height = net->height, .width = net->width, .precision = sp_model_precision_of(net)};
    enum sp_status status = say_net(inspect, json, net->path, &size, inspect->steps, err);
    if (json)
        sp_json_close(json, '}');
    return status;
}

static enum sp_status say_pack_nets(const struct inspect *inspect, struct sp_json *json, const struct sp_pack *pack,
                                    struct sp_err *err)
{
    static const char *const kinds[] = {"none", "ssd", "tiny", "yunet"};
    enum sp_status status =
        say_pack_net(inspect, json, "detector.strong", kinds[pack->strong.kind], &pack->strong.net, err);
    if (status == SP_OK && pack->cheap.kind != SP_DETECTOR_NONE)
        status = say_pack_net(inspect, json, "detector.cheap", kinds[pack->cheap.kind], &pack->cheap.net, err);
    if (status == SP_OK && pack->landmark_kind != SP_LANDMARK_NONE)
        status = say_pack_net(inspect, json, "landmarks", "points68", &pack->landmarks, err);
    if (status == SP_OK)
        status = say_pack_net(inspect, json, "embedder", "embedder", &pack->embedder, err);
    return status;
}

static enum sp_status say_pack(const struct inspect *inspect, struct sp_json *json, struct sp_err *err)
{
    static const char *const aligns[] = {"dlib68", "dlib5", "arcface5"};
    struct sp_pack pack;
    enum sp_status status = sp_pack_load(&pack, inspect->target, err);
    if (status != SP_OK)
        return status;
    char fingerprint[2 * SP_PACK_FINGERPRINT_BYTES + 1];
    const char *metric = pack.metric == SP_PACK_L2 ? "l2" : "cosine";
    sp_seal_to_hex(fingerprint, pack.fingerprint, sizeof pack.fingerprint);
    if (json) {
        sp_json_text(json, "pack", pack.name);
        sp_json_text(json, "licence", pack.licence);
        sp_json_text(json, "fingerprint", fingerprint);
        sp_json_text(json, "align", aligns[pack.align]);
        sp_json_text(json, "metric", metric);
        sp_json_number(json, "dim", pack.dim);
        sp_json_bool(json, "normalise", pack.normalise);
        sp_json_open(json, "calibration", '[');
        for (int i = 0; i < pack.calibration_count; i++) {
            sp_json_open(json, NULL, '{');
            sp_json_number(json, "fmr", pack.calibration[i].fmr);
            sp_json_number(json, "threshold", pack.calibration[i].threshold);
            sp_json_close(json, '}');
        }
        sp_json_close(json, ']');
        sp_json_open(json, "nets", '[');
    } else {
        printf("pack %s\n  licence: %s\n  fingerprint: %s\n  align %s, metric %s, %d numbers, %s\n", pack.name,
               pack.licence, fingerprint, aligns[pack.align], metric, pack.dim,
               pack.normalise ? "normalised" : "not normalised");
        for (int i = 0; i < pack.calibration_count; i++)
            printf("  fmr %-8g at %g\n", pack.calibration[i].fmr, pack.calibration[i].threshold);
    }
    status = say_pack_nets(inspect, json, &pack, err);
    if (json)
        sp_json_close(json, ']');
    return status;
}

static enum sp_status say_file(const struct inspect *inspect, struct sp_json *json, struct sp_err *err)
{
    const char *precision = sp_model_precision_word(inspect->size.precision);
    uint8_t hash[32];
    char hex[65];
    enum sp_status status = sp_model_seal_hash(hash, inspect->target, err);
    if (status != SP_OK)
        return status;
    sp_seal_to_hex(hex, hash, sizeof hash);
    if (json) {
        sp_json_text(json, "file", inspect->target);
        sp_json_text(json, "sha256", hex);
        sp_json_text(json, "precision", precision);
    } else {
        printf("%s\n    sha256 %s\n    %s on a device\n", inspect->target, hex, precision);
    }
    return say_net(inspect, json, inspect->target, &inspect->size, true, err);
}

static enum sp_status say(struct inspect *inspect, struct sp_err *err)
{
    struct stat about;
    struct sp_json json = {.out = stdout};
    struct sp_json *to = inspect->json ? &json : NULL;
    if (stat(inspect->target, &about) < 0)
        return sp_fail(err, SP_E_NOTFOUND, "%s: no such pack or file", inspect->target);
    enum sp_status status = sp_seal_start(err);
    if (status == SP_OK)
        status = sp_engine_open(&inspect->engine, &inspect->config, err);
    if (status != SP_OK)
        return status;
    if (to) {
        sp_json_open(to, NULL, '{');
        sp_json_text(to, "engine", sp_engine_describe(inspect->engine));
    }
    status = S_ISDIR(about.st_mode) ? say_pack(inspect, to, err) : say_file(inspect, to, err);
    if (to) {
        if (status != SP_OK)
            sp_json_text(to, "error", err->text);
        sp_json_close(to, '}');
        printf("\n");
    } else if (status == SP_OK) {
        printf("engine: %s\n", sp_engine_describe(inspect->engine));
    }
    sp_engine_free(&inspect->engine);
    return status;
}

int sp_model_inspect(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"steps", no_argument, NULL, 's'},
        {"size", required_argument, NULL, 'S'},
        {"backend", required_argument, NULL, 'b'},
        {"precision", required_argument, NULL, 'P'},
        {0},
    };
    struct inspect inspect = {.config.threads = 1, .size = {.max_batch = 1, .height = 640, .width = 640}};
    struct sp_err err = {0};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char after = 0;
        if (option == 'j')
            inspect.json = true;
        else if (option == 's')
            inspect.steps = true;
        else if (option == 'S' &&
                 sscanf(optarg, "%5dx%5d%c", &inspect.size.width, &inspect.size.height, &after) == 2 &&
                 inspect.size.width > 0 && inspect.size.height > 0)
            continue;
        else if (option == 'b' && sp_model_backend(&inspect.config.backend, optarg, &err) == SP_OK)
            continue;
        else if (option == 'P' && sp_model_precision(&inspect.size.precision, optarg, &err) == SP_OK)
            continue;
        else
            return sp_command_usage("model inspect", "%s", err.text[0] ? err.text : "option not understood");
    }
    if (argc - optind != 1)
        return sp_command_usage("model inspect", "expected one PACK directory or FILE.onnx");
    inspect.target = argv[optind];
    return say(&inspect, &err) == SP_OK ? SP_EXIT_OK : sp_command_fail(&err);
}
