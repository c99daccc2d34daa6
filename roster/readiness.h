/* Is a journey ready to board? A pure function over the version index and what was heard of fleet, lanes and look-alikes: counts,
 * problems by severity, a verdict (docs/manifests.md 8.1). What could not be asked is a problem of its own, never fine. */
#ifndef SALLYPORT_ROSTER_READINESS_H
#define SALLYPORT_ROSTER_READINESS_H

#include "roster/manifest.h"

#define SP_READY_MAX_PROBLEMS 24
#define SP_READY_MAX_MISSING  16 /* part numbers that are named */
#define SP_READY_REASONS      256

/* Worst first. */
enum sp_ready_severity {
    SP_READY_BLOCKS,  /* boarding with cameras cannot begin, or goes wrong */
    SP_READY_UNKNOWN, /* could not be asked; counts as not ready */
    SP_READY_WARNS,   /* some travellers will need a hand */
};
const char *sp_ready_severity_word(enum sp_ready_severity severity); /* "blocks", "unknown", "warns" */

struct sp_ready_problem {
    enum sp_ready_severity severity;
    const char *kind; /* one word: "parts", "portraits", "lanes" ...; static */
    char text[240];   /* a sentence, without travellers' data */
};

/* A worker that is connected. */
struct sp_ready_worker {
    char name[SP_NAME_MAX];
    uint64_t version; /* of this manifest's gallery that it holds; 0: none */
    int missing;      /* templates that it could not load */
};

/* A lane that is assigned this manifest. */
struct sp_ready_lane {
    char lane[SP_NAME_MAX];
    bool alive;       /* a capture node speaks for it */
    int64_t quiet_ms; /* since its last sign of life; -1: never heard */
};

/* Two travellers whose portraits are closer than the lanes can tell apart. */
struct sp_ready_pair {
    int a, b;     /* rows of the index; -1: no row has that pseudonym (an older version) */
    double score; /* larger is closer */
};

/* What was found out. The arrays are borrowed. */
struct sp_ready_facts {
    const struct sp_manifest_index *index;
    int64_t now_ms;
    const uint8_t *pack;      /* [16] that the workers run; NULL: not known, the index's newest is meant */
    double portrait_minimum;  /* share of travellers with a usable portrait below which it blocks; default 0.9 */
    int64_t lanes_due_ms;     /* lanes must be alive from this long before departure on; default 3 h */
    bool workers_known;       /* which are connected */
    bool versions_known;      /* what they hold */
    int worker_count;
    const struct sp_ready_worker *workers;
    bool lanes_known;         /* whether they live; their assignment is always known */
    int lane_count;
    const struct sp_ready_lane *lanes;
    bool review_known, review_skipped; /* skipped: nobody asked for it, which is no problem */
    int pair_count;
    const struct sp_ready_pair *pairs;
    int review_missing;       /* travellers with a usable portrait whom the review could not compare */
};
void sp_ready_facts_default(struct sp_ready_facts *ret_facts); /* zeroed, with the defaults */

/* The newest list of one group, with its parts. */
struct sp_ready_list {
    bool received;
    bool in_parts;       /* its messages are numbered: the last one tells how many there are */
    int parts, parts_of; /* received; how many there are, 0: the last has not come (or the format has no parts: 1, 1) */
    int missing_count;   /* of 1..parts_of */
    uint16_t missing[SP_READY_MAX_MISSING];
    int travellers, declared; /* of the parts received; declared -1: it does not say */
    int deviations;
    int64_t received_ms; /* of its newest part */
};

struct sp_readiness {
    bool ready;
    struct sp_ready_list lists[3]; /* enum sp_listing_group */
    int travellers, crew, portraits;
    int with_portrait;             /* travellers with at least one usable portrait */
    int lacking[SP_READY_REASONS]; /* travellers without, by the reason of their best portrait; NO_PORTRAIT: none was sent */
    int workers, workers_current;  /* connected; of them holding this version */
    int lanes, lanes_alive;
    int problem_count;
    struct sp_ready_problem problems[SP_READY_MAX_PROBLEMS]; /* worst first */
};
void sp_ready_judge(struct sp_readiness *ret_readiness, const struct sp_ready_facts *facts);

/* The portrait that speaks for a row under one of the index's packs: the best usable one, else the first. NULL: none. */
const struct sp_index_portrait *sp_ready_portrait(const struct sp_index_row *row, int pack);
/* Why a row has no usable portrait under that pack; 0: it has one. */
int sp_ready_lack(const struct sp_index_row *row, int pack);

#endif
