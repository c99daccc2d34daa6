/* The elements of a notice that are read, by section. The root, NOTICE_DETAILS/VERSION, SOURCE/ORGANIZATION_NAME,
 * VESSEL and CREW_LIST/CREW are named in public notes of the National Vessel Movement Center; all other names are
 * from memory of the schema, in more than one spelling, and to be checked against it. */
#ifndef SALLYPORT_LISTING_ENOAD_ELEMENT_H
#define SALLYPORT_LISTING_ENOAD_ELEMENT_H

enum sp_enoad_section {
    SP_ENOAD_TOP,
    SP_ENOAD_NOTICE,
    SP_ENOAD_DETAILS,
    SP_ENOAD_SOURCE,
    SP_ENOAD_VESSEL,
    SP_ENOAD_VOYAGE,
    SP_ENOAD_ARRIVAL,
    SP_ENOAD_DEPARTURE,
    SP_ENOAD_CREW_LIST,
    SP_ENOAD_NON_CREW_LIST,
    SP_ENOAD_CREW,
    SP_ENOAD_NON_CREW,
    SP_ENOAD_IDENTIFICATION,
    SP_ENOAD_EMBARK,
    SP_ENOAD_DEBARK
};

enum sp_enoad_value {
    SP_ENOAD_NOTHING, /* known, not kept */
    /* of the notice */
    SP_ENOAD_VERSION_NUMBER,
    SP_ENOAD_NOTICE_TYPE,
    SP_ENOAD_TRANSACTION,
    SP_ENOAD_REFERENCE,
    SP_ENOAD_SENDER,
    SP_ENOAD_SHIP,
    SP_ENOAD_SHIP_ID,
    SP_ENOAD_SHIP_FLAG,
    SP_ENOAD_OPERATOR,
    SP_ENOAD_NUMBER,
    SP_ENOAD_ARR_PORT,
    SP_ENOAD_ARR_DATE,
    SP_ENOAD_ARR_TIME,
    SP_ENOAD_DEP_PORT,
    SP_ENOAD_DEP_DATE,
    SP_ENOAD_DEP_TIME,
    SP_ENOAD_LAST_PORT,
    SP_ENOAD_NEXT_PORT,
    SP_ENOAD_NOTICE_VALUES,
    /* of a person */
    SP_ENOAD_SURNAME = SP_ENOAD_NOTICE_VALUES,
    SP_ENOAD_FIRST,
    SP_ENOAD_MIDDLE,
    SP_ENOAD_DOB,
    SP_ENOAD_SEX,
    SP_ENOAD_NATIONALITY,
    SP_ENOAD_RESIDENCE,
    SP_ENOAD_BIRTH_PLACE,
    SP_ENOAD_RANK,
    SP_ENOAD_ID_TYPE,
    SP_ENOAD_ID_NUMBER,
    SP_ENOAD_ID_COUNTRY,
    SP_ENOAD_ID_EXPIRY,
    SP_ENOAD_EMBARK_PORT,
    SP_ENOAD_DEBARK_PORT,
    SP_ENOAD_VALUE_COUNT
};

/* What an element is where it stands. */
struct sp_enoad_element {
    enum sp_enoad_section section; /* that it stands in */
    const char *name;
    int enters; /* enum sp_enoad_section that it opens; -1: it is a value */
    enum sp_enoad_value value;
};

/* NULL: unknown there. */
const struct sp_enoad_element *sp_enoad_element_find(enum sp_enoad_section section, const char *name);

#endif
