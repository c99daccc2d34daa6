/* The rows of the next version, sealed. Declared in publish_parts.h. */
#include <stdlib.h>
#include <string.h>
#include "roster/publish_parts.h"

#define CHUNK 256

/* Its sealed bytes are appended unless the version before has the very same row. */
static enum sp_status put_row(struct sp_publish_run *p, struct sp_publish_draft *draft, int *appended,
                              struct sp_err *err)
{
    uint8_t *bytes = NULL, content[SP_ROW_BYTES];
    size_t length = 0;
    enum sp_status status = sp_row_encode(&bytes, &length, draft->row, err);
    if (status != SP_OK)
        return status;
    sp_manifest_content_id(content, bytes, length, &p->keys);
    if (draft->before < 0)
        sp_manifest_pseudonym(draft->index.pseudonym, draft->index.row, &p->keys);
    if (draft->before < 0 || memcmp(content, draft->index.content, SP_ROW_BYTES) != 0) {
        memcpy(draft->index.content, content, SP_ROW_BYTES);
        status = sp_manifest_append_row(p->config->durable, p->manifest, draft->index.row, draft->index.content,
                                        bytes, length, &p->keys, err);
        *appended += status == SP_OK;
    }
    sp_seal_wipe(bytes, length);
    free(bytes);
    return status;
}

/* Rows of a standing gallery are valid from the begin of one day to the end of another, in the port's zone. */
static void put_validity(struct sp_publish_draft *draft, const struct sp_zone *zone)
{
    int64_t first, last;
    draft->index.valid_from_ms = draft->index.valid_to_ms = 0;
    if (sp_zone_day(&first, &last, zone, draft->row->values[SP_COLUMN_VALID_FROM]))
        draft->index.valid_from_ms = first;
    if (sp_zone_day(&first, &last, zone, draft->row->values[SP_COLUMN_VALID_TO]))
        draft->index.valid_to_ms = last;
}

enum sp_status sp_publish_put_rows(struct sp_publish_run *p, struct sp_err *err)
{
    struct sp_zone *zone = NULL;
    enum sp_status status = SP_OK;
    if (p->next->standing && p->next->zone[0])
        status = sp_zone_open(&zone, p->next->zone, err);
    for (int at = 0; at < p->draft_count && status == SP_OK; at += CHUNK) {
        int appended = 0;
        for (int i = at; i < at + CHUNK && i < p->draft_count && status == SP_OK; i++) {
            struct sp_publish_draft *draft = &p->drafts[i];
            if (draft->source < 0)
                continue;
            if (p->next->standing)
                put_validity(draft, zone);
            if (draft->changed)
                status = put_row(p, draft, &appended, err);
        }
        status = sp_publish_collect(p->config->durable, appended, status, err);
        p->report->new_rows += appended;
    }
    sp_zone_free(&zone);
    return status;
}
