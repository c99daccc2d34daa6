#include <stdio.h>
#include <string.h>
#include "ops/command.h"
#include "ops/desk.h"
#include "ops/json.h"
#include "roster/publish.h"

struct show {
    struct sp_desk desk;
    struct sp_manifest_keys keys;
    struct sp_manifest_index *index;
    bool json, names;
};

/* The portrait that speaks for the row: the best usable one, else the first. NULL: none. */
static const struct sp_index_portrait *speaking(const struct sp_index_row *row)
{
    const struct sp_index_portrait *best = NULL;
    for (int i = 0; i < row->portrait_count; i++) {
        const struct sp_index_portrait *portrait = &row->portraits[i];
        bool usable = portrait->packs[0].reason == SP_REASON_NONE;
        if (!best || (usable && (best->packs[0].reason != SP_REASON_NONE ||
                                 portrait->packs[0].quality > best->packs[0].quality)))
            best = portrait;
    }
    return best;
}

static const char *portrait_word(const struct sp_index_portrait *portrait)
{
    if (!portrait)
        return "no_portrait";
    return portrait->packs[0].reason == SP_REASON_NONE ? "enrolled" : sp_reason_word(portrait->packs[0].reason);
}

static const char *boarding_word(enum sp_boarding boarding)
{
    return boarding == SP_BOARDING_ON_BOARD       ? "on_board"
           : boarding == SP_BOARDING_NOT_ON_BOARD ? "not_on_board"
                                                  : "unknown";
}

