/* Portrait files of the rows that a message names. Declared in publish_parts.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/reason.h"
#include "roster/publish_parts.h"

#define CHUNK       256
#define CHUNK_BYTES (16u << 20) /* portraits held in memory at once */

/* A batch of portrait files read and not yet uploaded. */
struct batch {
    int count;
    size_t bytes;
    uint8_t *image[CHUNK];
    size_t length[CHUNK];
    uint8_t id[CHUNK][SP_PORTRAIT_BYTES];
};

static enum sp_status flush(struct sp_publish_run *p, struct batch *batch, struct sp_err *err)
{
    char key[192];
    enum sp_status status = SP_OK;
    int asked = 0, appended = 0;
    bool there[CHUNK] = {false};
    sp_manifest_key(key, p->manifest, "portraits");
    for (; asked < batch->count && status == SP_OK; asked++) {
        struct sp_argument arguments[] = {SP_ARG_TEXT("HEXISTS"), SP_ARG_TEXT(key),
                                          SP_ARG(batch->id[asked], SP_PORTRAIT_BYTES)};
        status = sp_store_append(p->config->durable, arguments, 3, err);
    }
    asked -= status != SP_OK;
    for (int i = 0; i < asked; i++) {
        struct sp_err later = {0};
        sp_reply *reply = NULL;
        enum sp_status step = sp_store_collect(p->config->durable, &reply, &later);
        there[i] = step == SP_OK && sp_reply_integer(reply) == 1;
        sp_reply_free(&reply);
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
    }
    for (int i = 0; i < batch->count && status == SP_OK; i++)
        if (!there[i]) {
            status = sp_manifest_append_portrait(p->config->durable, p->manifest, batch->id[i], batch->image[i],
                                                 batch->length[i], &p->keys, err);
            appended += status == SP_OK;
        }
    status = sp_publish_collect(p->config->durable, appended, status, err);
    for (int i = 0; i < batch->count; i++) {
        sp_seal_wipe(batch->image[i], batch->length[i]);
        free(batch->image[i]);
    }
    batch->count = 0;
    batch->bytes = 0;
    return status;
}

static int reason_of_file(enum sp_status status)
{
    return status == SP_E_LIMIT ? SP_REASON_IMAGE_TOO_LARGE : SP_REASON_BAD_PORTRAIT;
}

/* One image into the batch, and its place among the row's portraits. */
static enum sp_status take_image(struct sp_publish_run *p, struct sp_publish_draft *draft, struct batch *batch,
                                 const struct sp_portrait_picture *picture, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    uint8_t *image = picture->bytes;
    size_t length = picture->length;
    uint8_t id[SP_PORTRAIT_BYTES];
    sp_manifest_portrait_id(id, image, length, &p->keys);
    if (sp_index_portrait(&draft->index, id)) { /* the same picture twice */
        sp_seal_wipe(image, length);
        free(image);
        return SP_OK;
    }
    struct sp_index_portrait *portrait = &draft->index.portraits[draft->index.portrait_count++];
    *portrait = (struct sp_index_portrait){0};
    memcpy(portrait->id, id, sizeof id);
    if (batch->count == CHUNK || batch->bytes + length > CHUNK_BYTES)
        status = flush(p, batch, err);
    memcpy(batch->id[batch->count], id, sizeof id);
    batch->image[batch->count] = image;
    batch->length[batch->count++] = length;
    batch->bytes += length;
    return status;
}

/* Files are found by what the row says now; a photo it no longer names is not looked for. */
static void find_files(const struct sp_publish_run *p, const struct sp_publish_draft *draft,
                       const struct sp_portrait_references *all, char (*ret_paths)[SP_PORTRAIT_PATH_MAX],
                       int *ret_count, int *ret_more)
{
    struct sp_row row = *draft->row;
    row.values[SP_COLUMN_PHOTO_URI] = p->roster->rows[draft->source].values[SP_COLUMN_PHOTO_URI];
    sp_portraits_find(p->portraits, &row, all, ret_paths, ret_count, ret_more);
}

/* Read one row's files into the batch. A file that cannot be read is the row's misfortune, not the publish's end; a
 * row none of whose files can be read keeps the portraits it had. */
