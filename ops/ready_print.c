#include "ops/ready_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/clock.h"
#include "ops/json.h"
#include "roster/zone.h"

#define TIME_MAX  64
#define MINUTE_MS 60000

/* "2026-12-04 18:20 -0500": local to the port of departure. Where its zone is not known: "... UTC". */
static void local_text(char ret_text[TIME_MAX], const struct sp_manifest_index *index)
{
    struct sp_zone *zone = NULL;
    struct tm parts;
    if (index->departs_ms == 0) {
        snprintf(ret_text, TIME_MAX, "%s", index->standing ? "standing" : "unknown");
        return;
    }
    if (index->zone[0])
        (void)sp_zone_open(&zone, index->zone, NULL);
    int32_t offset = sp_zone_offset(zone, index->departs_ms / 1000);
    time_t local = (time_t)(index->departs_ms / 1000 + offset);
    char day[24] = "";
    if (gmtime_r(&local, &parts))
        (void)strftime(day, sizeof day, "%Y-%m-%d %H:%M", &parts);
    if (zone)
        snprintf(ret_text, TIME_MAX, "%s %c%02d%02d", day, offset < 0 ? '-' : '+', abs(offset) / 3600,
                 abs(offset) / 60 % 60);
    else
        snprintf(ret_text, TIME_MAX, "%s UTC", day);
    sp_zone_free(&zone);
}

/* "in 3 h 20 min", "20 min ago" */
static void distance_text(char ret_text[TIME_MAX], int64_t from_ms, int64_t to_ms)
{
    int64_t minutes = llabs(to_ms - from_ms) / MINUTE_MS;
    char span[40];
    if (minutes >= 60)
        snprintf(span, sizeof span, "%" PRId64 " h %" PRId64 " min", minutes / 60, minutes % 60);
    else
        snprintf(span, sizeof span, "%" PRId64 " min", minutes);
    snprintf(ret_text, TIME_MAX, to_ms >= from_ms ? "in %s" : "%s ago", span);
}

static void print_lists(const struct sp_readiness *board)
{
    static const char *const words[] = {"passenger list", "crew list", "list"};
    char when[32];
    for (int i = 0; i < 3; i++) {
        const struct sp_ready_list *list = &board->lists[i];
        if (!list->received)
            continue;
        sp_clock_format(when, list->received_ms);
        printf("  %-16s %d", words[i], list->parts);
        if (list->parts_of > 0)
            printf(" of %d parts", list->parts_of);
        else
            printf(" parts, the last has not come");
        printf(", %d travellers", list->travellers);
        if (list->declared >= 0)
            printf(" (it says %d)", list->declared);
        printf(", %d deviations, %s\n", list->deviations, when);
    }
}

static void print_lacks(const struct sp_ready_gather *gather, const struct sp_ready_found *found, bool names)
{
    const struct sp_manifest_index *index = found->manifest.index;
    int pack = gather->pack_known ? sp_manifest_index_pack(index, gather->pack) : 0;
    char label[SP_DESK_LABEL_MAX];
    if (pack < 0 || found->board.with_portrait == found->board.travellers)
        return;
    printf("without a usable portrait:\n");
    for (int i = 0; i < index->row_count; i++) {
        int lack = sp_ready_lack(&index->rows[i], pack);
        if (lack == SP_REASON_NONE)
            continue;
        const struct sp_index_portrait *portrait = sp_ready_portrait(&index->rows[i], pack);
        sp_desk_label(label, &gather->desk, &found->manifest, i, names);
        printf("  %-24s %-16s", label, sp_reason_word(lack));
        if (portrait)
            printf(" quality %d, %s", portrait->packs[pack].quality, sp_reason_text(lack));
        printf("\n");
    }
}

static void pair_label(char *ret_text, const struct sp_ready_gather *gather, const struct sp_ready_found *found,
                       int row, bool names)
{
    if (row < 0)
        snprintf(ret_text, SP_DESK_LABEL_MAX, "?");
    else
        sp_desk_label(ret_text, &gather->desk, &found->manifest, row, names);
}

static void print_pairs(const struct sp_ready_gather *gather, const struct sp_ready_found *found, bool names)
{
    char a[SP_DESK_LABEL_MAX], b[SP_DESK_LABEL_MAX];
    if (!found->facts.review_known || found->review.pair_count == 0)
        return;
    printf("look alike (a match needs %.3f, and %.3f more than the second best):\n", found->review.threshold,
           found->review.margin);
    for (int i = 0; i < found->review.pair_count; i++) {
        pair_label(a, gather, found, found->pairs[i].a, names);
        pair_label(b, gather, found, found->pairs[i].b, names);
        printf("  %.3f  %s and %s\n", found->pairs[i].score, a, b);
    }
    if (found->review.count > found->review.pair_count)
        printf("  and %d more pairs\n", found->review.count - found->review.pair_count);
}

