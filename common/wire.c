#include "common/wire.h"

#include <math.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_MAP    32 /* pairs whose keys are compared each with each; larger maps are sorted */
#define WRITER_DEPTH 16
#define CHUNK_MIN    512u
#define CHUNK_MAX    (64u << 10)

/* ---- reading ---- */

struct sp_wire_doc {
    msgpack_zone zone; /* arrays and maps of the tree; strings and bins stay in the caller's bytes */
    msgpack_object root;
};

/* A value is the library's object; only this file knows. */
static const msgpack_object *object_of(const sp_wire_value *value)
{
    return (const msgpack_object *)value;
}

static const sp_wire_value *value_of(const msgpack_object *object)
{
    return (const sp_wire_value *)object;
}

static bool same_key(const msgpack_object_str *a, const msgpack_object_str *b)
{
    return a->size == b->size && memcmp(a->ptr, b->ptr, a->size) == 0;
}

static int compare_keys(const void *a, const void *b)
{
    const msgpack_object_str *x = *(const msgpack_object_str *const *)a, *y = *(const msgpack_object_str *const *)b;
    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return memcmp(x->ptr, y->ptr, x->size);
}

static enum sp_status repeated_key(const msgpack_object_str *key, struct sp_err *err)
{
    return sp_fail(err, SP_E_FORMAT, "msgpack: key \"%.*s\" stands twice in a map",
                   (int)(key->size < 40 ? key->size : 40), key->ptr);
}

static enum sp_status check_large_map(const msgpack_object_map *map, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    const msgpack_object_str **keys = malloc(map->size * sizeof *keys);
    if (!keys)
        return sp_fail(err, SP_E_NOMEM, "no memory to check a map of %u pairs", map->size);
    for (uint32_t i = 0; i < map->size; i++)
        keys[i] = &map->ptr[i].key.via.str;
    qsort(keys, map->size, sizeof *keys, compare_keys);
    for (uint32_t i = 1; i < map->size && status == SP_OK; i++)
        if (same_key(keys[i - 1], keys[i]))
            status = repeated_key(keys[i], err);
    free(keys);
    return status;
}

static enum sp_status check_map(const msgpack_object_map *map, struct sp_err *err)
{
    if (map->size > SMALL_MAP)
        return check_large_map(map, err);
    for (uint32_t i = 1; i < map->size; i++)
        for (uint32_t j = 0; j < i; j++)
            if (same_key(&map->ptr[i].key.via.str, &map->ptr[j].key.via.str))
                return repeated_key(&map->ptr[i].key.via.str, err);
    return SP_OK;
}

/* No map below `object` has a key twice. The scan has bounded the depth of this recursion. */
static enum sp_status check_keys(const msgpack_object *object, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    if (object->type == MSGPACK_OBJECT_MAP) {
        status = check_map(&object->via.map, err);
        for (uint32_t i = 0; i < object->via.map.size && status == SP_OK; i++)
            status = check_keys(&object->via.map.ptr[i].val, err);
    } else if (object->type == MSGPACK_OBJECT_ARRAY) {
        for (uint32_t i = 0; i < object->via.array.size && status == SP_OK; i++)
            status = check_keys(&object->via.array.ptr[i], err);
    }
    return status;
}

enum sp_status sp_wire_parse(struct sp_wire_doc **ret_doc, const void *bytes, size_t length,
                             const struct sp_wire_limits *limits, struct sp_err *err)
{
    enum sp_status status = sp_wire_scan(bytes, length, limits, err);
    if (status != SP_OK)
        return status;
    size_t chunk = 2 * length < CHUNK_MIN ? CHUNK_MIN : 2 * length > CHUNK_MAX ? CHUNK_MAX : 2 * length;
    struct sp_wire_doc *doc = malloc(sizeof *doc);
    if (!doc || !msgpack_zone_init(&doc->zone, chunk)) {
        free(doc);
        return sp_fail(err, SP_E_NOMEM, "no memory for a document of %zu bytes", length);
    }
    size_t offset = 0;
    msgpack_unpack_return result = msgpack_unpack(bytes, length, &offset, &doc->zone, &doc->root);
    if (result == MSGPACK_UNPACK_NOMEM_ERROR)
        status = sp_fail(err, SP_E_NOMEM, "no memory for a document of %zu bytes", length);
    else if (result != MSGPACK_UNPACK_SUCCESS)
        status = sp_fail(err, SP_E_FORMAT, "msgpack of %zu bytes does not unpack (%d)", length, (int)result);
    else
        status = check_keys(&doc->root, err);
    if (status != SP_OK) {
        sp_wire_free(&doc);
        return status;
    }
    *ret_doc = doc;
    return SP_OK;
}

