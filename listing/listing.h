/* A listing: what one message or file of a carrier says about the travellers of one journey. The one internal model
 * behind every format: PAXLST, CUSRES, CSV, JSON, NDJSON, IMO FAL, eNOAD (docs/manifests.md 2).
 *
 * Pure data: bytes in, a listing out, nothing here talks to a store. All text is UTF-8, NUL-terminated, without
 * control characters, and lives in the listing's arena; a field that was not given is "", never NULL. Dates are
 * "yyyy-mm-dd", times "yyyy-mm-ddThh:mm" in the local time of the port they belong to. Not thread-safe; wiped when
 * freed (names are in it). */
#ifndef SALLYPORT_LISTING_LISTING_H
#define SALLYPORT_LISTING_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"

#define SP_LISTING_MAX_BYTES      (64u << 20) /* of one file */
#define SP_LISTING_MAX_TRAVELLERS 20000
#define SP_LISTING_MAX_LEGS       20
#define SP_LISTING_MAX_DOCUMENTS  16 /* of one traveller */
#define SP_LISTING_MAX_PHOTOS     8
#define SP_LISTING_MAX_TEXT       512  /* bytes of one value */
#define SP_LISTING_MAX_DEVIATIONS 1000 /* with a text; further ones are counted */

/* X(CONSTANT, "word"): the file format it came in. */
#define SP_LISTING_FORMAT_LIST(X)                                                                                  \
    X(PAXLST, "paxlst")                                                                                            \
    X(CUSRES, "cusres")                                                                                            \
    X(CSV, "csv")                                                                                                  \
    X(JSON, "json")                                                                                                \
    X(NDJSON, "ndjson")                                                                                            \
    X(FAL5, "fal5")                                                                                                \
    X(FAL6, "fal6")                                                                                                \
    X(ENOAD, "enoad")
enum sp_listing_format {
#define X(constant, word) SP_LISTING_##constant,
    SP_LISTING_FORMAT_LIST(X)
#undef X
        SP_LISTING_FORMAT_COUNT
};

/* Whom it is about: full lists of one group never touch the other group. */
enum sp_listing_group { SP_GROUP_PASSENGERS, SP_GROUP_CREW, SP_GROUP_BOTH };

/* What it does to the manifest (docs/manifests.md 4). */
enum sp_listing_action {
    SP_ACTION_LIST,   /* these are all travellers of the group (one part of them, if it is one of several) */
    SP_ACTION_CHANGE, /* these are new, or their data have changed; all others stay */
    SP_ACTION_REMOVE, /* these do not travel any more; all others stay */
    SP_ACTION_CLOSE,  /* boarding is over */
    SP_ACTION_CLOSE_NOT_ON_BOARD, /* boarding is over; these are not on board */
    SP_ACTION_CLOSE_ON_BOARD,     /* boarding is over; these are on board */
    SP_ACTION_CANCEL_JOURNEY,
    SP_ACTION_CHANGE_JOURNEY, /* times or ports of the journey have changed */
    SP_ACTION_ANSWER,         /* CUSRES: what the authority said of these travellers */
};

struct sp_document {
    const char *type; /* P passport, V visa, I identity card ... as sent; "" unknown */
    const char *number;
    const char *issuer; /* ISO 3166 alpha-3 */
    const char *expiry; /* date */
    const char *issued; /* date */
};

struct sp_traveller {
    const char *ref;  /* the carrier's own unique reference (PAXLST RFF+ABO) */
    const char *role; /* passenger, crew, transit_passenger, transit_crew, or what the sender calls it */
    const char *surname, *given;
    const char *dob;         /* date */
    const char *sex;         /* F, M, X or "" */
    const char *nationality; /* ISO 3166 alpha-3 */
    const char *residence, *birth_place;
    const char *rank; /* of crew */
    const char *pnr, *seat_or_cabin;
    const char *embark, *debark, *clearance; /* ports */
    const char *transit;                     /* "yes", "no" or "" */
    const char *verified;                    /* "yes", "no" or "": PAXLST GEI 173/174 */
    const char *mrz;                         /* the lines of a machine readable zone, joined by '\n' */
    const char *valid_from, *valid_to;       /* dates, of galleries without a journey */
    const char *answer, *answer_text;        /* SP_ACTION_ANSWER: ERC code, FTX text */
    int document_count, photo_count;
    struct sp_document *documents;
    const char **photos; /* file names or URIs as sent */
    int segment; /* where it began: segment (PAXLST), line (CSV, FAL, NDJSON, eNOAD) or traveller (JSON), 1-based */
    size_t offset; /* the same, bytes from the file's begin */
};

