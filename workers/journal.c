#include "workers/journal.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "workers/answer.h"

enum { BATCH_MAX = 32, PAUSE_US = 50000, CLAIM_FRESH_MS = 10000 };

/* One job of the batch under way. */
struct item {
    struct sp_job *job;
    struct sp_encounter_state state;
    bool planned;               /* it has a write */
    int claims_at, claim_count; /* in the journal's list: travellers that its match claims */
    struct sp_evidence evidence;
    struct sp_decision decision;
    uint8_t *body; /* owned */
    size_t body_length;
};

struct sp_journal {
    struct sp_journal_config config;
    bool away; /* the last run found no ledger */
    int solo;  /* a batch failed for a reason of its own: so many jobs go one at a time to find whose it is */
    int waiting_count, count;
    struct sp_job **waiting;
    struct item items[BATCH_MAX];
    struct sp_ledger_write writes[BATCH_MAX];
    int claim_count;
    uint64_t claimed_ns; /* when the claims were asked for */
    struct sp_ledger_claim claims[BATCH_MAX * SP_MAX_FACES];
    int verdicts[BATCH_MAX * SP_MAX_FACES]; /* of its item's judgement, by claim */
};

enum sp_status sp_journal_new(struct sp_journal **ret_journal, const struct sp_journal_config *config,
                              struct sp_err *err)
{
    struct sp_journal *journal = calloc(1, sizeof *journal);
    if (!journal || !(journal->waiting = calloc((size_t)config->capacity, sizeof *journal->waiting))) {
        free(journal);
        return sp_fail(err, SP_E_NOMEM, "journal: out of memory for %d jobs", config->capacity);
    }
    journal->config = *config;
    *ret_journal = journal;
    return SP_OK;
}

void sp_journal_free(struct sp_journal **journal)
{
    if (!journal || !*journal)
        return;
    free((*journal)->waiting);
    free(*journal);
    *journal = NULL;
}

void sp_journal_add(struct sp_journal *journal, struct sp_job *job)
{
    journal->waiting[journal->waiting_count++] = job;
}

int64_t sp_journal_pause_us(const struct sp_journal *journal)
{
    return journal->away ? PAUSE_US : 0;
}

static void answer_or_internal(struct sp_job *job, int answer, int reason, const uint8_t *body, size_t length)
{
    struct sp_err err = {0};
    if (sp_answer_body(job, answer, reason, body, length, &err) != SP_OK)
        sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_INTERNAL, err.text);
}

/* The answer of a frame that was answered before: what it heard then, without a decision. */
static void repeat(struct sp_job *job, const struct sp_evidence_answer *stored, const struct sp_signer *signer)
{
    struct sp_final_about about = {.faces = -1, .quality = -1};
    struct sp_err err = {0};
    uint8_t *body = NULL;
    size_t length = 0;
    if (stored->answer != SP_ANSWER_UNDECIDED)
        sp_answer_plain(job, stored->answer, stored->reason, NULL);
    else if (sp_final_body(&body, &length, NULL, signer, &about, NULL, 0, &err) == SP_OK)
        answer_or_internal(job, stored->answer, stored->reason, body, length);
    else
        sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_INTERNAL, err.text);
    free(body);
}

/* True when the ledger's state already says what the job hears. */
static bool recall(struct sp_job *job, const struct sp_encounter_state *state, const struct sp_signer *signer)
{
    const struct sp_evidence *evidence = &state->evidence;
    if (state->version == 0)
        return false;
    if (strcmp(evidence->lane, job->header.lane) != 0 ||
        memcmp(evidence->sender, job->header.sender, sizeof evidence->sender) != 0) {
        sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_NOT_YOUR_ENCOUNTER, NULL);
        return true;
    }
    const struct sp_evidence_answer *stored =
        job->kind == SP_MSG_FRAME ? sp_evidence_find(evidence, job->header.seq) : NULL;
    if (stored && stored->answer != SP_ANSWER_DECIDED) {
        repeat(job, stored, signer);
        return true;
    }
    if (state->final) {
        answer_or_internal(job, SP_ANSWER_DECIDED, state->final_reason, state->final_body,
                           state->final_body_length);
        return true;
    }
    if (job->kind == SP_MSG_FRAME && evidence->answer_count >= SP_EVIDENCE_MAX_ANSWERS) {
        sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_BAD_MESSAGE,
                        "an encounter has at most 64 frames: send close and begin a new one");
        return true;
    }
    return false;
}

