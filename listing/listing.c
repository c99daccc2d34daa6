#include "listing/listing.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "listing/arena.h"
#include "common/utf8.h"

#define ARENA_BYTES (512u << 20) /* 20,000 travellers with every field at its limit stay below it */

/* Room for one more in an array that doubles inside the arena: the old copy stays behind, at most as much again. */
static void *grow(struct sp_listing *listing, void *array, int count, size_t size)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return array;
    void *grown = sp_arena_take(listing->arena, (size_t)(count ? 2 * count : 1) * size);
    if (grown && count > 0)
        memcpy(grown, array, (size_t)count * size);
    return grown;
}

static enum sp_status no_memory(struct sp_err *err)
{
    return sp_fail(err, SP_E_NOMEM, "no memory for the listing");
}

enum sp_status sp_listing_new(struct sp_listing **ret_listing, enum sp_listing_format format, struct sp_err *err)
{
    struct sp_listing *listing = calloc(1, sizeof *listing);
    if (listing)
        listing->arena = sp_arena_new(ARENA_BYTES);
    if (!listing || !listing->arena) {
        free(listing);
        return no_memory(err);
    }
    listing->format = format;
    listing->last_part = true;
    listing->declared = -1;
    const char **texts[] = {&listing->directory,  &listing->message,   &listing->interchange, &listing->reference,
                            &listing->common,     &listing->sender,    &listing->mode,        &listing->carrier,
                            &listing->number,     &listing->direction, &listing->vessel,      &listing->vessel_id,
                            &listing->flag,       &listing->version,   &listing->contact,     &listing->answer,
                            &listing->answer_text};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = "";
    *ret_listing = listing;
    return SP_OK;
}

void sp_listing_free(struct sp_listing **listing)
{
    if (!listing || !*listing)
        return;
    sp_arena_free(&(*listing)->arena);
    free(*listing);
    *listing = NULL;
}

enum sp_status sp_listing_add_traveller(struct sp_listing *listing, int segment, size_t offset,
                                        struct sp_traveller **ret_traveller, struct sp_err *err)
{
    if (listing->traveller_count == SP_LISTING_MAX_TRAVELLERS)
        return sp_fail(err, SP_E_LIMIT, "more than %d travellers", SP_LISTING_MAX_TRAVELLERS);
    struct sp_traveller *grown =
        grow(listing, listing->travellers, listing->traveller_count, sizeof *listing->travellers);
    if (!grown)
        return no_memory(err);
    listing->travellers = grown;
    grown[listing->traveller_count] = (struct sp_traveller){.ref = "",
                                                            .role = "",
                                                            .surname = "",
                                                            .given = "",
                                                            .dob = "",
                                                            .sex = "",
                                                            .nationality = "",
                                                            .residence = "",
                                                            .birth_place = "",
                                                            .rank = "",
                                                            .pnr = "",
                                                            .seat_or_cabin = "",
                                                            .embark = "",
                                                            .debark = "",
                                                            .clearance = "",
                                                            .transit = "",
                                                            .verified = "",
                                                            .mrz = "",
                                                            .valid_from = "",
                                                            .valid_to = "",
                                                            .answer = "",
                                                            .answer_text = "",
                                                            .segment = segment,
                                                            .offset = offset};
    *ret_traveller = &grown[listing->traveller_count++];
    return SP_OK;
}

enum sp_status sp_listing_add_leg(struct sp_listing *listing, struct sp_leg **ret_leg, struct sp_err *err)
{
    if (listing->leg_count == SP_LISTING_MAX_LEGS)
        return sp_fail(err, SP_E_LIMIT, "more than %d legs", SP_LISTING_MAX_LEGS);
    struct sp_leg *grown = grow(listing, listing->legs, listing->leg_count, sizeof *listing->legs);
    if (!grown)
        return no_memory(err);
    listing->legs = grown;
    grown[listing->leg_count] = (struct sp_leg){.dep_port = "", .arr_port = "", .sched_dep = "", .sched_arr = ""};
    *ret_leg = &grown[listing->leg_count++];
    return SP_OK;
}

