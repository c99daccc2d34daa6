#include "roster/scorecard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "listing/listing.h"
#include "roster/index.h"

#define PARTS_MAX 1000

const char *sp_score_element_word(enum sp_score_element element)
{
    static const char *const words[] = {
#define X(constant, word) word,
        SP_SCORE_ELEMENT_LIST(X)
#undef X
    };
    return element >= 0 && element < SP_SCORE_ELEMENT_COUNT ? words[element] : "unknown";
}

unsigned sp_score_lacking(const struct sp_row *row)
{
    static const enum sp_column columns[SP_SCORE_ELEMENT_COUNT] = {
        [SP_SCORE_NAMES] = SP_COLUMN_SURNAME,
        [SP_SCORE_DOB] = SP_COLUMN_DOB,
        [SP_SCORE_SEX] = SP_COLUMN_SEX,
        [SP_SCORE_NATIONALITY] = SP_COLUMN_NATIONALITY,
        [SP_SCORE_DOC_NUMBER] = SP_COLUMN_DOC_NUMBER,
        [SP_SCORE_DOC_ISSUER] = SP_COLUMN_DOC_ISSUER,
        [SP_SCORE_DOC_EXPIRY] = SP_COLUMN_DOC_EXPIRY,
    };
    unsigned lacking = 0;
    for (int i = 0; i < SP_SCORE_ELEMENT_COUNT; i++)
        lacking |= row->values[columns[i]] && row->values[columns[i]][0] ? 0u : 1u << i;
    return lacking;
}

/* The list that the receipt at `last` belongs to, as far as that one: are parts 1..n there? */
static bool whole_at(const struct sp_manifest_index *index, int last)
{
    bool seen[PARTS_MAX + 1] = {false};
    int count = 0, parts_of = 0;
    const struct sp_index_receipt *of = &index->receipts[last];
    if (of->part == 0)
        return of->last_part;
    for (int i = 0; i <= last; i++) {
        const struct sp_index_receipt *receipt = &index->receipts[i];
        if (receipt->action != SP_ACTION_LIST || receipt->group != of->group || receipt->series != of->series ||
            receipt->part > PARTS_MAX)
            continue;
        count += !seen[receipt->part];
        seen[receipt->part] = true;
        if (receipt->last_part)
            parts_of = receipt->part;
    }
    return parts_of > 0 && count >= parts_of;
}

int64_t sp_score_whole_ms(const struct sp_manifest_index *index)
{
    for (int i = 0; i < index->receipt_count; i++)
        if (index->receipts[i].action == SP_ACTION_LIST && index->receipts[i].group != SP_GROUP_CREW &&
            whole_at(index, i))
            return index->receipts[i].received_ms;
    return 0;
}

static struct sp_score *score_of(struct sp_scorecard *card, const char *carrier, struct sp_err *err)
{
    for (int i = 0; i < card->count; i++)
        if (strcmp(card->scores[i].carrier, carrier) == 0)
            return &card->scores[i];
    if (card->count == SP_SCORE_MAX_CARRIERS) {
        sp_fail(err, SP_E_LIMIT, "more than %d carriers", SP_SCORE_MAX_CARRIERS);
        return NULL;
    }
    struct sp_score *score = &card->scores[card->count++];
    memset(score, 0, sizeof *score);
    snprintf(score->carrier, sizeof score->carrier, "%s", carrier);
    return score;
}

static bool says_another_number(const struct sp_manifest_index *index)
{
    for (int i = 0; i < index->receipt_count; i++)
        if (index->receipts[i].action == SP_ACTION_LIST && index->receipts[i].declared >= 0 &&
            index->receipts[i].declared != index->receipts[i].travellers)
            return true;
    return false;
}

enum sp_status sp_scorecard_add(struct sp_scorecard *card, const struct sp_manifest_index *index,
                                const unsigned *lacking, int64_t deadline_ms, struct sp_err *err)
{
    struct sp_score *score = score_of(card, index->carrier[0] ? index->carrier : "-", err);
    int64_t whole_ms = sp_score_whole_ms(index);
    if (!score)
        return SP_E_LIMIT;
    score->journeys++;
    score->incomplete += whole_ms == 0 || says_another_number(index);
    if (index->departs_ms == 0)
        score->undated++;
    else if (whole_ms > 0 && whole_ms <= index->departs_ms - deadline_ms)
        score->on_time++;
    else
        score->late++;
    score->travellers += index->row_count;
    for (int i = 0; i < index->row_count; i++) {
        bool usable = false;
        for (int pack = 0; pack < index->pack_count && !usable; pack++)
            usable = sp_index_row_usable(&index->rows[i], pack);
        score->with_portrait += usable;
        score->sufficient += lacking[i] == 0;
        for (int k = 0; k < SP_SCORE_ELEMENT_COUNT; k++)
            score->lacking[k] += (lacking[i] >> k) & 1u;
    }
    score->messages += index->receipt_count;
    for (int i = 0; i < index->receipt_count; i++)
        score->deviations += index->receipts[i].deviations;
    return SP_OK;
}

static int compare_scores(const void *a, const void *b)
{
    return strcmp(((const struct sp_score *)a)->carrier, ((const struct sp_score *)b)->carrier);
}

void sp_scorecard_sort(struct sp_scorecard *card)
{
    if (card->count > 1)
        qsort(card->scores, (size_t)card->count, sizeof card->scores[0], compare_scores);
}