enum sp_status sp_journal_recall(struct sp_ledger *ledger, const struct sp_signer *signer,
                                 struct sp_job *const *jobs, int count, bool *ret_known, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    uint8_t(*ids)[SP_ENCOUNTER_BYTES] = calloc((size_t)count + 1, sizeof *ids);
    struct sp_encounter_state *states = calloc((size_t)count + 1, sizeof *states);
    memset(ret_known, 0, (size_t)count * sizeof *ret_known);
    if (!ids || !states) {
        status = sp_fail(err, SP_E_NOMEM, "journal: out of memory for %d jobs", count);
        goto fail;
    }
    for (int i = 0; i < count; i++)
        memcpy(ids[i], jobs[i]->header.encounter, SP_ENCOUNTER_BYTES);
    status = sp_ledger_read(ledger, (const uint8_t(*)[SP_ENCOUNTER_BYTES])ids, count, states, err);
    for (int i = 0; status == SP_OK && i < count; i++) {
        ret_known[i] = recall(jobs[i], &states[i], signer);
        sp_encounter_state_clear(&states[i]);
    }
fail:
    free(ids);
    free(states);
    return status;
}

/* ---- one batch ---- */

/* The next jobs, one per encounter: two of the same would race each other's version. */
static void pick(struct sp_journal *journal)
{
    int kept = 0, max = journal->solo ? 1 : BATCH_MAX;
    journal->count = 0;
    for (int i = 0; i < journal->waiting_count; i++) {
        struct sp_job *job = journal->waiting[i];
        bool take = journal->count < max;
        for (int k = 0; k < journal->count && take; k++)
            take = memcmp(journal->items[k].job->header.encounter, job->header.encounter, SP_ENCOUNTER_BYTES) != 0;
        if (take) {
            memset(&journal->items[journal->count], 0, sizeof journal->items[0]);
            journal->items[journal->count++].job = job;
        } else {
            journal->waiting[kept++] = job;
        }
    }
    journal->waiting_count = kept;
    journal->solo -= journal->solo > 0;
}

static void finish(struct sp_journal *journal, struct item *item)
{
    struct sp_job *job = item->job;
    item->job = NULL;
    journal->config.done(journal->config.context, job);
}

/* Out of time, or (with the ledger away) about to be: true when the job got its answer and is gone. */
static bool give_up(struct sp_journal *journal, struct sp_job *job)
{
    uint64_t now_ns = sp_clock_mono_ns();
    if (now_ns < (job->store_away ? sp_job_give_up_ns(job) : job->deadline_ns))
        return false;
    if (job->store_away)
        sp_answer_plain(job, SP_ANSWER_ERROR, SP_REASON_STORE_UNAVAILABLE, NULL);
    else
        sp_answer_plain(job, SP_ANSWER_EXPIRED, SP_REASON_BUDGET_SPENT, NULL);
    journal->config.done(journal->config.context, job);
    return true;
}

/* The list without those that are out of time. */
static void prune(struct sp_journal *journal, bool away)
{
    int kept = 0;
    for (int i = 0; i < journal->waiting_count; i++) {
        struct sp_job *job = journal->waiting[i];
        job->store_away = job->store_away || away;
        if (!give_up(journal, job))
            journal->waiting[kept++] = job;
    }
    journal->waiting_count = kept;
}

static enum sp_status read_states(struct sp_journal *journal, struct sp_err *err)
{
    uint8_t ids[BATCH_MAX][SP_ENCOUNTER_BYTES];
    struct sp_encounter_state *states = calloc(BATCH_MAX, sizeof *states);
    if (!states)
        return sp_fail(err, SP_E_NOMEM, "journal: out of memory");
    for (int i = 0; i < journal->count; i++)
        memcpy(ids[i], journal->items[i].job->header.encounter, SP_ENCOUNTER_BYTES);
    enum sp_status status = sp_ledger_read(journal->config.ledger, (const uint8_t(*)[SP_ENCOUNTER_BYTES])ids,
                                           journal->count, states, err);
    for (int i = 0; status == SP_OK && i < journal->count; i++)
        journal->items[i].state = states[i];
    free(states);
    return status;
}

/* What the decisions of this item are about: of a frame its own comparison, of a close the evidence. */
static struct sp_final_about about_of(const struct item *item)
{
    const struct sp_job *job = item->job;
    bool frame = job->kind == SP_MSG_FRAME;
    return (struct sp_final_about){
        .lane = job->header.lane,
        .encounter = job->header.encounter,
        .sender = job->header.sender,
        .seq = job->header.seq,
        .per_face = frame && job->basis.kind == SP_LANE_MULTI,
        .assignment = frame ? job->basis.assignment : item->evidence.assignment,
        .gallery_count = frame ? job->basis.gallery_count : item->evidence.gallery_count,
        .galleries = frame ? job->basis.galleries : item->evidence.galleries,
        .pack = !frame && item->evidence.has_candidate ? item->evidence.pack : NULL,
        .threshold = frame ? job->basis.threshold : item->evidence.threshold,
        .issued_ms = sp_clock_wall_ms(),
        .ttl_ms = job->lane.decision_ttl_ms,
        .reveal = job->lane.reveal_scores,
        .timings_us = job->timings_us,
        .faces = frame ? job->judgement.faces : -1,
        .quality = frame && job->judgement.faces ? job->judgement.quality : -1,
    };
}