enum sp_status sp_listing_add_document(struct sp_listing *listing, struct sp_traveller *traveller,
                                       struct sp_document **ret_document, struct sp_err *err)
{
    if (traveller->document_count == SP_LISTING_MAX_DOCUMENTS)
        return sp_fail(err, SP_E_LIMIT, "more than %d documents of one traveller", SP_LISTING_MAX_DOCUMENTS);
    struct sp_document *grown =
        grow(listing, traveller->documents, traveller->document_count, sizeof *traveller->documents);
    if (!grown)
        return no_memory(err);
    traveller->documents = grown;
    grown[traveller->document_count] =
        (struct sp_document){.type = "", .number = "", .issuer = "", .expiry = "", .issued = ""};
    *ret_document = &grown[traveller->document_count++];
    return SP_OK;
}

enum sp_status sp_listing_add_photo(struct sp_listing *listing, struct sp_traveller *traveller, const char *photo,
                                    struct sp_err *err)
{
    if (traveller->photo_count == SP_LISTING_MAX_PHOTOS)
        return sp_fail(err, SP_E_LIMIT, "more than %d photos of one traveller", SP_LISTING_MAX_PHOTOS);
    const char **grown = grow(listing, traveller->photos, traveller->photo_count, sizeof *traveller->photos);
    if (!grown)
        return no_memory(err);
    traveller->photos = grown;
    return sp_listing_text(listing, &grown[traveller->photo_count++], photo, strlen(photo), NULL, err);
}

/* One character of the source, as it may stand in a listing. Returns the bytes consumed. */
static size_t put_character(char *ret, size_t *at, const uint8_t *p, size_t left, bool *changed)
{
    size_t length = sp_utf8_length(p, left);
    if (length == 0) {
        memcpy(ret + *at, "\xef\xbf\xbd", 3); /* U+FFFD */
        *at += 3;
        *changed = true;
        return 1;
    }
    if (length == 1 && (*p < 0x20 || *p == 0x7f)) {
        ret[(*at)++] = '?';
        *changed = true;
        return 1;
    }
    memcpy(ret + *at, p, length);
    *at += length;
    return length;
}

/* Printable ASCII: most of what comes. */
static bool is_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    return true;
}

static enum sp_status copy_text(struct sp_listing *listing, const char **ret_text, const char *text, size_t length,
                                struct sp_err *err)
{
    char *copy = sp_arena_text(listing->arena, length + 1);
    if (!copy)
        return no_memory(err);
    memcpy(copy, text, length);
    copy[length] = 0;
    *ret_text = copy;
    return SP_OK;
}

enum sp_status sp_listing_text(struct sp_listing *listing, const char **ret_text, const char *text, size_t length,
                               bool *ret_changed, struct sp_err *err)
{
    char clean[SP_LISTING_MAX_TEXT + 4];
    size_t at = 0;
    bool changed = false;
    while (length > 0 && (*text == ' ' || *text == '\t'))
        text++, length--;
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    if (ret_changed)
        *ret_changed = false;
    if (length > 0 && length <= SP_LISTING_MAX_TEXT - 4 && is_plain(text, length))
        return copy_text(listing, ret_text, text, length, err);
    const uint8_t *p = (const uint8_t *)text, *end = p + length;
    while (p < end && at + 4 <= SP_LISTING_MAX_TEXT)
        p += put_character(clean, &at, p, (size_t)(end - p), &changed);
    changed = changed || p < end;
    while (at > 0 && (clean[at - 1] == ' ' || clean[at - 1] == '\t')) /* where it was cut */
        at--;
    if (ret_changed)
        *ret_changed = changed;
    if (at == 0) {
        *ret_text = "";
        return SP_OK;
    }
    enum sp_status status = copy_text(listing, ret_text, clean, at, err);
    explicit_bzero(clean, at);
    return status;
}

enum sp_status sp_listing_lines(struct sp_listing *listing, const char **ret_text, const char *text,
                                struct sp_err *err)
{
    const char *clean = "";
    char flat[SP_LISTING_MAX_TEXT + 1];
    size_t length = strnlen(text, SP_LISTING_MAX_TEXT);
    for (size_t i = 0; i < length; i++)
        flat[i] = text[i] == '\n' ? '|' : text[i];
    enum sp_status status = sp_listing_text(listing, &clean, flat, length, NULL, err);
    explicit_bzero(flat, length);
    if (status != SP_OK)
        return status;
    for (char *c = (char *)(uintptr_t)clean; *c; c++) /* the arena's copy, not yet anybody's */
        if (*c == '|')
            *c = '\n';
    *ret_text = clean;
    return SP_OK;
}

