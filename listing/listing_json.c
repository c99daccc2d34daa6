#include "listing/listing_json.h"

#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "listing/field.h"
#include "listing/journey.h"
#include "listing/read.h"

/* Where a value stands, for errors and deviations. */
struct place {
    const char *source;
    struct sp_listing *listing;
    int line, segment, travellers; /* so far, in the whole file */
    size_t offset;
};

/* The end of the value that begins at `at`: brackets outside of strings are counted, nothing else is looked at. */
static enum sp_status value_end(size_t *ret_end, int *line, const char *name, const char *text, size_t at,
                                size_t length, struct sp_err *err)
{
    int depth = 0, values = 0;
    bool quoted = false;
    for (; at < length; at++) {
        char c = text[at];
        *line += c == '\n';
        if (quoted) {
            at += c == '\\' && at + 1 < length && text[at + 1] != '\n';
            quoted = c != '"';
            continue;
        }
        quoted = c == '"';
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        values += c == ',' || c == '{' || c == '[';
        if (depth > SP_LISTING_JSON_MAX_DEPTH)
            return sp_fail(err, SP_E_LIMIT, "%s line %d: nested deeper than %d", name, *line,
                           SP_LISTING_JSON_MAX_DEPTH);
        if (values > SP_LISTING_JSON_MAX_VALUES)
            return sp_fail(err, SP_E_LIMIT, "%s line %d: more than %d values", name, *line,
                           SP_LISTING_JSON_MAX_VALUES);
        if (depth <= 0 && (c == '}' || c == ']'))
            break;
    }
    *ret_end = at < length ? at + 1 : length;
    return SP_OK;
}

static void deviate_key(const struct place *place, const char *where, const char *key)
{
    sp_listing_deviate(place->listing, place->segment, place->offset, "unknown key of %s ignored: %.40s", where,
                       key);
}

static void deviate_type(const struct place *place, const char *key, const char *type)
{
    sp_listing_deviate_value(place->listing, place->segment, place->offset, "%.40s must be %s", key, type);
}

/* A value as text; whole numbers and truth values count as theirs. false: it has none. null is "". */
static bool text_of(const char **ret_text, char number[32], const json_t *value)
{
    if (json_is_string(value))
        *ret_text = json_string_value(value);
    else if (json_is_integer(value))
        snprintf(number, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value)), *ret_text = number;
    else if (json_is_boolean(value))
        *ret_text = json_is_true(value) ? "yes" : "no";
    else if (json_is_null(value))
        *ret_text = "";
    else
        return false;
    return true;
}

static enum sp_status take_text(const struct place *place, const char **ret, const char *key, const json_t *value,
                                struct sp_err *err)
{
    char number[32];
    const char *text = "";
    bool changed = false;
    if (!text_of(&text, number, value)) {
        deviate_type(place, key, "a text");
        return SP_OK;
    }
    enum sp_status status = sp_listing_text(place->listing, ret, text, strlen(text), &changed, err);
    if (status == SP_OK && changed)
        deviate_type(place, key, "at most 512 bytes without control characters");
    return status;
}

/* The texts of a document or a leg in the order of `keys`. */
static void take_parts(const struct place *place, const char *where, const char *const *keys,
                       const char **ret_texts, char (*numbers)[32], int count, json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        int i = 0;
        while (i < count && strcmp(keys[i], key) != 0)
            i++;
        if (i == count)
            deviate_key(place, where, key);
        else if (!text_of(&ret_texts[i], numbers[i], value))
            deviate_type(place, key, "a text");
    }
}

static enum sp_status take_document(const struct place *place, struct sp_traveller *traveller, json_t *object,
                                    struct sp_err *err)
{
    static const char *const keys[] = {"type", "number", "issuer", "expiry", "issued"};
    const char *texts[5] = {"", "", "", "", ""};
    char numbers[5][32];
    if (!json_is_object(object)) {
        deviate_type(place, "documents", "a list of objects");
        return SP_OK;
    }
    take_parts(place, "a document", keys, texts, numbers, 5, object);
    const struct sp_field_document document = {texts[0], texts[1], texts[2], texts[3], texts[4]};
    return sp_field_put_document(place->listing, traveller, &document, err);
}

static enum sp_status take_photo(const struct place *place, struct sp_traveller *traveller, json_t *value,
                                 struct sp_err *err)
{
    if (!json_is_string(value)) {
        deviate_type(place, "photos", "a list of texts");
        return SP_OK;
    }
    return sp_field_put_photos(place->listing, traveller, json_string_value(value), err);
}

