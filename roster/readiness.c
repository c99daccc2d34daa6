#include "roster/readiness.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "common/reason.h"
#include "listing/listing.h"

#define PORTRAIT_MINIMUM 0.9
#define LANES_DUE_MS     (3 * 3600000)
#define PART_MAX         1000 /* of a list; what claims more parts is said to have no known number */

const char *sp_ready_severity_word(enum sp_ready_severity severity)
{
    return severity == SP_READY_BLOCKS ? "blocks" : severity == SP_READY_UNKNOWN ? "unknown" : "warns";
}

void sp_ready_facts_default(struct sp_ready_facts *ret_facts)
{
    *ret_facts = (struct sp_ready_facts){.portrait_minimum = PORTRAIT_MINIMUM, .lanes_due_ms = LANES_DUE_MS};
}

__attribute__((format(printf, 4, 5))) static void problem(struct sp_readiness *r, enum sp_ready_severity severity,
                                                          const char *kind, const char *format, ...)
{
    va_list arguments;
    int at = r->problem_count;
    if (at == SP_READY_MAX_PROBLEMS)
        return; /* there are fewer kinds than places */
    for (; at > 0 && r->problems[at - 1].severity > severity; at--)
        r->problems[at] = r->problems[at - 1];
    r->problems[at].severity = severity;
    r->problems[at].kind = kind;
    va_start(arguments, format);
    vsnprintf(r->problems[at].text, sizeof r->problems[at].text, format, arguments);
    va_end(arguments);
    r->problem_count++;
}

/* ---- lists ---- */

static void find_missing(struct sp_ready_list *list, const bool *seen)
{
    for (int part = 1; part <= list->parts_of; part++) {
        if (seen[part])
            continue;
        if (list->missing_count < SP_READY_MAX_MISSING)
            list->missing[list->missing_count] = (uint16_t)part;
        list->missing_count++;
    }
}

static void read_list(struct sp_ready_list *list, const struct sp_manifest_index *index, int group)
{
    bool seen[PART_MAX + 1] = {false};
    const struct sp_index_receipt *newest = NULL;
    for (int i = 0; i < index->receipt_count; i++)
        if (index->receipts[i].group == group && index->receipts[i].action == SP_ACTION_LIST)
            newest = &index->receipts[i];
    *list = (struct sp_ready_list){.declared = -1};
    if (!newest)
        return;
    list->received = true;
    list->in_parts = newest->part > 0;
    for (int i = 0; i < index->receipt_count; i++) {
        const struct sp_index_receipt *receipt = &index->receipts[i];
        if (receipt->group != group || receipt->action != SP_ACTION_LIST || receipt->series != newest->series ||
            (newest->part == 0 && receipt != newest))
            continue;
        int part = receipt->part > 0 ? receipt->part : 1;
        if (part > PART_MAX || seen[part])
            continue;
        seen[part] = true;
        list->parts++;
        list->travellers += receipt->travellers;
        list->deviations += receipt->deviations;
        if (receipt->declared >= 0)
            list->declared = (list->declared < 0 ? 0 : list->declared) + receipt->declared;
        list->received_ms = receipt->received_ms;
        if (receipt->last_part)
            list->parts_of = part;
    }
    find_missing(list, seen);
}

