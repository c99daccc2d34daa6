#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "ops/command.h"
#include "ops/desk.h"
#include "ops/json.h"
#include "roster/manifest_store.h"

#define LANES "sp:lanes"

static const char set_help[] =
    "Usage: sallyport lane set LANE --kind single|multi --mode air|sea|pedestrian|vehicle|private --terminal NAME\n"
    "                          [--fpir F] [--margin M] [--ttl MS] [--once yes|no] [--reveal-scores|--hide-scores]\n"
    "                          [--config FILE]\n"
    "Set a lane up, or change what is given of one that stands.\n\n"
    "  --kind single    one dominant face is judged; multi: every face (vehicle, walk-through)\n"
    "  --fpir F         how often a stranger may be taken for a traveller, 0..1 (default 0.003)\n"
    "  --margin M       closer to the second best than this: refer look_alike (default 0.02)\n"
    "  --ttl MS         how long the lane may act on a decision (default 10000)\n"
    "  --once yes|no    a traveller of a manifest crosses once, a second time hears already_boarded (default: yes "
    "for air\n"
    "                   and private, no for sea, pedestrian and vehicle)\n"
    "  --reveal-scores  answers carry candidate, score and margin: for development\n\n"
    "Example: sallyport lane set A1 --kind single --mode air --terminal T1\n";
static const char assign_help[] =
    "Usage: sallyport lane assign LANE MANIFEST... [--from TIME] [--to TIME] [--direction exit|entry] [--clear]\n"
    "                             [--config FILE]\n"
    "Say which manifests the lane matches; replaces the assignment that stands. Times are ISO 8601 with Z or an "
    "offset.\n"
    "--clear takes all manifests away.\n"
    "Example: sallyport lane assign A1 air-zx-417-20261204-lis --from 2026-12-04T16:00Z --direction exit\n";
static const char list_help[] = "Usage: sallyport lane list [--json] [--config FILE]\n"
                                "Every lane with its settings and assignment.\n"
                                "Example: sallyport lane list\n";

/* A lane and its assignment as they stand; version 0: not there. */
static enum sp_status load(struct sp_lane *ret_lane, struct sp_assignment *ret_assignment, struct sp_desk *desk,
                           const char *name, const struct sp_data_key *site, struct sp_err *err)
{
    char lane[64], assignment[64];
    sp_reply *reply = NULL;
    size_t length = 0;
    sp_lane_key(lane, name);
    sp_assignment_key(assignment, name);
    struct sp_argument arguments[] = {SP_ARG_TEXT("MGET"), SP_ARG_TEXT(lane), SP_ARG_TEXT(assignment)};
    enum sp_status status = sp_store_command(desk->durable, arguments, 3, &reply, err);
    const uint8_t *bytes = status == SP_OK ? sp_reply_bytes(sp_reply_at(reply, 0), &length) : NULL;
    if (bytes)
        status = sp_lane_open(ret_lane, name, bytes, length, site, err);
    bytes = status == SP_OK ? sp_reply_bytes(sp_reply_at(reply, 1), &length) : NULL;
    if (bytes)
        status = sp_assignment_open(ret_assignment, name, bytes, length, site, err);
    sp_reply_free(&reply);
    return status;
}

static enum sp_status open_desk(struct sp_desk *desk, struct sp_data_key *site, const struct sp_ops_config *config,
                                struct sp_err *err)
{
    enum sp_status status = sp_desk_open(desk, config, false, err);
    if (status == SP_OK) {
        struct sp_manifest_reader reader = sp_desk_reader(desk);
        status = sp_site_open_key(site, desk->durable, &reader, err);
    }
    return status;
}

/* ---- set ---- */

struct set_line {
    const char *kind, *mode, *terminal, *fpir, *margin, *ttl, *once;
    bool reveal, hide;
};