/* Work out what is to be written and said, from the state just read. */
static enum sp_status plan(struct sp_journal *journal, struct item *item, struct sp_err *err)
{
    struct sp_job *job = item->job;
    struct sp_verdict close;
    const struct sp_verdict *verdicts = job->judgement.verdicts;
    int count = job->judgement.count;
    item->evidence = item->state.evidence;
    if (job->kind == SP_MSG_FRAME) {
        sp_decide_merge(&item->evidence, &job->header, &job->judgement, &job->basis);
    } else {
        if (!item->evidence.lane[0]) { /* closed before any frame was looked at: the close says whose it is */
            memcpy(item->evidence.lane, job->header.lane, sizeof item->evidence.lane);
            memcpy(item->evidence.sender, job->header.sender, sizeof item->evidence.sender);
            item->evidence.assignment = job->basis.assignment;
        }
        sp_decide_close(&close, &item->evidence, job->header.reason, sp_decide_fresh(&item->evidence, &job->basis));
        verdicts = &close;
        count = 1;
        job->answer = SP_ANSWER_DECIDED;
        job->reason = close.reason;
    }
    if (job->kind == SP_MSG_FRAME) {
        job->answer = job->judgement.answer;
        job->reason = job->judgement.reason;
    }
    sp_answer_mark(job, SP_TIMING_DECIDE);
    sp_answer_waited(job);
    struct sp_final_about about = about_of(item);
    enum sp_status status = sp_final_body(&item->body, &item->body_length, &item->decision, journal->config.signer,
                                          &about, verdicts, count, err);
    item->planned = status == SP_OK;
    return status;
}

/* A final of another stands: what this one claimed is given back, unless that final, too, is a match of the
 * traveller. What could not be given back is taken over by whoever claims it next: the final says that it may. */
static enum sp_status give_back(struct sp_journal *journal, const struct item *item,
                                const struct sp_encounter_state *standing, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int i = 0; i < item->claim_count && status == SP_OK; i++) {
        const struct sp_ledger_claim *claim = &journal->claims[item->claims_at + i];
        if (!sp_ledger_matched(standing, claim))
            status = sp_ledger_release(journal->config.ledger, claim, 1, err);
    }
    return status;
}

/* A claim is tentative for a while only: what was held up for long asks again before it writes. */
static bool out_of_date(const struct sp_journal *journal, const struct item *item)
{
    return item->claim_count && sp_clock_mono_ns() - journal->claimed_ns > CLAIM_FRESH_MS * SP_NS_PER_MS;
}

static enum sp_status write_all(struct sp_journal *journal, struct sp_err *err)
{
    int count = 0;
    struct item *of[BATCH_MAX];
    for (int i = 0; i < journal->count; i++) {
        struct item *item = &journal->items[i];
        if (!item->job || !item->planned || out_of_date(journal, item))
            continue;
        bool final = item->job->answer == SP_ANSWER_DECIDED;
        of[count] = item;
        journal->writes[count] = (struct sp_ledger_write){
            .expected_version = item->state.version,
            .evidence = &item->evidence,
            .final_body = final ? item->body : NULL,
            .final_body_length = final ? item->body_length : 0,
            .final_reason = final ? item->job->reason : 0,
            .claims = &journal->claims[item->claims_at],
            .claim_count = final ? item->claim_count : 0,
            .decision = final ? &item->decision : NULL,
        };
        memcpy(journal->writes[count++].encounter, item->job->header.encounter, SP_ENCOUNTER_BYTES);
    }
    enum sp_status status = count ? sp_ledger_write(journal->config.ledger, journal->writes, count, err) : SP_OK;
    bool written = status == SP_OK;
    for (int i = 0; written && i < count; i++) {
        struct sp_ledger_write *write = &journal->writes[i];
        if (write->ret_outcome == SP_LEDGER_WRITTEN) {
            answer_or_internal(of[i]->job, of[i]->job->answer, of[i]->job->reason, of[i]->body, of[i]->body_length);
            finish(journal, of[i]);
        } else if (write->ret_outcome == SP_LEDGER_STANDS &&
                   recall(of[i]->job, &write->ret_state, journal->config.signer)) {
            struct sp_err later = {0};
            enum sp_status step = give_back(journal, of[i], &write->ret_state, &later);
            if (step != SP_OK && status == SP_OK)
                status = sp_fail(err, step, "%s", later.text);
            finish(journal, of[i]);
        } /* else it moved: read and merge again */
        sp_encounter_state_clear(&write->ret_state);
    }
    return status;
}