static void print_others(const struct sp_ready_gather *gather, const struct sp_ready_found *found)
{
    const struct sp_ready_facts *facts = &found->facts;
    if (!gather->broker_known)
        printf("  broker           unknown: %s\n", gather->broker.text);
    printf("  workers          ");
    if (!facts->workers_known)
        printf("unknown");
    for (int i = 0; i < facts->worker_count && facts->workers_known; i++) {
        printf("%s%s ", i ? ", " : "", facts->workers[i].name);
        if (!facts->versions_known)
            printf("version unknown");
        else if (facts->workers[i].version)
            printf("version %" PRIu64, facts->workers[i].version);
        else
            printf("nothing yet");
    }
    printf("%s\n  lanes            ", facts->workers_known && facts->worker_count == 0 ? "none" : "");
    for (int i = 0; i < facts->lane_count; i++)
        printf("%s%s %s", i ? ", " : "", facts->lanes[i].lane,
               !facts->lanes_known     ? "unknown"
               : facts->lanes[i].alive ? "alive"
                                       : "not alive");
    printf("%s\n  look-alikes      ", facts->lane_count == 0 ? "none" : "");
    if (facts->review_known)
        printf("%d pairs among %d travellers\n", facts->pair_count, found->review.usable);
    else
        printf("%s%s\n", facts->review_skipped ? "not asked" : "unknown: ", found->why_review.text);
}

void sp_ready_print_board(const struct sp_ready_gather *gather, const struct sp_ready_found *found, bool names)
{
    const struct sp_manifest_index *index = found->manifest.index;
    const struct sp_readiness *board = &found->board;
    char departs[TIME_MAX], distance[TIME_MAX] = "";
    local_text(departs, index);
    if (index->departs_ms)
        distance_text(distance, found->facts.now_ms, index->departs_ms);
    printf("manifest %s version %" PRIu64 " %s\n", index->id, index->version, sp_manifest_state_word(index->state));
    printf("  departs          %s%s%s %s\n", departs, index->zone[0] ? " " : "", index->zone, distance);
    print_lists(board);
    printf("  travellers       %d (%d crew), %d portraits, %d travellers with a usable one\n", board->travellers,
           board->crew, board->portraits, board->with_portrait);
    print_others(gather, found);
    printf("READY: %s\n", board->ready ? "yes" : "no");
    for (int i = 0; i < board->problem_count; i++)
        printf("  %-8s %s\n", sp_ready_severity_word(board->problems[i].severity), board->problems[i].text);
    print_lacks(gather, found, names);
    print_pairs(gather, found, names);
}

void sp_ready_print_head(void)
{
    printf("%-22s %-40s %-9s %10s %10s %6s %8s %6s %-5s %s\n", "DEPARTS (LOCAL)", "MANIFEST", "STATE", "TRAVELLERS",
           "PORTRAITS", "PAIRS", "WORKERS", "LANES", "READY", "WORST");
}

void sp_ready_print_line(const struct sp_ready_found *found)
{
    const struct sp_manifest_index *index = found->manifest.index;
    const struct sp_readiness *board = &found->board;
    char departs[TIME_MAX], pairs[16] = "?", workers[16] = "?", lanes[16];
    local_text(departs, index);
    if (found->facts.review_known)
        snprintf(pairs, sizeof pairs, "%d", found->facts.pair_count);
    else if (found->facts.review_skipped)
        snprintf(pairs, sizeof pairs, "-");
    if (found->facts.workers_known && found->facts.versions_known)
        snprintf(workers, sizeof workers, "%d/%d", board->workers_current, board->workers);
    if (found->facts.lanes_known)
        snprintf(lanes, sizeof lanes, "%d/%d", board->lanes_alive, board->lanes);
    else
        snprintf(lanes, sizeof lanes, "?/%d", board->lanes);
    printf("%-22s %-40s %-9s %10d %10d %6s %8s %6s %-5s %s\n", departs, index->id,
           sp_manifest_state_word(index->state), board->travellers, board->with_portrait, pairs, workers, lanes,
           board->ready ? "yes" : "no", board->problem_count > 0 ? board->problems[0].text : "");
}

/* ---- JSON ---- */

