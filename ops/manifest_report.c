#include "ops/manifest_report.h"

#include <stdio.h>
#include <string.h>
#include "common/reason.h"
#include "ops/json.h"

static void print_lack_json(struct sp_json *json, const struct sp_publish_lack *lack, bool names)
{
    sp_json_open(json, NULL, '{');
    sp_json_text(json, "traveller_ref", lack->label);
    sp_json_number(json, "line", lack->line);
    sp_json_text(json, "reason", sp_reason_word(lack->reason));
    sp_json_text(json, "text", lack->text);
    if (names) {
        sp_json_text(json, "surname", lack->surname);
        sp_json_text(json, "given", lack->given);
    }
    sp_json_close(json, '}');
}

static void print_parts_json(struct sp_json *json, const struct sp_apply_parts *parts)
{
    sp_json_open(json, "parts", '{');
    sp_json_number(json, "received", parts->count);
    sp_json_number(json, "of", parts->of);
    sp_json_open(json, "missing", '[');
    for (int i = 1; i <= parts->of; i++)
        if (!parts->seen[i])
            sp_json_number(json, NULL, i);
    sp_json_close(json, ']');
    sp_json_close(json, '}');
}

void sp_manifest_report_json(const struct sp_publish_report *report, const struct sp_roster *roster,
                             const struct sp_manifest_told *told)
{
    const struct {
        const char *key;
        int value;
    } counts[] = {{"travellers", report->rows},     {"new_rows", report->new_rows},
                  {"added", report->added},         {"changed", report->changed},
                  {"removed", report->removed},     {"kept", report->kept},
                  {"expired", report->expired},     {"unknown", report->unknown},
                  {"portraits", report->portraits}, {"enrolled", report->enrolled},
                  {"resumed", report->resumed},     {"attempts", report->attempts},
                  {"deviations", told->deviations}, {"declared", told->declared},
                  {"named", told->named},           {"warnings", roster->warning_count + report->warning_count}};
    struct sp_json json = {stdout, false};
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "manifest", report->manifest);
    sp_json_text(&json, "kind", told->kind);
    sp_json_number(&json, "version", (double)report->version);
    sp_json_text(&json, "state", sp_manifest_state_word(report->state));
    sp_json_bool(&json, "unchanged", report->unchanged);
    sp_json_bool(&json, "known", report->known);
    sp_json_bool(&json, "late", report->late);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        sp_json_number(&json, counts[i].key, counts[i].value);
    if (report->parts.count > 0)
        print_parts_json(&json, &report->parts);
    sp_json_number(&json, "seconds", told->seconds);
    sp_json_open(&json, "without_portrait", '[');
    for (int i = 0; i < report->lack_count; i++)
        print_lack_json(&json, &report->lacks[i], told->names);
    sp_json_close(&json, ']');
    sp_json_close(&json, '}');
    printf("\n");
}

static void print_parts(const struct sp_apply_parts *parts)
{
    if (parts->count == 0)
        return;
    printf("parts of this list: %d", parts->count);
    if (parts->of > 0)
        printf(" of %d", parts->of);
    const char *before = "; missing:";
    for (int i = 1; i <= parts->of; i++)
        if (!parts->seen[i]) {
            printf("%s %d", before, i);
            before = ",";
        }
    printf("\n");
}

static void print_lacks(const struct sp_publish_report *report, bool names)
{
    if (report->lack_count > 0)
        printf("without a usable portrait:\n");
    for (int i = 0; i < report->lack_count; i++) {
        const struct sp_publish_lack *lack = &report->lacks[i];
        if (lack->line > 0)
            printf("  line %-6d ", lack->line);
        else
            printf("  %-11s ", "as before");
        printf("%-20s %-16s %s", lack->label, sp_reason_word(lack->reason), lack->text);
        if (names)
            printf(" (%s, %s)", lack->surname, lack->given);
        printf("\n");
    }
}

void sp_manifest_report_text(const struct sp_publish_report *report, const struct sp_manifest_told *told)
{
    printf("manifest %s %sversion %llu %s", report->manifest, report->unchanged ? "unchanged, " : "",
           (unsigned long long)report->version, sp_manifest_state_word(report->state));
    if (report->known || report->late) {
        printf(": %s", report->known ? "this message was applied before"
                                     : "a part of a list that a newer one has replaced");
        if (!report->unchanged)
            printf("; %d portraits that came after it are enrolled", report->enrolled);
        printf("\n");
        print_lacks(report, told->names);
        return;
    }
    if (report->state == SP_MANIFEST_CLOSED) {
        printf(": %d travellers; boarding status of %d changed, portraits and templates are deleted\n",
               report->rows, report->changed);
        return;
    }
    printf(": %d travellers, %d with a usable portrait; %d rows new or changed, %d portraits enrolled",
           report->rows, report->rows - report->lack_count, report->new_rows, report->enrolled);
    if (report->resumed > 0)
        printf(", %d found done", report->resumed);
    printf(" in %.1f s\n", told->seconds);
    if (!report->unchanged)
        printf("%d added, %d changed, %d removed, %d kept\n", report->added, report->changed,
               report->removed + report->expired, report->kept);
    print_parts(&report->parts);
    if (told->declared >= 0 && told->declared != told->named)
        printf("the message says it has %d travellers, it has %d\n", told->declared, told->named);
    if (report->remark_count > 0)
        printf("%d travellers have a further portrait that cannot be used (sallyport manifest show %s)\n",
               report->remark_count, report->manifest);
    print_lacks(report, told->names);
}
