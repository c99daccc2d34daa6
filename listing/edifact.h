/* UN/EDIFACT (ISO 9735), bounded: segments, elements and components of an interchange in memory, without copies.
 *
 * Reads what is sent, not only what the standard says: lines of a Type B telegram before the first segment, a UNA
 * with any separators or none (then they are guessed from the first segments), line breaks and spaces between
 * segments, lines wrapped inside of one. What it had to forgive is in the flags of the segment, for the caller to
 * report. */
#ifndef SALLYPORT_LISTING_EDIFACT_H
#define SALLYPORT_LISTING_EDIFACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "common/status.h"

#define SP_EDIFACT_MAX_PREAMBLE   4096 /* bytes before the first segment */
#define SP_EDIFACT_MAX_SEGMENT    8192 /* bytes of one segment, with its terminator */
#define SP_EDIFACT_MAX_ELEMENTS   64   /* of one segment, the tag is the first */
#define SP_EDIFACT_MAX_COMPONENTS 128  /* of one segment, all elements together */

enum sp_edifact_flag {
    SP_EDIFACT_SPACES = 1,      /* spaces or tabs before the tag, or behind it */
    SP_EDIFACT_WRAPPED = 2,     /* line breaks inside; they are left out */
    SP_EDIFACT_RELEASED = 4,    /* a release character before an ordinary one; both are kept */
    SP_EDIFACT_UNTERMINATED = 8 /* the bytes end inside; only the last one can have this */
};

/* Not NUL-terminated. Points into the source, or into the reader where the segment has release characters. */
struct sp_edifact_view {
    const char *text;
    size_t length;
};

struct sp_edifact_segment {
    int number;    /* 1: the first one of the file; a UNA is not counted */
    size_t offset; /* of its tag, bytes from the file's begin */
    char tag[4];   /* "" where there are no three letters or digits */
    unsigned flags;
    int element_count;                           /* with the tag, which is element 0 */
    uint16_t first[SP_EDIFACT_MAX_ELEMENTS + 1]; /* element i has components first[i] to first[i + 1] - 1 */
    struct sp_edifact_view components[SP_EDIFACT_MAX_COMPONENTS];
};

struct sp_edifact {
    char name[128]; /* for messages */
    const char *bytes;
    size_t length, at;
    int number;                                   /* segments read */
    int preamble_lines;                           /* before the first segment */
    bool guessed;                                 /* no UNA, and separators that are not the default ones */
    bool brief_una;                               /* a UNA of eight bytes, without the place of the repetition */
    char component, element, release, terminator; /* release: 0 for none */
    char repetition; /* 0 for none. It is text: nothing repeats in these messages, and senders use it in names */
    uint8_t kind[256];
    char scratch[SP_EDIFACT_MAX_SEGMENT]; /* components without their release characters */
};

/* Whether they are an interchange: a UNA, UNB, UNG or UNH at the begin of a line within the preamble, and what
 * follows such a tag, or the name of a message that is read. */
bool sp_edifact_looks_like(const void *bytes, size_t length);
/* Fills *reader (no destructor) and finds the separators. The bytes have to live as long. SP_E_FORMAT: no segment,
 * or a UNA whose separators are letters, digits, or equal to each other. */
enum sp_status sp_edifact_open(struct sp_edifact *reader, const char *name, const void *bytes, size_t length,
                               struct sp_err *err);
/* The next segment; views stay until the next call. SP_E_CLOSED at the end (err untouched); SP_E_LIMIT,
 * SP_E_FORMAT. */
enum sp_status sp_edifact_next(struct sp_edifact *reader, struct sp_edifact_segment *segment, struct sp_err *err);
/* A component, both counted from 0; length 0 if it is not there. */
struct sp_edifact_view sp_edifact_get(const struct sp_edifact_segment *segment, int element, int component);

static inline bool sp_edifact_is(struct sp_edifact_view view, const char *text)
{
    return view.length == strlen(text) && memcmp(view.text, text, view.length) == 0;
}

/* Whether a segment's tag is this one. */
static inline bool sp_edifact_tag(const char tag[4], const char wanted[4])
{
    return memcmp(tag, wanted, 4) == 0;
}

#endif
