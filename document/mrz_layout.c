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
    size_t length, solid; /* characters, without spaces at the ends; those that are no space */
    size_t full;          /* with the spaces at its end */
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
        piece.full = piece.length;
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

/* What may stand for the fillers at a line's end. */
struct slack {
    bool spaces; /* those that split() trimmed */
    size_t lost; /* nothing, for at most so many at the last line's end */
};

/* Is the piece so many characters without its spaces, or with them? */
static bool reaches(const struct piece *piece, size_t width, struct slack slack)
{
    return piece->solid == width || piece->length == width ||
           (slack.spaces && piece->length < width && piece->full <= width && piece->full + slack.lost >= width);
}

/* A piece as count lines of width characters, its spaces left out or taken for fillers, whichever fits. */
static void cut(char (*lines)[45], int count, int width, const struct piece *piece, struct sp_remarks *remarks,
                size_t offset)
{
    size_t wanted = (size_t)(count * width), at = 0;
    bool lower = false, keep = piece->solid != wanted;
    for (size_t i = 0; i < (keep ? wanted : piece->length); i++) {
        char c = i < piece->length ? piece->text[i] : ' ';
        if (is_space(c) && !keep)
            continue;
        lower = lower || islower((unsigned char)c);
        lines[at / (size_t)width][at % (size_t)width] = is_space(c) ? '<' : (char)toupper((unsigned char)c);
        at++;
    }
    if (piece->solid != piece->length || (keep && piece->length != wanted))
        sp_remarks_add(remarks, offset, keep ? "spaces where fillers belong" : "spaces between the characters");
    if (lower)
        sp_remarks_add(remarks, offset, "lower case");
}

/* Lay the pieces out as a format with these lines. */
static bool fit(struct sp_mrz_lines *lines, int count, int width, const struct piece *pieces, int piece_count,
                struct slack slack, struct sp_remarks *remarks, const char *text)
{
    int each = piece_count == 1 ? count : 1; /* lines a piece */
    memset(lines->text, 0, sizeof lines->text);
    if (piece_count != 1 && piece_count != count)
        return false;
    for (int i = 0; i < piece_count; i++) { /* all or none, so that no remark is about a format that it is not */
        const struct slack own = {slack.spaces, i > 0 && i + 1 == count ? slack.lost : 0};
        if (!reaches(&pieces[i], (size_t)(each * width), own))
            return false;
    }
    for (int i = 0; i < piece_count; i++)
        cut(&lines->text[i], each, width, &pieces[i], remarks, (size_t)(pieces[i].text - text));
    return true;
}

/* How many fillers may end the last line: what comes last is names, of one letter at least, or optional data. */
static size_t last_fillers(const struct sp_mrz_layout *layout, int lines)
{
    return (size_t)(layout->names.line == lines - 1       ? layout->names.length - 1
                    : layout->composite_check.length == 0 ? layout->optional[0].length
                                                          : 0);
}

static enum sp_status check_letters(const struct sp_mrz_lines *lines, int count, int width, struct sp_err *err)
{
    for (int line = 0; line < count; line++)
        for (int column = 0; column < width; column++) {
            char c = lines->text[line][column];
            if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '<')
                return sp_fail(err, SP_E_FORMAT,
                               "machine readable zone: line %d column %d is none of A-Z, 0-9 and <", line + 1,
                               column + 1);
        }
    return SP_OK;
}

enum sp_status sp_mrz_lay_out(struct sp_mrz_lines *ret_lines, struct sp_remarks *remarks, const char *text,
                              size_t length, struct sp_err *err)
{
    static const struct {
        enum sp_mrz_format document, visa;
        int lines, width;
    } shapes[] = {
        {SP_MRZ_TD1, SP_MRZ_TD1, 3, 30}, {SP_MRZ_TD2, SP_MRZ_MRVB, 2, 36}, {SP_MRZ_TD3, SP_MRZ_MRVA, 2, 44}};
    const size_t shape_count = sizeof shapes / sizeof shapes[0];
    struct piece pieces[3] = {0};
    struct sp_mrz_lines lines = {0};
    if (length > MAX_TEXT)
        return sp_fail(err, SP_E_FORMAT, "machine readable zone: %zu characters are none", length);
    int count = split(pieces, text, length);
    /* Without any filler, spaces are the fillers: whoever trimmed the text took those at its end. */
    bool trimmed = count > 0 && !memchr(text, '<', length);
    for (size_t i = 0; i < 2 * shape_count && count > 0; i++) { /* whole lines are best */
        int high = shapes[i % shape_count].lines, width = shapes[i % shape_count].width;
        lines.format = pieces[0].text[0] == 'V' || pieces[0].text[0] == 'v' ? shapes[i % shape_count].visa
                                                                            : shapes[i % shape_count].document;
        size_t lost = trimmed ? last_fillers(sp_mrz_layout(lines.format), high) : 0;
        if (!fit(&lines, high, width, pieces, count, (struct slack){i >= shape_count, lost}, remarks, text))
            continue;
        enum sp_status status = check_letters(&lines, high, width, err);
        if (status == SP_OK)
            *ret_lines = lines;
        return status;
    }
    return sp_fail(err, SP_E_FORMAT,
                   "machine readable zone: %zu characters that are neither 3 lines of 30 nor 2 of 36 or 44",
                   length);
}
