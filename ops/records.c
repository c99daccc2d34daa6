#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/uuid.h"
#include "ops/command.h"
#include "ops/config.h"
#include "ops/json.h"
#include "records/ledger.h"
#include "records/stream.h"

#define COUNT_MAX  100000
#define READ_COUNT "500"
#define FOLLOW_MS  200

static const char tail_help[] =
    "Usage: sallyport records tail [--follow] [--count N] [--json] [--config FILE]\n"
    "Open the last entries of the decision streams with the recorder's secret key, verify the worker's certificate "
    "and\n"
    "every signature, and print them oldest first. Needs durable.*, keys.recorder and keys.authority.\n\n"
    "  --count N  entries to begin with (default 20)\n"
    "  --follow   go on with new entries until it is interrupted\n"
    "  --json     one JSON object per line\n\n"
    "An entry that does not verify is printed with the reason; the exit code is 4 then.\n"
    "Example: sallyport --config recorder.yaml records tail --follow\n";

struct tail {
    struct sp_store *durable;
    struct sp_key_file recorder;
    uint8_t authority[32];
    int partitions;
    bool json;
    char last[SP_LEDGER_MAX_PARTITIONS][SP_STREAM_ID_MAX]; /* newest id that was printed */
    uint64_t refused;
};

/* ---- printing ---- */

static void json_decision(struct sp_json *json, const struct sp_decision *d)
{
    char text[80];
    sp_json_number(json, "face", d->face);
    sp_json_number(json, "seq", d->seq);
    sp_json_text(json, "outcome", sp_outcome_word(d->outcome));
    sp_json_text(json, "reason", sp_reason_word(d->reason));
    if (d->has_traveller) {
        sp_seal_to_hex(text, d->traveller, sizeof d->traveller);
        sp_json_text(json, "traveller", text);
        sp_json_text(json, "manifest", d->manifest);
    }
    sp_json_number(json, "issued_ms", (double)d->issued_ms);
    sp_json_number(json, "expires_ms", (double)d->expires_ms);
    sp_json_number(json, "assignment", (double)d->assignment);
    sp_json_open(json, "galleries", '[');
    for (int i = 0; i < d->gallery_count; i++) {
        sp_json_open(json, NULL, '{');
        sp_json_text(json, "manifest", d->galleries[i].manifest);
        sp_json_number(json, "version", (double)d->galleries[i].version);
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
    sp_seal_to_hex(text, d->pack, sizeof d->pack);
    sp_json_text(json, "pack", text);
    sp_json_number(json, "threshold", d->threshold);
    sp_json_text(json, "policy", d->policy);
}

static void print_json(const struct sp_stream_entry *raw, const struct sp_entry *entry)
{
    char encounter[SP_UUID_TEXT], sender[65];
    struct sp_json json = {stdout, false};
    sp_uuid_format(encounter, entry->encounter);
    sp_seal_to_hex(sender, entry->decisions[0].sender, 32);
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "id", raw->id);
    sp_json_number(&json, "partition", raw->partition);
    sp_json_bool(&json, "verified", true);
    sp_json_text(&json, "worker", entry->worker.name);
    sp_json_text(&json, "lane", entry->decisions[0].lane);
    sp_json_text(&json, "encounter", encounter);
    sp_json_text(&json, "sender", sender);
    json_decision(&json, &entry->decisions[0]);
    if (entry->decision_count > 1) {
        sp_json_open(&json, "further", '[');
        for (int i = 1; i < entry->decision_count; i++) {
            sp_json_open(&json, NULL, '{');
            json_decision(&json, &entry->decisions[i]);
            sp_json_close(&json, '}');
        }
        sp_json_close(&json, ']');
    }
    sp_json_close(&json, '}');
    printf("\n");
}

static void print_text(const struct sp_entry *entry)
{
    char when[32], encounter[SP_UUID_TEXT];
    sp_uuid_format(encounter, entry->encounter);
    for (int i = 0; i < entry->decision_count; i++) {
        const struct sp_decision *d = &entry->decisions[i];
        char traveller[2 * SP_PSEUDONYM_BYTES + 1] = "-";
        sp_clock_format(when, d->issued_ms);
        if (d->has_traveller)
            sp_seal_to_hex(traveller, d->traveller, sizeof d->traveller);
        printf("%s %-12s %s %-8s %-18s %s %s by %s, verified\n", when, d->lane, encounter,
               sp_outcome_word(d->outcome), sp_reason_word(d->reason), traveller,
               d->has_traveller ? d->manifest : "-", entry->worker.name);
    }
}

