#include "ops/ready_gather.h"

#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/pack.h"
#include "ops/broker.h"

#define ASK_MS    5000
#define QUIET_MS  10000 /* a lane that was silent for longer is not alive */
#define REVIEW_MS 30000

static void ignore_answer(void *user, const struct sp_client_answer *answer)
{
    (void)user, (void)answer; /* only questions are asked here */
}

/* ---- for all ---- */

static enum sp_status load_assignment(struct sp_assignment *ret, const struct sp_desk *desk, const char *lane,
                                      const struct sp_data_key *site, struct sp_err *err)
{
    char key[64];
    sp_reply *reply = NULL;
    size_t length = 0;
    sp_assignment_key(key, lane);
    struct sp_argument arguments[] = {SP_ARG_TEXT("GET"), SP_ARG_TEXT(key)};
    enum sp_status status = sp_store_command(desk->durable, arguments, 2, &reply, err);
    const uint8_t *bytes = status == SP_OK ? sp_reply_bytes(reply, &length) : NULL;
    if (bytes)
        status = sp_assignment_open(ret, lane, bytes, length, site, err);
    sp_reply_free(&reply);
    return status;
}

static enum sp_status load_assignments(struct sp_ready_gather *gather, struct sp_err *err)
{
    struct sp_manifest_reader reader = sp_desk_reader(&gather->desk);
    struct sp_data_key site = {0};
    char(*names)[SP_NAME_MAX] = NULL;
    enum sp_status status = sp_site_open_key(&site, gather->desk.durable, &reader, err);
    if (status == SP_OK)
        status = sp_desk_lanes(&names, &gather->lane_count, &gather->desk, err);
    gather->assignments = calloc(gather->lane_count + 1, sizeof *gather->assignments);
    if (status == SP_OK && !gather->assignments)
        status = sp_fail(err, SP_E_NOMEM, "no memory for %zu lanes", gather->lane_count);
    for (size_t i = 0; i < gather->lane_count && status == SP_OK; i++)
        status = load_assignment(&gather->assignments[i], &gather->desk, names[i], &site, err);
    free(names);
    sp_seal_wipe(&site, sizeof site);
    return status;
}

static enum sp_status ask_broker(struct sp_ready_gather *gather, struct sp_err *err)
{
    struct sp_client *client = NULL;
    enum sp_status status =
        sp_ops_client(&client, gather->config, "sallyport manifest ready", ignore_answer, NULL, err);
    if (status == SP_OK)
        status = sp_client_ask(client, SP_ASK_LANES, ASK_MS, &gather->told_lanes, &gather->told_lane_count, err);
    if (status == SP_OK)
        status =
            sp_client_ask(client, SP_ASK_WORKERS, ASK_MS, &gather->told_workers, &gather->told_worker_count, err);
    sp_client_free(&client);
    return status;
}

/* What workers say of themselves lies beside the templates. */
static enum sp_status read_fleet(struct sp_ready_gather *gather, struct sp_err *err)
{
    struct sp_store *galleries = NULL;
    enum sp_status status = sp_ops_galleries(&galleries, gather->config, err);
    if (status == SP_OK)
        status = sp_fleet_read(&gather->reports, &gather->report_count, galleries, err);
    if (galleries)
        sp_store_free(&galleries);
    return status;
}

enum sp_status sp_ready_gather_open(struct sp_ready_gather *ret_gather, const struct sp_ops_config *config,
                                    struct sp_err *err)
{
    struct sp_pack pack;
    ret_gather->config = config;
    enum sp_status status = sp_desk_open(&ret_gather->desk, config, false, err);
    if (status == SP_OK)
        status = load_assignments(ret_gather, err);
    if (status != SP_OK)
        return status;
    ret_gather->broker_known = ask_broker(ret_gather, &ret_gather->broker) == SP_OK;
    ret_gather->fleet_known = read_fleet(ret_gather, &ret_gather->fleet) == SP_OK;
    ret_gather->pack_known = config->pack[0] && sp_pack_load(&pack, config->pack, NULL) == SP_OK;
    if (ret_gather->pack_known)
        memcpy(ret_gather->pack, pack.fingerprint, sizeof ret_gather->pack);
    return SP_OK;
}

void sp_ready_gather_clear(struct sp_ready_gather *gather)
{
    free(gather->assignments);
    free(gather->told_lanes);
    free(gather->told_workers);
    sp_fleet_free(&gather->reports, gather->report_count);
    sp_desk_close(&gather->desk);
}

/* ---- for one ---- */

/* The lanes that will match it, now or later. */
static enum sp_status find_lanes(struct sp_ready_found *found, const struct sp_ready_gather *gather,
                                 struct sp_err *err)
{
    int count = 0;
    found->lanes = calloc(gather->lane_count + 1, sizeof *found->lanes);
    if (!found->lanes)
        return sp_fail(err, SP_E_NOMEM, "no memory for %zu lanes", gather->lane_count);
    for (size_t i = 0; i < gather->lane_count; i++) {
        const struct sp_assignment *assignment = &gather->assignments[i];
        bool assigned = false;
        for (int k = 0; k < assignment->count && !assigned; k++)
            assigned = strcmp(assignment->entries[k].manifest, found->manifest.index->id) == 0 &&
                       (!assignment->entries[k].to_ms || assignment->entries[k].to_ms > found->facts.now_ms);
        if (!assigned)
            continue;
        struct sp_ready_lane *lane = &found->lanes[count++];
        memcpy(lane->lane, assignment->lane, sizeof lane->lane);
        lane->quiet_ms = -1;
        for (int k = 0; k < gather->told_lane_count; k++) {
            const struct sp_told *told = &gather->told_lanes[k];
            if (strcmp(told->name, lane->lane) == 0 &&
                (lane->quiet_ms < 0 || (int64_t)told->quiet_ms < lane->quiet_ms))
                lane->quiet_ms = (int64_t)told->quiet_ms;
        }
        lane->alive = lane->quiet_ms >= 0 && lane->quiet_ms <= QUIET_MS;
    }
    found->facts.lanes = found->lanes;
    found->facts.lane_count = count;
    found->facts.lanes_known = gather->broker_known;
    return SP_OK;
}

