/* The manifest is JSON, which is YAML in flow style: the bounded YAML reader flattens it to keys such as
 * "0.weights.12.quantization.scale". Traps (docs/models.md): members come in any order, a group's "paths" may
 * follow its tensors, integer tensors are quantised too and must be skipped in order, float32 data may start at an
 * odd offset. */
#include "ops/faceapi_weights.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/yaml.h"

enum {
    MAX_TENSORS = 1024,
    MAX_BYTES = 64 * 1024 * 1024,
    MAX_FILES = 16,
};

struct cursor {
    const struct sp_yaml *yaml;
    const uint8_t *bytes;
    size_t length, at;
    struct sp_err *err;
};

static const struct sp_yaml_entry *member(const struct sp_yaml *yaml, const char *tensor, const char *name)
{
    char key[160];
    snprintf(key, sizeof key, "%s.%s", tensor, name);
    return sp_yaml_find(yaml, key);
}

static enum sp_status read_shape(struct cursor *c, const char *path, struct sp_faceapi_tensor *tensor)
{
    tensor->count = 1;
    for (int axis = 0;; axis++) {
        char name[16];
        snprintf(name, sizeof name, "shape.%d", axis);
        const struct sp_yaml_entry *entry = member(c->yaml, path, name);
        if (!entry)
            return SP_OK;
        double size = 0;
        if (axis == SP_FACEAPI_MAX_RANK)
            return sp_fail(c->err, SP_E_FORMAT, "%s line %d: tensor %s has more than %d dimensions",
                           c->yaml->source, entry->line, tensor->name, SP_FACEAPI_MAX_RANK);
        enum sp_status status = sp_yaml_number(&size, c->yaml, entry, 1, MAX_BYTES, c->err);
        if (status != SP_OK)
            return status;
        if (size != (double)(int64_t)size || __builtin_mul_overflow(tensor->count, (size_t)size, &tensor->count))
            return sp_fail(c->err, SP_E_FORMAT, "%s line %d: tensor %s has an impossible shape", c->yaml->source,
                           entry->line, tensor->name);
        tensor->dims[tensor->rank++] = (int64_t)size;
    }
}

/* Quantised: one byte q per value, whatever the type, meaning q * scale + min. */
static enum sp_status read_quantised(struct cursor *c, const char *path, struct sp_faceapi_tensor *tensor)
{
    const struct sp_yaml_entry *type = member(c->yaml, path, "quantization.dtype");
    const struct sp_yaml_entry *scale_entry = member(c->yaml, path, "quantization.scale");
    const struct sp_yaml_entry *min_entry = member(c->yaml, path, "quantization.min");
    if (!type || strcmp(type->value, "uint8") != 0 || !scale_entry || !min_entry)
        return sp_fail(c->err, SP_E_FORMAT, "%s: tensor %s: quantization must be {dtype: uint8, scale, min}",
                       c->yaml->source, tensor->name);
    double scale = 0, min = 0;
    enum sp_status status = sp_yaml_number(&scale, c->yaml, scale_entry, -1e6, 1e6, c->err);
    if (status == SP_OK)
        status = sp_yaml_number(&min, c->yaml, min_entry, -1e6, 1e6, c->err);
    for (size_t i = 0; status == SP_OK && i < tensor->count; i++)
        tensor->values[i] = (float)(c->bytes[c->at + i] * scale + min);
    return status;
}