static enum sp_status read_portraits(struct sp_publish_run *p, struct sp_publish_draft *draft, struct batch *batch,
                                     const struct sp_portrait_references *all, struct sp_err *err)
{
    char paths[SP_ROW_MAX_PORTRAITS][SP_PORTRAIT_PATH_MAX];
    struct sp_index_portrait had[SP_ROW_MAX_PORTRAITS];
    int count = 0, more = 0, had_count = draft->index.portrait_count;
    enum sp_status status = SP_OK;
    find_files(p, draft, all, paths, &count, &more);
    memcpy(had, draft->index.portraits, sizeof had);
    draft->index.portrait_count = 0;
    for (int i = 0; i < count && status == SP_OK; i++) {
        struct sp_portrait_picture pictures[SP_ROW_MAX_PORTRAITS];
        struct sp_err inner = {0};
        int picture_count = 0, left_out = 0;
        enum sp_status step =
            sp_portraits_load(p->portraits, paths[i], SP_ROW_MAX_PORTRAITS - draft->index.portrait_count, pictures,
                              &picture_count, &left_out, &inner);
        if (step == SP_E_NOMEM)
            return sp_fail(err, step, "%s", inner.text);
        if (step != SP_OK) {
            draft->bad_reason = reason_of_file(step);
            snprintf(draft->bad_text, sizeof draft->bad_text, "%.299s", inner.text);
            continue;
        }
        more += left_out;
        for (int k = 0; k < picture_count; k++)
            if (status == SP_OK) {
                status = take_image(p, draft, batch, &pictures[k], err);
            } else {
                sp_seal_wipe(pictures[k].bytes, pictures[k].length);
                free(pictures[k].bytes);
            }
    }
    if (more > 0 && !draft->bad_text[0])
        snprintf(draft->bad_text, sizeof draft->bad_text, "%d more portraits are left out: a row has at most %d",
                 more, SP_ROW_MAX_PORTRAITS);
    if (draft->index.portrait_count == 0) {
        memcpy(draft->index.portraits, had, sizeof had);
        draft->index.portrait_count = had_count;
    }
    return status;
}

/* A row that takes in another of the same traveller has that one's portraits if it has none of its own. */
static void inherit(struct sp_publish_run *p)
{
    for (int i = 0; i < p->draft_count; i++) {
        struct sp_publish_draft *draft = &p->drafts[i];
        if (draft->absorbed < 0 || draft->index.portrait_count > 0)
            continue;
        const struct sp_index_row *other = &p->before->rows[draft->absorbed];
        memcpy(draft->index.portraits, other->portraits, sizeof other->portraits);
        draft->index.portrait_count = other->portrait_count;
    }
}

static bool list_references(struct sp_portrait_references *ret, const struct sp_publish_run *p)
{
    ret->references = calloc((size_t)p->draft_count + 1, sizeof *ret->references);
    for (int i = 0; ret->references && i < p->draft_count; i++) {
        const char *reference = p->drafts[i].row->values[SP_COLUMN_TRAVELLER_REF];
        if (reference[0])
            ret->references[ret->count++] = reference;
    }
    if (ret->references)
        sp_portraits_sort(ret);
    return ret->references != NULL;
}

enum sp_status sp_publish_put_portraits(struct sp_publish_run *p, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    inherit(p);
    if (!p->portraits)
        return SP_OK;
    struct sp_portrait_references all = {0};
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch || !list_references(&all, p)) {
        free(batch);
        return sp_fail(err, SP_E_NOMEM, "no memory for a batch of portraits");
    }
    for (int i = 0; i < p->draft_count && status == SP_OK; i++) {
        if (p->drafts[i].source >= 0)
            status = read_portraits(p, &p->drafts[i], batch, &all, err);
        sp_publish_progress(p, "portraits read", i + 1, p->draft_count);
    }
    struct sp_err later = {0};
    enum sp_status step = flush(p, batch, &later);
    free(batch);
    free(all.references);
    return status == SP_OK && step != SP_OK ? sp_fail(err, step, "%s", later.text) : status;
}

void sp_publish_keep_portraits(struct sp_publish_run *p)
{
    const struct sp_manifest_index *before = p->before, *next = p->next;
    if (!before || before->pack_count != next->pack_count ||
        memcmp(before->packs, next->packs, (size_t)next->pack_count * sizeof next->packs[0]) != 0)
        return;
    for (int i = 0; i < p->draft_count; i++) {
        struct sp_publish_draft *draft = &p->drafts[i];
        if (draft->source < 0 || draft->before < 0 || sp_index_row_usable(&draft->index, 0) > 0)
            continue;
        const struct sp_index_row *row = &before->rows[draft->before];
        if (sp_index_row_usable(row, 0) == 0)
            continue;
        p->report->portraits += row->portrait_count - draft->index.portrait_count;
        memcpy(draft->index.portraits, row->portraits, sizeof row->portraits);
        draft->index.portrait_count = row->portrait_count;
        snprintf(draft->bad_text, sizeof draft->bad_text, "the new portrait cannot be used: the one before stays");
    }
}
