#include <stdio.h>
#include <string.h>
#include "common/clock.h"
#include "common/pack.h"
#include "ops/command.h"
#include "ops/desk.h"
#include "ops/enrol.h"
#include "ops/json.h"
#include "ops/progress.h"

struct publish_line {
    struct sp_ops_line line;
    const char *portraits, *state;
    bool json, names, strict;
};

static void on_progress(void *user, const char *what, int done, int total)
{
    sp_progress_show(user, what, done, total);
}

static void print_json(const struct sp_publish_report *report, const struct sp_roster *roster, bool names,
                       double seconds)
{
    struct sp_json json = {stdout, false};
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "manifest", report->manifest);
    sp_json_number(&json, "version", (double)report->version);
    sp_json_text(&json, "state", sp_manifest_state_word(report->state));
    sp_json_bool(&json, "unchanged", report->unchanged);
    sp_json_number(&json, "travellers", report->rows);
    sp_json_number(&json, "new_rows", report->new_rows);
    sp_json_number(&json, "portraits", report->portraits);
    sp_json_number(&json, "enrolled", report->enrolled);
    sp_json_number(&json, "resumed", report->resumed);
    sp_json_number(&json, "warnings", roster->warning_count);
    sp_json_number(&json, "seconds", seconds);
    sp_json_open(&json, "without_portrait", '[');
    for (int i = 0; i < report->lack_count; i++) {
        const struct sp_publish_lack *lack = &report->lacks[i];
        sp_json_open(&json, NULL, '{');
        sp_json_text(&json, "traveller_ref", lack->label);
        sp_json_number(&json, "line", roster->rows[lack->row].line);
        sp_json_text(&json, "reason", sp_reason_word(lack->reason));
        sp_json_text(&json, "text", lack->text);
        if (names) {
            sp_json_text(&json, "surname", roster->rows[lack->row].values[SP_COLUMN_SURNAME]);
            sp_json_text(&json, "given", roster->rows[lack->row].values[SP_COLUMN_GIVEN]);
        }
        sp_json_close(&json, '}');
    }
    sp_json_close(&json, ']');
    sp_json_close(&json, '}');
    printf("\n");
}

static void print_text(const struct sp_publish_report *report, const struct sp_roster *roster, bool names,
                       double seconds)
{
    if (report->unchanged)
        printf("manifest %s unchanged, version %llu %s", report->manifest, (unsigned long long)report->version,
               sp_manifest_state_word(report->state));
    else
        printf("manifest %s version %llu %s", report->manifest, (unsigned long long)report->version,
               sp_manifest_state_word(report->state));
    printf(": %d travellers, %d with a usable portrait; %d rows new or changed, %d portraits enrolled",
           report->rows, report->rows - report->lack_count, report->new_rows, report->enrolled);
    if (report->resumed > 0)
        printf(", %d found done", report->resumed);
    printf(" in %.1f s\n", seconds);
    if (report->remark_count > 0)
        printf("%d travellers have a further portrait that cannot be used (sallyport manifest show %s)\n",
               report->remark_count, report->manifest);
    if (report->lack_count > 0)
        printf("without a usable portrait:\n");
    for (int i = 0; i < report->lack_count; i++) {
        const struct sp_publish_lack *lack = &report->lacks[i];
        const char *const *values = roster->rows[lack->row].values;
        printf("  line %-6d %-20s %-16s %s", roster->rows[lack->row].line, lack->label,
               sp_reason_word(lack->reason), lack->text);
        if (names)
            printf(" (%s, %s)", values[SP_COLUMN_SURNAME], values[SP_COLUMN_GIVEN]);
        printf("\n");
    }
}

static enum sp_status prepare(struct sp_publish_config *ret, struct sp_desk *desk, const struct publish_line *line,
                              struct sp_err *err)
{
    const struct sp_ops_config *config = &line->line.config;
    struct sp_pack pack;
    if (!config->pack[0])
        return sp_fail(err, SP_E_INVALID,
                       "the configuration does not set pack.directory: the model pack that the "
                       "workers run");
    enum sp_status status = sp_pack_load(&pack, config->pack, err);
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
    ret->state = line->state && strcmp(line->state, "partial") == 0 ? SP_MANIFEST_PARTIAL : SP_MANIFEST_COMPLETE;
    ret->enroller = sp_enrol_through_broker(config);
    return SP_OK;
}

static int publish_file(const struct publish_line *line, const char *file)
{
    struct sp_err err = {0};
    struct sp_roster *roster = NULL;
    struct sp_portraits *portraits = NULL;
    struct sp_desk desk = {0};
    struct sp_progress_bar bar;
    struct sp_publish_report report = {0};
    struct sp_publish_config config = {.on_progress = on_progress, .user = &bar};
    uint64_t began = sp_clock_mono_ns();
    int code = SP_EXIT_OK;
    sp_progress_start(&bar);
    enum sp_status status = sp_roster_read(&roster, file, &err);
    for (int i = 0; status == SP_OK && i < roster->warning_count && i < SP_ROSTER_MAX_WARNINGS; i++)
        fprintf(stderr, "warning: %s\n", roster->warnings[i]);
    if (status == SP_OK && line->portraits)
        status = sp_portraits_open(&portraits, line->portraits, &err);
    if (status == SP_OK)
        status = prepare(&config, &desk, line, &err);
    if (status == SP_OK)
        status = sp_publish(&report, roster, portraits, &config, &err);
    sp_progress_end(&bar);
    double seconds = (double)(sp_clock_mono_ns() - began) / 1e9;
    if (status != SP_OK)
        code = sp_command_fail(&err);
    else if (line->json)
        print_json(&report, roster, line->names, seconds);
    else
        print_text(&report, roster, line->names, seconds);
    if (status == SP_OK && line->strict && report.lack_count > 0)
        code = SP_EXIT_FAILED;
    sp_publish_report_clear(&report);
    sp_desk_close(&desk);
    sp_portraits_free(&portraits);
    sp_roster_free(&roster);
    return code;
}

int sp_manifest_publish_run(int argc, char **argv)
{
    struct publish_line line = {0};
    const struct sp_flag flags[] = {
        {"portraits", "DIR", "directory with portrait files", &line.portraits, NULL},
        {"state", "STATE", "partial or complete (default)", &line.state, NULL},
        {"json", NULL, "one line of JSON", NULL, &line.json},
        {"names", NULL, "show names of travellers without a usable portrait", NULL, &line.names},
        {"strict", NULL, "exit 1 if a traveller has no usable portrait", NULL, &line.strict},
        {0},
    };
    const struct sp_ops_verb verb = {"sallyport manifest publish", "Publish the travellers of one journey.",
                                     "sallyport manifest publish ZX417.csv --portraits portraits/", "FILE.csv",
                                     flags};
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line.line, &verb, argc, argv, &code))
        return code;
    if (line.line.count != 1)
        return sp_command_usage("manifest publish", "give one CSV file, not %d", line.line.count);
    if (line.state && strcmp(line.state, "partial") != 0 && strcmp(line.state, "complete") != 0)
        return sp_command_usage("manifest publish", "--state is partial or complete, not '%s'", line.state);
    return publish_file(&line, line.line.operands[0]);
}