static enum sp_status take_number(double *ret, const char *text, const char *flag, struct sp_err *err)
{
    char *end = NULL;
    if (!text)
        return SP_OK;
    errno = 0;
    *ret = strtod(text, &end);
    if (errno || end == text || *end)
        return sp_fail(err, SP_E_INVALID, "--%s must be a number, not '%s'", flag, text);
    return SP_OK;
}

/* What is given changes, the rest stays. */
static enum sp_status apply(struct sp_lane *lane, const struct set_line *set, struct sp_err *err)
{
    double ttl = (double)lane->decision_ttl_ms;
    if (lane->version == 0 && (!set->kind || !set->mode || !set->terminal))
        return sp_fail(err, SP_E_INVALID, "lane %s is new: give --kind, --mode and --terminal", lane->name);
    if (set->kind && strcmp(set->kind, "single") != 0 && strcmp(set->kind, "multi") != 0)
        return sp_fail(err, SP_E_INVALID, "--kind is single or multi, not '%s'", set->kind);
    if (set->mode && sp_mode_from(set->mode) < 0)
        return sp_fail(err, SP_E_INVALID, "--mode is air, sea, pedestrian, vehicle or private, not '%s'",
                       set->mode);
    if (set->terminal && !sp_key_name_ok(set->terminal))
        return sp_fail(err, SP_E_INVALID, "--terminal '%s': 1 to %d of A-Z a-z 0-9 . _ -", set->terminal,
                       SP_NAME_MAX - 1);
    if (set->once && strcmp(set->once, "yes") != 0 && strcmp(set->once, "no") != 0)
        return sp_fail(err, SP_E_INVALID, "--once is yes or no, not '%s'", set->once);
    enum sp_status status = take_number(&lane->fpir, set->fpir, "fpir", err);
    if (status == SP_OK)
        status = take_number(&lane->margin, set->margin, "margin", err);
    if (status == SP_OK)
        status = take_number(&ttl, set->ttl, "ttl", err);
    if (status == SP_OK && !(ttl >= 100 && ttl <= 3600000))
        status = sp_fail(err, SP_E_INVALID, "--ttl must be 100 to 3600000 ms");
    if (status != SP_OK)
        return status;
    lane->decision_ttl_ms = (int64_t)ttl;
    if (set->kind)
        lane->kind = strcmp(set->kind, "multi") == 0 ? SP_LANE_MULTI : SP_LANE_SINGLE;
    if (set->mode)
        lane->mode = (enum sp_mode)sp_mode_from(set->mode);
    if (set->terminal)
        snprintf(lane->terminal, sizeof lane->terminal, "%s", set->terminal);
    if (set->once)
        lane->once = strcmp(set->once, "yes") == 0;
    else if (lane->version == 0)
        lane->once = sp_mode_once(lane->mode);
    lane->reveal_scores = set->reveal || (lane->reveal_scores && !set->hide);
    return SP_OK;
}

static enum sp_status store_lane(struct sp_desk *desk, struct sp_lane *lane, const struct sp_data_key *site,
                                 struct sp_err *err)
{
    struct sp_argument arguments[] = {SP_ARG_TEXT("SADD"), SP_ARG_TEXT(LANES), SP_ARG_TEXT(lane->name)};
    enum sp_status status = sp_lane_store(desk->durable, lane, lane->version, site, err);
    return status == SP_OK ? sp_store_command(desk->durable, arguments, 3, NULL, err) : status;
}

