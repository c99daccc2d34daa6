/* The fields of a traveller that are one text each: their names in files, their form and their greatest length.
 * Adapters put values through here, so that every format is checked alike: what is not of its form is a deviation
 * that names the field and the form, never the value, and is left out. */
#ifndef SALLYPORT_LISTING_FIELD_H
#define SALLYPORT_LISTING_FIELD_H

#include "listing/listing.h"

/* X(CONSTANT, member of struct sp_traveller, FORM, greatest length in bytes). The member's name is the JSON key;
 * `ref` is "traveller_ref" in a CSV header. */
#define SP_FIELD_LIST(X)                                                                                           \
    X(REF, ref, TEXT, 64)                                                                                          \
    X(ROLE, role, TEXT, 32)                                                                                        \
    X(SURNAME, surname, TEXT, 200)                                                                                 \
    X(GIVEN, given, TEXT, 200)                                                                                     \
    X(DOB, dob, DATE, 40)                                                                                          \
    X(SEX, sex, SEX, 40)                                                                                           \
    X(NATIONALITY, nationality, COUNTRY, 40)                                                                       \
    X(RESIDENCE, residence, TEXT, 100)                                                                             \
    X(BIRTH_PLACE, birth_place, TEXT, 100)                                                                         \
    X(RANK, rank, TEXT, 64)                                                                                        \
    X(PNR, pnr, TEXT, 40)                                                                                          \
    X(SEAT_OR_CABIN, seat_or_cabin, TEXT, 20)                                                                      \
    X(EMBARK, embark, PORT, 12)                                                                                    \
    X(DEBARK, debark, PORT, 12)                                                                                    \
    X(CLEARANCE, clearance, PORT, 12)                                                                              \
    X(TRANSIT, transit, YES_NO, 12)                                                                                \
    X(VERIFIED, verified, YES_NO, 12)                                                                              \
    X(MRZ, mrz, MRZ, 160)                                                                                          \
    X(VALID_FROM, valid_from, DATE, 40)                                                                            \
    X(VALID_TO, valid_to, DATE, 40)                                                                                \
    X(ANSWER, answer, TEXT, 8)                                                                                     \
    X(ANSWER_TEXT, answer_text, TEXT, 512)
enum sp_field {
#define X(constant, member, form, max) SP_FIELD_##constant,
    SP_FIELD_LIST(X)
#undef X
        SP_FIELD_COUNT
};

const char *sp_field_name(enum sp_field field);
int sp_field_from(const char *name); /* -1: none; any case */
const char *sp_field_value(const struct sp_traveller *traveller, enum sp_field field);

/* Put one value: trimmed, checked, in the listing's spelling ("female" is F, ports are upper case). SP_E_NOMEM
 * only. */
enum sp_status sp_field_put(struct sp_listing *listing, struct sp_traveller *traveller, enum sp_field field,
                            const char *text, size_t length, struct sp_err *err);
/* A document; NULL is "". One with neither type nor number is not added. */
struct sp_field_document {
    const char *type, *number, *issuer, *expiry, *issued;
};
enum sp_status sp_field_put_document(struct sp_listing *listing, struct sp_traveller *traveller,
                                     const struct sp_field_document *document, struct sp_err *err);
/* "type:number:issuer:expiry", several separated by ';'. */
enum sp_status sp_field_put_documents(struct sp_listing *listing, struct sp_traveller *traveller, const char *text,
                                      struct sp_err *err);
/* Photos as file names or URIs, separated by ';'. */
enum sp_status sp_field_put_photos(struct sp_listing *listing, struct sp_traveller *traveller, const char *text,
                                   struct sp_err *err);

/* "1984-07-31" exactly, a day that can be. */
bool sp_field_is_date(const char *text);
/* A date or time as "2026-12-04T18:20", also with a space, seconds or a zone behind it, to "yyyy-mm-dd" or
 * "yyyy-mm-ddThh:mm" in ret_time[17]. false: it is neither. ret_zone: a zone was named (times are the port's own).
 */
bool sp_field_time(char ret_time[17], bool *ret_zone, const char *text);
/* Dates as people write them, to ISO in ret_date[11]: 1984-07-31, 1984/07/31, 19840731, 31.07.1984, 31-JUL-1984,
 * 31/07/1984 where day and month cannot be confused. false: none of them. */
bool sp_field_people_date(char ret_date[11], const char *text);

#endif