static enum sp_status take_list(const struct place *place, struct sp_traveller *traveller, const char *key,
                                json_t *list, struct sp_err *err)
{
    bool photos = strcmp(key, "photos") == 0;
    enum sp_status status = SP_OK;
    if (!json_is_array(list))
        deviate_type(place, key, "a list");
    for (size_t i = 0; status == SP_OK && i < json_array_size(list); i++)
        status = photos ? take_photo(place, traveller, json_array_get(list, i), err)
                        : take_document(place, traveller, json_array_get(list, i), err);
    return status;
}

static enum sp_status take_traveller(struct place *place, json_t *object, struct sp_err *err)
{
    struct sp_traveller *traveller = NULL;
    const char *key, *text;
    char number[32];
    json_t *value;
    enum sp_status status =
        sp_listing_add_traveller(place->listing, place->segment, place->offset, &traveller, err);
    if (status == SP_OK && ++place->travellers > SP_LISTING_JSON_MAX_TRAVELLERS)
        status = sp_fail(err, SP_E_LIMIT, "more than %d travellers in one file", SP_LISTING_JSON_MAX_TRAVELLERS);
    if (status == SP_E_LIMIT)
        return err ? sp_fail_in(err, "%s line %d", place->source, place->line) : status;
    if (status == SP_OK && !json_is_object(object))
        deviate_type(place, "a traveller", "an object");
    json_object_foreach(object, key, value)
    {
        int field = sp_field_from(key);
        if (status != SP_OK)
            break;
        if (strcmp(key, "segment") == 0 || strcmp(key, "offset") == 0)
            continue; /* where parse had found it */
        if (strcmp(key, "documents") == 0 || strcmp(key, "photos") == 0)
            status = take_list(place, traveller, key, value, err);
        else if (field < 0)
            deviate_key(place, "a traveller", key);
        else if (!text_of(&text, number, value))
            deviate_type(place, key, "a text");
        else if (sp_field_value(traveller, (enum sp_field)field)[0])
            sp_listing_deviate_value(place->listing, place->segment, place->offset,
                                     "%.40s stands twice, in capitals and not; the first one counts", key);
        else
            status = sp_field_put(place->listing, traveller, (enum sp_field)field, text, strlen(text), err);
    }
    return status;
}

static enum sp_status take_leg(const struct place *place, json_t *object, struct sp_err *err)
{
    static const char *const keys[] = {"dep_port", "arr_port", "sched_dep", "sched_arr", "over_flight"};
    const char *texts[5] = {"", "", "", "", ""};
    char numbers[5][32];
    if (!json_is_object(object)) {
        deviate_type(place, "legs", "a list of objects");
        return SP_OK;
    }
    if (place->listing->leg_count == SP_LISTING_MAX_LEGS)
        return sp_fail(err, SP_E_LIMIT, "%s line %d: more than %d legs", place->source, place->line,
                       SP_LISTING_MAX_LEGS);
    take_parts(place, "a leg", keys, texts, numbers, 5, object);
    const struct sp_journey_leg leg = {texts[0], texts[1], texts[2], texts[3]};
    enum sp_status status = sp_journey_put_leg(place->listing, &leg, place->segment, place->offset, err);
    bool over = strcasecmp(texts[4], "yes") == 0 || strcasecmp(texts[4], "true") == 0 || strcmp(texts[4], "1") == 0;
    if (status == SP_OK)
        place->listing->legs[place->listing->leg_count - 1].over_flight = over;
    if (!over && texts[4][0] && strcasecmp(texts[4], "no") != 0 && strcasecmp(texts[4], "false") != 0 &&
        strcmp(texts[4], "0") != 0)
        deviate_type(place, "over_flight", "true or false");
    return status;
}

/* A date and a port beside legs: those of one of them (parse prints them so), else what the first one lacks. */
static enum sp_status fill_leg(const struct place *place, const char *date, const char *port, struct sp_err *err)
{
    const struct sp_listing *l = place->listing;
    struct sp_journey_defaults gaps = {.date = date && date[0] ? date : NULL,
                                       .port = port && port[0] ? port : NULL};
    for (int i = 0; i < l->leg_count; i++) {
        const struct sp_leg *leg = &l->legs[i];
        if (gaps.date && (strncmp(leg->sched_dep, date, 10) == 0 || strncmp(leg->sched_arr, date, 10) == 0))
            gaps.date = NULL;
        if (gaps.port && strcasecmp(leg->dep_port, port) == 0)
            gaps.port = NULL;
    }
    if ((gaps.date && l->legs[0].sched_dep[0]) || (gaps.port && l->legs[0].dep_port[0]))
        sp_listing_deviate_value(place->listing, place->segment, place->offset,
                                 "date or dep_port of journey is none of the legs'; it is not kept");
    return sp_journey_fill(place->listing, &gaps, err);
}