static int set_run(int argc, char **argv)
{
    struct set_line set = {0};
    const struct sp_flag flags[] = {
        {"kind", "KIND", "single or multi", &set.kind, NULL},
        {"mode", "MODE", "air, sea, pedestrian, vehicle or private", &set.mode, NULL},
        {"terminal", "NAME", "where it is", &set.terminal, NULL},
        {"fpir", "F", "false positive identification rate", &set.fpir, NULL},
        {"margin", "M", "look-alike margin in score units", &set.margin, NULL},
        {"ttl", "MS", "how long a decision holds", &set.ttl, NULL},
        {"once", "YES", "yes or no: a traveller crosses once", &set.once, NULL},
        {"reveal-scores", NULL, "answers carry scores (development)", NULL, &set.reveal},
        {"hide-scores", NULL, "they do not", NULL, &set.hide},
        {0},
    };
    const struct sp_ops_verb verb = {"sallyport lane set", "Set a lane up.",
                                     "sallyport lane set A1 --kind single --mode air --terminal T1", "LANE", flags};
    struct sp_ops_line line = {0};
    struct sp_desk desk = {0};
    struct sp_data_key site = {0};
    struct sp_assignment assignment = {0};
    struct sp_lane lane = {
        .fpir = SP_LANE_FPIR_DEFAULT, .margin = SP_LANE_MARGIN_DEFAULT, .decision_ttl_ms = 10000};
    struct sp_err err = {0};
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    if (line.count != 1 || !sp_key_name_ok(line.operands[0]))
        return sp_command_usage("lane set", "give one lane name (1 to %d of A-Z a-z 0-9 . _ -)", SP_NAME_MAX - 1);
    enum sp_status status = open_desk(&desk, &site, &line.config, &err);
    if (status == SP_OK)
        status = load(&lane, &assignment, &desk, line.operands[0], &site, &err);
    snprintf(lane.name, sizeof lane.name, "%s", line.operands[0]);
    if (status == SP_OK)
        status = apply(&lane, &set, &err);
    if (status == SP_OK)
        status = store_lane(&desk, &lane, &site, &err);
    if (status == SP_OK)
        printf("lane %s version %llu: %s, %s, terminal %s, fpir %g, margin %g, ttl %lld ms%s%s\n", lane.name,
               (unsigned long long)lane.version + 1, lane.kind == SP_LANE_MULTI ? "multi" : "single",
               sp_mode_word(lane.mode), lane.terminal, lane.fpir, lane.margin, (long long)lane.decision_ttl_ms,
               lane.once ? ", once" : "", lane.reveal_scores ? ", reveals scores" : "");
    else
        code = sp_command_fail(&err);
    sp_seal_wipe(&site, sizeof site);
    sp_desk_close(&desk);
    return code;
}

/* ---- assign ---- */

static enum sp_status take_time(int64_t *ret_ms, const char *text, const char *flag, struct sp_err *err)
{
    if (text && sp_clock_parse(text, ret_ms) != 0)
        return sp_fail(err, SP_E_INVALID, "--%s must be a time as 2026-12-04T16:00:00Z, not '%s'", flag, text);
    return SP_OK;
}

/* Each manifest must be there and open: an assignment to nothing would only show at the lane. */
static enum sp_status take_manifests(struct sp_assignment *a, struct sp_desk *desk, const struct sp_ops_line *line,
                                     int64_t from_ms, int64_t to_ms, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    a->count = 0;
    if (line->count - 1 > SP_ASSIGNMENT_MAX)
        return sp_fail(err, SP_E_LIMIT, "%d manifests, a lane takes at most %d", line->count - 1,
                       SP_ASSIGNMENT_MAX);
    for (int i = 1; i < line->count && status == SP_OK; i++) {
        const char *manifest = line->operands[i];
        uint64_t version = 0;
        enum sp_manifest_state state = SP_MANIFEST_PARTIAL;
        if (!sp_manifest_id_ok(manifest))
            return sp_fail(err, SP_E_INVALID, "'%s' is no manifest id; `sallyport manifest list` names them",
                           manifest);
        status = sp_manifest_current(desk->durable, manifest, &version, &state, err);
        if (status == SP_OK && version == 0)
            status = sp_fail(err, SP_E_NOTFOUND,
                             "manifest %s was never published: `sallyport manifest publish` it first, "
                             "or look at `sallyport manifest list`",
                             manifest);
        if (status == SP_OK && state >= SP_MANIFEST_CLOSED)
            status = sp_fail(err, SP_E_CLOSED, "manifest %s is %s: no lane matches against it", manifest,
                             sp_manifest_state_word(state));
        if (status != SP_OK)
            return status;
        struct sp_assignment_entry *entry = &a->entries[a->count++];
        snprintf(entry->manifest, sizeof entry->manifest, "%s", manifest);
        entry->from_ms = from_ms;
        entry->to_ms = to_ms;
    }
    return status;
}