static void json_lists(struct sp_json *json, const struct sp_readiness *board)
{
    static const char *const words[] = {"passengers", "crew", "both"};
    sp_json_open(json, "lists", '[');
    for (int i = 0; i < 3; i++) {
        const struct sp_ready_list *list = &board->lists[i];
        if (!list->received)
            continue;
        sp_json_open(json, NULL, '{');
        sp_json_text(json, "group", words[i]);
        sp_json_number(json, "parts", list->parts);
        sp_json_number(json, "parts_of", list->parts_of);
        sp_json_open(json, "missing", '[');
        for (int k = 0; k < list->missing_count && k < SP_READY_MAX_MISSING; k++)
            sp_json_number(json, NULL, list->missing[k]);
        sp_json_close(json, ']');
        sp_json_number(json, "travellers", list->travellers);
        sp_json_number(json, "declared", list->declared);
        sp_json_number(json, "deviations", list->deviations);
        sp_json_number(json, "received_ms", (double)list->received_ms);
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
}

static void json_lacks(struct sp_json *json, const struct sp_ready_gather *gather,
                       const struct sp_ready_found *found, bool names)
{
    const struct sp_manifest_index *index = found->manifest.index;
    int pack = gather->pack_known ? sp_manifest_index_pack(index, gather->pack) : 0;
    char label[SP_DESK_LABEL_MAX];
    sp_json_open(json, "without_portrait", '[');
    for (int i = 0; i < index->row_count && pack >= 0; i++) {
        int lack = sp_ready_lack(&index->rows[i], pack);
        const struct sp_index_portrait *portrait = sp_ready_portrait(&index->rows[i], pack);
        if (lack == SP_REASON_NONE)
            continue;
        sp_desk_label(label, &gather->desk, &found->manifest, i, names);
        sp_json_open(json, NULL, '{');
        sp_json_text(json, "traveller_ref", label);
        sp_json_text(json, "reason", sp_reason_word(lack));
        if (portrait)
            sp_json_number(json, "quality", portrait->packs[pack].quality);
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
}

static void json_review(struct sp_json *json, const struct sp_ready_gather *gather,
                        const struct sp_ready_found *found, bool names)
{
    char label[SP_DESK_LABEL_MAX];
    sp_json_open(json, "look_alikes", '{');
    sp_json_text(json, "review",
                 found->facts.review_known     ? "done"
                 : found->facts.review_skipped ? "skipped"
                                               : "unknown");
    sp_json_text(json, "why", found->why_review.text);
    sp_json_number(json, "count", found->facts.pair_count);
    sp_json_open(json, "pairs", '[');
    for (int i = 0; found->facts.review_known && i < found->review.pair_count; i++) {
        sp_json_open(json, NULL, '{');
        pair_label(label, gather, found, found->pairs[i].a, names);
        sp_json_text(json, "a", label);
        pair_label(label, gather, found, found->pairs[i].b, names);
        sp_json_text(json, "b", label);
        sp_json_number(json, "score", found->pairs[i].score);
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
    sp_json_close(json, '}');
}

static void json_others(struct sp_json *json, const struct sp_ready_gather *gather,
                        const struct sp_ready_found *found)
{
    const struct sp_ready_facts *facts = &found->facts;
    sp_json_text(json, "broker", gather->broker_known ? "" : gather->broker.text);
    sp_json_bool(json, "workers_known", facts->workers_known);
    sp_json_bool(json, "versions_known", facts->versions_known);
    sp_json_open(json, "workers", '[');
    for (int i = 0; i < facts->worker_count; i++) {
        sp_json_open(json, NULL, '{');
        sp_json_text(json, "worker", facts->workers[i].name);
        sp_json_number(json, "version", (double)facts->workers[i].version);
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
    sp_json_bool(json, "lanes_known", facts->lanes_known);
    sp_json_open(json, "lanes", '[');
    for (int i = 0; i < facts->lane_count; i++) {
        sp_json_open(json, NULL, '{');
        sp_json_text(json, "lane", facts->lanes[i].lane);
        sp_json_bool(json, "alive", facts->lanes[i].alive);
        sp_json_number(json, "quiet_ms", (double)facts->lanes[i].quiet_ms);
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
}

void sp_ready_print_json(const struct sp_ready_gather *gather, const struct sp_ready_found *found, bool names)
{
    const struct sp_manifest_index *index = found->manifest.index;
    const struct sp_readiness *board = &found->board;
    struct sp_json json = {stdout, false};
    char departs[TIME_MAX];
    local_text(departs, index);
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "manifest", index->id);
    sp_json_number(&json, "version", (double)index->version);
    sp_json_text(&json, "state", sp_manifest_state_word(index->state));
    sp_json_bool(&json, "ready", board->ready);
    sp_json_text(&json, "departs", departs);
    sp_json_number(&json, "departs_ms", (double)index->departs_ms);
    sp_json_text(&json, "zone", index->zone);
    json_lists(&json, board);
    sp_json_number(&json, "travellers", board->travellers);
    sp_json_number(&json, "crew", board->crew);
    sp_json_number(&json, "portraits", board->portraits);
    sp_json_number(&json, "with_portrait", board->with_portrait);
    json_others(&json, gather, found);
    sp_json_open(&json, "problems", '[');
    for (int i = 0; i < board->problem_count; i++) {
        sp_json_open(&json, NULL, '{');
        sp_json_text(&json, "severity", sp_ready_severity_word(board->problems[i].severity));
        sp_json_text(&json, "kind", board->problems[i].kind);
        sp_json_text(&json, "text", board->problems[i].text);
        sp_json_close(&json, '}');
    }
    sp_json_close(&json, ']');
    json_lacks(&json, gather, found, names);
    json_review(&json, gather, found, names);
    sp_json_close(&json, '}');
    printf("\n");
}