void sp_wire_free(struct sp_wire_doc **doc)
{
    if (!*doc)
        return;
    msgpack_zone_destroy(&(*doc)->zone);
    free(*doc);
    *doc = NULL;
}

const sp_wire_value *sp_wire_root(const struct sp_wire_doc *doc)
{
    return value_of(&doc->root);
}

bool sp_wire_is_map(const sp_wire_value *value)
{
    return value && object_of(value)->type == MSGPACK_OBJECT_MAP;
}

bool sp_wire_is_array(const sp_wire_value *value)
{
    return value && object_of(value)->type == MSGPACK_OBJECT_ARRAY;
}

bool sp_wire_is_nil(const sp_wire_value *value)
{
    return value && object_of(value)->type == MSGPACK_OBJECT_NIL;
}

int sp_wire_count(const sp_wire_value *array_or_map)
{
    if (sp_wire_is_array(array_or_map))
        return (int)object_of(array_or_map)->via.array.size;
    return sp_wire_is_map(array_or_map) ? (int)object_of(array_or_map)->via.map.size : 0;
}

const sp_wire_value *sp_wire_at(const sp_wire_value *array, int index)
{
    if (!sp_wire_is_array(array) || index < 0 || index >= sp_wire_count(array))
        return NULL;
    return value_of(&object_of(array)->via.array.ptr[index]);
}

const sp_wire_value *sp_wire_find(const sp_wire_value *map, const char *key)
{
    if (!sp_wire_is_map(map))
        return NULL;
    const msgpack_object_map *pairs = &object_of(map)->via.map;
    size_t length = strlen(key);
    for (uint32_t i = 0; i < pairs->size; i++) {
        const msgpack_object_str *have = &pairs->ptr[i].key.via.str;
        if (have->size == length && memcmp(have->ptr, key, length) == 0)
            return value_of(&pairs->ptr[i].val);
    }
    return NULL;
}

/* The bytes form whole UTF-8 characters (no surrogates, no overlong forms, nothing past U+10FFFF) and hold no NUL.
 */
static bool is_text(const uint8_t *p, size_t length)
{
    for (const uint8_t *end = p + length; p < end;) {
        int more = *p < 0x80 ? 0 : *p < 0xc2 ? -1 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : *p < 0xf5 ? 3 : -1;
        if (*p == 0 || more < 0 || end - p <= more)
            return false;
        if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
            (*p == 0xf4 && p[1] > 0x8f))
            return false;
        for (p++; more > 0; more--, p++)
            if ((*p & 0xc0) != 0x80)
                return false;
    }
    return true;
}

bool sp_wire_as_uint(const sp_wire_value *value, uint64_t max, uint64_t *ret)
{
    const msgpack_object *object = object_of(value);
    if (!object || object->type != MSGPACK_OBJECT_POSITIVE_INTEGER || object->via.u64 > max)
        return false;
    *ret = object->via.u64;
    return true;
}

