#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "ops/command.h"
#include "ops/ready_print.h"
#include "roster/manifest_store.h"

struct ready {
    struct sp_ready_gather gather;
    bool review, json, names;
    int not_ready;
};

static enum sp_status show_one(struct ready *ready, const char *id, struct sp_err *err)
{
    struct sp_ready_found *found = calloc(1, sizeof *found);
    if (!found)
        return sp_fail(err, SP_E_NOMEM, "no memory for a board");
    enum sp_status status = sp_ready_find(found, &ready->gather, id, ready->review, err);
    if (status == SP_OK) {
        ready->not_ready += !found->board.ready;
        if (ready->json)
            sp_ready_print_json(&ready->gather, found, ready->names);
        else
            sp_ready_print_board(&ready->gather, found, ready->names);
    }
    sp_ready_found_clear(found);
    free(found);
    return status;
}

/* ---- departures ---- */

struct departure {
    int64_t departs_ms;
    char id[SP_MANIFEST_ID_MAX];
};

static int compare_departures(const void *a, const void *b)
{
    const struct departure *x = a, *y = b;
    if (x->departs_ms != y->departs_ms)
        return x->departs_ms < y->departs_ms ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* Open manifests that depart within the span, or were to depart in the last hour. *ret_undated: open ones whose
 * departure is not known. */
static enum sp_status list_departures(struct departure **ret_list, int *ret_count, int *ret_undated,
                                      const struct sp_desk *desk, int64_t span_ms, struct sp_err *err)
{
    char(*ids)[SP_MANIFEST_ID_MAX] = NULL;
    int count = 0, kept = 0;
    int64_t now_ms = sp_clock_wall_ms();
    enum sp_status status = sp_manifest_list(&ids, &count, desk->durable, err);
    struct departure *list = status == SP_OK ? calloc((size_t)count + 1, sizeof *list) : NULL;
    if (status == SP_OK && !list)
        status = sp_fail(err, SP_E_NOMEM, "no memory for %d manifests", count);
    for (int i = 0; i < count && status == SP_OK; i++) {
        struct sp_desk_manifest manifest = {0};
        struct sp_err inner = {0};
        status = sp_desk_load(&manifest, desk, ids[i], &inner);
        const struct sp_manifest_index *index = manifest.index;
        bool open = status == SP_OK && index->state < SP_MANIFEST_CLOSED && !index->standing;
        *ret_undated += open && index->departs_ms == 0;
        if (open && index->departs_ms > now_ms - 3600000 && index->departs_ms <= now_ms + span_ms) {
            list[kept].departs_ms = index->departs_ms;
            memcpy(list[kept++].id, ids[i], SP_MANIFEST_ID_MAX);
        }
        if (status == SP_E_NOTFOUND) /* purged, or begun and never published */
            status = SP_OK;
        else if (status != SP_OK)
            sp_fail(err, status, "%s", inner.text);
        sp_desk_manifest_clear(&manifest);
    }
    free(ids);
    if (status != SP_OK) {
        free(list);
        return status;
    }
    qsort(list, (size_t)kept, sizeof *list, compare_departures);
    *ret_list = list;
    *ret_count = kept;
    return SP_OK;
}

static enum sp_status show_departures(struct ready *ready, int64_t span_ms, struct sp_err *err)
{
    struct departure *list = NULL;
    int count = 0, undated = 0;
    enum sp_status status = list_departures(&list, &count, &undated, &ready->gather.desk, span_ms, err);
    struct sp_ready_found *found = calloc(1, sizeof *found);
    if (status == SP_OK && !found)
        status = sp_fail(err, SP_E_NOMEM, "no memory for a board");
    if (status == SP_OK && !ready->json && count > 0)
        sp_ready_print_head();
    if (status == SP_OK && !ready->json && count == 0)
        printf("no open manifest departs in that time\n");
    for (int i = 0; i < count && status == SP_OK; i++) {
        memset(found, 0, sizeof *found);
        status = sp_ready_find(found, &ready->gather, list[i].id, ready->review, err);
        if (status == SP_OK) {
            ready->not_ready += !found->board.ready;
            if (ready->json)
                sp_ready_print_json(&ready->gather, found, ready->names);
            else
                sp_ready_print_line(found);
        }
        sp_ready_found_clear(found);
    }
    if (undated > 0)
        fprintf(stderr,
                "%d open manifests have no departure time and are not shown: see `sallyport manifest list`\n",
                undated);
    free(found);
    free(list);
    return status;
}

int sp_manifest_ready_run(int argc, char **argv)
{
    struct ready ready = {.review = true};
    const char *departures = NULL;
    bool no_review = false;
    int64_t span_ms = 0;
    const struct sp_flag flags[] = {
        {"departures", "SPAN", "all that depart within it: 24h, 90m, 2d", &departures, NULL},
        {"no-review", NULL, "do not look for look-alikes", NULL, &no_review},
        {"json", NULL, "one JSON object per manifest", NULL, &ready.json},
        {"names", NULL, "names, too", NULL, &ready.names},
        {0}};
    const struct sp_ops_verb verb = {"sallyport manifest ready", "Is a journey ready to board?",
                                     "sallyport manifest ready --departures 24h", "[ID]", flags};
    struct sp_ops_line line = {0};
    struct sp_err err = {0};
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    if ((departures != NULL) == (line.count > 0) || line.count > 1 ||
        (line.count == 1 && !sp_manifest_id_ok(line.operands[0])))
        return sp_command_usage("manifest ready", "give one manifest id, or --departures 24h");
    if (departures && !sp_command_span(departures, &span_ms))
        return sp_command_usage("manifest ready", "--departures is like 24h, 90m or 2d, not '%s'", departures);
    ready.review = !no_review;
    enum sp_status status = sp_ready_gather_open(&ready.gather, &line.config, &err);
    if (status == SP_OK)
        status = departures ? show_departures(&ready, span_ms, &err) : show_one(&ready, line.operands[0], &err);
    if (status != SP_OK)
        code = sp_command_fail(&err);
    else if (ready.not_ready > 0)
        code = SP_EXIT_FAILED;
    sp_ready_gather_clear(&ready.gather);
    return code;
}