/* What the state just read answers already is done. */
static void recall_all(struct sp_journal *journal)
{
    for (int i = 0; i < journal->count; i++)
        if (recall(journal->items[i].job, &journal->items[i].state, journal->config.signer))
            finish(journal, &journal->items[i]);
}

static void list_claims(struct sp_journal *journal, struct item *item)
{
    const struct sp_job *job = item->job;
    item->claims_at = journal->claim_count;
    for (int i = 0; job && job->kind == SP_MSG_FRAME && job->lane.once && i < job->judgement.count; i++) {
        const struct sp_verdict *verdict = &job->judgement.verdicts[i];
        if (verdict->outcome != SP_OUTCOME_MATCH)
            continue;
        struct sp_ledger_claim *claim = &journal->claims[journal->claim_count];
        *claim = (struct sp_ledger_claim){0};
        memcpy(claim->manifest, verdict->manifest, sizeof claim->manifest);
        memcpy(claim->traveller, verdict->traveller, sizeof claim->traveller);
        memcpy(claim->encounter, job->header.encounter, sizeof claim->encounter);
        journal->verdicts[journal->claim_count++] = i;
    }
    item->claim_count = journal->claim_count - item->claims_at;
}

/* Whoever is matched claims his crossing before the match is written; who has crossed already is referred. */
static enum sp_status claim_all(struct sp_journal *journal, struct sp_err *err)
{
    journal->claim_count = 0;
    journal->claimed_ns = sp_clock_mono_ns();
    for (int i = 0; i < journal->count; i++)
        list_claims(journal, &journal->items[i]);
    if (!journal->claim_count)
        return SP_OK;
    enum sp_status status = sp_ledger_claim(journal->config.ledger, journal->claims, journal->claim_count, err);
    for (int i = 0; status == SP_OK && i < journal->count; i++) {
        struct item *item = &journal->items[i];
        int kept = 0;
        for (int k = 0; k < item->claim_count; k++) {
            struct sp_ledger_claim *claim = &journal->claims[item->claims_at + k];
            if (claim->ret_mine)
                journal->claims[item->claims_at + kept++] = *claim;
            else
                sp_decide_boarded(&item->job->judgement, journal->verdicts[item->claims_at + k]);
        }
        item->claim_count = kept;
    }
    return status;
}

static void plan_all(struct sp_journal *journal)
{
    for (int i = 0; i < journal->count; i++) {
        struct item *item = &journal->items[i];
        struct sp_err err = {0};
        if (!item->job)
            continue;
        if (plan(journal, item, &err) != SP_OK) {
            sp_answer_plain(item->job, SP_ANSWER_ERROR, SP_REASON_INTERNAL, err.text);
            finish(journal, item);
        }
    }
}

/* What has no answer waits for the next run; a batch that failed on its own is taken apart. */
static void settle(struct sp_journal *journal, enum sp_status status, const struct sp_err *err)
{
    bool away = status == SP_E_UNAVAILABLE || status == SP_E_TIMEOUT, alone = journal->count == 1;
    journal->away = away;
    if (status != SP_OK && !away && !alone)
        journal->solo = journal->count;
    for (int i = 0; i < journal->count; i++) {
        struct item *item = &journal->items[i];
        sp_encounter_state_clear(&item->state);
        free(item->body);
        item->body = NULL;
        if (!item->job)
            continue;
        if (status != SP_OK && !away && alone) {
            sp_answer_plain(item->job, SP_ANSWER_ERROR, SP_REASON_INTERNAL, err->text);
            finish(journal, item);
        } else {
            journal->waiting[journal->waiting_count++] = item->job;
        }
    }
    if (away)
        prune(journal, true);
}

int sp_journal_run(struct sp_journal *journal)
{
    struct sp_err err = {0};
    prune(journal, false); /* nothing is written for a frame whose budget is spent */
    pick(journal);
    if (!journal->count)
        return 0;
    enum sp_status status = read_states(journal, &err);
    if (status == SP_OK) {
        recall_all(journal);
        status = claim_all(journal, &err);
    }
    if (status == SP_OK) {
        plan_all(journal);
        status = write_all(journal, &err);
    }
    settle(journal, status, &err);
    return journal->waiting_count;
}
