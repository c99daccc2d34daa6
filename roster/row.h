/* A traveller of a manifest as it is stored: the columns below, made from a listing by roster/roster.h. Nothing here talks to
 * Redis. */
#ifndef SALLYPORT_ROSTER_ROW_H
#define SALLYPORT_ROSTER_ROW_H

#include "roster/lane.h"

/* X(CONSTANT, "column", greatest length in bytes). New ones go to the end: the words are stored, the order is the report's.
 * photo_uri: several are separated by ';'. further_documents: "type:number:issuer:expiry", separated by ';'. mrz: its lines,
 * joined by '\n'. */
#define SP_COLUMN_LIST(X)                                                                                          \
    X(CARRIER, "carrier", 28)                                                                                      \
    X(JOURNEY, "journey", 28)                                                                                      \
    X(MODE, "mode", 12)                                                                                            \
    X(DEP_PORT, "dep_port", 12)                                                                                    \
    X(ARR_PORT, "arr_port", 12)                                                                                    \
    X(SCHED_DEP, "sched_dep", 40)                                                                                  \
    X(SCHED_ARR, "sched_arr", 40)                                                                                  \
    X(DIRECTION, "direction", 8)                                                                                   \
    X(TRAVELLER_REF, "traveller_ref", 64)                                                                          \
    X(ROLE, "role", 32)                                                                                            \
    X(SURNAME, "surname", 200)                                                                                     \
    X(GIVEN, "given", 200)                                                                                         \
    X(DOB, "dob", 10)                                                                                              \
    X(SEX, "sex", 8)                                                                                               \
    X(NATIONALITY, "nationality", 3)                                                                               \
    X(DOC_TYPE, "doc_type", 8)                                                                                     \
    X(DOC_NUMBER, "doc_number", 40)                                                                                \
    X(DOC_ISSUER, "doc_issuer", 3)                                                                                 \
    X(DOC_EXPIRY, "doc_expiry", 10)                                                                                \
    X(PNR, "pnr", 40)                                                                                              \
    X(SEAT_OR_CABIN, "seat_or_cabin", 20)                                                                          \
    X(EMBARK, "embark", 12)                                                                                        \
    X(DEBARK, "debark", 12)                                                                                        \
    X(TRANSIT, "transit", 12)                                                                                      \
    X(PHOTO_URI, "photo_uri", 2048)                                                                                \
    X(RESIDENCE, "residence", 100)                                                                                 \
    X(BIRTH_PLACE, "birth_place", 100)                                                                             \
    X(RANK, "rank", 64)                                                                                            \
    X(FURTHER_DOCUMENTS, "further_documents", 1200)                                                                \
    X(VALID_FROM, "valid_from", 10)                                                                                \
    X(VALID_TO, "valid_to", 10)                                                                                    \
    X(MRZ, "mrz", 160)

enum sp_column {
#define X(constant, name, max) SP_COLUMN_##constant,
    SP_COLUMN_LIST(X)
#undef X
    SP_COLUMN_COUNT
};
const char *sp_column_name(enum sp_column column);
int sp_column_max(enum sp_column column); /* greatest length in bytes */

struct sp_row {
    int line;                            /* of the file, 1-based (PAXLST: segment) */
    const char *values[SP_COLUMN_COUNT]; /* trimmed; "" where absent */
    char *text;                          /* owned: what values point into */
};

/* What makes a row the same traveller in the next version: traveller_ref, else document, else names, dob, nationality.
 * ret_text holds SP_ROW_IDENTITY_MAX bytes. */
#define SP_ROW_IDENTITY_MAX 640
size_t sp_row_identity(char *ret_text, const struct sp_row *row);
/* The same by one kind of identity: 0 if the row does not have it (names count with surname and date of birth). */
enum sp_identity { SP_IDENTITY_REF, SP_IDENTITY_DOCUMENT, SP_IDENTITY_NAMES, SP_IDENTITY_COUNT };
size_t sp_row_identity_as(char *ret_text, const struct sp_row *row, enum sp_identity kind);
/* True if two values are the same but for case and spaces. */
bool sp_row_same_text(const char *a, const char *b);
/* How a report names a row without names: the traveller_ref, else "document ...123", else "line 12". ret_text: 96 bytes. */
void sp_row_label(char *ret_text, const struct sp_row *row);

/* A row as bytes (msgpack map column -> value), plain. Caller frees with free() after sp_seal_wipe. */
enum sp_status sp_row_encode(uint8_t **ret_bytes, size_t *ret_length, const struct sp_row *row, struct sp_err *err);
enum sp_status sp_row_decode(struct sp_row *ret_row, const void *bytes, size_t length, struct sp_err *err);
void sp_row_clear(struct sp_row *row); /* wipes and frees its text */

#endif
