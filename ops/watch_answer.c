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
    struct sp_manifest_keys keys;
    struct sp_manifest_index *index; /* of the version that stands; owned */
    struct sp_row *rows;             /* the same; owned */
};

static enum sp_status load(struct answering *a, struct sp_err *err)
{
    const char *manifest = a->question->roster->manifest;
    struct sp_store *durable = a->question->desk->durable;
    struct sp_manifest_reader reader = sp_desk_reader(a->question->desk);
    uint64_t version = 0;
    enum sp_manifest_state state;
    enum sp_status status = sp_manifest_open_keys(&a->keys, durable, manifest, &reader, err);
    return status == SP_OK
               ? sp_manifest_load_current(&a->index, &a->rows, &version, &state, durable, manifest, &a->keys, err)
               : status;
}

/* ---- who is who ---- */

static bool same(const struct sp_row *a, const struct sp_row *b, enum sp_column column)
{
    return a->values[column] && b->values[column] && a->values[column][0] &&
           strcmp(a->values[column], b->values[column]) == 0;
}

static bool same_document(const struct sp_row *a, const struct sp_row *b)
{
    return same(a, b, SP_COLUMN_DOC_NUMBER) && same(a, b, SP_COLUMN_DOC_ISSUER);
}

/* Is this who the message speaks of? By the reference, without one by the document, else its id has to do. */
static bool is_the_one(const struct sp_row *standing, const struct sp_row *row)
{
    if (row->values[SP_COLUMN_TRAVELLER_REF][0])
        return same(standing, row, SP_COLUMN_TRAVELLER_REF);
    return !row->values[SP_COLUMN_DOC_NUMBER][0] || same_document(standing, row);
}

/* Into the index's rows. A row keeps its id whatever it is called later, so that an id alone may find nobody, or
 * whoever had this reference before. */
static int find(const struct answering *a, const struct sp_row *row)
{
    const struct sp_manifest_index *index = a->index;
    uint8_t id[SP_ROW_BYTES];
    sp_manifest_row_id(id, row, &a->keys);
    const struct sp_index_row *found = sp_index_find(index, id);
    if (found && is_the_one(&a->rows[found - index->rows], row))
        return (int)(found - index->rows);
    for (int i = 0; i < index->row_count; i++)
        if (same(&a->rows[i], row, SP_COLUMN_TRAVELLER_REF))
            return i;
    for (int i = 0; i < index->row_count; i++)
        if (same_document(&a->rows[i], row))
            return i;
    return NOT_THERE;
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

static void judge(const struct answering *a, const struct sp_traveller *traveller, int pack, char text[TEXT_MAX])
{
    const struct sp_row *row = row_of(a->question->roster, traveller);
    int at = row ? find(a, row) : NOT_THERE, lack = SP_REASON_NO_PORTRAIT;
    if (at != NOT_THERE && pack >= 0)
        lack = sp_ready_lack(&a->index->rows[at], pack);
    text[0] = 0;
    if (lack != SP_REASON_NONE)
        snprintf(text, TEXT_MAX, SP_CUSRES_NO_PORTRAIT "%s", sp_reason_word(lack));
}

static enum sp_status write_one(char **ret_text, size_t *ret_length, const struct answering *a, struct sp_err *err)
{
    const struct sp_listing *about = a->question->about;
    int pack = sp_manifest_index_pack(a->index, a->question->pack);
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
        judge(a, &about->travellers[i], pack, texts[i]);
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
    enum sp_status status = load(&a, err);
    if (status == SP_OK && a.index && a.index->state < SP_MANIFEST_CLOSED)
        status = write_one(&text, &text_length, &a, err);
    if (status == SP_OK && text)
        status = append(answer, length, text, text_length, err);
    if (a.rows)
        sp_manifest_free_rows(&a.rows, a.index->row_count);
    free(text);
    sp_manifest_index_free(&a.index);
    sp_seal_wipe(&a.keys, sizeof a.keys);
    return status;
}
