#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "document/mrz.h"

#define NAME_MAX_BYTES 512

/* Doc 9303-3 section 6 gives some letters two spellings; an issuer picks one. */
enum spelling { PLAIN, EXPANDED, SPELLINGS };

const char *sp_mrz_field_name(enum sp_mrz_field field)
{
    static const char *const names[] = {
#define X(constant, name) name,
        SP_MRZ_FIELD_LIST(X)
#undef X
    };
    return field >= 0 && field < SP_MRZ_FIELD_COUNT ? names[field] : "unknown";
}

/* Next code point of NUL-terminated UTF-8; bytes that are none count one by one, as U+FFFD. */
static uint32_t next_point(const char **text)
{
    const unsigned char *p = (const unsigned char *)*text;
    int more = p[0] >= 0xf0 && p[0] < 0xf8 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc0 ? 1 : 0;
    uint32_t point = more == 0 ? p[0] : p[0] & (0x3fu >> more);
    (*text)++;
    if (p[0] >= 0x80 && (p[0] < 0xc0 || p[0] >= 0xf8))
        return 0xfffd;
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0xfffd;
        point = point << 6 | (p[i] & 0x3f);
    }
    *text += more;
    return point;
}

/* Letters with accents, U+00C0 to U+017F, without them; '.' is spelled below, ' ' is no letter. */
static const char plain_letters[] = "AAAAAA.CEEEEIIII"
                                    "DNOOOOO OUUUUY.."
                                    "AAAAAA.CEEEEIIII"
                                    "DNOOOOO OUUUUY.Y"
                                    "AAAAAACCCCCCCCDD"
                                    "DDEEEEEEEEEEGGGG"
                                    "GGGGHHHHIIIIIIII"
                                    "II..JJKKKLLLLLLL"
                                    "LLLNNNNNNNNNOOOO"
                                    "OO..RRRRRRSSSSSS"
                                    "SSTTTTTTUUUUUUUU"
                                    "UUUUWWYYYZZZZZZS";
_Static_assert(sizeof plain_letters == 0x180 - 0xc0 + 1, "one letter a code point");

/* Letters that are written as two, in both spellings or only in the expanded one. */
static const char *two_letters(uint32_t point, enum spelling spelling)
{
    uint32_t upper = point >= 0xe0 && point <= 0xfe ? point - 0x20 : point; /* sharp s has no capital here */
    switch (upper) {
    case 0xc6:
        return "AE";
    case 0xde:
        return "TH";
    case 0xdf:
        return "SS";
    case 0x132:
    case 0x133:
        return "IJ";
    case 0x152:
    case 0x153:
        return "OE";
    default:
        break;
    }
    if (spelling == PLAIN)
        return NULL;
    return upper == 0xc4                    ? "AE"
           : upper == 0xc5                  ? "AA"
           : upper == 0xd6 || upper == 0xd8 ? "OE"
           : upper == 0xdc                  ? "UE"
                                            : NULL;
}

/* One code point as the zone writes it: letters, "" for what is left out, " " for what parts words; NULL: another
 * script. */
static const char *spelled(uint32_t point, enum spelling spelling, char one[2])
{
    one[1] = 0;
    if (point < 0x80) {
        one[0] = (char)toupper((int)point);
        return point == '\'' || point == '.' ? "" : isalnum((int)point) ? one : " ";
    }
    const char *two = two_letters(point, spelling);
    if (two)
        return two;
    if (point >= 0xc0 && point < 0xc0 + sizeof plain_letters - 1)
        one[0] = plain_letters[point - 0xc0];
    else if (point >= 0x218 && point <= 0x21b)
        one[0] = point < 0x21a ? 'S' : 'T';
    else if ((point >= 0x300 && point <= 0x36f) || point == 0x2bc || point == 0x2018 || point == 0x2019)
        return ""; /* accents by themselves, apostrophes */
    else if (point == 0xa0 || (point >= 0x2010 && point <= 0x2015))
        return " ";
    else
        return NULL;
    return one;
}

/* A name in capitals, words with one space between. False: another script, or too long. */
static bool spell(char to[NAME_MAX_BYTES], const char *name, enum spelling spelling)
{
    size_t used = 0;
    bool gap = false;
    while (*name) {
        char one[2];
        const char *letters = spelled(next_point(&name), spelling, one);
        if (!letters || used + 4 > NAME_MAX_BYTES)
            return false;
        if (letters[0] == ' ') {
            gap = used > 0;
            continue;
        }
        if (gap && letters[0])
            to[used++] = ' ';
        gap = gap && !letters[0];
        for (; *letters; letters++)
            to[used++] = *letters;
    }
    to[used] = 0;
    return true;
}

/* Letter by letter, as if there were no spaces; a is allowed to end early if it is cut. */
static bool same_letters(const char *a, const char *b, bool cut)
{
    for (;;) {
        a += *a == ' ';
        b += *b == ' ';
        if (*a != *b)
            return cut && *a == 0;
        if (*a == 0)
            return true;
        a++;
        b++;
    }
}

static size_t word_length(const char *text)
{
    return strcspn(text, " ");
}

static const char *next_word(const char *text)
{
    text += word_length(text);
    return text + (*text == ' ');
}