static void deviate(struct sp_listing *listing, int segment, size_t offset, bool value, const char *format,
                    va_list arguments)
{
    char text[300];
    const char *kept = "";
    int at = listing->deviation_count++;
    listing->value_count += value;
    if (at == 0)
        listing->deviations =
            sp_arena_take(listing->arena, SP_LISTING_MAX_DEVIATIONS * sizeof *listing->deviations);
    if (at >= sp_listing_noted(listing))
        return;
    vsnprintf(text, sizeof text, format, arguments);
    struct sp_err ignored = {0};
    if (sp_listing_text(listing, &kept, text, strlen(text), NULL, &ignored) != SP_OK)
        kept = "no memory for the text of this deviation";
    listing->deviations[at] = (struct sp_deviation){segment, offset, kept, value};
}

void sp_listing_deviate(struct sp_listing *listing, int segment, size_t offset, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    deviate(listing, segment, offset, false, format, arguments);
    va_end(arguments);
}

void sp_listing_deviate_value(struct sp_listing *listing, int segment, size_t offset, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    deviate(listing, segment, offset, true, format, arguments);
    va_end(arguments);
}

int sp_listing_noted(const struct sp_listing *listing)
{
    int count = listing->deviation_count;
    return !listing->deviations ? 0 : count < SP_LISTING_MAX_DEVIATIONS ? count : SP_LISTING_MAX_DEVIATIONS;
}

static const char *const formats[SP_LISTING_FORMAT_COUNT] = {
#define X(constant, word) word,
    SP_LISTING_FORMAT_LIST(X)
#undef X
};

const char *sp_listing_format_word(enum sp_listing_format format)
{
    return (unsigned)format < SP_LISTING_FORMAT_COUNT ? formats[format] : "unknown";
}

int sp_listing_format_from(const char *word)
{
    for (int i = 0; i < SP_LISTING_FORMAT_COUNT; i++)
        if (strcmp(formats[i], word) == 0)
            return i;
    return -1;
}

const char *sp_listing_place_word(enum sp_listing_format format)
{
    if (format == SP_LISTING_PAXLST || format == SP_LISTING_CUSRES)
        return "segment";
    return format == SP_LISTING_JSON ? "traveller" : "line";
}

const char *sp_listing_kind_word(enum sp_listing_group group, enum sp_listing_action action)
{
    static const char *const of_group[3][3] = {
        {"passenger_list", "passenger_change", "passenger_removal"},
        {"crew_list", "crew_change", "crew_removal"},
        {"list", "change", "removal"},
    };
    switch (action) {
    case SP_ACTION_LIST:
    case SP_ACTION_CHANGE:
    case SP_ACTION_REMOVE:
        return (unsigned)group < 3 ? of_group[group][action] : "unknown";
    case SP_ACTION_CLOSE:
        return "close";
    case SP_ACTION_CLOSE_NOT_ON_BOARD:
        return "close_not_on_board";
    case SP_ACTION_CLOSE_ON_BOARD:
        return "close_on_board";
    case SP_ACTION_CANCEL_JOURNEY:
        return "journey_cancel";
    case SP_ACTION_CHANGE_JOURNEY:
        return "journey_change";
    case SP_ACTION_ANSWER:
        return "answer";
    }
    return "unknown";
}

bool sp_listing_kind_from(enum sp_listing_group *ret_group, enum sp_listing_action *ret_action, const char *word)
{
    for (int group = SP_GROUP_BOTH; group >= SP_GROUP_PASSENGERS;
         group--) /* BOTH first: what has one word for all */
        for (int action = SP_ACTION_LIST; action <= SP_ACTION_ANSWER; action++)
            if (strcmp(sp_listing_kind_word((enum sp_listing_group)group, (enum sp_listing_action)action), word) ==
                0) {
                *ret_group = (enum sp_listing_group)group;
                *ret_action = (enum sp_listing_action)action;
                return true;
            }
    return false;
}