static enum sp_status read_values(struct cursor *c, const char *path, struct sp_faceapi_tensor *tensor)
{
    bool quantised = member(c->yaml, path, "quantization.dtype") != NULL;
    const struct sp_yaml_entry *type = member(c->yaml, path, "dtype");
    if (!type || (strcmp(type->value, "float32") != 0 && !(quantised && strcmp(type->value, "int32") == 0)))
        return sp_fail(c->err, SP_E_FORMAT, "%s: tensor %s: dtype must be float32, or quantised int32",
                       c->yaml->source, tensor->name);
    size_t width = quantised ? 1 : sizeof(float);
    if (tensor->count > (c->length - c->at) / width)
        return sp_fail(c->err, SP_E_FORMAT, "%s: tensor %s needs %zu bytes from offset %zu, the data ends at %zu",
                       c->yaml->source, tensor->name, tensor->count * width, c->at, c->length);
    tensor->values = malloc(tensor->count * sizeof *tensor->values);
    if (!tensor->values)
        return sp_fail(c->err, SP_E_NOMEM, "%s: tensor %s: out of memory", c->yaml->source, tensor->name);
    enum sp_status status = SP_OK;
    if (quantised)
        status = read_quantised(c, path, tensor);
    else /* little-endian as we are, but not aligned */
        memcpy(tensor->values, c->bytes + c->at, tensor->count * sizeof *tensor->values);
    c->at += tensor->count * width;
    return status;
}

static enum sp_status read_tensor(struct cursor *c, const char *path, const struct sp_yaml_entry *name,
                                  struct sp_faceapi_weights *weights)
{
    struct sp_faceapi_tensor *tensor = &weights->tensors[weights->count];
    if (strlen(name->value) >= sizeof tensor->name)
        return sp_fail(c->err, SP_E_LIMIT, "%s line %d: a tensor name longer than %zu characters", c->yaml->source,
                       name->line, sizeof tensor->name - 1);
    if (sp_faceapi_weights_find(weights, name->value))
        return sp_fail(c->err, SP_E_FORMAT, "%s line %d: tensor %s is there twice", c->yaml->source, name->line,
                       name->value);
    memcpy(tensor->name, name->value, strlen(name->value) + 1);
    weights->count++;
    enum sp_status status = read_shape(c, path, tensor);
    if (status == SP_OK)
        status = read_values(c, path, tensor);
    return status;
}

static enum sp_status read_tensors(struct cursor *c, struct sp_faceapi_weights *weights)
{
    for (int group = 0;; group++) {
        int index = 0;
        for (;; index++) {
            char path[48];
            snprintf(path, sizeof path, "%d.weights.%d", group, index);
            const struct sp_yaml_entry *name = member(c->yaml, path, "name");
            if (!name)
                break;
            if (weights->count == MAX_TENSORS)
                return sp_fail(c->err, SP_E_LIMIT, "%s: more than %d tensors", c->yaml->source, MAX_TENSORS);
            enum sp_status status = read_tensor(c, path, name, weights);
            if (status != SP_OK)
                return status;
        }
        if (index == 0)
            break;
    }
    if (c->at != c->length)
        return sp_fail(c->err, SP_E_FORMAT, "%s: the tensors take %zu bytes, the data has %zu", c->yaml->source,
                       c->at, c->length);
    return SP_OK;
}

static enum sp_status read_weights(struct sp_faceapi_weights **ret_weights, const struct sp_yaml *yaml,
                                   const uint8_t *bytes, size_t length, struct sp_err *err)
{
    struct sp_faceapi_weights *weights = calloc(1, sizeof *weights);
    if (!weights || !(weights->tensors = calloc(MAX_TENSORS, sizeof *weights->tensors))) {
        free(weights);
        return sp_fail(err, SP_E_NOMEM, "%s: out of memory", yaml->source);
    }
    struct cursor cursor = {.yaml = yaml, .bytes = bytes, .length = length, .err = err};
    enum sp_status status = read_tensors(&cursor, weights);
    if (status == SP_OK)
        *ret_weights = weights;
    else
        sp_faceapi_weights_free(&weights);
    return status;
}