/* "journey": the number alone, or the object that parse prints. What follows from legs is taken where there are
 * none. */
static enum sp_status take_journey(const struct place *place, json_t *value, bool has_legs, struct sp_err *err)
{
    struct sp_journey_leg leg = {0};
    char numbers[8][32];
    const char *key, *text;
    json_t *part;
    enum sp_status status = SP_OK;
    int at = 0;
    if (!json_is_object(value)) {
        if (text_of(&text, numbers[0], value))
            return sp_journey_put(place->listing, SP_JOURNEY_NUMBER, text, place->segment, place->offset, err);
        deviate_type(place, "journey", "a text or an object");
        return SP_OK;
    }
    json_object_foreach(value, key, part)
    {
        int field = sp_journey_from(key);
        bool date = strcmp(key, "date") == 0, port = strcmp(key, "dep_port") == 0;
        char *number = numbers[at++ % 8];
        if (status != SP_OK)
            break;
        if (strcmp(key, "manifest") == 0)
            continue; /* follows from the rest */
        if (field < 0 && !date && !port)
            deviate_key(place, "journey", key);
        else if (!text_of(&text, number, part))
            deviate_type(place, key, "a text");
        else if (field >= 0)
            status = sp_journey_put(place->listing, (enum sp_journey_field)field, text, place->segment,
                                    place->offset, err);
        else
            *(date ? &leg.sched_dep : &leg.dep_port) = text;
    }
    if (status == SP_OK && has_legs && place->listing->leg_count > 0)
        return fill_leg(place, leg.sched_dep, leg.dep_port, err);
    if (status == SP_OK && !has_legs && (leg.sched_dep || leg.dep_port))
        status = sp_journey_put_leg(place->listing, &leg, place->segment, place->offset, err);
    return status;
}

static enum sp_status take_kind(const struct place *place, const json_t *value)
{
    const char *word = json_string_value(value);
    if (!word || !sp_listing_kind_from(&place->listing->group, &place->listing->action, word))
        deviate_type(place, "kind", "one of list, passenger_list, crew_list, change, removal, close ...");
    return SP_OK;
}

static void take_count(const struct place *place, int *ret, const char *key, const json_t *value)
{
    json_int_t number = json_integer_value(value);
    if (json_is_null(value))
        return;
    if (json_is_integer(value) && number >= -1 && number <= 1000000)
        *ret = (int)number;
    else
        deviate_type(place, key, "a whole number up to 1000000");
}

/* One key beside journey, legs and travellers. */
static enum sp_status take_key(const struct place *place, const char *key, const json_t *value, struct sp_err *err)
{
    struct sp_listing *l = place->listing;
    const struct {
        const char *key, **place;
    } texts[] = {{"message", &l->message},        {"interchange", &l->interchange}, {"reference", &l->reference},
                 {"version", &l->version},        {"common", &l->common},           {"directory", &l->directory},
                 {"sender", &l->sender},          {"contact", &l->contact},         {"answer", &l->answer},
                 {"answer_text", &l->answer_text}};
    int field = sp_journey_from(key);
    char number[32];
    const char *text;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(texts[i].key, key) == 0)
            return take_text(place, texts[i].place, key, value, err);
    if (field >= 0 && text_of(&text, number, value))
        return sp_journey_put(l, (enum sp_journey_field)field, text, place->segment, place->offset, err);
    if (strcmp(key, "kind") == 0)
        return take_kind(place, value);
    if (strcmp(key, "part") == 0)
        take_count(place, &l->part, key, value);
    else if (strcmp(key, "declared") == 0)
        take_count(place, &l->declared, key, value);
    else if (strcmp(key, "last_part") == 0 && json_is_boolean(value))
        l->last_part = json_is_true(value);
    else if (strcmp(key, "format") != 0 && strncmp(key, "deviation", 9) != 0) /* parse's own */
        deviate_key(place, "the listing", key);
    return SP_OK;
}

