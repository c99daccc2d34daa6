#include "ops/enrol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/pack.h"
#include "common/uuid.h"
#include "ops/broker.h"

#define POLL_MS      100
#define ATTEMPTS     3 /* the client itself retries busy brokers and lost workers within a budget */
#define NEXT_NOTHING (-1)

/* One job under way. */
struct flight {
    uint8_t id[SP_ENCOUNTER_BYTES];
    int job; /* NEXT_NOTHING: free */
};

struct enrolling {
    const struct sp_ops_config *config;
    const char *manifest;
    struct sp_enrol_job *jobs;
    int count;
    uint8_t *attempts; /* per job */
    int *again;        /* jobs to be sent again, a stack */
    int again_count;
    int next, done, in_flight;
    struct flight flights[SP_CLIENT_PENDING_MAX];
    enum sp_status (*on_done)(void *publish, int job, struct sp_err *err);
    void *publish;
    enum sp_status status; /* the first thing that ends it */
    struct sp_err err;
};

/* These say nothing about the portrait: another try may go well. */
static bool passes(int answer, int reason)
{
    if (answer == SP_ANSWER_BUSY || answer == SP_ANSWER_EXPIRED || answer == SP_CLIENT_UNANSWERED)
        return true;
    return answer == SP_ANSWER_ERROR && sp_publish_reason_passes(reason);
}

static void finish(struct enrolling *e, int at, int reason, int quality)
{
    struct sp_enrol_job *job = &e->jobs[at];
    job->reason = reason;
    job->quality = quality < 0 ? 0 : quality;
    job->done = true;
    e->done++;
    e->status = e->on_done(e->publish, at, &e->err);
}

static void take_enrolled(struct enrolling *e, int at, const struct sp_enrolled *enrolled)
{
    if (enrolled->has_template && memcmp(enrolled->template_id, e->jobs[at].template_id, 16) != 0)
        e->status =
            sp_fail(&e->err, SP_E_VERSION,
                    "the workers enrol under another model pack than this desk's pack.directory %s: give the "
                    "pack that they run",
                    e->config->pack);
    else
        finish(e, at, enrolled->has_template ? SP_REASON_NONE : enrolled->reason, enrolled->quality);
}

/* The broker waited as long as the budget for a worker of this pack. */
static void nobody_there(struct enrolling *e, int at)
{
    char hex[2 * SP_PACK_FINGERPRINT_BYTES + 1];
    sp_seal_to_hex(hex, e->jobs[at].pack, sizeof e->jobs[at].pack);
    e->status = sp_fail(
        &e->err, SP_E_UNAVAILABLE,
        "manifest %s: %d of %d portraits are enrolled; no worker of model pack %.8s came "
        "within %lld ms: start workers of this pack, or give the pack that they run; then run the same command "
        "again: it goes on where it stopped",
        e->manifest, e->done, e->count, hex, (long long)e->config->budget_ms);
}

static void try_again(struct enrolling *e, int at, const struct sp_client_answer *answer)
{
    if (answer->reason == SP_REASON_NO_WORKER) {
        nobody_there(e, at);
        return;
    }
    if (++e->attempts[at] < ATTEMPTS) {
        e->again[e->again_count++] = at;
        return;
    }
    if (answer->answer == SP_ANSWER_ERROR && answer->reason == SP_REASON_WORKER_LOST) {
        finish(e, at, SP_REASON_WORKER_LOST, 0); /* a portrait that kills workers must not stop all the others */
        return;
    }
    e->status =
        sp_fail(&e->err, SP_E_UNAVAILABLE,
                "manifest %s: %d of %d portraits are enrolled, the next hears %s (%s: %s); start workers, then "
                "run the same command again: it goes on where it stopped",
                e->manifest, e->done, e->count, sp_client_answer_word(answer->answer),
                sp_reason_word(answer->reason), sp_reason_text(answer->reason));
}

