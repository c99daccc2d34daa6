/* The machine readable zone of travel documents: ICAO Doc 9303 parts 3 (letters, dates, check digits), 4 (TD3), 5
 * (TD1), 6 (TD2) and 7 (visas). Holds a traveller's data: wipe it (explicit_bzero) when done. */
#ifndef SALLYPORT_DOCUMENT_MRZ_H
#define SALLYPORT_DOCUMENT_MRZ_H

#include <stdbool.h>
#include <stddef.h>
#include "common/status.h"
#include "document/remark.h"

/* X(CONSTANT, "word", lines, characters a line) */
#define SP_MRZ_FORMAT_LIST(X)                                                                                      \
    X(TD1, "TD1", 3, 30)                                                                                           \
    X(TD2, "TD2", 2, 36)                                                                                           \
    X(TD3, "TD3", 2, 44)                                                                                           \
    X(MRVA, "MRV-A", 2, 44)                                                                                        \
    X(MRVB, "MRV-B", 2, 36)
enum sp_mrz_format {
#define X(constant, word, lines, width) SP_MRZ_##constant,
    SP_MRZ_FORMAT_LIST(X)
#undef X
        SP_MRZ_FORMAT_COUNT
};

/* X(CONSTANT, "name"): check digits, as bits 1 << constant. Names have none. */
#define SP_MRZ_CHECK_LIST(X)                                                                                       \
    X(NUMBER, "document number")                                                                                   \
    X(BIRTH, "date of birth")                                                                                      \
    X(EXPIRY, "date of expiry")                                                                                    \
    X(OPTIONAL, "optional data")                                                                                   \
    X(COMPOSITE, "composite")
enum sp_mrz_check {
#define X(constant, name) SP_MRZ_CHECK_##constant,
    SP_MRZ_CHECK_LIST(X)
#undef X
        SP_MRZ_CHECK_COUNT
};

struct sp_mrz {
    enum sp_mrz_format format;
    char type[3];   /* "P", "V", "ID": without fillers, as everything below */
    char issuer[4]; /* as it is there: "UTO", "D" */
    char number[32];
    char surname[48], given[48]; /* words with one space between; "" if there are none */
    bool name_cut;               /* the names fill their field to its end: they may be cut */
    char nationality[4];
    char dob[11], expiry[11];  /* "yyyy-mm-dd"; "": not given in full, or no date */
    char sex[2];               /* "F", "M" or "X" (unspecified) */
    char optional[2][20];      /* optional data; TD1 has two fields */
    unsigned failed;           /* bits of the check digits that are wrong */
    struct sp_remarks remarks; /* what was not as the format wants it; offsets count from the text's begin */
};

/* Parse lines joined by newline or '|', or one string of their total length. Lower case and spaces are taken for
 * what they must mean. today ("yyyy-mm-dd") tells the century of two-digit years: births are not after it, expiries
 * within 50 years of it. Wrong check digits are no error. SP_E_FORMAT (with line and column, no data): no machine
 * readable zone. */
enum sp_status sp_mrz_parse(struct sp_mrz *ret_mrz, const char *text, size_t length, const char *today,
                            struct sp_err *err);

const char *sp_mrz_format_word(enum sp_mrz_format format);
const char *sp_mrz_check_name(enum sp_mrz_check check);
/* Check digit, '0'..'9', of text: weights 7, 3, 1; letters from A = 10, fillers 0. */
char sp_mrz_check_digit(const char *text, size_t length);

/* X(CONSTANT, "name"): what a manifest row says of a traveller, as bits 1 << constant. */
#define SP_MRZ_FIELD_LIST(X)                                                                                       \
    X(SURNAME, "surname")                                                                                          \
    X(GIVEN, "given")                                                                                              \
    X(DOB, "dob")                                                                                                  \
    X(SEX, "sex")                                                                                                  \
    X(NATIONALITY, "nationality")                                                                                  \
    X(NUMBER, "number")                                                                                            \
    X(ISSUER, "issuer")                                                                                            \
    X(EXPIRY, "expiry")
enum sp_mrz_field {
#define X(constant, name) SP_MRZ_FIELD_##constant,
    SP_MRZ_FIELD_LIST(X)
#undef X
        SP_MRZ_FIELD_COUNT
};
const char *sp_mrz_field_name(enum sp_mrz_field field);

/* Values of a row, UTF-8, indexed by field; NULL or "" is not compared, nor is a date that the zone does not give
 * in full. Returns the bits of the fields that differ, by the rules of the zone: case, accents and punctuation do
 * not count, letters outside A-Z are written as Doc 9303-3 section 6 allows, long names may be cut, given names
 * after the first may be missing on either side. A name in another script cannot be compared and counts as
 * different. */
unsigned sp_mrz_match(const struct sp_mrz *mrz, const char *const fields[SP_MRZ_FIELD_COUNT]);

#endif