static enum sp_status take_listing(struct place *place, json_t *object, struct sp_err *err)
{
    json_t *legs = json_object_get(object, "legs"), *travellers = json_object_get(object, "travellers"), *value;
    const char *key;
    enum sp_status status = SP_OK;
    bool alone = place->listing->format == SP_LISTING_JSON;
    place->listing->group = SP_GROUP_BOTH;
    if (alone)
        place->segment = 0; /* the file as a whole */
    if (legs && !json_is_array(legs))
        deviate_type(place, "legs", "a list");
    if (travellers && !json_is_array(travellers))
        deviate_type(place, "travellers", "a list");
    for (size_t i = 0; status == SP_OK && i < json_array_size(legs); i++)
        status = take_leg(place, json_array_get(legs, i), err);
    json_object_foreach(object, key, value)
    {
        if (status != SP_OK)
            break;
        if (strcmp(key, "journey") == 0)
            status = take_journey(place, value, json_array_size(legs) > 0, err);
        else if (strcmp(key, "legs") != 0 && strcmp(key, "travellers") != 0)
            status = take_key(place, key, value, err);
    }
    for (size_t i = 0; status == SP_OK && i < json_array_size(travellers); i++) {
        if (alone)
            place->segment = (int)i + 1;
        status = take_traveller(place, json_array_get(travellers, i), err);
    }
    return status;
}

/* libjansson's texts are travellers' names: what it frees is wiped. */
static void free_wiped(void *block)
{
    if (block)
        explicit_bzero(block, malloc_usable_size(block));
    free(block);
}

static enum sp_status parse_value(json_t **ret, const char *name, const char *text, size_t length, int line,
                                  struct sp_err *err)
{
    json_error_t wrong;
    *ret = json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong);
    if (*ret)
        return SP_OK;
    int code = json_error_code(&wrong);
    const char *what = code == json_error_duplicate_key      ? "a key stands twice in one object"
                       : code == json_error_invalid_utf8     ? "bytes that are no UTF-8"
                       : code == json_error_numeric_overflow ? "a number that is too large"
                       : code == json_error_null_character || code == json_error_null_byte_in_key
                           ? "a NUL character"
                       : code == json_error_out_of_memory ? "no memory"
                                                          : "this is not JSON";
    return sp_fail(err, code == json_error_out_of_memory ? SP_E_NOMEM : SP_E_FORMAT, "%s line %d column %d: %s",
                   name, line + wrong.line - 1, wrong.column > 0 ? wrong.column : 1, what);
}

/* One value of the file: a listing, or a traveller of the last one. */
static enum sp_status take_value(struct sp_listing ***listings, int *count, struct place *place, json_t *value,
                                 enum sp_listing_format format, struct sp_err *err)
{
    bool begins = json_object_get(value, "journey") || json_object_get(value, "travellers");
    if (!json_is_object(value))
        return sp_fail(err, SP_E_FORMAT, "%s line %d: a listing must be an object, {...}", place->source,
                       place->line);
    if (!begins && !place->listing)
        return sp_fail(err, SP_E_FORMAT, "%s line %d: the first object must have the key journey", place->source,
                       place->line);
    if (!begins)
        return take_traveller(place, value, err);
    place->listing = NULL;
    enum sp_status status = sp_listing_new(&place->listing, format, err);
    if (status == SP_OK)
        status = sp_listing_append(listings, count, place->listing, err);
    return status == SP_OK ? take_listing(place, value, err) : status;
}

static void skip_space(const char *text, size_t *at, size_t length, int *line)
{
    for (; *at < length && strchr(" \t\r\n", text[*at]) && text[*at]; (*at)++)
        *line += text[*at] == '\n';
}

enum sp_status sp_listing_json_parse(struct sp_listing ***listings, int *count, const char *name, const void *bytes,
                                     size_t length, struct sp_err *err)
{
    const char *text = bytes;
    size_t at = length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, end = 0;
    struct place place = {.source = name};
    enum sp_listing_format format = SP_LISTING_JSON;
    enum sp_status status = SP_OK;
    int line = 1;
    json_set_alloc_funcs(malloc, free_wiped); /* the process's, always the same */
    skip_space(text, &at, length, &line);
    if (at == length)
        return sp_fail(err, SP_E_FORMAT, "%s: it is empty", name);
    while (status == SP_OK && at < length) {
        json_t *value = NULL;
        size_t next;
        place.line = place.segment = line;
        place.offset = at;
        status = value_end(&end, &line, name, text, at, length, err);
        next = end;
        skip_space(text, &next, length, &line);
        if (!place.listing && next < length)
            format = SP_LISTING_NDJSON; /* more than one value */
        if (status == SP_OK)
            status = parse_value(&value, name, text + at, end - at, place.line, err);
        if (status == SP_OK)
            status = take_value(listings, count, &place, value, format, err);
        json_decref(value);
        at = next;
    }
    for (int i = 0; status == SP_OK && i < *count; i++)
        if ((*listings)[i]->declared >= 0 && (*listings)[i]->declared != (*listings)[i]->traveller_count)
            sp_listing_deviate((*listings)[i], 0, 0, "declares %d travellers and has %d", (*listings)[i]->declared,
                               (*listings)[i]->traveller_count);
    return status;
}