static void print_json(const struct show *show, struct sp_json *json, const struct sp_index_row *index,
                       const struct sp_row *row, const char *label)
{
    const struct sp_index_portrait *portrait = speaking(index);
    char pseudonym[2 * SP_PSEUDONYM_BYTES + 1], id[2 * SP_PORTRAIT_BYTES + 1];
    sp_seal_to_hex(pseudonym, index->pseudonym, SP_PSEUDONYM_BYTES);
    sp_json_open(json, NULL, '{');
    sp_json_text(json, "traveller_ref", label);
    sp_json_text(json, "pseudonym", pseudonym);
    sp_json_bool(json, "crew", index->crew);
    sp_json_text(json, "boarding", boarding_word(index->boarding));
    sp_json_text(json, "portrait", portrait_word(portrait));
    sp_json_number(json, "quality",
                   portrait && portrait->packs[0].reason == SP_REASON_NONE ? portrait->packs[0].quality : 0);
    if (show->names) {
        sp_json_text(json, "surname", row->values[SP_COLUMN_SURNAME]);
        sp_json_text(json, "given", row->values[SP_COLUMN_GIVEN]);
    }
    sp_json_open(json, "portraits", '[');
    for (int i = 0; i < index->portrait_count; i++) {
        sp_seal_to_hex(id, index->portraits[i].id, SP_PORTRAIT_BYTES);
        sp_json_open(json, NULL, '{');
        sp_json_text(json, "id", id);
        sp_json_text(json, "reason", sp_reason_word(index->portraits[i].packs[0].reason));
        sp_json_number(json, "quality", index->portraits[i].packs[0].quality);
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
    sp_json_close(json, '}');
}

static void print_text(const struct show *show, const struct sp_index_row *index, const struct sp_row *row,
                       const char *label)
{
    const struct sp_index_portrait *portrait = speaking(index);
    char pseudonym[2 * SP_PSEUDONYM_BYTES + 1], quality[12] = "-";
    sp_seal_to_hex(pseudonym, index->pseudonym, SP_PSEUDONYM_BYTES);
    if (portrait && portrait->packs[0].reason == SP_REASON_NONE)
        snprintf(quality, sizeof quality, "%d", portrait->packs[0].quality);
    printf("%-24s %s  %-16s %7s %9d", label, pseudonym, portrait_word(portrait), quality, index->portrait_count);
    if (show->names)
        printf("  %s, %s", row->values[SP_COLUMN_SURNAME], row->values[SP_COLUMN_GIVEN]);
    printf("\n");
}

static enum sp_status load(struct show *show, const char *manifest, struct sp_err *err)
{
    struct sp_manifest_reader reader = sp_desk_reader(&show->desk);
    uint64_t version = 0;
    enum sp_manifest_state state;
    enum sp_status status = sp_manifest_current(show->desk.durable, manifest, &version, &state, err);
    if (status == SP_OK && version == 0)
        return sp_fail(err, SP_E_NOTFOUND,
                       "manifest %s was never published; `sallyport manifest list` names those that "
                       "were",
                       manifest);
    if (status == SP_OK && state == SP_MANIFEST_PURGED)
        return sp_fail(err, SP_E_CLOSED, "manifest %s is %s: nothing of it is left", manifest,
                       sp_manifest_state_word(state));
    if (status == SP_OK)
        status = sp_manifest_open_keys(&show->keys, show->desk.durable, manifest, &reader, err);
    if (status == SP_OK)
        status = sp_manifest_load_current(&show->index, NULL, &version, &state, show->desk.durable, manifest,
                                          &show->keys, err);
    if (status == SP_OK && !show->index)
        status = sp_fail(err, SP_E_CLOSED, "manifest %s was purged this moment", manifest);
    return status;
}

static void begin_json(const struct sp_manifest_index *index, struct sp_json *json)
{
    char pack[33];
    const struct {
        const char *key, *value;
    } texts[] = {{"carrier", index->carrier},   {"journey", index->journey},     {"dep_port", index->dep_port},
                 {"arr_port", index->arr_port}, {"direction", index->direction}, {"zone", index->zone}};
    sp_json_open(json, NULL, '{');
    sp_json_text(json, "manifest", index->id);
    sp_json_number(json, "version", (double)index->version);
    sp_json_text(json, "state", sp_manifest_state_word(index->state));
    sp_json_bool(json, "standing", index->standing);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        sp_json_text(json, texts[i].key, texts[i].value);
    sp_json_number(json, "departs_ms", (double)index->departs_ms);
    sp_json_number(json, "arrives_ms", (double)index->arrives_ms);
    sp_json_number(json, "flipped_ms", (double)index->flipped_ms);
    sp_seal_to_hex(pack, index->packs[0], sizeof index->packs[0]);
    sp_json_text(json, "pack", pack);
    sp_json_open(json, "packs", '[');
    for (int i = 0; i < index->pack_count; i++) {
        sp_seal_to_hex(pack, index->packs[i], sizeof index->packs[i]);
        sp_json_text(json, NULL, pack);
    }
    sp_json_close(json, ']');
    sp_json_open(json, "rows", '[');
}

static void begin(const struct show *show, struct sp_json *json)
{
    if (show->json) {
        begin_json(show->index, json);
        return;
    }
    printf("manifest %s version %llu %s, %d travellers\n", show->index->id,
           (unsigned long long)show->index->version, sp_manifest_state_word(show->index->state),
           show->index->row_count);
    printf("%-24s %-32s  %-16s %7s %9s\n", "TRAVELLER", "PSEUDONYM", "PORTRAIT", "QUALITY", "PORTRAITS");
}

static enum sp_status print_rows(const struct show *show, struct sp_err *err)
{
    struct sp_json json = {stdout, false};
    enum sp_status status = SP_OK;
    begin(show, &json);
    for (int i = 0; status == SP_OK && i < show->index->row_count; i++) {
        struct sp_row row = {0};
        char label[96];
        status = sp_manifest_load_row(&row, show->desk.durable, show->index->id, &show->index->rows[i], &show->keys,
                                      err);
        if (status != SP_OK)
            break;
        sp_row_label(label, &row);
        if (show->json)
            print_json(show, &json, &show->index->rows[i], &row, label);
        else
            print_text(show, &show->index->rows[i], &row, label);
        sp_row_clear(&row);
    }
    if (show->json) {
        sp_json_close(&json, ']');
        sp_json_close(&json, '}');
        printf("\n");
    }
    return status;
}

int sp_manifest_show_run(int argc, char **argv)
{
    struct show show = {0};
    const struct sp_flag flags[] = {{"json", NULL, "one JSON document", NULL, &show.json},
                                    {"names", NULL, "names, too", NULL, &show.names},
                                    {0}};
    const struct sp_ops_verb verb = {"sallyport manifest show", "The travellers of a manifest.",
                                     "sallyport manifest show air-zx-417-20261204-lis", "ID", flags};
    struct sp_ops_line line = {0};
    struct sp_err err = {0};
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    if (line.count != 1 || !sp_manifest_id_ok(line.operands[0]))
        return sp_command_usage("manifest show", "give one manifest id; `sallyport manifest list` names them");
    enum sp_status status = sp_desk_open(&show.desk, &line.config, false, &err);
    if (status == SP_OK)
        status = load(&show, line.operands[0], &err);
    if (status == SP_OK)
        status = print_rows(&show, &err);
    if (status != SP_OK)
        code = sp_command_fail(&err);
    sp_manifest_index_free(&show.index);
    sp_seal_wipe(&show.keys, sizeof show.keys);
    sp_desk_close(&show.desk);
    return code;
}
