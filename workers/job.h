/* A job: one message of a client on its way through the pipeline. Everything that belongs to it, its id above all,
 * travels in this one object; stages hand the pointer on and keep nothing.
 *
 * Jobs come from a fixed pool whose size is the worker's credit. A job belongs to one stage at a time. */
#ifndef SALLYPORT_WORKERS_JOB_H
#define SALLYPORT_WORKERS_JOB_H

#include "image/image.h"
#include "roster/manifest.h"
#include "workers/decide.h"
#include "workers/vision.h"

struct sp_job {
    /* where it came from: the answer goes back on the same greeting of the same broker, or nowhere */
    int broker;
    uint64_t greeting;
    uint64_t number;
    uint32_t attempt;
    int kind;             /* SP_MSG_FRAME, SP_MSG_CLOSE, SP_MSG_ENROL or SP_MSG_REVIEW */
    uint64_t arrived_ns;  /* monotonic */
    uint64_t deadline_ns; /* arrival + budget */

    /* as sent: the client's header, byte by byte, is the payload's associated data */
    uint8_t head[SP_HEADER_MAX_BYTES];
    size_t head_length;
    uint8_t *payload; /* owned; wiped with the job */
    size_t payload_length;

    /* intake */
    struct sp_header header;
    uint8_t session_key[SP_KEY_BYTES];
    uint8_t *plain; /* the opened payload, owned; encoded points into it */
    size_t plain_length;
    const uint8_t *encoded; /* FRAME: the image as sent */
    size_t encoded_length;
    char manifest[SP_MANIFEST_ID_MAX]; /* ENROL, REVIEW */
    uint64_t version;                  /* REVIEW: at least this one */
    uint8_t row[SP_ROW_BYTES];
    uint8_t portrait[SP_PORTRAIT_BYTES];
    struct sp_manifest_keys keys;

    /* vision */
    struct sp_image *image; /* owned */
    int width, height;      /* of the image, which may be gone already */
    enum sp_vision_mode mode;
    struct sp_faces *faces; /* owned by the pool */

    /* decide */
    struct sp_lane lane;
    struct sp_basis basis;
    struct sp_judgement judgement; /* FRAME */
    bool store_away;               /* the ledger did not answer while this job waited for it */

    /* the answer */
    uint64_t mark_ns; /* when the stage that has the job began with it */
    uint32_t timings_us[SP_TIMING_COUNT];
    int answer;
    int reason;
    char text[SP_TEXT_MAX];
    char cause[240]; /* of error internal: for this worker's log, never for the wire */
    uint8_t *sealed; /* owned; NULL: an answer without a payload */
    size_t sealed_length;
};

struct sp_job_pool;
enum sp_status sp_job_pool_new(struct sp_job_pool **ret_pool, int count, struct sp_err *err);
void sp_job_pool_free(struct sp_job_pool **pool);
/* A zeroed job, or NULL when all are out. Thread-safe. */
struct sp_job *sp_job_take(struct sp_job_pool *pool);
/* Wipe and give back. Thread-safe. */
void sp_job_give(struct sp_job_pool *pool, struct sp_job *job);
int sp_job_pool_out(struct sp_job_pool *pool);

/* Copy the client's header and payload in. SP_E_LIMIT, SP_E_NOMEM. */
enum sp_status sp_job_fill(struct sp_job *job, const void *head, size_t head_length, const void *payload,
                           size_t payload_length, struct sp_err *err);
/* The image's pixels and bytes are not needed any more: drop them early. */
void sp_job_drop_image(struct sp_job *job);

/* Order of the stages: class first, then the budget that ends first. For sp_queue. */
bool sp_job_before(const void *a, const void *b);
bool sp_job_expired(const struct sp_job *job, uint64_t now_ns);
/* When to stop waiting for a store so that the answer still leaves within the budget. */
uint64_t sp_job_give_up_ns(const struct sp_job *job);

#endif