static int assign_run(int argc, char **argv)
{
    const char *from = NULL, *to = NULL, *direction = NULL;
    bool clear = false;
    const struct sp_flag flags[] = {{"from", "TIME", "not before", &from, NULL},
                                    {"to", "TIME", "not after", &to, NULL},
                                    {"direction", "DIRECTION", "exit (default) or entry", &direction, NULL},
                                    {"clear", NULL, "no manifest at all", NULL, &clear},
                                    {0}};
    const struct sp_ops_verb verb = {"sallyport lane assign", "Say which manifests a lane matches.",
                                     "sallyport lane assign A1 air-zx-417-20261204-lis", "LANE [MANIFEST...]",
                                     flags};
    struct sp_ops_line line = {0};
    struct sp_desk desk = {0};
    struct sp_data_key site = {0};
    struct sp_lane lane = {0};
    struct sp_assignment assignment = {.direction = "exit"};
    struct sp_err err = {0};
    int64_t from_ms = 0, to_ms = 0;
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    if (line.count < 1 || !sp_key_name_ok(line.operands[0]) || (line.count == 1) != clear)
        return sp_command_usage("lane assign", "give a lane and its manifests, or a lane and --clear");
    if (direction && strcmp(direction, "exit") != 0 && strcmp(direction, "entry") != 0)
        return sp_command_usage("lane assign", "--direction is exit or entry, not '%s'", direction);
    enum sp_status status = take_time(&from_ms, from, "from", &err);
    if (status == SP_OK)
        status = take_time(&to_ms, to, "to", &err);
    if (status == SP_OK)
        status = open_desk(&desk, &site, &line.config, &err);
    if (status == SP_OK)
        status = load(&lane, &assignment, &desk, line.operands[0], &site, &err);
    if (status == SP_OK && lane.version == 0)
        status =
            sp_fail(&err, SP_E_NOTFOUND,
                    "lane %s is not set up: `sallyport lane set %s --kind single --mode air --terminal T1` first",
                    line.operands[0], line.operands[0]);
    if (status == SP_OK)
        status = take_manifests(&assignment, &desk, &line, from_ms, to_ms, &err);
    if (status == SP_OK) {
        snprintf(assignment.lane, sizeof assignment.lane, "%s", line.operands[0]);
        snprintf(assignment.set_by, sizeof assignment.set_by, "%s", desk.box.name);
        if (direction)
            snprintf(assignment.direction, sizeof assignment.direction, "%s", direction);
        status = sp_assignment_store(desk.durable, &assignment, assignment.version, &site, &err);
    }
    if (status == SP_OK)
        printf("lane %s assignment %llu: %d manifests, direction %s\n", assignment.lane,
               (unsigned long long)assignment.version + 1, assignment.count, assignment.direction);
    else
        code = sp_command_fail(&err);
    sp_seal_wipe(&site, sizeof site);
    sp_desk_close(&desk);
    return code;
}

/* ---- list ---- */

static void print_time(struct sp_json *json, const char *key, int64_t wall_ms)
{
    char text[32] = "";
    if (wall_ms)
        sp_clock_format(text, wall_ms);
    sp_json_text(json, key, text);
}

