/* One table names every key of pack.yaml with its type and place, so that a key is known, checked and documented
 * once. */
#include "common/pack_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum field_type { FIELD_TEXT, FIELD_CHOICE, FIELD_FLOAT, FIELD_INT, FIELD_BOOL, FIELD_SHA256, FIELD_FILE };

struct field {
    const char *key; /* below its section */
    enum field_type type;
    size_t offset;   /* in the section's struct */
    double min, max; /* FLOAT and INT; TEXT and FILE: max = size of the array */
    const char *choices;
    bool optional; /* where it is absent, 0 stays */
};

struct reading {
    const struct sp_yaml *yaml;
    bool *used; /* per entry of yaml */
    struct sp_err *err;
};

#define NET(member) offsetof(struct sp_pack_net, member)
static const struct field net_fields[] = {
    {"file", FIELD_FILE, NET(file), 0, sizeof((struct sp_pack_net *)0)->file, NULL},
    {"sha256", FIELD_SHA256, NET(sha256), 0, 0, NULL},
    {"colour", FIELD_CHOICE, NET(colour), 0, 0, "rgb|bgr"},
    {"mean.0", FIELD_FLOAT, NET(mean[0]), 0, 255, NULL},
    {"mean.1", FIELD_FLOAT, NET(mean[1]), 0, 255, NULL},
    {"mean.2", FIELD_FLOAT, NET(mean[2]), 0, 255, NULL},
    {"scale", FIELD_FLOAT, NET(scale), 1e-6, 1e3, NULL},
    {"width", FIELD_INT, NET(width), 16, 8192, NULL},
    {"height", FIELD_INT, NET(height), 16, 8192, NULL},
    {"precision", FIELD_CHOICE, NET(precision), 0, 0, "fp16|bf16", true},
    {0},
};

#define DETECTOR(member) offsetof(struct sp_pack_detector, member)
static const struct field detector_fields[] = {
    {"score", FIELD_FLOAT, DETECTOR(score_threshold), 0, 1, NULL},
    {"iou", FIELD_FLOAT, DETECTOR(iou_threshold), 0, 1, NULL},
    {0},
};

#define PACK(member) offsetof(struct sp_pack, member)
static const struct field pack_fields[] = {
    {"name", FIELD_TEXT, PACK(name), 1, sizeof((struct sp_pack *)0)->name, NULL},
    {"licence", FIELD_TEXT, PACK(licence), 1, sizeof((struct sp_pack *)0)->licence, NULL},
    {"align", FIELD_CHOICE, PACK(align), 0, 0, "dlib68|dlib5|arcface5"},
    {"embedder.dim", FIELD_INT, PACK(dim), 1, 1024, NULL},
    {"embedder.metric", FIELD_CHOICE, PACK(metric), 0, 0, "l2|cosine"},
    {"embedder.normalise", FIELD_BOOL, PACK(normalise), 0, 0, NULL},
    {0},
};

static enum sp_status wrong(const struct reading *r, const struct sp_yaml_entry *entry, const char *what)
{
    return sp_fail(r->err, SP_E_FORMAT, "%s line %d: %s: '%.60s' %s", r->yaml->source, entry->line, entry->key,
                   entry->value, what);
}

/* The entry, marked as used; NULL where absent. */
static const struct sp_yaml_entry *take(struct reading *r, const char *key)
{
    const struct sp_yaml_entry *entry = sp_yaml_find(r->yaml, key);
    if (entry)
        r->used[entry - r->yaml->entries] = true;
    return entry;
}

/* Index of value in "a|b|c", or -1. */
static int choice_index(const char *choices, const char *value)
{
    size_t length = strlen(value);
    int index = 0;
    for (const char *word = choices; word; index++) {
        size_t word_length = strcspn(word, "|");
        if (word_length == length && memcmp(word, value, length) == 0)
            return index;
        word = word[word_length] ? word + word_length + 1 : NULL;
    }
    return -1;
}

static enum sp_status read_choice(struct reading *r, const struct sp_yaml_entry *entry, const char *choices,
                                  int *ret_index)
{
    int index = choice_index(choices, entry->value);
    if (index < 0)
        return sp_fail(r->err, SP_E_FORMAT, "%s line %d: %s: '%.60s' is none of %s", r->yaml->source, entry->line,
                       entry->key, entry->value, choices);
    *ret_index = index;
    return SP_OK;
}

