/* Reading an interchange, inside: the state that paxlst.c (envelopes), paxlst_journey.c, paxlst_traveller.c and
 * cusres_read.c share, and how each of them takes values and notes what it cannot keep.
 *
 * The state is sticky: after a failure everything here does nothing, and the loop in paxlst.c stops. */
#ifndef SALLYPORT_LISTING_PAXLST_READ_H
#define SALLYPORT_LISTING_PAXLST_READ_H

#include "listing/edifact.h"
#include "listing/edifact_date.h"
#include "listing/listing.h"
#include "listing/paxlst.h"

#define SP_PAXLST_MAX_ASIDES  64 /* kinds of a message; further kinds are one */
#define SP_PAXLST_MAX_PENDING 16

/* Lengths of the directory, in bytes; longer values are kept, and noted. */
#define SP_PAXLST_NAME 70
#define SP_PAXLST_REF  70
#define SP_PAXLST_WORD 35

/* Where in a message the present segment stands. */
enum sp_paxlst_place {
    SP_PAXLST_HEADER,    /* UNH, BGM, RFF, DTM, NAD+MS ... */
    SP_PAXLST_TRANSPORT, /* after a TDT; CUSRES: after RFF+AF */
    SP_PAXLST_TRAVELLER, /* after a traveller's NAD; CUSRES: after ERP+2 */
    SP_PAXLST_DOCUMENT,  /* after a DOC */
    SP_PAXLST_ALL        /* CUSRES: after ERP+1 */
};

/* A deviation that may come thousands of times: one entry with a count. */
struct sp_paxlst_aside {
    char what[32];
    const char *phrase; /* static */
    int count, segment;
    size_t offset; /* of the first one */
};

struct sp_paxlst_pending {
    int segment;
    size_t offset;
    char text[200];
};

/* The envelope around the messages: UNB, and UNG in it. */
struct sp_paxlst_envelope {
    bool open;
    int inside; /* messages of a group; messages or groups of an interchange */
    char reference[36];
};

struct sp_paxlst_read {
    struct sp_paxlst_options options;
    struct sp_edifact_day today;
    struct sp_edifact edifact;
    struct sp_edifact_segment segment;             /* the present one */
    uint64_t used[SP_EDIFACT_MAX_COMPONENTS / 64]; /* its components that somebody took */
    enum sp_status status;
    struct sp_err *err; /* never NULL */
    bool placed;        /* it names the segment */
    /* the interchange */
    struct sp_paxlst_envelope interchange, group;
    int groups; /* in the interchange */
    char sender[36];
    bool latin1; /* UNOC: ISO 8859-1 */
    struct sp_paxlst_pending pending[SP_PAXLST_MAX_PENDING];
    int pending_count;
    /* the message; listing is NULL between messages and in those of other types */
    struct sp_listing *listing;
    bool skipping, has_bgm;
    int first_segment;
    enum sp_paxlst_place place;
    int transports;               /* TDT, or RFF+AF */
    int transport_legs;           /* legs before the present transport */
    bool over_flight, at_arrival; /* of the present transport; its last LOC was an arrival */
    const char *onward;           /* a departure time after an arrival: of the next leg */
    int onward_segment;           /* where it was */
    size_t onward_offset;
    int declared_passengers, declared_crew; /* CNT; -1: none */
    struct sp_traveller *traveller;
    struct sp_document *document;
    struct sp_paxlst_aside asides[SP_PAXLST_MAX_ASIDES];
    int aside_count;
    /* the result */
    struct sp_listing **listings;
    int count, travellers;
};

/* Values, without spaces at their ends. `used` remembers what was taken: sp_paxlst_leftovers notes the rest. */
struct sp_edifact_view sp_paxlst_get(struct sp_paxlst_read *in, int element, int component);
/* As text of the listing; what is longer than `limit` is noted. Never NULL. */
const char *sp_paxlst_text(struct sp_paxlst_read *in, int element, int component, size_t limit);
/* All components of an element from `component` on, joined by `between` (one character). */
const char *sp_paxlst_joined(struct sp_paxlst_read *in, int element, int component, char between, size_t limit);
/* In upper case: codes. */
const char *sp_paxlst_upper(struct sp_paxlst_read *in, int element, int component, size_t limit);
/* A place (C517): its code, or its name without one; of a birth or residence (180, 174) both. Notes a name without
 * a code, and nothing at all. */
const char *sp_paxlst_location(struct sp_paxlst_read *in);
/* What is still to be noted about the present segment: its flags, content nobody took. */
void sp_paxlst_leftovers(struct sp_paxlst_read *in);
/* Sets a field that was empty; another value for one that is not is noted as a second `what`. */
void sp_paxlst_set(struct sp_paxlst_read *in, const char **field, const char *value, const char *what);
/* The present DTM: "yyyy-mm-dd", or with `timed` "yyyy-mm-ddThh:mm". "" and a note if it is none. */
const char *sp_paxlst_date(struct sp_paxlst_read *in, enum sp_edifact_century century, bool timed);
/* A code as it may stand in a message: up to `longest` letters and digits (of a qualifier 3), else "?" (it may be
 * anybody's name). */
const char *sp_paxlst_code(struct sp_edifact_view view, size_t longest, char ret_code[8]);
int sp_paxlst_number(struct sp_edifact_view view); /* -1: no number of up to 9 digits, zeros before it aside */

/* Notes. With options.strict each is the error. */
void sp_paxlst_deviate(struct sp_paxlst_read *in, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* At another place than the present segment. */
void sp_paxlst_deviate_at(struct sp_paxlst_read *in, int segment, size_t offset, const char *text);
void sp_paxlst_aside(struct sp_paxlst_read *in, const char *what, const char *phrase);
/* "RFF+AEA is not kept": the present segment with its first element. */
void sp_paxlst_not_kept(struct sp_paxlst_read *in);
void sp_paxlst_flush_asides(struct sp_paxlst_read *in);  /* at the end of the message */
void sp_paxlst_flush_pending(struct sp_paxlst_read *in); /* what was noted before the listing was there */
void sp_paxlst_fail(struct sp_paxlst_read *in, enum sp_status status, const char *text);

/* Handlers of a message's segments; false: not one of theirs. */
bool sp_paxlst_journey_segment(struct sp_paxlst_read *in);
bool sp_paxlst_traveller_segment(struct sp_paxlst_read *in);
bool sp_paxlst_answer_segment(struct sp_paxlst_read *in); /* CUSRES */
void sp_paxlst_journey_begin(struct sp_paxlst_read *in);  /* a new transport: its legs are its own */
void sp_paxlst_journey_flight(struct sp_paxlst_read *in, int element, int component, const char *carrier);
void sp_paxlst_journey_settle(struct sp_paxlst_read *in); /* no leg comes any more */
void sp_paxlst_check(struct sp_paxlst_read *in);          /* at the end: counts, duplicates */

#endif
