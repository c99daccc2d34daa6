/* What messages make of a manifest: the state table of docs/manifests.md 4, who is who, lists in parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/roster/apply_manifest.h"

static bool has(const struct manifest *m, const char *surname)
{
    return find_row(m, SP_COLUMN_SURNAME, surname) >= 0;
}

/* Every row of the table. */
static void test_states(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message list = message_of(SP_ACTION_LIST), part = list, change = message_of(SP_ACTION_CHANGE),
                            removal = message_of(SP_ACTION_REMOVE), close = message_of(SP_ACTION_CLOSE);
    manifest_new(&m);
    TELL(&m, &removal, P(1)); /* none: nothing to remove from, nothing to close */
    assert_int_equal(m.status, SP_E_NOTFOUND);
    TELL(&m, &close, P(1));
    assert_int_equal(m.status, SP_E_NOTFOUND);

    part.series = "S1", part.part = 1, part.last_part = false, part.reference = "M1";
    TELL(&m, &part, P(1), P(2)); /* none, not the last part: PARTIAL */
    assert_int_equal(STATE(&m), SP_MANIFEST_PARTIAL);
    assert_int_equal(m.last->parts.count, 1);
    assert_int_equal(m.last->parts.of, 0);
    TELL(&m, &change, P(4)); /* open: PARTIAL stays */
    assert_int_equal(STATE(&m), SP_MANIFEST_PARTIAL);
    part.part = 2, part.last_part = true, part.reference = "M2";
    TELL(&m, &part, P(3)); /* all parts: COMPLETE; who came by a change since the list began stays */
    assert_int_equal(STATE(&m), SP_MANIFEST_COMPLETE);
    assert_int_equal(m.index->row_count, 4);
    assert_int_equal(m.last->parts.of, 2);
    TELL(&m, &part, P(3)); /* the very same message */
    assert_true(m.last->known);

    list.reference = "M3";
    TELL(&m, &list, P(1), P(2), P(3)); /* a whole list of another reference replaces: AMENDED */
    assert_int_equal(STATE(&m), SP_MANIFEST_AMENDED);
    assert_int_equal(m.index->row_count, 3);
    assert_int_equal(m.last->removed, 1);
    assert_int_equal(m.last->kept, 3);
    TELL(&m, &change, {"R1", NULL, NULL, NULL, "14C"});
    assert_int_equal(STATE(&m), SP_MANIFEST_AMENDED);
    assert_int_equal(m.last->changed, 1);
    assert_int_equal(m.last->kept, 2);
    assert_true(has(&m, "SAMPLE1")); /* what a change does not say stays */
    TELL(&m, &removal, P(2), P(9));
    assert_int_equal(m.index->row_count, 2);
    assert_int_equal(m.last->unknown, 1);

    TELL(&m, &close, {0});
    assert_int_equal(STATE(&m), SP_MANIFEST_CLOSED);
    TELL(&m, &change, P(5));
    assert_int_equal(m.status, SP_E_CLOSED);
    list.reference = "M9";
    TELL(&m, &list, P(5));
    assert_int_equal(m.status, SP_E_CLOSED);
    list.reference = "M3"; /* sent again after all: known, no error */
    TELL(&m, &list, P(1), P(2), P(3));
    assert_int_equal(m.status, SP_OK);
    assert_true(m.last->known);
    struct sp_apply_message out = message_of(SP_ACTION_CLOSE_NOT_ON_BOARD);
    TELL(&m, &out, P(3));
    assert_int_equal(STATE(&m), SP_MANIFEST_CLOSED);
    assert_int_equal(m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE3")].boarding, SP_BOARDING_NOT_ON_BOARD);
    assert_int_equal(m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE1")].boarding, SP_BOARDING_ON_BOARD);
    m.index->state = SP_MANIFEST_PURGED;
    TELL(&m, &out, P(1));
    assert_int_equal(m.status, SP_E_CLOSED);
    manifest_free(&m);
}

static void test_complete_at_once(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message list = message_of(SP_ACTION_LIST), answer = message_of(SP_ACTION_ANSWER),
                            cancel = message_of(SP_ACTION_CANCEL_JOURNEY),
                            journey = message_of(SP_ACTION_CHANGE_JOURNEY), change = message_of(SP_ACTION_CHANGE);
    manifest_new(&m);
    TELL(&m, &answer, P(1));
    assert_int_equal(m.status, SP_E_UNSUPPORTED);
    TELL(&m, &change, P(1)); /* none: a change alone is no list */
    assert_int_equal(STATE(&m), SP_MANIFEST_PARTIAL);
    TELL(&m, &list, P(1), P(2));
    assert_int_equal(STATE(&m), SP_MANIFEST_COMPLETE);
    TELL(&m, &journey, {0});
    assert_int_equal(m.status, SP_OK);
    assert_int_equal(sp_applied_state(m.last, m.index, true), SP_MANIFEST_AMENDED);
    TELL(&m, &cancel, {0});
    assert_int_equal(STATE(&m), SP_MANIFEST_CLOSED);
    assert_int_equal(m.index->rows[0].boarding, SP_BOARDING_UNKNOWN);
    TELL(&m, &cancel, {0});
    assert_int_equal(m.status, SP_E_CLOSED);
    manifest_free(&m);
}

/* Full lists of one group never touch the other. */
static void test_groups(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message passengers = message_of(SP_ACTION_LIST), crew = passengers, both = passengers;
    crew.group = SP_GROUP_CREW;
    both.group = SP_GROUP_BOTH;
    manifest_new(&m);
    TELL(&m, &passengers, P(1), P(2));
    TELL(&m, &crew, P(7), P(8));
    assert_int_equal(m.index->row_count, 4);
    assert_true(m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE7")].crew);
    TELL(&m, &passengers, P(1), P(3), P(8)); /* a crew member among the passengers stays crew, and stays one row */
    assert_true(!has(&m, "SAMPLE2") && has(&m, "SAMPLE7"));
    assert_true(m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE8")].crew);
    TELL(&m, &crew, P(8));
    assert_true(!has(&m, "SAMPLE7") && has(&m, "SAMPLE1") && has(&m, "SAMPLE3"));
    struct sp_apply_message removal = message_of(SP_ACTION_REMOVE);
    TELL(&m, &removal, P(8)); /* a removal of passengers is none of crew */
    assert_true(has(&m, "SAMPLE8"));
    assert_int_equal(m.last->unknown, 1);
    struct sp_apply_message out = message_of(SP_ACTION_CLOSE_ON_BOARD);
    TELL(&m, &out, P(1));
    assert_int_equal(m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE1")].boarding, SP_BOARDING_ON_BOARD);
    assert_int_equal(m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE3")].boarding, SP_BOARDING_NOT_ON_BOARD);
    assert_int_equal(m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE8")].boarding, SP_BOARDING_UNKNOWN);
    manifest_free(&m);
    manifest_new(&m);
    TELL(&m, &crew, P(7));
    TELL(&m, &both, P(1)); /* both: all are named */
    assert_int_equal(m.index->row_count, 1);
    manifest_free(&m);
}

/* A manifest is not complete while the other group's list lacks parts. */
static void test_other_group_open(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message passengers = message_of(SP_ACTION_LIST), crew = passengers;
    crew.group = SP_GROUP_CREW;
    passengers.series = "S", passengers.part = 1, passengers.last_part = false;
    manifest_new(&m);
    TELL(&m, &passengers, P(1));
    TELL(&m, &crew, P(7));
    assert_int_equal(STATE(&m), SP_MANIFEST_PARTIAL);
    passengers.part = 2, passengers.last_part = true;
    TELL(&m, &passengers, P(2));
    assert_int_equal(STATE(&m), SP_MANIFEST_COMPLETE);
    assert_int_equal(m.index->row_count, 3);
    manifest_free(&m);
}

/* Three parts in every order, one of them twice. */
static void test_parts_in_any_order(void **state)
{
    (void)state;
    static const int orders[6][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
    static const struct person sixfold[3][2] = {{P(1), P(2)}, {P(3), P(4)}, {P(5), P(6)}};
    for (int order = 0; order < 6; order++)
        for (int twice = 0; twice < 3; twice++) {
            struct manifest m;
            struct sp_apply_message old = message_of(SP_ACTION_LIST), part = old;
            manifest_new(&m);
            old.reference = "OLD";
            TELL(&m, &old, P(1), P(9)); /* another list stands: 9 leaves when the new one is whole, not before */
            part.series = "NEW";
            for (int k = 0; k < 3; k++) {
                char reference[8];
                part.part = orders[order][k];
                part.last_part = part.part == 3;
                snprintf(reference, sizeof reference, "N%d", part.part);
                part.reference = reference;
                for (int again = 0; again <= (k == twice); again++) {
                    tell(&m, &part, sixfold[part.part - 1], 2);
                    assert_int_equal(m.last->known, again);
                }
                assert_int_equal(has(&m, "SAMPLE9"), k < 2);
                assert_int_equal(STATE(&m), SP_MANIFEST_AMENDED);
            }
            assert_int_equal(m.index->row_count, 6);
            manifest_free(&m);
        }
}

/* A missing part: nobody leaves; the next round of the same reference begins anew when the first was whole. */
static void test_rounds(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message part = message_of(SP_ACTION_LIST);
    manifest_new(&m);
    part.series = "ZX417/041226";
    part.reference = "A1", part.part = 1, part.last_part = false;
    TELL(&m, &part, P(1), P(2));
    part.reference = "A2", part.part = 2, part.last_part = true;
    TELL(&m, &part, P(3), P(4));
    assert_int_equal(STATE(&m), SP_MANIFEST_COMPLETE);
    part.reference = "B2", part.part = 2, part.last_part = true; /* second round, backwards */
    TELL(&m, &part, P(4));
    assert_int_equal(m.index->row_count, 4);
    assert_int_equal(STATE(&m), SP_MANIFEST_COMPLETE); /* nobody came, changed or left: as it was */
    assert_true(m.last->noted);
    part.reference = "B1", part.part = 1, part.last_part = false;
    TELL(&m, &part, P(1));
    assert_int_equal(m.index->row_count, 2);
    part.reference = "A2", part.part = 2, part.last_part = true; /* an old message comes again */
    TELL(&m, &part, P(3), P(4));
    assert_true(m.last->known);
    manifest_free(&m);
}

/* A part of a list that a newer list has replaced meanwhile does nothing; a newer list in parts survives an older
 * one. */
static void test_late_parts(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message a = message_of(SP_ACTION_LIST), b = a;
    a.series = "A", b.series = "B";
    a.reference = "A1", a.part = 1, a.last_part = false;
    b.reference = "B1", b.part = 1, b.last_part = false;
    manifest_new(&m);
    TELL(&m, &a, P(1), P(2));
    TELL(&m, &b, P(1), P(3));
    a.reference = "A2", a.part = 2, a.last_part = true;
    TELL(&m, &a, P(3), P(4)); /* A is whole: B's people stay, B began later */
    assert_int_equal(m.index->row_count, 4);
    b.reference = "B2", b.part = 2, b.last_part = true;
    TELL(&m, &b, P(5)); /* B is whole: 3 was named by A after B named it, and stays */
    assert_true(has(&m, "SAMPLE1") && has(&m, "SAMPLE3") && has(&m, "SAMPLE5"));
    assert_int_equal(m.index->row_count, 3);
    a.reference = "A2b";
    TELL(&m, &a, P(6));
    manifest_free(&m);

    manifest_new(&m);
    a.reference = "A1", a.part = 1, a.last_part = false;
    TELL(&m, &a, P(1));
    struct sp_apply_message whole = message_of(SP_ACTION_LIST);
    whole.reference = "W";
    TELL(&m, &whole, P(7));
    assert_int_equal(m.index->row_count, 1);
    a.reference = "A2", a.part = 2, a.last_part = true;
    TELL(&m, &a, P(2));
    assert_true(m.last->late);
    assert_int_equal(m.index->row_count, 1);
    for (int part = 1; part <= 2; part++) { /* but a carrier that begins again under the same reference is heard */
        a.reference = part == 1 ? "A1'" : "A2'", a.part = part, a.last_part = part == 2;
        if (part == 1)
            TELL(&m, &a, P(1));
        else
            TELL(&m, &a, P(2), P(3));
        assert_false(m.last->late);
    }
    assert_int_equal(m.index->row_count, 3);
    assert_false(has(&m, "SAMPLE7"));
    a.part = 100;
    TELL(&m, &a, P(2));
    assert_int_equal(m.status, SP_E_LIMIT);
    manifest_free(&m);
}

/* "One flight, 1257 passengers" (GTAS #201): the same flight's list again and again, under new references, in other
 * cases and spellings, from two kinds of senders. */
static void test_same_flight_again(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    static char refs[COUNT][16], documents[COUNT][16], names[COUNT][24], lower[COUNT][24];
    static struct person people[COUNT];
    struct manifest m;
    struct sp_apply_message list = message_of(SP_ACTION_LIST);
    manifest_new(&m);
    for (int i = 0; i < COUNT; i++) {
        snprintf(refs[i], sizeof refs[i], "R%d", i);
        snprintf(documents[i], sizeof documents[i], "UTO L%06d", i);
        snprintf(names[i], sizeof names[i], "SAMPLE %d", i);
        snprintf(lower[i], sizeof lower[i], "Sample%d", i);
    }
    uint8_t first[SP_ROW_BYTES] = {0};
    for (int round = 0; round < 8; round++) {
        char reference[16];
        snprintf(reference, sizeof reference, "M%d", round);
        list.reference = reference;
        list.format = round % 4 == 3 ? SP_LISTING_CSV : SP_LISTING_PAXLST;
        for (int i = 0; i < COUNT; i++) {
            people[i] = (struct person){refs[i], documents[i], round % 2 ? lower[i] : names[i], "1990-01-01", NULL};
            if (round == 0 || round == 5)
                people[i].ref = NULL; /* the reservation list knows no ABO */
            if (round % 4 == 3)
                people[i].document = NULL;
            if (round % 4 == 2)
                people[i].ref = i % 2 ? refs[i] : NULL;
        }
        tell(&m, &list, people, COUNT);
        assert_int_equal(m.status, SP_OK);
        assert_int_equal(m.index->row_count, COUNT);
        assert_int_equal(m.last->added, round == 0 ? COUNT : 0);
        int row = find_row(&m, SP_COLUMN_DOC_NUMBER, "L000007"); /* known since round 0, and never lost */
        assert_true(row >= 0);
        if (round > 0)
            assert_memory_equal(m.index->rows[row].row, first, SP_ROW_BYTES);
        memcpy(first, m.index->rows[row].row, SP_ROW_BYTES);
    }
    manifest_free(&m);
}

/* Duplicates (GTAS #1066, #1729): who is one traveller, and who is not. */
static void test_who_is_who(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message list = message_of(SP_ACTION_LIST), change = message_of(SP_ACTION_CHANGE);
    manifest_new(&m);
    TELL(&m, &list, {NULL, "UTO P1", "DOE", "1990-01-01", NULL}, {NULL, NULL, "ROE", "1991-01-01", NULL});
    TELL(&m, &change, {"R1", "UTO P1", "DOE", "1990-01-01", NULL}, {"R2", "UTO P2", "ROE", "1991-01-01", NULL});
    assert_int_equal(m.last->changed, 2); /* a reference, a document comes to the same rows */
    assert_int_equal(m.index->row_count, 2);
    TELL(&m, &change, {NULL, NULL, "Doe", "1990-01-01", NULL});
    assert_int_equal(m.index->row_count, 2);
    TELL(&m, &change,
         {"R9", "UTO P9", "DOE", "1990-01-01", NULL}); /* a namesake of another document and reference */
    assert_int_equal(m.last->added, 1);
    TELL(&m, &change, {NULL, NULL, "DOE", "1990-01-01", NULL}); /* of two it cannot be said which */
    assert_int_equal(m.last->added, 1);
    assert_int_equal(m.last->problem_count, 1);
    manifest_free(&m);

    manifest_new(&m); /* a document gives away that two rows are one traveller */
    TELL(&m, &list, {"R1", NULL, "DOE", "1990-01-01", NULL}, {NULL, "UTO P1", "DOE-ROE", "1990-01-01", NULL});
    assert_int_equal(m.index->row_count, 2);
    TELL(&m, &change, {"R1", "UTO P1", "DOE", "1990-01-01", NULL});
    assert_int_equal(m.index->row_count, 1);
    assert_int_equal(m.last->removed, 1);
    TELL(&m, &change, {"R1", "UTO P2", "DOE", "1990-01-01", NULL}); /* a new passport */
    TELL(&m, &change, {"R5", "UTO P1", "POE", "1992-01-01", NULL}); /* whose old number another traveller has */
    assert_int_equal(m.index->row_count, 2);
    manifest_free(&m);

    manifest_new(&m); /* a row's id was made from a document that it no longer has */
    TELL(&m, &list, {NULL, "UTO P1", "DOE", "1990-01-01", NULL});
    TELL(&m, &change, {"R1", "UTO P1", "DOE", "1990-01-01", NULL});
    TELL(&m, &change, {"R1", "UTO P2", "DOE", "1990-01-01", NULL});
    TELL(&m, &change, {NULL, "UTO P1", "ROE", "1990-01-01", NULL});
    assert_int_equal(m.index->row_count, 2);
    manifest_free(&m);
}

/* Two kinds of senders give one traveller references of their own. */
static void test_two_senders(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message carrier = message_of(SP_ACTION_LIST), desk = carrier;
    desk.format = SP_LISTING_CSV;
    manifest_new(&m);
    for (int round = 0; round < 3; round++) {
        TELL(&m, &carrier, {"ABO1", NULL, "DOE", "1990-01-01", NULL}, {"ABO2", NULL, "ROE", "1991-01-01", NULL});
        assert_int_equal(m.last->added, round ? 0 : 2);
        TELL(&m, &desk, {"PNR7", NULL, "DOE", "1990-01-01", NULL}, {"PNR8", NULL, "ROE", "1991-01-01", NULL});
        assert_int_equal(m.last->added, 0);
        assert_int_equal(m.index->row_count, 2);
    }
    TELL(&m, &desk, {"PNR7", NULL, "DOE", "1990-01-01", NULL}, {"PNR9", NULL, "ROE", "1991-01-01", NULL});
    assert_int_equal(m.last->added, 1); /* of one sender another reference is another traveller */
    manifest_free(&m);
}

/* Thousands of one name, as an attacker sends them: no duplicate, and not their square in time. */
static void test_one_name(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static char documents[COUNT][16];
    static struct person people[COUNT];
    struct manifest m;
    struct sp_apply_message list = message_of(SP_ACTION_LIST);
    manifest_new(&m);
    for (int i = 0; i < COUNT; i++) {
        snprintf(documents[i], sizeof documents[i], "UTO X%06d", i);
        people[i] = (struct person){NULL, documents[i], "SAMPLE", "1990-01-01", NULL};
    }
    for (int round = 0; round < 2; round++) {
        tell(&m, &list, people, COUNT);
        assert_int_equal(m.status, SP_OK);
        assert_int_equal(m.index->row_count, COUNT);
        assert_int_equal(m.last->kept, round ? COUNT : 0);
    }
    manifest_free(&m);
}

/* One document typed for several people, without references: all of them travel, under ids of their own. */
static void test_one_document(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message list = message_of(SP_ACTION_LIST), change = message_of(SP_ACTION_CHANGE);
    manifest_new(&m);
    TELL(&m, &list, {NULL, "UTO P1", "DOE", "1990-01-01", NULL}, {NULL, "UTO P1", "ROE", "1991-01-01", NULL});
    assert_int_equal(m.index->row_count, 2);
    assert_int_equal(m.last->problem_count, 1);
    TELL(&m, &change, {NULL, "UTO P1", "POE", "1992-01-01", NULL}, {NULL, "UTO P1", "ZOE", "1993-01-01", NULL});
    assert_int_equal(m.index->row_count, 4);
    TELL(&m, &list, {NULL, "UTO P1", "DOE", "1990-01-01", NULL}, {NULL, "UTO P1", "ROE", "1991-01-01", "1A"},
         {NULL, "UTO P1", "POE", "1992-01-01", NULL}, {NULL, "UTO P1", "ZOE", "1993-01-01", NULL});
    assert_int_equal(m.last->kept, 3);
    assert_int_equal(m.last->changed, 1);
    TELL(&m, &change, {NULL, "UTO P1", "DOE-ROE", "1990-01-01", NULL}); /* only one of them has this birthday */
    assert_int_equal(m.last->changed, 1);
    assert_int_equal(m.index->row_count, 4);
    manifest_free(&m);
    manifest_new(&m);
    TELL(&m, &list, {NULL, "UTO P1", "DOE", "1990-01-01", NULL});
    TELL(&m, &change, {NULL, "UTO P1", "DOE-ROE", "1990-01-01", NULL}); /* a name is corrected */
    assert_int_equal(m.last->changed, 1);
    TELL(&m, &change, {NULL, "UTO P1", "DOE-ROE", "1990-10-10", NULL}); /* a birthday */
    assert_int_equal(m.last->changed, 1);
    assert_int_equal(m.index->row_count, 1);
    manifest_free(&m);
}

/* Repeats and contradictions inside one message are joined or kept, and always said. */
static void test_contradictions(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message list = message_of(SP_ACTION_LIST);
    manifest_new(&m);
    TELL(&m, &list, P(1), P(1), {"R2", "UTO P2", "ROE", "1991-01-01", "1A"},
         {"R2", "UTO P2", "ROE", "1991-01-01", "2B"}, {"R3", "UTO P2", "POE", "1992-01-01", NULL},
         {NULL, NULL, "POE", "1992-01-01", "3C"});
    assert_int_equal(m.status, SP_OK);
    assert_int_equal(m.index->row_count, 3);
    assert_int_equal(m.last->problem_count,
                     2); /* the seat, and one document of two people; the plain repeat is none */
    assert_int_equal(m.last->problems[0].source, 3);
    assert_non_null(strstr(m.last->problems[0].text, "line 3"));
    assert_string_equal(m.rows[find_row(&m, SP_COLUMN_SURNAME, "ROE")].values[SP_COLUMN_SEAT_OR_CABIN], "2B");
    assert_string_equal(m.rows[find_row(&m, SP_COLUMN_SURNAME, "POE")].values[SP_COLUMN_SEAT_OR_CABIN], "3C");
    for (int i = 0; i < m.last->problem_count; i++) /* no traveller's data in what is said */
        assert_null(strstr(m.last->problems[i].text, "POE"));
    manifest_free(&m);
}

/* A list of nobody is a mistake more often than an empty flight. */
static void test_nobody(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message list = message_of(SP_ACTION_LIST), crew = list;
    manifest_new(&m);
    TELL(&m, &list, P(1), P(2));
    tell(&m, &list, NULL, 0);
    assert_int_equal(m.status, SP_E_INVALID);
    assert_int_equal(m.index->row_count, 2);
    crew.group = SP_GROUP_CREW;
    tell(&m, &crew, NULL, 0); /* removes nobody */
    assert_int_equal(m.status, SP_OK);
    list.declared = 0;
    tell(&m, &list, NULL, 0);
    assert_int_equal(m.status, SP_OK);
    assert_int_equal(m.index->row_count, 0);
    manifest_free(&m);
}

/* A standing gallery: deltas, and rows that have expired. */
static void test_standing(void **state)
{
    (void)state;
    struct manifest m;
    struct sp_apply_message change = message_of(SP_ACTION_CHANGE), removal = message_of(SP_ACTION_REMOVE);
    change.standing = removal.standing = true;
    manifest_new(&m);
    TELL(&m, &change, P(1), P(2), P(3));
    assert_int_equal(STATE(&m), SP_MANIFEST_COMPLETE);
    m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE1")].valid_to_ms = m.now_ms - 1;
    m.index->rows[find_row(&m, SP_COLUMN_SURNAME, "SAMPLE2")].valid_to_ms = m.now_ms + 1;
    TELL(&m, &removal, P(3));
    assert_int_equal(m.last->expired, 1);
    assert_int_equal(m.index->row_count, 1);
    assert_true(has(&m, "SAMPLE2"));
    enum sp_listing_action ends[] = {SP_ACTION_CLOSE, SP_ACTION_CLOSE_ON_BOARD, SP_ACTION_CANCEL_JOURNEY};
    for (int i = 0; i < 3; i++) { /* it would be gone for good */
        struct sp_apply_message end = message_of(ends[i]);
        end.standing = true;
        TELL(&m, &end, P(2));
        assert_int_equal(m.status, SP_E_INVALID);
    }
    manifest_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_complete_at_once),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_other_group_open),
        cmocka_unit_test(test_parts_in_any_order),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_late_parts),
        cmocka_unit_test(test_same_flight_again),
        cmocka_unit_test(test_who_is_who),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_one_document),
        cmocka_unit_test(test_two_senders),
        cmocka_unit_test(test_one_name),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_standing),
    };
    if (sp_seal_start(NULL) != SP_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