static void print_refused(struct tail *tail, const struct sp_stream_entry *raw, const struct sp_err *err)
{
    struct sp_json json = {stdout, false};
    tail->refused++;
    if (!tail->json) {
        printf("%s partition %d REFUSED: %s\n", raw->id, raw->partition, err->text);
        return;
    }
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "id", raw->id);
    sp_json_number(&json, "partition", raw->partition);
    sp_json_bool(&json, "verified", false);
    sp_json_text(&json, "error", err->text);
    sp_json_close(&json, '}');
    printf("\n");
}

static enum sp_status print_raw(struct tail *tail, const struct sp_stream_entry *raw, struct sp_err *err)
{
    struct sp_err inner = {0};
    struct sp_entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return sp_fail(err, SP_E_NOMEM, "no memory for an entry");
    enum sp_status status = sp_stream_open(entry, raw, &tail->recorder, tail->authority, &inner);
    if (status != SP_OK)
        print_refused(tail, raw, &inner);
    else if (tail->json)
        print_json(raw, entry);
    else
        print_text(entry);
    snprintf(tail->last[raw->partition], SP_STREAM_ID_MAX, "%s", raw->id);
    free(entry);
    return SP_OK;
}

/* ---- reading ---- */

static int compare_raws(const void *a, const void *b)
{
    const struct sp_stream_entry *x = a, *y = b;
    if (x->ms != y->ms)
        return x->ms < y->ms ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

struct raws {
    struct sp_stream_entry *all;
    int count, capacity;
};

static enum sp_status push(struct raws *raws, int partition, const sp_reply *entry, struct sp_err *err)
{
    if (raws->count == raws->capacity) {
        int capacity = raws->capacity ? 2 * raws->capacity : 256;
        struct sp_stream_entry *grown = realloc(raws->all, (size_t)capacity * sizeof *grown);
        if (!grown)
            return sp_fail(err, SP_E_NOMEM, "no memory for %d entries", capacity);
        raws->all = grown;
        raws->capacity = capacity;
    }
    enum sp_status status = sp_stream_take(&raws->all[raws->count], partition, entry, err);
    raws->count += status == SP_OK;
    return status;
}

/* The last `count` entries of all partitions together, oldest first. */
static enum sp_status print_last(struct tail *tail, int count, struct sp_err *err)
{
    struct raws raws = {0};
    enum sp_status status = SP_OK;
    char number[16];
    snprintf(number, sizeof number, "%d", count);
    for (int p = 0; p < tail->partitions && status == SP_OK; p++) {
        char key[SP_STREAM_KEY_MAX];
        sp_reply *reply = NULL;
        int before = raws.count;
        sp_stream_key(key, p);
        struct sp_argument arguments[] = {SP_ARG_TEXT("XREVRANGE"), SP_ARG_TEXT(key),     SP_ARG_TEXT("+"),
                                          SP_ARG_TEXT("-"),         SP_ARG_TEXT("COUNT"), SP_ARG_TEXT(number)};
        status = sp_store_command(tail->durable, arguments, 6, &reply, err);
        for (size_t i = 0; status == SP_OK && i < sp_reply_count(reply); i++)
            status = push(&raws, p, sp_reply_at(reply, i), err);
        if (status == SP_OK && sp_reply_count(reply) > 0) /* newest first */
            snprintf(tail->last[p], SP_STREAM_ID_MAX, "%s", raws.all[before].id);
        sp_reply_free(&reply);
    }
    if (status == SP_OK && raws.count > 0)
        qsort(raws.all, (size_t)raws.count, sizeof *raws.all, compare_raws);
    for (int i = raws.count > count ? raws.count - count : 0; status == SP_OK && i < raws.count; i++)
        status = print_raw(tail, &raws.all[i], err);
    for (int i = 0; i < raws.count; i++)
        sp_stream_entry_clear(&raws.all[i]);
    free(raws.all);
    return status;
}

/* What came since, all partitions in one command. */
static enum sp_status print_new(struct tail *tail, struct sp_err *err)
{
    char keys[SP_LEDGER_MAX_PARTITIONS][SP_STREAM_KEY_MAX];
    struct sp_argument arguments[4 + 2 * SP_LEDGER_MAX_PARTITIONS] = {
        SP_ARG_TEXT("XREAD"), SP_ARG_TEXT("COUNT"), SP_ARG_TEXT(READ_COUNT), SP_ARG_TEXT("STREAMS")};
    sp_reply *reply = NULL;
    for (int p = 0; p < tail->partitions; p++) {
        sp_stream_key(keys[p], p);
        arguments[4 + p] = SP_ARG_TEXT(keys[p]);
        arguments[4 + tail->partitions + p] = SP_ARG_TEXT(tail->last[p]);
    }
    enum sp_status status = sp_store_command(tail->durable, arguments, 4 + 2 * tail->partitions, &reply, err);
    for (size_t s = 0; status == SP_OK && s < sp_reply_count(reply); s++) {
        const sp_reply *stream = sp_reply_at(reply, s), *entries = sp_reply_at(stream, 1);
        size_t length = 0;
        const uint8_t *name = sp_reply_bytes(sp_reply_at(stream, 0), &length);
        int p = 0;
        while (p < tail->partitions && (!name || strlen(keys[p]) != length || memcmp(keys[p], name, length) != 0))
            p++;
        for (size_t i = 0; status == SP_OK && p < tail->partitions && i < sp_reply_count(entries); i++) {
            struct sp_stream_entry raw;
            status = sp_stream_take(&raw, p, sp_reply_at(entries, i), err);
            if (status == SP_OK)
                status = print_raw(tail, &raw, err);
            sp_stream_entry_clear(&raw);
        }
    }
    sp_reply_free(&reply);
    return status;
}

static enum sp_status run_tail(struct tail *tail, const struct sp_ops_config *config, int count, bool follow,
                               struct sp_err *err)
{
    tail->partitions = (int)config->partitions;
    for (int p = 0; p < tail->partitions; p++)
        snprintf(tail->last[p], SP_STREAM_ID_MAX, "0-0");
    enum sp_status status = sp_ops_key(&tail->recorder, config->recorder, "keys.recorder", SP_KEY_BOX, true, err);
    if (status == SP_OK)
        status = sp_ops_authority(tail->authority, config, err);
    if (status == SP_OK)
        status = sp_ops_durable(&tail->durable, config, err);
    if (status == SP_OK)
        status = print_last(tail, count, err);
    while (status == SP_OK && follow) {
        fflush(stdout);
        poll(NULL, 0, FOLLOW_MS);
        status = print_new(tail, err);
        if (status == SP_E_UNAVAILABLE) { /* the ledger comes back; a follower waits for it */
            fprintf(stderr, "sallyport: %s\n", err->text);
            poll(NULL, 0, 1000);
            status = SP_OK;
        }
    }
    return status;
}

static int tail_run(int argc, char **argv)
{
    const char *count_text = "20";
    char *end = NULL;
    struct tail tail = {0};
    bool follow = false;
    const struct sp_flag flags[] = {{"follow", NULL, "go on with new entries", NULL, &follow},
                                    {"count", "N", "entries to begin with (20)", &count_text, NULL},
                                    {"json", NULL, "one JSON object per line", NULL, &tail.json},
                                    {0}};
    const struct sp_ops_verb verb = {"sallyport records tail", "Open, verify and print decisions.",
                                     "sallyport --config recorder.yaml records tail", NULL, flags};
    struct sp_ops_line line = {0};
    struct sp_err err = {0};
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    long count = strtol(count_text, &end, 10);
    if (*end || count < 1 || count > COUNT_MAX)
        return sp_command_usage("records tail", "--count must be 1 to %d, not '%s'", COUNT_MAX, count_text);
    if (run_tail(&tail, &line.config, (int)count, follow, &err) != SP_OK)
        code = sp_command_fail(&err);
    else if (tail.refused > 0)
        code = SP_EXIT_REFUSED;
    if (tail.durable)
        sp_store_free(&tail.durable);
    sp_key_wipe(&tail.recorder);
    return code;
}

int sp_ops_records(int argc, char **argv)
{
    static const struct sp_command_verb verbs[] = {
        {"tail", "open, verify and print the last decisions", tail_help, tail_run},
        {NULL, NULL, NULL, NULL},
    };
    return sp_command_run("records", verbs, argc, argv);
}