/* Is the word of the zone the row's, or its begin, where the zone had no room? */
static bool same_word(const char *zone, const char *row, bool cut)
{
    size_t zone_length = word_length(zone), row_length = word_length(row);
    return (zone_length == row_length || (cut && zone_length < row_length)) && memcmp(zone, row, zone_length) == 0;
}

/* The first given names agree, and the others of the shorter side come in this order on the longer one. */
static bool same_given(const char *zone, const char *row, bool cut)
{
    if (same_letters(zone, row, cut))
        return true;
    if (!*zone || !*row || !same_word(zone, row, cut))
        return false;
    const char *z = next_word(zone), *r = next_word(row);
    const char *zone_rest = z, *row_rest = r;
    for (; *z && *r; r = next_word(r)) /* the zone's words among the row's */
        if (same_word(z, r, cut))
            z = next_word(z);
    if (!*z)
        return true;
    for (z = zone_rest, r = row_rest; *z && *r; z = next_word(z)) /* and the other way round */
        if (same_word(z, r, cut))
            r = next_word(r);
    return !*r;
}

/* A row's names in one spelling against the zone's. Bits of what differs. */
static unsigned names_differ(const struct sp_mrz *mrz, const char *surname, const char *given,
                             enum spelling spelling)
{
    char row_surname[NAME_MAX_BYTES], row_given[NAME_MAX_BYTES];
    unsigned differ = 0;
    bool surname_read = spell(row_surname, surname, spelling), given_read = spell(row_given, given, spelling);
    if (surname[0] && given[0] && !mrz->given[0] && surname_read && given_read) {
        /* A zone with one identifier only holds the whole name in it. */
        char whole[2 * NAME_MAX_BYTES];
        size_t length = strlen(row_surname);
        memcpy(whole, row_surname, length);
        memcpy(whole + length, row_given, strlen(row_given) + 1);
        if (same_letters(mrz->surname, whole, mrz->name_cut))
            return 0;
    }
    if (surname[0] && (!surname_read || !same_letters(mrz->surname, row_surname, mrz->name_cut)))
        differ |= 1u << SP_MRZ_FIELD_SURNAME;
    if (given[0] && (!given_read || !same_given(mrz->given, row_given, mrz->name_cut)))
        differ |= 1u << SP_MRZ_FIELD_GIVEN;
    return differ;
}

/* Letters and digits only, whatever the case. */
static bool same_code(const char *zone, const char *row)
{
    for (;;) {
        while (*zone && !isalnum((unsigned char)*zone))
            zone++;
        while (*row && !isalnum((unsigned char)*row))
            row++;
        if (*zone != toupper((unsigned char)*row))
            return false;
        if (*zone == 0)
            return true;
        zone++;
        row++;
    }
}

/* Germany is D in a zone and DEU everywhere else. */
static bool same_country(const char *zone, const char *row)
{
    return same_code(strcmp(zone, "D") == 0 ? "DEU" : zone, row) || same_code(zone, row);
}

static bool same_sex(const char *zone, const char *row)
{
    char first = (char)toupper((unsigned char)row[0]);
    return zone[0] == (first == 'F' || first == 'M' ? first : 'X');
}

/* A date that the zone does not give in full is nothing to compare with; parsing has remarked on it. */
static bool same_date(const char *zone, const char *row)
{
    return !zone[0] || strcmp(zone, row) == 0;
}

unsigned sp_mrz_match(const struct sp_mrz *mrz, const char *const fields[SP_MRZ_FIELD_COUNT])
{
    const char *values[SP_MRZ_FIELD_COUNT];
    unsigned differ = 0, names = ~0u;
    for (int i = 0; i < SP_MRZ_FIELD_COUNT; i++)
        values[i] = fields[i] ? fields[i] : "";
    for (int spelling = 0; spelling < SPELLINGS && names != 0; spelling++)
        names &=
            names_differ(mrz, values[SP_MRZ_FIELD_SURNAME], values[SP_MRZ_FIELD_GIVEN], (enum spelling)spelling);
    differ |= names;
    const bool same[SP_MRZ_FIELD_COUNT] = {
        [SP_MRZ_FIELD_SURNAME] = true,
        [SP_MRZ_FIELD_GIVEN] = true,
        [SP_MRZ_FIELD_DOB] = same_date(mrz->dob, values[SP_MRZ_FIELD_DOB]),
        [SP_MRZ_FIELD_SEX] = same_sex(mrz->sex, values[SP_MRZ_FIELD_SEX]),
        [SP_MRZ_FIELD_NATIONALITY] = same_country(mrz->nationality, values[SP_MRZ_FIELD_NATIONALITY]),
        [SP_MRZ_FIELD_NUMBER] = same_code(mrz->number, values[SP_MRZ_FIELD_NUMBER]),
        [SP_MRZ_FIELD_ISSUER] = same_country(mrz->issuer, values[SP_MRZ_FIELD_ISSUER]),
        [SP_MRZ_FIELD_EXPIRY] = same_date(mrz->expiry, values[SP_MRZ_FIELD_EXPIRY]),
    };
    for (int i = 0; i < SP_MRZ_FIELD_COUNT; i++)
        if (values[i][0] && !same[i])
            differ |= 1u << i;
    return differ;
}