static void judge_list(struct sp_readiness *r, int group, enum sp_manifest_state state)
{
    static const char *const words[] = {"passenger list", "crew list", "list"};
    const struct sp_ready_list *list = &r->lists[group];
    char numbers[6 * SP_READY_MAX_MISSING + 8] = "";
    size_t length = 0;
    if (!list->received)
        return;
    for (int i = 0; i < list->missing_count && i < SP_READY_MAX_MISSING; i++)
        length += (size_t)snprintf(numbers + length, sizeof numbers - length, "%s%u", i ? ", " : "",
                                   (unsigned)list->missing[i]);
    if (list->missing_count > 0)
        problem(r, SP_READY_BLOCKS, "parts", "the %s lacks %d of %d parts: %s%s", words[group], list->missing_count,
                list->parts_of, numbers, list->missing_count > SP_READY_MAX_MISSING ? " ..." : "");
    else if (list->parts_of == 0 && (list->in_parts || state == SP_MANIFEST_PARTIAL))
        problem(r, SP_READY_BLOCKS, "parts", "the last part of the %s has not come (%d received)", words[group],
                list->parts);
    if (list->declared >= 0 && list->declared != list->travellers)
        problem(r, SP_READY_WARNS, "declared", "the %s says it has %d travellers, it has %d", words[group],
                list->declared, list->travellers);
    if (list->deviations > 0)
        problem(r, SP_READY_WARNS, "deviations", "the %s has %d deviations from its format", words[group],
                list->deviations);
}

static void judge_state(struct sp_readiness *r, const struct sp_ready_facts *facts)
{
    const struct sp_manifest_index *index = facts->index;
    if (index->state >= SP_MANIFEST_CLOSED)
        problem(r, SP_READY_BLOCKS, "closed", "the manifest is %s: no lane matches",
                sp_manifest_state_word(index->state));
    for (int group = 0; group < 3; group++) {
        read_list(&r->lists[group], index, group);
        judge_list(r, group, index->state);
    }
    bool told = r->problem_count > 0 && strcmp(r->problems[0].kind, "parts") == 0;
    if (index->state == SP_MANIFEST_PARTIAL && !told)
        problem(r, SP_READY_BLOCKS, "parts", "the manifest is PARTIAL: more travellers will come");
    if (index->row_count == 0 && index->state < SP_MANIFEST_PURGED)
        problem(r, SP_READY_BLOCKS, "travellers", "the manifest has no travellers");
    if (index->departs_ms > 0 && index->departs_ms < facts->now_ms && index->state < SP_MANIFEST_CLOSED)
        problem(r, SP_READY_WARNS, "departed", "its scheduled departure has passed and it is not closed");
}

/* ---- portraits ---- */

const struct sp_index_portrait *sp_ready_portrait(const struct sp_index_row *row, int pack)
{
    const struct sp_index_portrait *best = NULL;
    for (int i = 0; i < row->portrait_count; i++) {
        const struct sp_index_enrolment *this = &row->portraits[i].packs[pack];
        bool usable = this->reason == SP_REASON_NONE;
        if (!best ||
            (usable && (best->packs[pack].reason != SP_REASON_NONE || this->quality > best->packs[pack].quality)))
            best = &row->portraits[i];
    }
    return best;
}

int sp_ready_lack(const struct sp_index_row *row, int pack)
{
    const struct sp_index_portrait *portrait = sp_ready_portrait(row, pack);
    return portrait ? portrait->packs[pack].reason : SP_REASON_NO_PORTRAIT;
}

static void judge_portraits(struct sp_readiness *r, const struct sp_ready_facts *facts)
{
    const struct sp_manifest_index *index = facts->index;
    int pack = facts->pack ? sp_manifest_index_pack(index, facts->pack) : 0;
    r->travellers = index->row_count;
    for (int i = 0; i < index->row_count; i++) {
        r->crew += index->rows[i].crew;
        r->portraits += index->rows[i].portrait_count;
        if (pack < 0)
            continue;
        int lack = sp_ready_lack(&index->rows[i], pack);
        r->with_portrait += lack == SP_REASON_NONE;
        if (lack > SP_REASON_NONE && lack < SP_READY_REASONS)
            r->lacking[lack]++;
    }
    if (index->row_count == 0 || index->state >= SP_MANIFEST_CLOSED)
        return;
    int without = r->travellers - r->with_portrait, unsent = r->lacking[SP_REASON_NO_PORTRAIT];
    if (pack < 0)
        problem(r, SP_READY_BLOCKS, "pack",
                "its portraits were not enrolled under the model pack that the workers run");
    else if (without > 0)
        problem(r, r->with_portrait < facts->portrait_minimum * r->travellers ? SP_READY_BLOCKS : SP_READY_WARNS,
                "portraits",
                "%d of %d travellers cannot be matched: %d have no portrait, %d have none that is usable", without,
                r->travellers, unsent, without - unsent);
}

