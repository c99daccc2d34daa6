#include "document/mrz_layout.h"

#include <ctype.h>
#include <string.h>

#define MAX_TEXT 512 /* bytes of a zone with all its spaces */

const struct sp_mrz_layout *sp_mrz_layout(enum sp_mrz_format format)
{
    static const struct sp_mrz_layout layouts[SP_MRZ_FORMAT_COUNT] = {
        [SP_MRZ_TD1] = {.names = {2, 0, 30},
                        .number = {0, 5, 9},
                        .number_check = {0, 14, 1},
                        .nationality = {1, 15, 3},
                        .dob = {1, 0, 6},
                        .dob_check = {1, 6, 1},
                        .sex = {1, 7, 1},
                        .expiry = {1, 8, 6},
                        .expiry_check = {1, 14, 1},
                        .optional = {{0, 15, 15}, {1, 18, 11}},
                        .composite_check = {1, 29, 1},
                        .composite = {{0, 5, 25}, {1, 0, 7}, {1, 8, 7}, {1, 18, 11}}},
        [SP_MRZ_TD2] = {.names = {0, 5, 31},
                        .number = {1, 0, 9},
                        .number_check = {1, 9, 1},
                        .nationality = {1, 10, 3},
                        .dob = {1, 13, 6},
                        .dob_check = {1, 19, 1},
                        .sex = {1, 20, 1},
                        .expiry = {1, 21, 6},
                        .expiry_check = {1, 27, 1},
                        .optional = {{1, 28, 7}},
                        .composite_check = {1, 35, 1},
                        .composite = {{1, 0, 10}, {1, 13, 7}, {1, 21, 14}}},
        [SP_MRZ_TD3] = {.names = {0, 5, 39},
                        .number = {1, 0, 9},
                        .number_check = {1, 9, 1},
                        .nationality = {1, 10, 3},
                        .dob = {1, 13, 6},
                        .dob_check = {1, 19, 1},
                        .sex = {1, 20, 1},
                        .expiry = {1, 21, 6},
                        .expiry_check = {1, 27, 1},
                        .optional = {{1, 28, 14}},
                        .optional_check = {1, 42, 1},
                        .composite_check = {1, 43, 1},
                        .composite = {{1, 0, 10}, {1, 13, 7}, {1, 21, 22}}},
        [SP_MRZ_MRVA] = {.names = {0, 5, 39},
                         .number = {1, 0, 9},
                         .number_check = {1, 9, 1},
                         .nationality = {1, 10, 3},
                         .dob = {1, 13, 6},
                         .dob_check = {1, 19, 1},
                         .sex = {1, 20, 1},
                         .expiry = {1, 21, 6},
                         .expiry_check = {1, 27, 1},
                         .optional = {{1, 28, 16}}},
        [SP_MRZ_MRVB] = {.names = {0, 5, 31},
                         .number = {1, 0, 9},
                         .number_check = {1, 9, 1},
                         .nationality = {1, 10, 3},
                         .dob = {1, 13, 6},
                         .dob_check = {1, 19, 1},
                         .sex = {1, 20, 1},
                         .expiry = {1, 21, 6},
                         .expiry_check = {1, 27, 1},
                         .optional = {{1, 28, 8}}},
    };
    return &layouts[format];
}

/* One line as it came: with its spaces, and how long it is without. */
struct piece {
    const char *text;
    size_t length, solid; /* characters; those that are no space */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Split at newlines and bars; blank pieces do not count. Returns their number, or -1: more than three. */
static int split(struct piece pieces[3], const char *text, size_t length)
{
    int count = 0;
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && text[end] != '\n' && text[end] != '\r' && text[end] != '|')
            end++;
        struct piece piece = {.text = text + at, .length = end - at};
        while (piece.length > 0 && is_space(piece.text[0])) {
            piece.text++;
            piece.length--;
        }
        while (piece.length > 0 && is_space(piece.text[piece.length - 1]))
            piece.length--;
        for (size_t i = 0; i < piece.length; i++)
            piece.solid += !is_space(piece.text[i]);
        if (piece.length > 0) {
            if (count == 3)
                return -1;
            pieces[count++] = piece;
        }
        at = end + 1;
    }
    return count;
}

/* A piece as count lines of width characters, its spaces left out or taken for fillers, whichever fits. */
static bool cut(char (*lines)[45], int count, int width, const struct piece *piece, struct sp_remarks *remarks,
                size_t offset)
{
    size_t wanted = (size_t)(count * width), at = 0;
    bool lower = false, keep = piece->solid != wanted;
    if (keep && piece->length != wanted)
        return false;
    for (size_t i = 0; i < piece->length; i++) {
        char c = piece->text[i];
        if (is_space(c) && !keep)
            continue;
        lower = lower || islower((unsigned char)c);
        lines[at / (size_t)width][at % (size_t)width] = is_space(c) ? '<' : (char)toupper((unsigned char)c);
        at++;
    }
    if (piece->solid != piece->length)
        sp_remarks_add(remarks, offset, keep ? "spaces where fillers belong" : "spaces between the characters");
    if (lower)
        sp_remarks_add(remarks, offset, "lower case");
    return true;
}

/* Lay the pieces out as a format with these lines. */
static bool fit(struct sp_mrz_lines *lines, int count, int width, const struct piece *pieces, int piece_count,
                struct sp_remarks *remarks, const char *text)
{
    memset(lines->text, 0, sizeof lines->text);
    if (piece_count == 1)
        return cut(lines->text, count, width, &pieces[0], remarks, (size_t)(pieces[0].text - text));
    if (piece_count != count)
        return false;
    for (int i = 0; i < count; i++) /* all or none, so that no remark is about a format that it is not */
        if (pieces[i].solid != (size_t)width && pieces[i].length != (size_t)width)
            return false;
    for (int i = 0; i < count; i++)
        cut(&lines->text[i], 1, width, &pieces[i], remarks, (size_t)(pieces[i].text - text));
    return true;
}

enum sp_status sp_mrz_lay_out(struct sp_mrz_lines *ret_lines, struct sp_remarks *remarks, const char *text,
                              size_t length, struct sp_err *err)
{
    static const struct {
        enum sp_mrz_format document, visa;
        int lines, width;
    } shapes[] = {
        {SP_MRZ_TD1, SP_MRZ_TD1, 3, 30}, {SP_MRZ_TD2, SP_MRZ_MRVB, 2, 36}, {SP_MRZ_TD3, SP_MRZ_MRVA, 2, 44}};
    struct piece pieces[3] = {0};
    struct sp_mrz_lines lines = {0};
    if (length > MAX_TEXT)
        return sp_fail(err, SP_E_FORMAT, "machine readable zone: %zu characters are none", length);
    int count = split(pieces, text, length);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && count > 0; i++) {
        if (!fit(&lines, shapes[i].lines, shapes[i].width, pieces, count, remarks, text))
            continue;
        for (int line = 0; line < shapes[i].lines; line++)
            for (int column = 0; column < shapes[i].width; column++) {
                char c = lines.text[line][column];
                if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '<')
                    return sp_fail(err, SP_E_FORMAT,
                                   "machine readable zone: line %d column %d is none of A-Z, 0-9 and <", line + 1,
                                   column + 1);
            }
        lines.format = lines.text[0][0] == 'V' ? shapes[i].visa : shapes[i].document;
        *ret_lines = lines;
        return SP_OK;
    }
    return sp_fail(err, SP_E_FORMAT,
                   "machine readable zone: %zu characters that are neither 3 lines of 30 nor 2 of 36 or 44",
                   length);
}
