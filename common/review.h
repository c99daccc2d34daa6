/* A review: who on a manifest looks like whom, as a worker tells a desk (docs/protocol.md section 5). */
#ifndef SALLYPORT_COMMON_REVIEW_H
#define SALLYPORT_COMMON_REVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/status.h"
#include "common/wire.h"

#define SP_REVIEW_MAX_PAIRS       200
#define SP_REVIEW_PSEUDONYM_BYTES 16

struct sp_review_pair {
    uint8_t a[SP_REVIEW_PSEUDONYM_BYTES], b[SP_REVIEW_PSEUDONYM_BYTES];
    double score; /* larger is closer */
};

struct sp_review {
    uint64_t version; /* of the manifest that was reviewed */
    int people;       /* on it */
    int usable;       /* of them with a portrait that can be compared */
    int missing;      /* templates that were not there (yet) */
    double threshold; /* score of a match at the default FPIR among so many people */
    double margin;    /* the lanes' default */
    int pair_count;   /* in pairs, closest first */
    int count;        /* pairs at or above threshold - margin, each once: pairs holds the closest of them */
    struct sp_review_pair pairs[SP_REVIEW_MAX_PAIRS];
};

/* SP_E_INVALID names a field that nobody would read. */
enum sp_status sp_review_check(const struct sp_review *review, struct sp_err *err);
void sp_review_put(struct sp_wire_writer *writer, const struct sp_review *review); /* one map */
enum sp_status sp_review_read(struct sp_review *ret, const sp_wire_value *map, struct sp_err *err);

#endif
