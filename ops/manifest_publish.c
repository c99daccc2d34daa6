#include <stdio.h>
#include <string.h>
#include "common/clock.h"
#include "common/pack.h"
#include "listing/read.h"
#include "ops/command.h"
#include "ops/desk.h"
#include "ops/enrol.h"
#include "ops/manifest_report.h"
#include "ops/progress.h"

struct publish_line {
    struct sp_ops_line line;
    const char *portraits, *state, *kind, *carrier, *format;
    bool json, names, strict;
};

/* What one file is published with. */
struct publishing {
    const struct publish_line *line;
    const char *file;
    struct sp_ports *ports;
    struct sp_portraits *portraits;
    struct sp_desk desk;
    struct sp_progress_bar bar;
    struct sp_publish_config config;
    bool lacks;
};

static void on_progress(void *user, const char *what, int done, int total)
{
    sp_progress_show(user, what, done, total);
}

enum sp_status sp_manifest_prepare(struct sp_publish_config *ret, struct sp_desk *desk,
                                   const struct sp_ops_config *config, const char *pack_directory,
                                   struct sp_err *err)
{
    struct sp_pack pack;
    const char *directory = pack_directory ? pack_directory : config->pack;
    if (!directory[0])
        return sp_fail(err, SP_E_INVALID,
                       "the configuration does not set pack.directory: the model pack that the "
                       "workers run");
    enum sp_status status = sp_pack_load(&pack, directory, err);
    if (status == SP_OK)
        status = sp_ops_fleet(ret->workers_public, config, err);
    if (status == SP_OK)
        status = sp_desk_open(desk, config, true, err);
    if (status != SP_OK)
        return status;
    memcpy(ret->pack, pack.fingerprint, sizeof ret->pack);
    ret->durable = desk->durable;
    ret->galleries = desk->galleries;
    ret->ops = &desk->box;
    ret->enroller = sp_enrol_through_broker(config);
    return SP_OK;
}

static enum sp_status prepare(struct publishing *p, struct sp_err *err)
{
    const struct publish_line *line = p->line;
    const struct sp_ops_config *config = &line->line.config;
    enum sp_status status = SP_OK;
    if (config->ports[0])
        status = sp_ports_read(&p->ports, config->ports, err);
    if (status == SP_OK && line->portraits)
        status = sp_portraits_open(&p->portraits, line->portraits, err);
    if (status == SP_OK)
        status = sp_manifest_prepare(&p->config, &p->desk, config, NULL, err);
    p->config.ports = p->ports;
    p->config.on_progress = on_progress;
    p->config.user = &p->bar;
    return status;
}

/* What the command line says of a desk's own file. */
static void adjust(struct sp_apply_message *message, const struct publish_line *line)
{
    if (line->kind && strcmp(line->kind, "change") == 0)
        message->action = SP_ACTION_CHANGE;
    else if (line->kind && strcmp(line->kind, "removal") == 0)
        message->action = SP_ACTION_REMOVE;
    if (line->state && strcmp(line->state, "partial") == 0)
        message->last_part = false;
}

static void print_warnings(const struct sp_roster *roster, const struct sp_publish_report *report)
{
    for (int i = 0; roster && i < roster->warning_count && i < SP_ROSTER_MAX_WARNINGS; i++)
        fprintf(stderr, "warning: %s\n", roster->warnings[i]);
    for (int i = 0; report && i < report->warning_count && i < SP_PUBLISH_MAX_WARNINGS; i++)
        fprintf(stderr, "warning: %s\n", report->warnings[i]);
}

/* One message of the file. */
static enum sp_status publish_listing(struct publishing *p, const struct sp_listing *listing,
                                      const struct sp_roster *roster, struct sp_err *err)
{
    static struct sp_publish_report report; /* large */
    struct sp_apply_message message;
    int port_count = 0;
    const char *const *ports = sp_ports_site(p->ports, &port_count);
    uint64_t began = sp_clock_mono_ns();
    sp_apply_from_listing(&message, listing, roster, ports, port_count);
    adjust(&message, p->line);
    if (p->line->carrier && strcasecmp(p->line->carrier, message.carrier) != 0)
        return sp_fail(err, SP_E_DENIED, "%s is a journey of carrier %.28s, this command publishes only %.28s's",
                       roster->manifest, message.carrier, p->line->carrier);
    memset(&report, 0, sizeof report);
    enum sp_status status = sp_publish_message(&report, &message, roster, p->portraits, &p->config, err);
    sp_progress_end(&p->bar);
    if (status == SP_OK) {
        const struct sp_manifest_told told = {.kind = sp_listing_kind_word(message.group, message.action),
                                              .deviations = listing->deviation_count,
                                              .declared = listing->declared,
                                              .named = listing->traveller_count,
                                              .seconds = (double)(sp_clock_mono_ns() - began) / 1e9,
                                              .names = p->line->names};
        print_warnings(NULL, &report);
        if (p->line->json)
            sp_manifest_report_json(&report, roster, &told);
        else
            sp_manifest_report_text(&report, &told);
        p->lacks = p->lacks || report.lack_count > 0;
    }
    sp_publish_report_clear(&report);
    return status;
}

