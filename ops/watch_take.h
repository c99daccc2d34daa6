/* One file of a drop folder: verified, read, published, answered. What the folder does with it afterwards is manifest_watch.c's. */
#ifndef SALLYPORT_OPS_WATCH_TAKE_H
#define SALLYPORT_OPS_WATCH_TAKE_H

#include "ops/config.h"
#include "roster/carriers.h"
#include "roster/manifest.h"
#include "roster/signature.h"

/* Zero-initialised, then filled; borrowed. */
struct sp_watch {
    const struct sp_ops_config *config;
    const char *portraits;              /* folder; NULL: none */
    const struct sp_carriers *carriers; /* NULL: no signature is asked for */
    const char *name;                   /* program name in CUSRES */
};

enum sp_watch_outcome {
    SP_WATCH_TAKEN,    /* published, or applied already */
    SP_WATCH_REJECTED, /* never to be tried again as it is: err says why */
    SP_WATCH_LATER,    /* a store, a broker or workers are away, or another desk was faster: err says who */
};

/* Zero-initialise; clear. */
struct sp_watch_taken {
    enum sp_watch_outcome outcome;
    struct sp_err err;
    int message_count, published;   /* in the file; of them applied */
    int deviations;                 /* of all messages */
    /* The version after the last message. */
    char manifest[SP_MANIFEST_ID_MAX]; /* "": none was published */
    uint64_t version;
    enum sp_manifest_state state;
    int travellers, lacks;          /* lacks: without a usable portrait */
    char carrier[32];               /* whose key signed it; "" */
    char *report;                   /* JSON, one document; owned */
    size_t report_length;
    char *answer;                   /* CUSRES of all its PAXLST messages; owned; NULL: none */
    size_t answer_length;
    char *reason;                   /* of SP_WATCH_REJECTED: a sentence, then the deviations; owned */
    size_t reason_length;
};

/* signature: the file NAME.sig as bytes, NULL: there is none. Blocks for as long as enrolment takes. */
void sp_watch_take(struct sp_watch_taken *ret_taken, const struct sp_watch *watch, const char *name,
                   const uint8_t *bytes, size_t length, const uint8_t *signature, size_t signature_length);
/* Fill a rejection of a file that is not read at all. */
void sp_watch_reject(struct sp_watch_taken *ret_taken, const char *why);
void sp_watch_taken_clear(struct sp_watch_taken *taken);

#endif
