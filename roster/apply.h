/* What a message makes of the manifest that stands: a pure function over the version before, its rows and the
 * message. Nothing here talks to a store; rules and states are in docs/manifests.md 4. */
#ifndef SALLYPORT_ROSTER_APPLY_H
#define SALLYPORT_ROSTER_APPLY_H

#include "listing/listing.h"
#include "roster/index.h"
#include "roster/roster.h"

#define SP_APPLY_MAX_PROBLEMS 100
#define SP_APPLY_MAX_PARTS    99 /* two digits (PAXLST S010 0070) */

/* What a message says beside its travellers. Texts are never NULL and live as long as what they were taken from. */
struct sp_apply_message {
    enum sp_listing_format format;
    enum sp_listing_group group;
    enum sp_listing_action action;
    const char *reference; /* what makes this message known when it comes again; "": nothing, it is applied again */
    const char *series; /* what the parts of one list share; "": nothing, it is a list of its own */
    int part;           /* 1...; 0: the format has no parts */
    bool last_part;     /* of a format without parts: no more travellers will come */
    int declared, deviations;
    bool standing; /* no journey: rows have validity of their own */
    const char *carrier, *journey, *dep_port, *arr_port, *sched_dep, *sched_arr, *direction;
    char number[32], own[1100]; /* what journey and reference may point to */
};

/* A whole list without references, as a desk's CSV file is. The roster's first row gives the journey. */
void sp_apply_whole(struct sp_apply_message *ret_message, const struct sp_roster *roster,
                    enum sp_listing_action action, bool last_part);
/* What a listing says. ports: the site's, which say which leg counts (listing/journey.h). The message must not be copied: texts
 * of it lie in it. */
void sp_apply_from_listing(struct sp_apply_message *ret_message, const struct sp_listing *listing,
                           const struct sp_roster *roster, const char *const *ports, int port_count);

struct sp_applied_row {
    struct sp_index_row index; /* content and pseudonym are set for rows that stood; new rows have their id */
    int before;                /* index into the rows before; -1: new */
    int source;                /* index into roster->rows; -1: this message does not name it */
    int absorbed;              /* index into the rows before of another row of this traveller that goes; -1: none */
    bool changed;              /* against the row before; true for new rows */
    struct sp_row row; /* what is to be stored, where source >= 0; values point into both inputs, text is NULL */
};

/* Of a list in parts. */
struct sp_apply_parts {
    bool seen[SP_APPLY_MAX_PARTS + 1]; /* by number */
    int count, of; /* how many of them, and how many there are (0: the last one is not there yet) */
};

/* Something in the message that does not fit together, or not with what stands. */
struct sp_apply_problem {
    int source; /* index into roster->rows */
    char text[200];
};

struct sp_applied {
    bool known;  /* this very message was applied already: rows are those that stand, source says which of them it names */
    bool late;   /* a part of a list that a newer one has replaced: nothing is to be done */
    bool noted;  /* it must make a version though its travellers change nothing: parts, messages with a reference */
    bool closes; /* the manifest becomes CLOSED */
    bool partial; /* of a manifest that was not open before, or PARTIAL: travellers are still to come */
    int row_count;
    struct sp_applied_row *rows; /* owned */
    int added, changed, kept, removed, expired;
    int unknown;                     /* named by a removal or close-out, and not in the manifest */
    struct sp_apply_parts parts;     /* of this list, with this message */
    struct sp_index_receipt receipt; /* of this message; received_ms = now_ms */
    int problem_count;               /* all of them; the first SP_APPLY_MAX_PROBLEMS have a text */
    struct sp_apply_problem problems[SP_APPLY_MAX_PROBLEMS];
};

/* before NULL: the manifest was never published; else rows_before[i] is the opened row of before->rows[i]. The
 * inputs must outlive *ret_applied. SP_E_CLOSED: the state takes no such message; SP_E_NOTFOUND: there is nothing
 * to change; SP_E_INVALID: a list of nobody that does not declare 0; SP_E_LIMIT: too many travellers; SP_E_UNSUPPORTED: an answer of an authority. */
enum sp_status sp_apply(struct sp_applied **ret_applied, const struct sp_manifest_index *before,
                        const struct sp_row *rows_before, const struct sp_roster *roster,
                        const struct sp_apply_message *message, const struct sp_manifest_keys *keys, int64_t now_ms,
                        struct sp_err *err);
/* Of these errors, those that can be said before anything is read or written: sp_apply says them, too. */
enum sp_status sp_apply_check(const struct sp_manifest_index *before, const struct sp_roster *roster,
                              const struct sp_apply_message *message, struct sp_err *err);
void sp_applied_free(struct sp_applied **applied);

/* The state of the next version, given whether anything of journey or travellers differs. */
enum sp_manifest_state sp_applied_state(const struct sp_applied *applied, const struct sp_manifest_index *before,
                                        bool differs);
/* Append the receipt to the index's. At SP_INDEX_MAX_RECEIPTS the oldest of what is no list leaves, else the oldest: a list that
 * is forgotten would undo, when it comes again, all that came after it. */
void sp_apply_note(struct sp_manifest_index *index, const struct sp_index_receipt *receipt);

#endif
