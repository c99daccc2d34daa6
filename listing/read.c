#include "listing/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/file.h"
#include "common/seal.h"
#include "listing/edifact_date.h"
#include "listing/enoad.h"
#include "listing/fal.h"
#include "listing/listing_csv.h"
#include "listing/listing_json.h"
#include "listing/paxlst.h"
#include "listing/mrz_check.h"

#define MAX_LISTINGS 1000 /* messages of one file */

enum sp_status sp_listing_append(struct sp_listing ***listings, int *count, struct sp_listing *listing,
                                 struct sp_err *err)
{
    enum sp_status status = SP_OK;
    if (*count == MAX_LISTINGS)
        status = sp_fail(err, SP_E_LIMIT, "more than %d messages", MAX_LISTINGS);
    if (status == SP_OK && (*count & (*count - 1)) == 0) { /* grows at powers of two */
        struct sp_listing **grown = realloc(*listings, (*count ? 2 * (size_t)*count : 1) * sizeof(void *));
        if (grown)
            *listings = grown;
        else
            status = sp_fail(err, SP_E_NOMEM, "no memory for a listing");
    }
    if (status == SP_OK)
        (*listings)[(*count)++] = listing;
    else
        sp_listing_free(&listing);
    return status;
}

void sp_listing_free_all(struct sp_listing ***listings, int count)
{
    if (!listings || !*listings)
        return;
    for (int i = 0; i < count; i++)
        sp_listing_free(&(*listings)[i]);
    free((void *)*listings);
    *listings = NULL;
}

struct input {
    const char *name;
    const void *bytes;
    size_t length;
    const struct sp_listing_read_options *options;
    int64_t now_ms;
};

typedef enum sp_status one_parser(struct sp_listing **ret_listing, const char *name, const void *bytes,
                                  size_t length, struct sp_err *err);

static enum sp_status parse_one(struct sp_listing ***ret, int *ret_count, const struct input *in,
                                one_parser *parser, struct sp_err *err)
{
    struct sp_listing *listing = NULL;
    enum sp_status status = parser(&listing, in->name, in->bytes, in->length, err);
    return status == SP_OK ? sp_listing_append(ret, ret_count, listing, err) : status;
}

