#include "listing/enoad_element.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define OPENS(in, name, to)                                                                                        \
    {                                                                                                              \
        SP_ENOAD_##in, name, SP_ENOAD_##to, SP_ENOAD_NOTHING                                                       \
    }
#define VALUE(in, name, to)                                                                                        \
    {                                                                                                              \
        SP_ENOAD_##in, name, -1, SP_ENOAD_##to                                                                     \
    }

/* Persons of both lists have the same elements: they stand under CREW, those of their documents, too. */
static const struct sp_enoad_element elements[] = {
    OPENS(TOP, "NOTICE", NOTICE),
    OPENS(NOTICE, "NOTICE_DETAILS", DETAILS),
    OPENS(NOTICE, "SOURCE", SOURCE),
    OPENS(NOTICE, "VESSEL", VESSEL),
    OPENS(NOTICE, "VOYAGE", VOYAGE),
    OPENS(NOTICE, "ARRIVAL", ARRIVAL),
    OPENS(NOTICE, "DEPARTURE", DEPARTURE),
    OPENS(NOTICE, "CREW_LIST", CREW_LIST),
    OPENS(NOTICE, "NON_CREW_LIST", NON_CREW_LIST),
    VALUE(DETAILS, "VERSION", VERSION_NUMBER),
    VALUE(DETAILS, "NOTICE_TYPE", NOTICE_TYPE),
    VALUE(DETAILS, "NOTICE_ID", REFERENCE),
    VALUE(DETAILS, "NOTICE_TRANSACTION_TYPE", TRANSACTION),
    VALUE(DETAILS, "TRANSACTION_DATE", NOTHING),
    VALUE(SOURCE, "ORGANIZATION_NAME", SENDER),
    VALUE(SOURCE, "SOURCE_TYPE", NOTHING),
    VALUE(VESSEL, "NAME", SHIP),
    VALUE(VESSEL, "VESSEL_NAME", SHIP),
    VALUE(VESSEL, "IMO_NUMBER", SHIP_ID),
    VALUE(VESSEL, "ID_NUMBER", SHIP_ID),
    VALUE(VESSEL, "ID_TYPE", NOTHING),
    VALUE(VESSEL, "CALL_SIGN", NOTHING),
    VALUE(VESSEL, "FLAG", SHIP_FLAG),
    VALUE(VESSEL, "FLAG_COUNTRY", SHIP_FLAG),
    VALUE(VESSEL, "OPERATOR", OPERATOR),
    VALUE(VESSEL, "OPERATOR_NAME", OPERATOR),
    VALUE(VOYAGE, "VOYAGE_NUMBER", NUMBER),
    VALUE(VOYAGE, "NUMBER", NUMBER),
    VALUE(VOYAGE, "VOYAGE_TYPE", NOTHING),
    VALUE(VOYAGE, "LAST_PORT", LAST_PORT),
    VALUE(VOYAGE, "NEXT_PORT", NEXT_PORT),
    OPENS(VOYAGE, "ARRIVAL", ARRIVAL),
    OPENS(VOYAGE, "DEPARTURE", DEPARTURE),
    VALUE(VOYAGE, "ARRIVAL_PORT", ARR_PORT),
    VALUE(VOYAGE, "ARRIVAL_DATE", ARR_DATE),
    VALUE(VOYAGE, "ARRIVAL_TIME", ARR_TIME),
    VALUE(VOYAGE, "DEPARTURE_PORT", DEP_PORT),
    VALUE(VOYAGE, "DEPARTURE_DATE", DEP_DATE),
    VALUE(VOYAGE, "DEPARTURE_TIME", DEP_TIME),
    VALUE(ARRIVAL, "PORT", ARR_PORT),
    VALUE(ARRIVAL, "ARRIVAL_PORT", ARR_PORT),
    VALUE(ARRIVAL, "DATE", ARR_DATE),
    VALUE(ARRIVAL, "ARRIVAL_DATE", ARR_DATE),
    VALUE(ARRIVAL, "TIME", ARR_TIME),
    VALUE(ARRIVAL, "ARRIVAL_TIME", ARR_TIME),
    VALUE(ARRIVAL, "LAST_PORT", LAST_PORT),
    VALUE(DEPARTURE, "PORT", DEP_PORT),
    VALUE(DEPARTURE, "DEPARTURE_PORT", DEP_PORT),
    VALUE(DEPARTURE, "DATE", DEP_DATE),
    VALUE(DEPARTURE, "DEPARTURE_DATE", DEP_DATE),
    VALUE(DEPARTURE, "TIME", DEP_TIME),
    VALUE(DEPARTURE, "DEPARTURE_TIME", DEP_TIME),
    VALUE(DEPARTURE, "NEXT_PORT", NEXT_PORT),
    OPENS(CREW_LIST, "CREW", CREW),
    OPENS(NON_CREW_LIST, "NON_CREW", NON_CREW),
    OPENS(CREW, "NAME", CREW),
    OPENS(CREW, "IDENTIFICATION", IDENTIFICATION),
    OPENS(CREW, "EMBARK", EMBARK),
    OPENS(CREW, "DEBARK", DEBARK),
    VALUE(CREW, "LAST_NAME", SURNAME),
    VALUE(CREW, "FIRST_NAME", FIRST),
    VALUE(CREW, "MIDDLE_NAME", MIDDLE),
    VALUE(CREW, "DATE_OF_BIRTH", DOB),
    VALUE(CREW, "BIRTH_DATE", DOB),
    VALUE(CREW, "GENDER", SEX),
    VALUE(CREW, "SEX", SEX),
    VALUE(CREW, "NATIONALITY", NATIONALITY),
    VALUE(CREW, "RESIDENCE_COUNTRY", RESIDENCE),
    VALUE(CREW, "COUNTRY_OF_RESIDENCE", RESIDENCE),
    VALUE(CREW, "BIRTH_PLACE", BIRTH_PLACE),
    VALUE(CREW, "PLACE_OF_BIRTH", BIRTH_PLACE),
    VALUE(CREW, "POSITION", RANK),
    VALUE(CREW, "RANK", RANK),
    VALUE(CREW, "ID_TYPE", ID_TYPE),
    VALUE(CREW, "ID_NUMBER", ID_NUMBER),
    VALUE(CREW, "ID_COUNTRY", ID_COUNTRY),
    VALUE(CREW, "ID_ISSUE_COUNTRY", ID_COUNTRY),
    VALUE(CREW, "ID_EXPIRATION_DATE", ID_EXPIRY),
    VALUE(CREW, "ID_EXPIRY", ID_EXPIRY),
    VALUE(CREW, "EMBARK_PORT", EMBARK_PORT),
    VALUE(CREW, "EMBARK_DATE", NOTHING),
    VALUE(CREW, "DEBARK_PORT", DEBARK_PORT),
    VALUE(CREW, "DISEMBARK_PORT", DEBARK_PORT),
    VALUE(CREW, "DEBARK_DATE", NOTHING),
    VALUE(EMBARK, "PORT", EMBARK_PORT),
    VALUE(EMBARK, "DATE", NOTHING),
    VALUE(DEBARK, "PORT", DEBARK_PORT),
    VALUE(DEBARK, "DATE", NOTHING),
};

const struct sp_enoad_element *sp_enoad_element_find(enum sp_enoad_section section, const char *name)
{
    if (section == SP_ENOAD_NON_CREW || section == SP_ENOAD_IDENTIFICATION)
        section = SP_ENOAD_CREW;
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++)
        if (elements[i].section == section && strcasecmp(elements[i].name, name) == 0)
            return &elements[i];
    return NULL;
}
