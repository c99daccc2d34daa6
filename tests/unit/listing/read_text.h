/* What the tests of the adapters share: a text becomes listings, and what is said about it. */
#ifndef SALLYPORT_TESTS_READ_TEXT_H
#define SALLYPORT_TESTS_READ_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "listing/read.h"

/* From exactly `length` bytes of heap, so that an address sanitizer sees a read past the end. */
static inline enum sp_status read_bytes(struct sp_listing ***ret, int *ret_count, const char *format, bool strict,
                                        const void *bytes, size_t length, struct sp_err *err)
{
    const struct sp_listing_read_options options = {.strict = strict, .format = format};
    void *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    enum sp_status status = sp_listing_read_bytes(ret, ret_count, "/some/where/t.in", copy, length, &options, err);
    free(copy);
    return status;
}

/* One listing, found by content. */
static inline struct sp_listing *read_one(const char *text)
{
    struct sp_listing **all = NULL, *one;
    struct sp_err err = {0};
    int count = 0;
    if (read_bytes(&all, &count, NULL, false, text, strlen(text), &err) != SP_OK)
        fail_msg("refused: %s", err.text);
    assert_int_equal(count, 1);
    one = all[0];
    free((void *)all);
    return one;
}

/* It is refused with a sentence that has all of `words` (separated by '|'), and never "SAMPLE". */
static inline void check_refused_bytes(const char *format, const void *bytes, size_t length, enum sp_status wanted,
                                       const char *words)
{
    struct sp_listing **all = NULL;
    struct sp_err err = {0};
    char copy[200], *rest = NULL;
    int count = 0;
    enum sp_status status = read_bytes(&all, &count, format, false, bytes, length, &err);
    if (status != wanted)
        fail_msg("status %s, not %s: %s", sp_status_name(status), sp_status_name(wanted), err.text);
    assert_null(all);
    strncpy(copy, words, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    for (char *word = strtok_r(copy, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
        if (!strstr(err.text, word))
            fail_msg("'%s' does not name '%s'", err.text, word);
    assert_null(strstr(err.text, "SAMPLE"));
}

static inline void check_refused(const char *text, enum sp_status wanted, const char *words)
{
    check_refused_bytes(NULL, text, strlen(text), wanted, words);
}

/* A deviation at that place says so; none gives a traveller's name away. */
static inline void check_deviation(const struct sp_listing *listing, int segment, const char *word)
{
    bool found = false;
    for (int i = 0; i < sp_listing_noted(listing); i++) {
        const struct sp_deviation *d = &listing->deviations[i];
        found = found || (d->segment == segment && strstr(d->text, word));
        assert_null(strstr(d->text, "SAMPLE"));
    }
    if (!found)
        fail_msg("no deviation at %d says '%s' (%d of them, first '%s')", segment, word, listing->deviation_count,
                 sp_listing_noted(listing) ? listing->deviations[0].text : "");
}

static inline void check_id(const struct sp_listing *listing, const char *wanted)
{
    char id[SP_MANIFEST_ID_MAX] = "";
    struct sp_err err = {0};
    if (sp_journey_id(id, listing, NULL, 0, &err) != SP_OK)
        fail_msg("no id: %s", err.text);
    assert_string_equal(id, wanted);
}

#endif
