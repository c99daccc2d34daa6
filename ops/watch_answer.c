#include "ops/watch_answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/reason.h"
#include "listing/cusres.h"
#include "roster/manifest_store.h"
#include "roster/readiness.h"

#define TEXT_MAX  96
#define NOT_THERE (-1) /* a traveller of the message whom the version does not have */

struct answering {
    const struct sp_watch_question *question;
    struct sp_desk_manifest manifest;
    struct sp_row *rows; /* of the index, opened only when an id does not say who it is; owned */
};

/* ---- who is who ---- */

static enum sp_status open_rows(struct answering *a, struct sp_err *err)
{
    const struct sp_manifest_index *index = a->manifest.index;
    enum sp_status status = SP_OK;
    a->rows = calloc((size_t)index->row_count + 1, sizeof *a->rows);
    if (!a->rows)
        return sp_fail(err, SP_E_NOMEM, "no memory for %d travellers", index->row_count);
    for (int i = 0; i < index->row_count && status == SP_OK; i++)
        status = sp_manifest_load_row(&a->rows[i], a->question->desk->durable, index->id, &index->rows[i],
                                      &a->manifest.keys, err);
    return status;
}

static bool same(const struct sp_row *a, const struct sp_row *b, enum sp_column column)
{
    return a->values[column] && b->values[column] && a->values[column][0] &&
           strcmp(a->values[column], b->values[column]) == 0;
}

/* Into the index's rows. A row keeps its id whatever it is called later, so that an id alone may not find it. */
static enum sp_status find(struct answering *a, const struct sp_row *row, int *ret_at, struct sp_err *err)
{
    const struct sp_manifest_index *index = a->manifest.index;
    uint8_t id[SP_ROW_BYTES];
    sp_manifest_row_id(id, row, &a->manifest.keys);
    const struct sp_index_row *found = sp_index_find(index, id);
    *ret_at = found ? (int)(found - index->rows) : NOT_THERE;
    if (found)
        return SP_OK;
    enum sp_status status = a->rows ? SP_OK : open_rows(a, err);
    for (int i = 0; status == SP_OK && i < index->row_count && *ret_at == NOT_THERE; i++)
        if (same(&a->rows[i], row, SP_COLUMN_TRAVELLER_REF) ||
            (same(&a->rows[i], row, SP_COLUMN_DOC_NUMBER) && same(&a->rows[i], row, SP_COLUMN_DOC_ISSUER)))
            *ret_at = i;
    return status;
}

/* The row that a traveller of the message became; NULL: none, as of two that are one the other counts. */
static const struct sp_row *row_of(const struct sp_roster *roster, const struct sp_traveller *traveller)
{
    const struct sp_row *by_reference = NULL;
    for (int i = 0; i < roster->row_count; i++) {
        const struct sp_row *row = &roster->rows[i];
        if (row->line == traveller->segment)
            return row;
        if (traveller->ref[0] && strcmp(row->values[SP_COLUMN_TRAVELLER_REF], traveller->ref) == 0)
            by_reference = row;
    }
    return by_reference;
}

/* ---- writing ---- */

static enum sp_status judge(struct answering *a, const struct sp_traveller *traveller, int pack,
                            char text[TEXT_MAX], struct sp_err *err)
{
    const struct sp_row *row = row_of(a->question->roster, traveller);
    int at = NOT_THERE, lack = SP_REASON_NO_PORTRAIT;
    enum sp_status status = row ? find(a, row, &at, err) : SP_OK;
    if (status == SP_OK && at != NOT_THERE && pack >= 0)
        lack = sp_ready_lack(&a->manifest.index->rows[at], pack);
    text[0] = 0;
    if (lack != SP_REASON_NONE)
        snprintf(text, TEXT_MAX, SP_CUSRES_NO_PORTRAIT "%s", sp_reason_word(lack));
    return status;
}

static enum sp_status write_one(char **ret_text, size_t *ret_length, struct answering *a, struct sp_err *err)
{
    const struct sp_listing *about = a->question->about;
    int pack = sp_manifest_index_pack(a->manifest.index, a->question->pack);
    char interchange[24];
    int64_t now_ms = sp_clock_wall_ms();
    struct sp_cusres_options options = {
        .sender = a->question->sender, .interchange = interchange, .now_ms = now_ms};
    struct sp_cusres_verdict *verdicts = calloc((size_t)about->traveller_count + 1, sizeof *verdicts);
    char(*texts)[TEXT_MAX] = calloc((size_t)about->traveller_count + 1, sizeof *texts);
    enum sp_status status = SP_OK;
    snprintf(interchange, sizeof interchange, "%" PRId64, now_ms);
    if (!verdicts || !texts)
        status = sp_fail(err, SP_E_NOMEM, "no memory for the answer to %d travellers", about->traveller_count);
    for (int i = 0; i < about->traveller_count && status == SP_OK; i++) {
        status = judge(a, &about->travellers[i], pack, texts[i], err);
        verdicts[i] =
            (struct sp_cusres_verdict){i, texts[i][0] ? SP_CUSRES_INSUFFICIENT : SP_CUSRES_CLEARED, texts[i]};
    }
    if (status == SP_OK)
        status = sp_cusres_write(ret_text, ret_length, about, verdicts, about->traveller_count, &options, err);
    free(verdicts);
    free(texts);
    return status;
}

static enum sp_status append(char **answer, size_t *length, const char *text, size_t text_length,
                             struct sp_err *err)
{
    char *grown = realloc(*answer, *length + text_length + 1);
    if (!grown)
        return sp_fail(err, SP_E_NOMEM, "no memory for an answer of %zu bytes", *length + text_length);
    memcpy(grown + *length, text, text_length + 1);
    *answer = grown;
    *length += text_length;
    return SP_OK;
}

enum sp_status sp_watch_answer(char **answer, size_t *length, const struct sp_watch_question *question,
                               struct sp_err *err)
{
    const struct sp_listing *about = question->about;
    struct answering a = {.question = question};
    char *text = NULL;
    size_t text_length = 0;
    if (about->format != SP_LISTING_PAXLST ||
        (about->action != SP_ACTION_LIST && about->action != SP_ACTION_CHANGE) || about->traveller_count == 0)
        return SP_OK;
    enum sp_status status = sp_desk_load(&a.manifest, question->desk, question->roster->manifest, err);
    if (status == SP_OK && a.manifest.index->state < SP_MANIFEST_CLOSED)
        status = write_one(&text, &text_length, &a, err);
    if (status == SP_OK && text)
        status = append(answer, length, text, text_length, err);
    for (int i = 0; a.rows && i < a.manifest.index->row_count; i++)
        sp_row_clear(&a.rows[i]);
    free(a.rows);
    free(text);
    sp_desk_manifest_clear(&a.manifest);
    return status;
}