/* The messages of the file, in their order; the first that fails ends it. */
static enum sp_status publish_all(struct publishing *p, struct sp_listing *const *listings, int count,
                                  struct sp_err *err)
{
    enum sp_status status = SP_OK;
    struct sp_roster_options options = {.name = p->file};
    options.ports = sp_ports_site(p->ports, &options.port_count);
    for (int i = 0; i < count && status == SP_OK; i++) {
        struct sp_roster *roster = NULL;
        struct sp_err inner = {0};
        status = sp_roster_from_listing(&roster, listings[i], &options, &inner);
        print_warnings(roster, NULL);
        if (status == SP_OK)
            status = publish_listing(p, listings[i], roster, &inner);
        sp_roster_free(&roster);
        if (status != SP_OK && count > 1)
            sp_fail(err, status, "message %d of %d: %s", i + 1, count, inner.text);
        else if (status != SP_OK)
            sp_fail(err, status, "%s", inner.text);
    }
    return status;
}

static int publish_file(const struct publish_line *line, const char *file)
{
    struct publishing p = {.line = line, .file = file};
    struct sp_err err = {0};
    struct sp_listing **listings = NULL;
    int count = 0, code = SP_EXIT_OK;
    const struct sp_listing_read_options options = {
        .strict = line->strict, .now_ms = sp_clock_wall_ms(), .format = line->format};
    sp_progress_start(&p.bar);
    enum sp_status status = sp_listing_read_file(&listings, &count, file, &options, &err);
    if (status == SP_OK)
        status = prepare(&p, &err);
    if (status == SP_OK)
        status = publish_all(&p, listings, count, &err);
    sp_progress_end(&p.bar);
    if (status != SP_OK)
        code = sp_command_fail(&err);
    else if (line->strict && p.lacks)
        code = SP_EXIT_FAILED;
    sp_listing_free_all(&listings, count);
    sp_desk_close(&p.desk);
    sp_portraits_free(&p.portraits);
    sp_ports_free(&p.ports);
    return code;
}

static bool is_one_of(const char *value, const char *const *words)
{
    for (; value && *words; words++)
        if (strcmp(value, *words) == 0)
            return true;
    return !value;
}

int sp_manifest_publish_run(int argc, char **argv)
{
    static const char *const states[] = {"partial", "complete", NULL}, *const kinds[] = {"list", "change",
                                                                                         "removal", NULL};
    struct publish_line line = {0};
    const struct sp_flag flags[] = {
        {"portraits", "DIR", "directory with portrait files", &line.portraits, NULL},
        {"state", "STATE", "partial or complete (default)", &line.state, NULL},
        {"kind", "KIND", "of a desk's own file: list (default), change or removal", &line.kind, NULL},
        {"carrier", "CODE", "refuse journeys of other carriers", &line.carrier, NULL},
        {"format", "FORMAT", "paxlst, csv, json, ndjson, fal5, fal6, enoad or auto (default)", &line.format, NULL},
        {"json", NULL, "one line of JSON per message", NULL, &line.json},
        {"names", NULL, "show names of travellers without a usable portrait", NULL, &line.names},
        {"strict", NULL, "deviations are errors; exit 1 if a traveller has no usable portrait", NULL, &line.strict},
        {0},
    };
    const struct sp_ops_verb verb = {"sallyport manifest publish", "Publish what a file says of journeys.",
                                     "sallyport manifest publish ZX417.csv --portraits portraits/", "FILE", flags};
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line.line, &verb, argc, argv, &code))
        return code;
    if (line.line.count != 1)
        return sp_command_usage("manifest publish", "give one file, not %d", line.line.count);
    if (!is_one_of(line.state, states))
        return sp_command_usage("manifest publish", "--state is partial or complete, not '%s'", line.state);
    if (!is_one_of(line.kind, kinds))
        return sp_command_usage("manifest publish", "--kind is list, change or removal, not '%s'", line.kind);
    return publish_file(&line, line.line.operands[0]);
}