static void take_report(struct sp_ready_worker *worker, const struct sp_ready_gather *gather, const char *manifest)
{
    for (int i = 0; i < gather->report_count; i++) {
        const struct sp_fleet_report *report = &gather->reports[i];
        if (strcmp(report->worker, worker->name) != 0)
            continue;
        for (int k = 0; k < report->gallery_count; k++)
            if (strcmp(report->galleries[k].manifest, manifest) == 0) {
                worker->version = report->galleries[k].version;
                worker->missing = report->galleries[k].missing;
            }
    }
}

/* The connected workers of this desk's pack, with what they hold. */
static enum sp_status find_workers(struct sp_ready_found *found, const struct sp_ready_gather *gather,
                                   struct sp_err *err)
{
    int count = 0;
    found->workers = calloc((size_t)gather->told_worker_count + 1, sizeof *found->workers);
    if (!found->workers)
        return sp_fail(err, SP_E_NOMEM, "no memory for %d workers", gather->told_worker_count);
    for (int i = 0; i < gather->told_worker_count; i++) {
        const struct sp_told *told = &gather->told_workers[i];
        if (gather->pack_known && memcmp(told->pack, gather->pack, sizeof gather->pack) != 0)
            continue;
        struct sp_ready_worker *worker = &found->workers[count++];
        memcpy(worker->name, told->name, sizeof worker->name);
        take_report(worker, gather, found->manifest.index->id);
    }
    found->facts.workers = found->workers;
    found->facts.worker_count = count;
    found->facts.workers_known = gather->broker_known;
    found->facts.versions_known = gather->fleet_known;
    return SP_OK;
}

static int row_of(const struct sp_manifest_index *index, const uint8_t pseudonym[SP_PSEUDONYM_BYTES])
{
    for (int i = 0; i < index->row_count; i++)
        if (memcmp(index->rows[i].pseudonym, pseudonym, SP_PSEUDONYM_BYTES) == 0)
            return i;
    return -1;
}

static enum sp_status find_pairs(struct sp_ready_found *found, const struct sp_ready_gather *gather,
                                 struct sp_err *err)
{
    const struct sp_manifest_index *index = found->manifest.index;
    if (!gather->broker_known) {
        sp_fail(&found->why_review, gather->broker.status, "%s", gather->broker.text);
        return SP_OK;
    }
    if (found->facts.worker_count == 0) { /* nobody to wait for */
        sp_fail(&found->why_review, SP_E_UNAVAILABLE, "no worker is connected");
        return SP_OK;
    }
    if (sp_review_ask(&found->review, gather->config, index->id, index->version,
                      gather->pack_known ? gather->pack : NULL, REVIEW_MS, &found->why_review) != SP_OK)
        return SP_OK;
    found->pairs = calloc((size_t)found->review.pair_count + 1, sizeof *found->pairs);
    if (!found->pairs)
        return sp_fail(err, SP_E_NOMEM, "no memory for %d pairs", found->review.pair_count);
    for (int i = 0; i < found->review.pair_count; i++) {
        const struct sp_review_pair *pair = &found->review.pairs[i];
        found->pairs[i] = (struct sp_ready_pair){row_of(index, pair->a), row_of(index, pair->b), pair->score};
    }
    found->facts.review_known = true;
    found->facts.pairs = found->pairs;
    found->facts.pair_count = found->review.count; /* more than are named, if there are very many */
    found->facts.review_missing = found->review.missing;
    return SP_OK;
}

enum sp_status sp_ready_find(struct sp_ready_found *ret_found, const struct sp_ready_gather *gather, const char *id,
                             bool review, struct sp_err *err)
{
    enum sp_status status = sp_desk_load(&ret_found->manifest, &gather->desk, id, err);
    if (status != SP_OK)
        return status;
    sp_ready_facts_default(&ret_found->facts);
    ret_found->facts.index = ret_found->manifest.index;
    ret_found->facts.now_ms = sp_clock_wall_ms();
    ret_found->facts.pack = gather->pack_known ? gather->pack : NULL;
    ret_found->facts.review_skipped = !review;
    status = find_lanes(ret_found, gather, err);
    if (status == SP_OK)
        status = find_workers(ret_found, gather, err);
    if (status == SP_OK && review && ret_found->manifest.index->state < SP_MANIFEST_CLOSED)
        status = find_pairs(ret_found, gather, err);
    if (status == SP_OK)
        sp_ready_judge(&ret_found->board, &ret_found->facts);
    return status;
}

void sp_ready_found_clear(struct sp_ready_found *found)
{
    sp_desk_manifest_clear(&found->manifest);
    free(found->workers);
    free(found->lanes);
    free(found->pairs);
}