struct sp_leg {
    const char *dep_port, *arr_port; /* IATA or UN/LOCODE as sent, upper case */
    const char *sched_dep, *sched_arr;
    bool over_flight;
};

struct sp_deviation {
    int segment; /* as in sp_traveller; 0: the file as a whole */
    size_t offset;
    const char *text; /* a sentence, without any traveller's data beyond codes and lengths */
    bool value;       /* a value was not of its form: a desk's own file (CSV, JSON) is not published with it */
};

struct sp_listing {
    enum sp_listing_format format;
    enum sp_listing_group group;
    enum sp_listing_action action;
    /* the message */
    const char *directory;            /* "02B", "05B", "15B"; "" elsewhere */
    const char *message;              /* message reference (UNH 0062) */
    const char *interchange;          /* interchange reference (UNB 0020) */
    const char *reference;            /* transaction (RFF+TN) */
    const char *version;              /* of that transaction, as sent */
    const char *common;               /* common access reference (UNH 0068): what the parts of one list share */
    const char *sender;               /* UNB sender or NAD+MS party */
    const char *contact;              /* whom to ask: PAXLST NAD+MS, CTA and COM ("EXAMPLE OPS, 15550100 TE") */
    const char *answer, *answer_text; /* SP_ACTION_ANSWER: what is said of all of them (CUSRES ERP+1) */
    int part;                         /* 1...; 0: the format has no parts */
    bool last_part;                   /* "F", or the format has no parts */
    int declared;                     /* travellers it says it has (CNT); -1: it does not say */
    /* the journey */
    const char *mode;             /* air, sea, pedestrian, vehicle, private */
    const char *carrier, *number; /* "ZX", "417"; sea: line or operator, voyage */
    const char *direction;        /* exit, entry or "" */
    const char *vessel, *vessel_id,
        *flag; /* sea: name, IMO number, country; private aircraft: registration in vessel_id */
    int leg_count;
    struct sp_leg *legs;
    int traveller_count;
    struct sp_traveller *travellers;
    int deviation_count; /* all of them; the first SP_LISTING_MAX_DEVIATIONS have an entry */
    struct sp_deviation *deviations;
    int value_count;        /* deviations with `value` */
    struct sp_arena *arena; /* owns everything above */
};

enum sp_status sp_listing_new(struct sp_listing **ret_listing, enum sp_listing_format format, struct sp_err *err);
void sp_listing_free(struct sp_listing **listing); /* wipes; NULL is fine */

/* Building, for the adapters. Each returns SP_E_NOMEM, or SP_E_LIMIT naming the limit. */
enum sp_status sp_listing_add_traveller(struct sp_listing *listing, int segment, size_t offset,
                                        struct sp_traveller **ret_traveller, struct sp_err *err);
enum sp_status sp_listing_add_leg(struct sp_listing *listing, struct sp_leg **ret_leg, struct sp_err *err);
enum sp_status sp_listing_add_document(struct sp_listing *listing, struct sp_traveller *traveller,
                                       struct sp_document **ret_document, struct sp_err *err);
enum sp_status sp_listing_add_photo(struct sp_listing *listing, struct sp_traveller *traveller, const char *photo,
                                    struct sp_err *err);
/* A copy of text[0..length) in the arena: without spaces at its ends, control characters become '?', bytes that are
 * no UTF-8 become U+FFFD, cut at SP_LISTING_MAX_TEXT (ret_changed says so; may be NULL). */
enum sp_status sp_listing_text(struct sp_listing *listing, const char **ret_text, const char *text, size_t length,
                               bool *ret_changed, struct sp_err *err);
/* The same for a text of several lines: '\n' stays. */
enum sp_status sp_listing_lines(struct sp_listing *listing, const char **ret_text, const char *text,
                                struct sp_err *err);
/* Note a deviation. Never fails: without memory it is only counted. */
void sp_listing_deviate(struct sp_listing *listing, int segment, size_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* As above, for a value that is not of its form. */
void sp_listing_deviate_value(struct sp_listing *listing, int segment, size_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* How many deviations have an entry. */
int sp_listing_noted(const struct sp_listing *listing);

const char *sp_listing_format_word(enum sp_listing_format format);
int sp_listing_format_from(const char *word); /* -1: none */
/* What `segment` counts in a format: "segment", "line", "traveller". */
const char *sp_listing_place_word(enum sp_listing_format format);
/* "passenger_list", "crew_change", "close_not_on_board", "answer" ... */
const char *sp_listing_kind_word(enum sp_listing_group group, enum sp_listing_action action);
/* The way back. false: no such kind. */
bool sp_listing_kind_from(enum sp_listing_group *ret_group, enum sp_listing_action *ret_action, const char *word);

#endif