bool sp_wire_as_int(const sp_wire_value *value, int64_t *ret)
{
    const msgpack_object *object = object_of(value);
    if (object && object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        *ret = object->via.i64;
    else if (object && object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 <= INT64_MAX)
        *ret = (int64_t)object->via.u64;
    else
        return false;
    return true;
}

bool sp_wire_as_double(const sp_wire_value *value, double *ret)
{
    const msgpack_object *object = object_of(value);
    int64_t whole;
    if (object && (object->type == MSGPACK_OBJECT_FLOAT32 || object->type == MSGPACK_OBJECT_FLOAT64) &&
        isfinite(object->via.f64))
        *ret = object->via.f64;
    else if (sp_wire_as_int(value, &whole))
        *ret = (double)whole;
    else
        return false;
    return true;
}

bool sp_wire_as_text(const sp_wire_value *value, char *ret_text, size_t capacity)
{
    const msgpack_object *object = object_of(value);
    if (!object || object->type != MSGPACK_OBJECT_STR || object->via.str.size >= capacity ||
        !is_text((const uint8_t *)object->via.str.ptr, object->via.str.size))
        return false;
    memcpy(ret_text, object->via.str.ptr, object->via.str.size);
    ret_text[object->via.str.size] = 0;
    return true;
}

bool sp_wire_as_view(const sp_wire_value *value, const uint8_t **ret_bytes, size_t *ret_length)
{
    const msgpack_object *object = object_of(value);
    if (!object || object->type != MSGPACK_OBJECT_BIN)
        return false;
    *ret_bytes = (const uint8_t *)object->via.bin.ptr;
    *ret_length = object->via.bin.size;
    return true;
}

/* The value of a key that must be there; NULL with err filled where it is not. */
static const msgpack_object *require(const sp_wire_value *map, const char *key, struct sp_err *err)
{
    const sp_wire_value *value = sp_wire_find(map, key);
    if (value && !sp_wire_is_nil(value))
        return object_of(value);
    sp_fail(err, SP_E_NOTFOUND, "field \"%s\" is missing", key);
    return NULL;
}

static enum sp_status wrong_type(const char *key, const char *wanted, struct sp_err *err)
{
    return sp_fail(err, SP_E_FORMAT, "field \"%s\" is not %s", key, wanted);
}

static bool is_integer(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER || object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
}

enum sp_status sp_wire_get_uint(const sp_wire_value *map, const char *key, uint64_t max, uint64_t *ret,
                                struct sp_err *err)
{
    const msgpack_object *object = require(map, key, err);
    if (!object)
        return SP_E_NOTFOUND;
    if (!is_integer(object))
        return wrong_type(key, "an integer", err);
    if (!sp_wire_as_uint(value_of(object), max, ret))
        return sp_fail(err, SP_E_LIMIT, "field \"%s\" is not within 0...%llu", key, (unsigned long long)max);
    return SP_OK;
}

enum sp_status sp_wire_get_int(const sp_wire_value *map, const char *key, int64_t min, int64_t max, int64_t *ret,
                               struct sp_err *err)
{
    const msgpack_object *object = require(map, key, err);
    int64_t value;
    if (!object)
        return SP_E_NOTFOUND;
    if (!is_integer(object))
        return wrong_type(key, "an integer", err);
    if (!sp_wire_as_int(value_of(object), &value) || value < min || value > max)
        return sp_fail(err, SP_E_LIMIT, "field \"%s\" is not within %lld...%lld", key, (long long)min,
                       (long long)max);
    *ret = value;
    return SP_OK;
}

enum sp_status sp_wire_get_double(const sp_wire_value *map, const char *key, double *ret, struct sp_err *err)
{
    const msgpack_object *object = require(map, key, err);
    if (!object)
        return SP_E_NOTFOUND;
    return sp_wire_as_double(value_of(object), ret) ? SP_OK : wrong_type(key, "a finite number", err);
}

enum sp_status sp_wire_get_bool(const sp_wire_value *map, const char *key, bool *ret, struct sp_err *err)
{
    const msgpack_object *object = require(map, key, err);
    if (!object)
        return SP_E_NOTFOUND;
    if (object->type != MSGPACK_OBJECT_BOOLEAN)
        return wrong_type(key, "true or false", err);
    *ret = object->via.boolean;
    return SP_OK;
}

enum sp_status sp_wire_get_text(const sp_wire_value *map, const char *key, char *ret_text, size_t capacity,
                                struct sp_err *err)
{
    const msgpack_object *object = require(map, key, err);
    if (!object)
        return SP_E_NOTFOUND;
    if (object->type != MSGPACK_OBJECT_STR)
        return wrong_type(key, "text", err);
    if (object->via.str.size >= capacity)
        return sp_fail(err, SP_E_LIMIT, "field \"%s\" has %u bytes, at most %zu are allowed", key,
                       object->via.str.size, capacity - 1);
    return sp_wire_as_text(value_of(object), ret_text, capacity) ? SP_OK
                                                                 : wrong_type(key, "UTF-8 text without NUL", err);
}

enum sp_status sp_wire_get_view(const sp_wire_value *map, const char *key, size_t max, const uint8_t **ret_bytes,
                                size_t *ret_length, struct sp_err *err)
{
    const msgpack_object *object = require(map, key, err);
    if (!object)
        return SP_E_NOTFOUND;
    if (object->type != MSGPACK_OBJECT_BIN)
        return wrong_type(key, "bytes", err);
    if (object->via.bin.size > max)
        return sp_fail(err, SP_E_LIMIT, "field \"%s\" has %u bytes, at most %zu are allowed", key,
                       object->via.bin.size, max);
    sp_wire_as_view(value_of(object), ret_bytes, ret_length);
    return SP_OK;
}

enum sp_status sp_wire_get_bytes(const sp_wire_value *map, const char *key, void *ret_bytes, size_t length,
                                 struct sp_err *err)
{
    const msgpack_object *object = require(map, key, err);
    if (!object)
        return SP_E_NOTFOUND;
    if (object->type != MSGPACK_OBJECT_BIN)
        return wrong_type(key, "bytes", err);
    if (object->via.bin.size != length)
        return sp_fail(err, SP_E_LIMIT, "field \"%s\" has %u bytes, not %zu", key, object->via.bin.size, length);
    memcpy(ret_bytes, object->via.bin.ptr, length);
    return SP_OK;
}

/* ---- writing ---- */

struct sp_wire_writer {
    msgpack_packer packer;
    uint8_t *bytes;
    size_t length, capacity, max_bytes;
    int depth; /* open arrays and maps; what each still wants */
    struct {
        uint64_t left;
        bool map;
    } levels[WRITER_DEPTH];
    bool complete; /* one whole value stands */
    struct sp_err failed;
};

static int append(void *context, const char *bytes, size_t length)
{
    struct sp_wire_writer *writer = context;
    if (writer->failed.status != SP_OK)
        return -1;
    if (length > writer->max_bytes - writer->length) {
        sp_fail(&writer->failed, SP_E_LIMIT, "document is over its limit of %zu bytes", writer->max_bytes);
        return -1;
    }
    if (length > writer->capacity - writer->length) {
        size_t wanted = 2 * (writer->length + length) + CHUNK_MIN;
        wanted = wanted < writer->max_bytes ? wanted : writer->max_bytes;
        uint8_t *grown = realloc(writer->bytes, wanted);
        if (!grown) {
            sp_fail(&writer->failed, SP_E_NOMEM, "no memory for a document of %zu bytes", wanted);
            return -1;
        }
        writer->bytes = grown;
        writer->capacity = wanted;
    }
    memcpy(writer->bytes + writer->length, bytes, length);
    writer->length += length;
    return 0;
}

/* Every put goes through here: is there room for a value, and may it be of this kind? */
static bool begin(struct sp_wire_writer *writer, bool text)
{
    if (writer->failed.status != SP_OK)
        return false;
    if (writer->complete) {
        sp_fail(&writer->failed, SP_E_INTERNAL, "a value is put after the document's end");
        return false;
    }
    if (writer->depth > 0 && writer->levels[writer->depth - 1].map &&
        writer->levels[writer->depth - 1].left % 2 == 0 && !text) {
        sp_fail(&writer->failed, SP_E_INTERNAL, "a map key is put that is not text");
        return false;
    }
    return true;
}

/* After a put: close what it filled. */
static void end(struct sp_wire_writer *writer)
{
    while (writer->depth > 0 && --writer->levels[writer->depth - 1].left == 0)
        writer->depth--;
    writer->complete = writer->depth == 0;
}

static void open_level(struct sp_wire_writer *writer, int count, bool map)
{
    if (!begin(writer, false))
        return;
    if (count < 0 || writer->depth == WRITER_DEPTH) {
        sp_fail(&writer->failed, SP_E_INTERNAL, "an array or map of %d at depth %d", count, writer->depth);
        return;
    }
    if (map)
        msgpack_pack_map(&writer->packer, (size_t)count);
    else
        msgpack_pack_array(&writer->packer, (size_t)count);
    if (count == 0) {
        end(writer);
        return;
    }
    writer->levels[writer->depth].left = map ? 2 * (uint64_t)count : (uint64_t)count;
    writer->levels[writer->depth].map = map;
    writer->depth++;
}

enum sp_status sp_wire_writer_new(struct sp_wire_writer **ret_writer, size_t max_bytes, struct sp_err *err)
{
    struct sp_wire_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return sp_fail(err, SP_E_NOMEM, "no memory for a writer");
    writer->max_bytes = max_bytes;
    msgpack_packer_init(&writer->packer, writer, append);
    *ret_writer = writer;
    return SP_OK;
}

void sp_wire_writer_free(struct sp_wire_writer **writer)
{
    if (!*writer)
        return;
    free((*writer)->bytes);
    free(*writer);
    *writer = NULL;
}

void sp_wire_clear(struct sp_wire_writer *writer)
{
    writer->length = 0;
    writer->depth = 0;
    writer->complete = false;
    writer->failed.status = SP_OK;
}

void sp_wire_put_map(struct sp_wire_writer *writer, int pairs)
{
    open_level(writer, pairs, true);
}

void sp_wire_put_array(struct sp_wire_writer *writer, int items)
{
    open_level(writer, items, false);
}

void sp_wire_put_nil(struct sp_wire_writer *writer)
{
    if (!begin(writer, false))
        return;
    msgpack_pack_nil(&writer->packer);
    end(writer);
}

void sp_wire_put_bool(struct sp_wire_writer *writer, bool value)
{
    if (!begin(writer, false))
        return;
    if (value)
        msgpack_pack_true(&writer->packer);
    else
        msgpack_pack_false(&writer->packer);
    end(writer);
}

void sp_wire_put_uint(struct sp_wire_writer *writer, uint64_t value)
{
    if (!begin(writer, false))
        return;
    msgpack_pack_uint64(&writer->packer, value);
    end(writer);
}

void sp_wire_put_int(struct sp_wire_writer *writer, int64_t value)
{
    if (!begin(writer, false))
        return;
    msgpack_pack_int64(&writer->packer, value);
    end(writer);
}

void sp_wire_put_double(struct sp_wire_writer *writer, double value)
{
    if (!begin(writer, false))
        return;
    msgpack_pack_double(&writer->packer, value);
    end(writer);
}

void sp_wire_put_text(struct sp_wire_writer *writer, const char *text)
{
    if (!begin(writer, true))
        return;
    size_t length = strlen(text);
    msgpack_pack_str(&writer->packer, length);
    msgpack_pack_str_body(&writer->packer, text, length);
    end(writer);
}

void sp_wire_put_bytes(struct sp_wire_writer *writer, const void *bytes, size_t length)
{
    if (!begin(writer, false))
        return;
    msgpack_pack_bin(&writer->packer, length);
    if (length > 0)
        msgpack_pack_bin_body(&writer->packer, bytes, length);
    end(writer);
}

enum sp_status sp_wire_finish(struct sp_wire_writer *writer, const uint8_t **ret_bytes, size_t *ret_length,
                              struct sp_err *err)
{
    if (writer->failed.status == SP_OK && !writer->complete)
        sp_fail(&writer->failed, SP_E_INTERNAL, "document is not complete: an array or map still waits for values");
    if (writer->failed.status != SP_OK)
        return sp_fail(err, writer->failed.status, "%s", writer->failed.text);
    *ret_bytes = writer->bytes;
    *ret_length = writer->length;
    return SP_OK;
}