enum sp_status sp_faceapi_weights_parse(struct sp_faceapi_weights **ret_weights, const char *name,
                                        const void *manifest, size_t manifest_length, const uint8_t *bytes,
                                        size_t length, struct sp_err *err)
{
    if (length > MAX_BYTES)
        return sp_fail(err, SP_E_LIMIT, "%s: %zu bytes of weights, more than %d", name, length, MAX_BYTES);
    struct sp_yaml *yaml = NULL;
    enum sp_status status = sp_yaml_parse(&yaml, name, manifest, manifest_length, err);
    if (status == SP_OK)
        status = read_weights(ret_weights, yaml, bytes, length, err);
    sp_yaml_free(&yaml);
    return status;
}

/* Append one binary file to *bytes. */
static enum sp_status join_file(uint8_t **bytes, size_t *length, const char *directory, const char *file,
                                struct sp_err *err)
{
    char path[1024];
    if (strchr(file, '/') || file[0] == '.' || !file[0])
        return sp_fail(err, SP_E_FORMAT, "weights manifest in %s names the file '%.60s' outside its directory",
                       directory, file);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, file) >= sizeof path)
        return sp_fail(err, SP_E_LIMIT, "%s: the path is too long", directory);
    uint8_t *part = NULL;
    size_t part_length = 0;
    enum sp_status status = sp_file_read(&part, &part_length, path, MAX_BYTES - *length, err);
    if (status != SP_OK)
        return status;
    uint8_t *joined = realloc(*bytes, *length + part_length + 1);
    if (!joined) {
        status = sp_fail(err, SP_E_NOMEM, "%s: out of memory", path);
    } else {
        memcpy(joined + *length, part, part_length);
        *bytes = joined;
        *length += part_length;
    }
    free(part);
    return status;
}

static enum sp_status join_files(uint8_t **ret_bytes, size_t *ret_length, const char *directory,
                                 const struct sp_yaml *yaml, struct sp_err *err)
{
    int files = 0;
    for (int group = 0;; group++) {
        int index = 0;
        for (;; index++) {
            char key[48];
            snprintf(key, sizeof key, "%d.paths.%d", group, index);
            const struct sp_yaml_entry *entry = sp_yaml_find(yaml, key);
            if (!entry)
                break;
            if (++files > MAX_FILES)
                return sp_fail(err, SP_E_LIMIT, "%s: more than %d weight files", yaml->source, MAX_FILES);
            enum sp_status status = join_file(ret_bytes, ret_length, directory, entry->value, err);
            if (status != SP_OK)
                return status;
        }
        if (index == 0)
            break;
    }
    if (files == 0)
        return sp_fail(err, SP_E_FORMAT, "%s: names no weight file", yaml->source);
    return SP_OK;
}

enum sp_status sp_faceapi_weights_load(struct sp_faceapi_weights **ret_weights, const char *directory,
                                       const char *net, struct sp_err *err)
{
    char path[1024];
    if ((size_t)snprintf(path, sizeof path, "%s/%s_model-weights_manifest.json", directory, net) >= sizeof path)
        return sp_fail(err, SP_E_LIMIT, "%s: the path is too long", directory);
    struct sp_yaml *yaml = NULL;
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = sp_yaml_load(&yaml, path, err);
    if (status == SP_OK)
        status = join_files(&bytes, &length, directory, yaml, err);
    if (status == SP_OK)
        status = read_weights(ret_weights, yaml, bytes, length, err);
    free(bytes);
    sp_yaml_free(&yaml);
    return status;
}

void sp_faceapi_weights_free(struct sp_faceapi_weights **weights)
{
    if (!weights || !*weights)
        return;
    for (size_t i = 0; i < (*weights)->count; i++)
        free((*weights)->tensors[i].values);
    free((*weights)->tensors);
    free(*weights);
    *weights = NULL;
}

const struct sp_faceapi_tensor *sp_faceapi_weights_find(const struct sp_faceapi_weights *weights, const char *name)
{
    for (size_t i = 0; i < weights->count; i++)
        if (strcmp(weights->tensors[i].name, name) == 0)
            return &weights->tensors[i];
    return NULL;
}