/* ---- what others know ---- */

static void judge_fleet(struct sp_readiness *r, const struct sp_ready_facts *facts)
{
    if (facts->index->state >= SP_MANIFEST_CLOSED)
        return;
    if (!facts->workers_known) {
        problem(r, SP_READY_UNKNOWN, "workers", "the broker did not say which workers are there");
        return;
    }
    int missing = 0;
    r->workers = facts->worker_count;
    for (int i = 0; i < facts->worker_count; i++) {
        bool current = facts->workers[i].version == facts->index->version;
        r->workers_current += current;
        if (current && facts->workers[i].missing > missing)
            missing = facts->workers[i].missing;
    }
    if (r->workers == 0)
        problem(r, SP_READY_BLOCKS, "workers", "no worker is connected");
    else if (!facts->versions_known)
        problem(r, SP_READY_UNKNOWN, "versions", "which version the %d workers hold is not known", r->workers);
    else if (r->workers_current < r->workers)
        problem(r, SP_READY_WARNS, "versions",
                "%d of %d workers do not hold version %llu yet: each loads it at its first face",
                r->workers - r->workers_current, r->workers, (unsigned long long)facts->index->version);
    if (missing > 0)
        problem(r, SP_READY_WARNS, "templates",
                "a worker lacks %d templates; they are enrolled again by themselves", missing);
}

static void judge_lanes(struct sp_readiness *r, const struct sp_ready_facts *facts)
{
    const struct sp_manifest_index *index = facts->index;
    bool due = index->departs_ms == 0 || index->departs_ms - facts->now_ms <= facts->lanes_due_ms;
    r->lanes = facts->lane_count;
    if (index->state >= SP_MANIFEST_CLOSED)
        return;
    if (r->lanes == 0) {
        problem(r, SP_READY_BLOCKS, "lanes", "no lane is assigned this manifest");
        return;
    }
    if (!facts->lanes_known) {
        problem(r, SP_READY_UNKNOWN, "lanes", "the broker did not say which lanes are alive");
        return;
    }
    for (int i = 0; i < facts->lane_count; i++)
        r->lanes_alive += facts->lanes[i].alive;
    if (r->lanes_alive == 0)
        problem(r, due ? SP_READY_BLOCKS : SP_READY_WARNS, "lanes", "none of its %d lanes is alive", r->lanes);
    else if (r->lanes_alive < r->lanes)
        problem(r, SP_READY_WARNS, "lanes", "%d of its %d lanes are not alive", r->lanes - r->lanes_alive,
                r->lanes);
}

static void judge_review(struct sp_readiness *r, const struct sp_ready_facts *facts)
{
    if (facts->index->state >= SP_MANIFEST_CLOSED || facts->review_skipped)
        return;
    if (!facts->review_known) {
        problem(r, SP_READY_UNKNOWN, "look_alikes", "no worker compared the gallery with itself");
        return;
    }
    if (facts->pair_count > 0)
        problem(r, SP_READY_WARNS, "look_alikes", "%d pairs of travellers look alike: lanes will refer them",
                facts->pair_count);
    if (facts->review_missing > 0)
        problem(r, SP_READY_UNKNOWN, "look_alikes", "%d travellers could not be compared with the others",
                facts->review_missing);
}

void sp_ready_judge(struct sp_readiness *ret_readiness, const struct sp_ready_facts *facts)
{
    memset(ret_readiness, 0, sizeof *ret_readiness);
    judge_state(ret_readiness, facts);
    judge_portraits(ret_readiness, facts);
    judge_fleet(ret_readiness, facts);
    judge_lanes(ret_readiness, facts);
    judge_review(ret_readiness, facts);
    ret_readiness->ready =
        ret_readiness->problem_count == 0 || ret_readiness->problems[0].severity == SP_READY_WARNS;
}
