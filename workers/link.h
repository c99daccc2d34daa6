/* Link: the worker's side of the brokers. One DEALER socket per broker; jobs come in, results go out, and beats say
 * that the work loop still turns. A broker that falls silent gets a fresh connection and a new READY; results of
 * jobs that belong to an older greeting are dropped, because the broker has given those jobs to somebody else.
 *
 * sp_link_run is the body of one thread, which alone touches the sockets. */
#ifndef SALLYPORT_WORKERS_LINK_H
#define SALLYPORT_WORKERS_LINK_H

#include "common/log.h"
#include "workers/job.h"
#include "workers/queue.h"
#include "workers/want.h"

#define SP_LINK_MAX_BROKERS 8

struct sp_link_config {
    const char *brokers;            /* "tcp://10.0.0.1:7002,tcp://10.0.0.2:7002": their back sockets */
    const struct sp_key_file *self; /* curve, with secret; must outlive the link */
    int server_count;               /* 1: all brokers have this key; else one each, in order */
    uint8_t servers[SP_LINK_MAX_BROKERS][32];
    char agent[64], backend[64]; /* for READY */
    const uint8_t *cert;
    size_t cert_length;
    int credit;               /* jobs at once, per broker */
    struct sp_job_pool *pool; /* at least credit times brokers */
    struct sp_queue *results; /* finished jobs; with_fd */
    struct sp_wants *wants;   /* may be NULL */
    uint8_t fleet_public[32]; /* wants are sealed to it */
    uint8_t pack[SP_PACK_FINGERPRINT_BYTES];
    int64_t want_budget_ms;
    /* Called from the link's thread. accept takes the job over; false: no room (it is answered busy). */
    bool (*accept)(void *context, struct sp_job *job);
    bool (*alive)(void *context); /* false: some stage is stuck, so stop beating */
    void (*note)(void *context, enum sp_log_level level, const char *id, const char *text);
    void *context;
};

struct sp_link;
enum sp_status sp_link_new(struct sp_link **ret_link, const struct sp_link_config *config, struct sp_err *err);
void sp_link_free(struct sp_link **link); /* after sp_link_run returned */

/* Connect, greet, serve; returns after sp_link_drain, when every job has gone back. */
void sp_link_run(struct sp_link *link);
/* Say DRAIN, finish what is here, say BYE. Thread-safe. */
void sp_link_drain(struct sp_link *link);
/* Brokers that have greeted this worker. Thread-safe. */
int sp_link_greeted(const struct sp_link *link);
/* Addresses in a comma separated list; 0 if it is empty or too long. */
int sp_link_count(const char *brokers);

#endif
