/* Random sequences of messages against a model that is too simple to be wrong: nobody twice, nobody lost, ids that
 * stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/roster/apply_manifest.h"

enum { PEOPLE = 40, SERIES = 3, PARTS = 3, STEPS = 400, RUNS = 12 };

struct model {
    bool there[PEOPLE];
    int named_at[PEOPLE]; /* when the newest list or change that names it began */
    uint8_t id[PEOPLE][SP_ROW_BYTES];
    struct open_list {
        int round, began; /* began 0: not yet */
        bool seen[PARTS];
        bool people[PARTS][PEOPLE];
        bool replaced;
    } lists[SERIES];
};

static uint64_t dice_state;
static int dice(int sides)
{
    dice_state = dice_state * 6364136223846793005ull + 1442695040888963407ull;
    return (int)((dice_state >> 33) % (uint64_t)sides);
}

/* However a message names a person: always by name, sometimes by reference and document, too. */
static struct person presented(int i)
{
    static char refs[PEOPLE][8], documents[PEOPLE][12], names[PEOPLE][12], seats[PEOPLE][4];
    snprintf(refs[i], sizeof refs[i], "R%d", i);
    snprintf(documents[i], sizeof documents[i], "UTO D%d", i);
    snprintf(names[i], sizeof names[i], "SAMPLE%d", i);
    snprintf(seats[i], sizeof seats[i], "%d", dice(90));
    return (struct person){dice(2) ? refs[i] : NULL, dice(2) ? documents[i] : NULL, names[i], "1990-01-01",
                           dice(3) ? NULL : seats[i]};
}

static int present_all(struct person *ret, const bool *named)
{
    int count = 0;
    for (int i = 0; i < PEOPLE; i++)
        if (named[i])
            ret[count++] = presented(i);
    return count;
}

static void draw(bool *ret_named, int share)
{
    for (int i = 0; i < PEOPLE; i++)
        ret_named[i] = dice(100) < share;
}

static void expect_part(struct model *model, struct open_list *list, int part, int now)
{
    if (list->began == 0)
        list->began = now;
    list->seen[part] = true;
    for (int i = 0; i < PEOPLE; i++)
        if (list->people[part][i]) {
            model->there[i] = true;
            if (model->named_at[i] < list->began)
                model->named_at[i] = list->began;
        }
    for (int k = 0; k < PARTS; k++)
        if (!list->seen[k])
            return;
    for (int i = 0; i < PEOPLE; i++)
        if (model->named_at[i] < list->began)
            model->there[i] = false;
    for (int k = 0; k < SERIES; k++) /* lists that began before this one come too late */
        if (&model->lists[k] != list && model->lists[k].began > 0 && model->lists[k].began < list->began)
            model->lists[k].replaced = true;
}

static void random_part(struct manifest *m, struct model *model, int now)
{
    static struct person people[PEOPLE];
    char series[8], reference[24];
    int at = dice(SERIES), part = dice(PARTS);
    struct open_list *list = &model->lists[at];
    bool again = list->seen[part];
    bool all = list->seen[0] && list->seen[1] && list->seen[2];
    if (all || (list->replaced && dice(4) == 0)) { /* the carrier begins another list under another reference */
        int round = list->round + 1;
        memset(list, 0, sizeof *list);
        list->round = round;
        again = false;
    }
    if (!again)
        draw(list->people[part], 40);
    struct sp_apply_message message = message_of(SP_ACTION_LIST);
    snprintf(series, sizeof series, "%d.%d", at, list->round);
    snprintf(reference, sizeof reference, "%d.%d.%d", at, list->round, part);
    message.series = series, message.reference = reference;
    message.part = part + 1, message.last_part = part == PARTS - 1;
    uint64_t keep = dice_state; /* a repeat says the same: it is drawn from a seed of its own */
    dice_state = (uint64_t)(at * 1000003 + list->round * 1009 + part);
    int count = present_all(people, list->people[part]);
    dice_state = keep;
    tell(m, &message, people, count);
    assert_int_equal(m->status, SP_OK);
    if (again && !list->replaced)
        assert_true(m->last->known);
    if (!again && list->replaced && list->began > 0)
        assert_true(m->last->late);
    if (!m->last->known && !m->last->late)
        expect_part(model, list, part, now);
    else if (m->last->late)
        list->seen[part] = false;
}

static void random_delta(struct manifest *m, struct model *model, int now)
{
    static struct person people[PEOPLE];
    bool named[PEOPLE], change = dice(3) > 0;
    struct sp_apply_message message = message_of(change ? SP_ACTION_CHANGE : SP_ACTION_REMOVE);
    char reference[16];
    snprintf(reference, sizeof reference, "D%d", now);
    message.reference = reference;
    draw(named, 8);
    int count = present_all(people, named);
    if (!m->index && !change)
        return;
    tell(m, &message, people, count);
    assert_int_equal(m->status, SP_OK);
    for (int i = 0; i < PEOPLE; i++) {
        if (!named[i])
            continue;
        model->there[i] = change;
        model->named_at[i] = change ? now : 0;
    }
    uint64_t version = m->index->version;
    tell(m, &message, people, count); /* the same bytes again */
    assert_true(m->last->known);
    assert_true(m->index->version == version);
}

static void check_model(const struct manifest *m, struct model *model)
{
    int there = 0;
    for (int i = 0; i < PEOPLE; i++) {
        char name[16];
        snprintf(name, sizeof name, "SAMPLE%d", i);
        int row = find_row(m, SP_COLUMN_SURNAME, name); /* fails on a duplicate */
        assert_int_equal(row >= 0, model->there[i]);
        static const uint8_t none[SP_ROW_BYTES];
        if (row < 0) {
            memset(model->id[i], 0, SP_ROW_BYTES);
            continue;
        }
        there++;
        if (memcmp(model->id[i], none, SP_ROW_BYTES) != 0)
            assert_memory_equal(model->id[i], m->index->rows[row].row, SP_ROW_BYTES);
        memcpy(model->id[i], m->index->rows[row].row, SP_ROW_BYTES);
    }
    assert_int_equal(m->index ? m->index->row_count : 0, there);
}

static void test_random(void **state)
{
    (void)state;
    for (int run = 0; run < RUNS; run++) {
        struct manifest m;
        struct model model = {0};
        uint64_t version = 0;
        manifest_new(&m);
        dice_state = 20261204u + (uint64_t)run;
        for (int now = 1; now <= STEPS; now++) {
            if (dice(3))
                random_part(&m, &model, now);
            else
                random_delta(&m, &model, now);
            check_model(&m, &model);
            if (m.index) {
                assert_true(m.index->version >= version);
                version = m.index->version;
            }
        }
        manifest_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    if (sp_seal_start(NULL) != SP_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