static enum sp_status read_text(struct reading *r, const struct sp_yaml_entry *entry, const struct field *field,
                                char *ret_text)
{
    size_t length = strlen(entry->value);
    if (length < 1 || length >= (size_t)field->max)
        return sp_fail(r->err, SP_E_FORMAT, "%s line %d: %s: has %zu characters, 1 to %d are possible",
                       r->yaml->source, entry->line, entry->key, length, (int)field->max - 1);
    /* A net's file lies in the pack's own directory: one name, no way out of it. */
    if (field->type == FIELD_FILE && (strchr(entry->value, '/') || entry->value[0] == '.'))
        return wrong(r, entry, "must be a plain file name inside the pack's directory");
    memcpy(ret_text, entry->value, length + 1);
    return SP_OK;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static enum sp_status read_sha256(struct reading *r, const struct sp_yaml_entry *entry, uint8_t ret_hash[32])
{
    if (strcmp(entry->value, "unsealed") == 0)
        return wrong(r, entry,
                     "no hash yet; run `sallyport model seal DIRECTORY` after checking where the file is from");
    if (strlen(entry->value) != 64)
        return wrong(r, entry, "is not a SHA-256 (64 hexadecimal digits, lower case)");
    uint8_t hash[32];
    for (int i = 0; i < 32; i++) {
        int high = hex_digit(entry->value[2 * i]), low = hex_digit(entry->value[2 * i + 1]);
        if (high < 0 || low < 0)
            return wrong(r, entry, "is not a SHA-256 (64 hexadecimal digits, lower case)");
        hash[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret_hash, hash, sizeof hash);
    return SP_OK;
}

static enum sp_status read_number(struct reading *r, const struct sp_yaml_entry *entry, const struct field *field,
                                  void *place)
{
    double number = 0;
    enum sp_status status = sp_yaml_number(&number, r->yaml, entry, field->min, field->max, r->err);
    if (status != SP_OK)
        return status;
    if (field->type == FIELD_FLOAT)
        *(float *)place = (float)number;
    else if (number != (double)(int)number)
        return wrong(r, entry, "must be a whole number");
    else
        *(int *)place = (int)number;
    return SP_OK;
}

static enum sp_status read_bool(struct reading *r, const struct sp_yaml_entry *entry, bool *ret_bool)
{
    int index = choice_index("no|yes|false|true", entry->value);
    if (index < 0)
        return wrong(r, entry, "is neither yes nor no");
    *ret_bool = index & 1;
    return SP_OK;
}

static enum sp_status read_field(struct reading *r, const struct sp_yaml_entry *entry, const struct field *field,
                                 char *base)
{
    void *place = base + field->offset;
    switch (field->type) {
    case FIELD_TEXT:
    case FIELD_FILE:
        return read_text(r, entry, field, place);
    case FIELD_CHOICE: {
        int index = 0;
        enum sp_status status = read_choice(r, entry, field->choices, &index);
        /* Every enum of a pack starts at 0 and has the size of an int. */
        memcpy(place, &index, sizeof index);
        return status;
    }
    case FIELD_FLOAT:
    case FIELD_INT:
        return read_number(r, entry, field, place);
    case FIELD_BOOL:
        return read_bool(r, entry, place);
    case FIELD_SHA256:
        return read_sha256(r, entry, place);
    }
    return sp_fail(r->err, SP_E_INTERNAL, "pack field %s has no type", field->key);
}

/* All fields of a table below `section` ("" or "detector.strong."). */
static enum sp_status read_fields(struct reading *r, const char *section, const struct field *fields, void *base)
{
    for (const struct field *field = fields; field->key; field++) {
        char key[128];
        snprintf(key, sizeof key, "%s%s", section, field->key);
        const struct sp_yaml_entry *entry = take(r, key);
        if (!entry && field->optional)
            continue;
        if (!entry)
            return sp_fail(r->err, SP_E_FORMAT, "%s: key %s is missing (docs/models.md describes it)",
                           r->yaml->source, key);
        enum sp_status status = read_field(r, entry, field, base);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

/* "none" or a missing section gives kind 0 where that is allowed. */
static enum sp_status read_kind(struct reading *r, const char *key, const char *choices, bool required,
                                int *ret_kind)
{
    const struct sp_yaml_entry *entry = take(r, key);
    *ret_kind = 0;
    if (!entry)
        return required ? sp_fail(r->err, SP_E_FORMAT, "%s: key %s is missing (one of %s)", r->yaml->source, key,
                                  strchr(choices, '|') + 1)
                        : SP_OK;
    enum sp_status status = read_choice(r, entry, choices, ret_kind);
    if (status == SP_OK && required && *ret_kind == 0)
        return wrong(r, entry, "is not possible here");
    return status;
}

static enum sp_status read_detector(struct reading *r, const char *section, bool required,
                                    struct sp_pack_detector *ret_detector)
{
    char key[64];
    snprintf(key, sizeof key, "%skind", section);
    int kind = 0;
    enum sp_status status = read_kind(r, key, "none|ssd|tiny|yunet", required, &kind);
    ret_detector->kind = (enum sp_detector_kind)kind;
    if (status != SP_OK || kind == SP_DETECTOR_NONE)
        return status;
    status = read_fields(r, section, net_fields, &ret_detector->net);
    if (status == SP_OK)
        status = read_fields(r, section, detector_fields, ret_detector);
    return status;
}

static enum sp_status read_calibration(struct reading *r, struct sp_pack *pack)
{
    bool rising = pack->metric == SP_PACK_COSINE; /* fewer impostors pass a higher similarity, a smaller distance */
    int count = 0;
    for (;; count++) {
        char key[64];
        snprintf(key, sizeof key, "calibration.%d.fmr", count);
        const struct sp_yaml_entry *fmr = take(r, key);
        snprintf(key, sizeof key, "calibration.%d.threshold", count);
        const struct sp_yaml_entry *threshold = take(r, key);
        if (!fmr && !threshold)
            break;
        if (!fmr || !threshold)
            return wrong(r, fmr ? fmr : threshold, "needs both fmr and threshold in one list item");
        if (count == SP_PACK_MAX_CALIBRATION)
            return wrong(r, fmr, "is one calibration point too many; 32 are possible");
        struct sp_pack_calibration *point = &pack->calibration[count];
        enum sp_status status = sp_yaml_number(&point->fmr, r->yaml, fmr, 1e-12, 0.5, r->err);
        if (status == SP_OK)
            status = sp_yaml_number(&point->threshold, r->yaml, threshold, -1, 100, r->err);
        if (status != SP_OK)
            return status;
        const struct sp_pack_calibration *before = count ? point - 1 : NULL;
        if (before && point->fmr >= before->fmr)
            return wrong(r, fmr, "is out of order: fmr must fall from point to point");
        if (before && (rising ? point->threshold <= before->threshold : point->threshold >= before->threshold))
            return wrong(r, threshold,
                         rising ? "is out of order: a smaller fmr needs a higher similarity"
                                : "is out of order: a smaller fmr needs a smaller distance");
    }
    if (count < 2)
        return sp_fail(r->err, SP_E_FORMAT, "%s: calibration needs at least two points {fmr, threshold}",
                       r->yaml->source);
    pack->calibration_count = count;
    return SP_OK;
}

/* What the parts must agree on. */
static enum sp_status check_whole(struct reading *r, const struct sp_pack *pack)
{
    bool points68 = pack->landmark_kind == SP_LANDMARK_68;
    int chip = pack->align == SP_ALIGN_ARCFACE5 ? 112 : 150;
    const char *file = r->yaml->source;
    if (pack->align == SP_ALIGN_DLIB68 && !points68)
        return sp_fail(r->err, SP_E_FORMAT, "%s: align dlib68 needs landmarks.kind points68", file);
    if (!points68 && pack->strong.kind != SP_DETECTOR_YUNET)
        return sp_fail(r->err, SP_E_FORMAT, "%s: landmarks.kind none needs a detector with five points (yunet)",
                       file);
    if (!points68 && pack->cheap.kind != SP_DETECTOR_NONE && pack->cheap.kind != SP_DETECTOR_YUNET)
        return sp_fail(r->err, SP_E_FORMAT, "%s: detector.cheap has no landmarks of its own; use yunet or none",
                       file);
    if (pack->embedder.width != chip || pack->embedder.height != chip)
        return sp_fail(r->err, SP_E_FORMAT, "%s: embedder.width and height must be %d, the size that align makes",
                       file, chip);
    return SP_OK;
}

static enum sp_status read_pack(struct reading *r, struct sp_pack *pack)
{
    int kind = 0;
    const struct sp_yaml_entry *format = take(r, "format");
    if (!format)
        return sp_fail(r->err, SP_E_FORMAT, "%s: key format is missing (this program writes and reads 1)",
                       r->yaml->source);
    if (strcmp(format->value, "1") != 0)
        return sp_fail(r->err, SP_E_VERSION, "%s line %d: format '%.20s' is not spoken here, only 1",
                       r->yaml->source, format->line, format->value);
    enum sp_status status = read_fields(r, "", pack_fields, pack);
    if (status == SP_OK)
        status = read_detector(r, "detector.strong.", true, &pack->strong);
    if (status == SP_OK)
        status = read_detector(r, "detector.cheap.", false, &pack->cheap);
    if (status == SP_OK)
        status = read_kind(r, "landmarks.kind", "none|points68", false, &kind);
    pack->landmark_kind = (enum sp_landmark_kind)kind;
    if (status == SP_OK && pack->landmark_kind != SP_LANDMARK_NONE)
        status = read_fields(r, "landmarks.", net_fields, &pack->landmarks);
    if (status == SP_OK)
        status = read_fields(r, "embedder.", net_fields, &pack->embedder);
    if (status == SP_OK)
        status = read_calibration(r, pack);
    if (status == SP_OK)
        status = check_whole(r, pack);
    return status;
}

enum sp_status sp_pack_read(struct sp_pack *ret_pack, const struct sp_yaml *yaml, struct sp_err *err)
{
    struct reading r = {yaml, calloc(yaml->count + 1, sizeof *r.used), err};
    struct sp_pack pack = {0};
    if (!r.used)
        return sp_fail(err, SP_E_NOMEM, "%s: out of memory", yaml->source);
    enum sp_status status = read_pack(&r, &pack);
    for (size_t i = 0; status == SP_OK && i < yaml->count; i++)
        if (!r.used[i])
            status = sp_fail(err, SP_E_FORMAT, "%s line %d: key %s is unknown (docs/models.md lists all of them)",
                             yaml->source, yaml->entries[i].line, yaml->entries[i].key);
    if (status == SP_OK)
        *ret_pack = pack;
    free(r.used);
    return status;
}