/* What the bytes are. Text that is none of the others is taken for CSV, whose messages name the line. */
static enum sp_listing_format sniff(const struct input *in)
{
    const char *text = in->bytes, *end = text + in->length;
    if (in->length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    while (text < end && (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n'))
        text++;
    if (sp_paxlst_looks_like(in->bytes, in->length))
        return SP_LISTING_PAXLST;
    if (text < end && *text == '<')
        return SP_LISTING_ENOAD;
    if (text < end && (*text == '{' || *text == '['))
        return SP_LISTING_JSON;
    if (sp_listing_csv_looks_like(in->bytes, in->length))
        return SP_LISTING_CSV;
    return sp_fal_looks_like(in->bytes, in->length) ? SP_LISTING_FAL6 : SP_LISTING_CSV;
}

static enum sp_status parse(struct sp_listing ***ret, int *ret_count, const struct input *in,
                            enum sp_listing_format format, bool forced, struct sp_err *err)
{
    const struct sp_paxlst_options paxlst = {in->options->strict, in->now_ms};
    struct sp_listing *listing = NULL;
    enum sp_status status;
    switch (format) {
    case SP_LISTING_CSV:
        return parse_one(ret, ret_count, in, sp_listing_csv_parse, err);
    case SP_LISTING_ENOAD:
        return parse_one(ret, ret_count, in, sp_enoad_parse, err);
    case SP_LISTING_JSON:
    case SP_LISTING_NDJSON:
        return sp_listing_json_parse(ret, ret_count, in->name, in->bytes, in->length, err);
    case SP_LISTING_FAL5:
    case SP_LISTING_FAL6:
        status = sp_fal_parse(&listing, in->name, in->bytes, in->length,
                              forced ? (format == SP_LISTING_FAL5 ? 5 : 6) : 0, err);
        return status == SP_OK ? sp_listing_append(ret, ret_count, listing, err) : status;
    default:
        return sp_paxlst_parse(ret, ret_count, in->name, in->bytes, in->length, &paxlst, err); /* CUSRES, too */
    }
}

/* Nobody is born tomorrow, wherever it is tomorrow already: a year that was mistyped is worse than none. */
static void check_births(struct sp_listing *listing, int64_t now_ms)
{
    char last[32];
    const struct sp_edifact_day day = sp_edifact_date_day(now_ms + 86400000);
    snprintf(last, sizeof last, "%04d-%02d-%02d", day.year, day.month, day.day);
    for (int i = 0; i < listing->traveller_count; i++) {
        struct sp_traveller *t = &listing->travellers[i];
        if (strcmp(t->dob, last) <= 0)
            continue;
        sp_listing_deviate_value(listing, t->segment, t->offset, "the date of birth is in the future, left out");
        t->dob = "";
    }
}

/* What every format has in common, behind its own adapter. */
static enum sp_status finish(struct sp_listing *listing, const struct input *in, struct sp_err *err)
{
    enum sp_status status = sp_journey_fill(listing, &in->options->defaults, err);
    check_births(listing, in->now_ms);
    if (status == SP_OK)
        status = sp_mrz_check(listing, in->now_ms, err);
    bool lists = listing->action == SP_ACTION_LIST || listing->action == SP_ACTION_CHANGE;
    for (int i = 0; status == SP_OK && lists && i < listing->traveller_count; i++) {
        const struct sp_traveller *t = &listing->travellers[i];
        bool document = false;
        for (int k = 0; k < t->document_count; k++)
            document = document || (t->documents[k].number[0] && t->documents[k].issuer[0]);
        if (!t->ref[0] && !document && !(t->surname[0] && t->dob[0]))
            sp_listing_deviate_value(listing, t->segment, t->offset,
                                     "nothing tells this traveller from others: give traveller_ref, or doc_issuer, "
                                     "doc_type and doc_number, or surname, given, dob and nationality");
    }
    if (status == SP_OK && in->options->strict && listing->deviation_count > 0) {
        const struct sp_deviation *first = listing->deviations;
        if (!first)
            return sp_fail(err, SP_E_FORMAT, "%s: %d deviations", in->name, listing->deviation_count);
        if (first->segment == 0)
            return sp_fail(err, SP_E_FORMAT, "%s: %s", in->name, first->text);
        return sp_fail(err, SP_E_FORMAT, "%s %s %d offset %zu: %s", in->name,
                       sp_listing_place_word(listing->format), first->segment, first->offset, first->text);
    }
    return status;
}

static enum sp_status format_of(enum sp_listing_format *ret_format, bool *ret_forced, const struct input *in,
                                struct sp_err *err)
{
    const char *word = in->options->format;
    *ret_forced = word && word[0] && strcmp(word, "auto") != 0;
    if (!*ret_forced) {
        *ret_format = sniff(in);
        return SP_OK;
    }
    int format = sp_listing_format_from(word);
    if (format < 0)
        return sp_fail(err, SP_E_INVALID,
                       "no format '%.20s': paxlst, cusres, csv, json, ndjson, fal5, fal6, enoad or auto", word);
    *ret_format = (enum sp_listing_format)format;
    return SP_OK;
}

enum sp_status sp_listing_read_bytes(struct sp_listing ***ret_listings, int *ret_count, const char *name,
                                     const void *bytes, size_t length,
                                     const struct sp_listing_read_options *options, struct sp_err *err)
{
    struct sp_listing **listings = NULL;
    int count = 0;
    bool forced = false;
    enum sp_listing_format format = SP_LISTING_CSV;
    const char *slash = strrchr(name, '/');
    const struct input in = {slash ? slash + 1 : name, bytes, length, options,
                             options->now_ms ? options->now_ms : sp_clock_wall_ms()};
    if (length > SP_LISTING_MAX_BYTES)
        return sp_fail(err, SP_E_LIMIT, "%s: %zu bytes, the limit is %u", in.name, length, SP_LISTING_MAX_BYTES);
    enum sp_status status = format_of(&format, &forced, &in, err);
    if (status == SP_OK)
        status = parse(&listings, &count, &in, format, forced, err);
    for (int i = 0; status == SP_OK && i < count; i++)
        status = finish(listings[i], &in, err);
    if (status == SP_OK && count == 0)
        status = sp_fail(err, SP_E_FORMAT, "%s: no message in it", in.name);
    if (status == SP_OK) {
        *ret_listings = listings;
        *ret_count = count;
    } else {
        sp_listing_free_all(&listings, count);
    }
    return status;
}

enum sp_status sp_listing_read_file(struct sp_listing ***ret_listings, int *ret_count, const char *path,
                                    const struct sp_listing_read_options *options, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = sp_file_read(&bytes, &length, path, SP_LISTING_MAX_BYTES, err);
    if (status != SP_OK)
        return status;
    status = sp_listing_read_bytes(ret_listings, ret_count, path, bytes, length, options, err);
    sp_seal_wipe(bytes, length);
    free(bytes);
    return status;
}
