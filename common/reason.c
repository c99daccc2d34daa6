#include "common/reason.h"

#include <string.h>

struct reason_row {
    int number;
    const char *word;
    const char *text;
};

static const struct reason_row rows[] = {
#define X(number, constant, word, text) {number, word, text},
    SP_REASON_LIST(X)
#undef X
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const struct reason_row *row_of(int number)
{
    static const struct reason_row unknown = {-1, "unknown", "a reason this program does not know"};
    for (int i = 0; i < ROW_COUNT; i++)
        if (rows[i].number == number)
            return &rows[i];
    return &unknown;
}

const char *sp_reason_word(int number)
{
    return row_of(number)->word;
}

const char *sp_reason_text(int number)
{
    return row_of(number)->text;
}

int sp_reason_from_word(const char *word)
{
    for (int i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].word, word) == 0)
            return rows[i].number;
    return -1;
}
