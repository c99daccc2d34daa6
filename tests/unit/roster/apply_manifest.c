#include "tests/unit/roster/apply_manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void manifest_new(struct manifest *m)
{
    memset(m, 0, sizeof *m);
    sp_seal_new_key(&m->keys.rows);
    m->now_ms = 1000;
}

static void rows_free(struct sp_row *rows, int count)
{
    for (int i = 0; i < count; i++)
        sp_row_clear(&rows[i]);
    free(rows);
}

void manifest_free(struct manifest *m)
{
    rows_free(m->rows, m->index ? m->index->row_count : 0);
    sp_manifest_index_free(&m->index);
    sp_applied_free(&m->last);
}

static void copy_row(struct sp_row *ret, const struct sp_row *row)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(sp_row_encode(&bytes, &length, row, NULL), SP_OK);
    assert_int_equal(sp_row_decode(ret, bytes, length, NULL), SP_OK);
    free(bytes);
}

static struct sp_roster *roster_of(const struct person *people, int count)
{
    struct sp_roster *roster = calloc(1, sizeof *roster);
    assert_non_null(roster);
    snprintf(roster->manifest, sizeof roster->manifest, "air-zx-417-20261204-jfk");
    roster->rows = calloc((size_t)count + 1, sizeof *roster->rows);
    assert_non_null(roster->rows);
    roster->row_count = count;
    for (int i = 0; i < count; i++) {
        struct sp_row row = {.line = i + 1};
        const char *space = people[i].document ? strchr(people[i].document, ' ') : NULL;
        char issuer[8] = "";
        for (int c = 0; c < SP_COLUMN_COUNT; c++)
            row.values[c] = "";
        if (space) {
            snprintf(issuer, sizeof issuer, "%.3s", people[i].document);
            row.values[SP_COLUMN_DOC_ISSUER] = issuer;
            row.values[SP_COLUMN_DOC_TYPE] = "P";
            row.values[SP_COLUMN_DOC_NUMBER] = space + 1;
        }
        row.values[SP_COLUMN_TRAVELLER_REF] = people[i].ref ? people[i].ref : "";
        row.values[SP_COLUMN_SURNAME] = people[i].surname ? people[i].surname : "";
        row.values[SP_COLUMN_DOB] = people[i].dob ? people[i].dob : "";
        row.values[SP_COLUMN_SEAT_OR_CABIN] = people[i].seat ? people[i].seat : "";
        row.values[SP_COLUMN_NATIONALITY] = "UTO";
        copy_row(&roster->rows[i], &row);
        roster->rows[i].line = i + 1;
    }
    return roster;
}

static void advance(struct manifest *m)
{
    const struct sp_applied *applied = m->last;
    struct sp_manifest_index *next = NULL;
    struct sp_row *rows = calloc((size_t)applied->row_count + 1, sizeof *rows);
    assert_non_null(rows);
    assert_int_equal(sp_index_new(&next, "air-zx-417-20261204-jfk", applied->row_count, NULL), SP_OK);
    for (int i = 0; i < applied->row_count; i++)
        next->rows[i] = applied->rows[i].index;
    sp_index_sort(next);
    for (int i = 1; i < next->row_count; i++)
        assert_true(memcmp(next->rows[i - 1].row, next->rows[i].row, SP_ROW_BYTES) < 0);
    for (int i = 0; i < applied->row_count; i++) {
        const struct sp_applied_row *row = &applied->rows[i];
        const struct sp_index_row *place = sp_index_find(next, row->index.row);
        copy_row(&rows[place - next->rows], row->source >= 0 ? &row->row : &m->rows[row->before]);
    }
    next->state = sp_applied_state(applied, m->index, applied->added + applied->changed + applied->removed > 0);
    next->version = m->index ? m->index->version + 1 : 1;
    for (int i = 0; m->index && i < m->index->receipt_count; i++)
        next->receipts[next->receipt_count++] = m->index->receipts[i];
    sp_apply_note(next, &applied->receipt);
    rows_free(m->rows, m->index ? m->index->row_count : 0);
    sp_manifest_index_free(&m->index);
    m->index = next;
    m->rows = rows;
}

struct sp_apply_message message_of(enum sp_listing_action action)
{
    return (struct sp_apply_message){.format = SP_LISTING_PAXLST,
                                     .group = SP_GROUP_PASSENGERS,
                                     .action = action,
                                     .reference = "",
                                     .series = "",
                                     .last_part = true,
                                     .declared = -1,
                                     .carrier = "ZX",
                                     .journey = "417",
                                     .dep_port = "JFK",
                                     .arr_port = "",
                                     .sched_dep = "2026-12-04T18:20",
                                     .sched_arr = "",
                                     .direction = ""};
}

void tell(struct manifest *m, const struct sp_apply_message *message, const struct person *people, int count)
{
    struct sp_roster *roster = roster_of(people, count);
    struct sp_err err = {0};
    sp_applied_free(&m->last);
    m->status = sp_apply(&m->last, m->index, m->rows, roster, message, &m->keys, m->now_ms, &err);
    if (m->status != SP_OK)
        assert_int_not_equal(err.text[0], 0);
    else if (!m->last->known && !m->last->late)
        advance(m);
    sp_roster_free(&roster);
}

int find_row(const struct manifest *m, enum sp_column column, const char *value)
{
    int found = -1;
    for (int i = 0; m->index && i < m->index->row_count; i++)
        if (strcmp(m->rows[i].values[column], value) == 0) {
            assert_int_equal(found, -1); /* nobody is there twice */
            found = i;
        }
    return found;
}
