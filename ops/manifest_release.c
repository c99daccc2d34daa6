#include <stdio.h>
#include <string.h>
#include "ops/command.h"
#include "ops/desk.h"
#include "records/claim.h"
#include "roster/publish.h"

/* The row of this reference in the current version: its pseudonym. Rows are sealed, so they are opened one by one.
 */
static enum sp_status find(uint8_t ret_pseudonym[SP_PSEUDONYM_BYTES], struct sp_desk *desk, const char *manifest,
                           const char *reference, struct sp_err *err)
{
    struct sp_manifest_reader reader = sp_desk_reader(desk);
    struct sp_manifest_keys keys = {0};
    struct sp_manifest_index *index = NULL;
    uint64_t version = 0;
    enum sp_manifest_state state;
    bool found = false;
    enum sp_status status = sp_manifest_current(desk->durable, manifest, &version, &state, err);
    if (status == SP_OK && version == 0)
        status = sp_fail(err, SP_E_NOTFOUND, "manifest %s was never published", manifest);
    if (status == SP_OK)
        status = sp_manifest_open_keys(&keys, desk->durable, manifest, &reader, err);
    if (status == SP_OK)
        status = sp_manifest_load_current(&index, NULL, &version, &state, desk->durable, manifest, &keys, err);
    if (status == SP_OK && !index)
        status = sp_fail(err, SP_E_CLOSED, "manifest %s is PURGED", manifest);
    for (int i = 0; status == SP_OK && !found && i < index->row_count; i++) {
        struct sp_row row = {0};
        char label[96], hex[2 * SP_PSEUDONYM_BYTES + 1];
        status = sp_manifest_load_row(&row, desk->durable, manifest, &index->rows[i], &keys, err);
        if (status != SP_OK)
            break;
        sp_row_label(label, &row);
        sp_row_clear(&row);
        sp_seal_to_hex(hex, index->rows[i].pseudonym, SP_PSEUDONYM_BYTES);
        found = strcmp(label, reference) == 0 || strcmp(hex, reference) == 0;
        if (found)
            memcpy(ret_pseudonym, index->rows[i].pseudonym, SP_PSEUDONYM_BYTES);
    }
    if (status == SP_OK && !found)
        status = sp_fail(err, SP_E_NOTFOUND,
                         "manifest %s has no traveller of this reference; `sallyport manifest show %s` names all",
                         manifest, manifest);
    sp_manifest_index_free(&index);
    sp_seal_wipe(&keys, sizeof keys);
    return status;
}

int sp_manifest_release_run(int argc, char **argv)
{
    const struct sp_ops_verb verb = {"sallyport manifest release", "Let a traveller cross again.",
                                     "sallyport manifest release air-zx-417-20261204-lis PNR7K2-1", "ID REF", NULL};
    struct sp_ops_line line = {0};
    struct sp_desk desk = {0};
    struct sp_err err = {0};
    uint8_t pseudonym[SP_PSEUDONYM_BYTES];
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    if (line.count != 2 || !sp_manifest_id_ok(line.operands[0]))
        return sp_command_usage("manifest release", "give one manifest id and one traveller's reference");
    enum sp_status status = sp_desk_open(&desk, &line.config, false, &err);
    if (status == SP_OK)
        status = find(pseudonym, &desk, line.operands[0], line.operands[1], &err);
    if (status == SP_OK)
        status = sp_claim_release(desk.durable, line.operands[0], pseudonym, &err);
    if (status == SP_OK)
        printf("manifest %s: the traveller may cross again\n", line.operands[0]);
    else
        code = sp_command_fail(&err);
    sp_desk_close(&desk);
    return code;
}
