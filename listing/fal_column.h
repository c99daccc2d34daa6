/* What the columns and the lines in front of them are called in FAL forms 5 and 6: the titles of the forms (FAL
 * Convention, appendix 1), and how single-window systems and spreadsheets shorten them. */
#ifndef SALLYPORT_LISTING_FAL_COLUMN_H
#define SALLYPORT_LISTING_FAL_COLUMN_H

#include "listing/field.h"

enum sp_fal_column {
    /* of the ship */
    SP_FAL_SHIP,
    SP_FAL_IMO,
    SP_FAL_CALL_SIGN,
    SP_FAL_LINE,
    SP_FAL_VOYAGE,
    SP_FAL_PORT,
    SP_FAL_WAY,
    SP_FAL_DATE,
    SP_FAL_ARRIVAL,
    SP_FAL_DEPARTURE,
    SP_FAL_FLAG,
    SP_FAL_LAST_PORT,
    SP_FAL_NEXT_PORT,
    SP_FAL_FROM, /* port of departure, of arrival, where they are named so */
    SP_FAL_TO,
    SP_FAL_SHIP_COUNT,
    /* of a person */
    SP_FAL_NAMES = SP_FAL_SHIP_COUNT, /* family name, given names in one column */
    SP_FAL_DOCUMENT,                  /* nature and number in one column */
    SP_FAL_DOC_TYPE,
    SP_FAL_DOC_NUMBER,
    SP_FAL_DOC_ISSUER,
    SP_FAL_DOC_EXPIRY,
    SP_FAL_VISA,
    SP_FAL_NOTHING, /* a running number */
    SP_FAL_FIELD,   /* + enum sp_field */
    SP_FAL_COLUMN_COUNT = SP_FAL_FIELD + SP_FIELD_COUNT,
};

/* -1: unknown. Case, spaces and punctuation do not count, nor what stands in parentheses, nor a
 * number in front. */
int sp_fal_column(const char *title);
/* "Passport" to P, "seaman's book" to S, "identity card" to I, "visa" to V; others as they are. */
const char *sp_fal_document_type(const char *nature);

/* "Passport No. X00 00001", "P/X0000001", "X0000001 (Passport)" in parts: the nature as a type, as above, and the
 * number without blanks. number "": there is none with a digit in it. */
struct sp_fal_document {
    char type[128], number[128];
};
void sp_fal_document_split(struct sp_fal_document *ret_document, const char *text);

#endif