static void print_json(const struct sp_lane *lane, const struct sp_assignment *a)
{
    struct sp_json json = {stdout, false};
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "lane", lane->name);
    sp_json_number(&json, "version", (double)lane->version);
    sp_json_text(&json, "kind", lane->kind == SP_LANE_MULTI ? "multi" : "single");
    sp_json_text(&json, "mode", sp_mode_word(lane->mode));
    sp_json_text(&json, "terminal", lane->terminal);
    sp_json_number(&json, "fpir", lane->fpir);
    sp_json_number(&json, "margin", lane->margin);
    sp_json_number(&json, "ttl_ms", (double)lane->decision_ttl_ms);
    sp_json_bool(&json, "once", lane->once);
    sp_json_bool(&json, "reveal_scores", lane->reveal_scores);
    sp_json_number(&json, "assignment", (double)a->version);
    sp_json_text(&json, "direction", a->direction);
    sp_json_text(&json, "set_by", a->set_by);
    sp_json_open(&json, "manifests", '[');
    for (int i = 0; i < a->count; i++) {
        sp_json_open(&json, NULL, '{');
        sp_json_text(&json, "manifest", a->entries[i].manifest);
        print_time(&json, "from", a->entries[i].from_ms);
        print_time(&json, "to", a->entries[i].to_ms);
        sp_json_close(&json, '}');
    }
    sp_json_close(&json, ']');
    sp_json_close(&json, '}');
    printf("\n");
}

static void print_text(const struct sp_lane *lane, const struct sp_assignment *a)
{
    char from[32] = "", to[32] = "";
    printf("%-12s %-6s %-10s terminal %-8s fpir %g margin %g ttl %lld ms%s%s\n", lane->name,
           lane->kind == SP_LANE_MULTI ? "multi" : "single", sp_mode_word(lane->mode), lane->terminal, lane->fpir,
           lane->margin, (long long)lane->decision_ttl_ms, lane->once ? ", once" : "",
           lane->reveal_scores ? ", reveals scores" : "");
    if (a->count == 0)
        printf("    no manifest assigned\n");
    for (int i = 0; i < a->count; i++) {
        const struct sp_assignment_entry *entry = &a->entries[i];
        if (entry->from_ms)
            sp_clock_format(from, entry->from_ms);
        if (entry->to_ms)
            sp_clock_format(to, entry->to_ms);
        printf("    %-44s %s%s%s%s%s (assignment %llu)\n", entry->manifest, a->direction,
               entry->from_ms ? " from " : "", entry->from_ms ? from : "", entry->to_ms ? " to " : "",
               entry->to_ms ? to : "", (unsigned long long)a->version);
    }
}

static int list_run(int argc, char **argv)
{
    bool as_json = false;
    const struct sp_flag flags[] = {{"json", NULL, "one JSON object per line", NULL, &as_json}, {0}};
    const struct sp_ops_verb verb = {"sallyport lane list", "Every lane with its settings and assignment.",
                                     "sallyport lane list", NULL, flags};
    struct sp_ops_line line = {0};
    struct sp_desk desk = {0};
    struct sp_data_key site = {0};
    struct sp_err err = {0};
    char(*names)[SP_NAME_MAX] = NULL;
    size_t count = 0;
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    enum sp_status status = open_desk(&desk, &site, &line.config, &err);
    if (status == SP_OK)
        status = sp_desk_lanes(&names, &count, &desk, &err);
    for (size_t i = 0; status == SP_OK && i < count; i++) {
        struct sp_lane lane = {0};
        struct sp_assignment assignment = {0};
        status = load(&lane, &assignment, &desk, names[i], &site, &err);
        if (status == SP_OK && as_json)
            print_json(&lane, &assignment);
        else if (status == SP_OK)
            print_text(&lane, &assignment);
    }
    if (status == SP_OK && count == 0 && !as_json)
        printf("no lane; set one up with `sallyport lane set A1 --kind single --mode air --terminal T1`\n");
    if (status != SP_OK)
        code = sp_command_fail(&err);
    free(names);
    sp_seal_wipe(&site, sizeof site);
    sp_desk_close(&desk);
    return code;
}

int sp_ops_lane(int argc, char **argv)
{
    static const struct sp_command_verb verbs[] = {
        {"set", "set a lane up or change it", set_help, set_run},
        {"assign", "say which manifests a lane matches", assign_help, assign_run},
        {"list", "every lane with its settings and assignment", list_help, list_run},
        {NULL, NULL, NULL, NULL},
    };
    return sp_command_run("lane", verbs, argc, argv);
}