static void on_answer(void *user, const struct sp_client_answer *answer)
{
    struct enrolling *e = user;
    int at = NEXT_NOTHING;
    for (int i = 0; i < SP_CLIENT_PENDING_MAX && at == NEXT_NOTHING; i++)
        if (e->flights[i].job != NEXT_NOTHING &&
            memcmp(e->flights[i].id, answer->encounter, SP_ENCOUNTER_BYTES) == 0) {
            at = e->flights[i].job;
            e->flights[i].job = NEXT_NOTHING;
        }
    if (at == NEXT_NOTHING || e->status != SP_OK)
        return;
    e->in_flight--;
    if (answer->body && answer->body->has_enrolled)
        take_enrolled(e, at, &answer->body->enrolled);
    else if (passes(answer->answer, answer->reason))
        try_again(e, at, answer);
    else if (answer->answer == SP_ANSWER_ERROR && answer->reason == SP_REASON_NOT_AUTHORISED)
        e->status = sp_fail(&e->err, SP_E_DENIED,
                            "the broker does not let this desk enrol: give its key the role ops in the peer table "
                            "(sallyport keys peer NAME --role ops)");
    else if (answer->answer == SP_ANSWER_ERROR)
        finish(e, at, answer->reason, 0);
    else
        e->status = sp_fail(&e->err, SP_E_AUTH, "an answer to an enrolment cannot be believed: %s %s",
                            sp_client_answer_word(answer->answer), answer->text);
}

static void send_next(struct enrolling *e, struct sp_client *client)
{
    struct sp_client_enrol enrol = {
        .job_class = SP_CLASS_ENROL, .budget_ms = (uint32_t)e->config->budget_ms, .manifest = e->manifest};
    int slot = 0, at = e->again_count > 0 ? e->again[e->again_count - 1] : e->next;
    while (slot < SP_CLIENT_PENDING_MAX && e->flights[slot].job != NEXT_NOTHING)
        slot++;
    sp_uuid_new(enrol.job);
    enrol.pack = e->jobs[at].pack;
    memcpy(enrol.row, e->jobs[at].row, sizeof enrol.row);
    memcpy(enrol.portrait, e->jobs[at].portrait, sizeof enrol.portrait);
    e->status = sp_client_enrol(client, &enrol, &e->err);
    if (e->status != SP_OK)
        return;
    if (e->again_count > 0)
        e->again_count--;
    else
        e->next++;
    memcpy(e->flights[slot].id, enrol.job, SP_ENCOUNTER_BYTES);
    e->flights[slot].job = at;
    e->in_flight++;
}

static enum sp_status enrol_all(void *user, const char *manifest, struct sp_enrol_job *jobs, int count,
                                enum sp_status (*on_done)(void *publish, int job, struct sp_err *err),
                                void *publish, struct sp_err *err)
{
    struct enrolling e = {
        .config = user, .manifest = manifest, .jobs = jobs, .count = count, .on_done = on_done, .publish = publish};
    struct sp_client *client = NULL;
    e.attempts = calloc((size_t)count + 1, 1);
    e.again = calloc((size_t)count + 1, sizeof *e.again);
    for (int i = 0; i < SP_CLIENT_PENDING_MAX; i++)
        e.flights[i].job = NEXT_NOTHING;
    enum sp_status status =
        e.attempts && e.again ? SP_OK : sp_fail(err, SP_E_NOMEM, "no memory for %d enrolments", count);
    if (status == SP_OK)
        status = sp_ops_client(&client, e.config, "sallyport manifest publish", on_answer, &e, err);
    if (status != SP_OK)
        goto out;
    while (e.done < count && e.status == SP_OK) {
        while (e.in_flight < (int)e.config->window && (e.again_count > 0 || e.next < count) && e.status == SP_OK)
            send_next(&e, client);
        if (e.status == SP_OK)
            status = sp_client_poll(client, POLL_MS, err);
        if (status != SP_OK)
            goto out;
    }
    if (e.status != SP_OK)
        status = sp_fail(err, e.status, "%s", e.err.text);
out:
    sp_client_free(&client);
    free(e.attempts);
    free(e.again);
    return status;
}

struct sp_enroller sp_enrol_through_broker(const struct sp_ops_config *config)
{
    /* The interface carries one pointer for users that change it; this one is only read. */
    return (struct sp_enroller){enrol_all, (void *)(uintptr_t)config};
}
