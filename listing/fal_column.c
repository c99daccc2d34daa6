#include "listing/fal_column.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *title; /* letters and digits only */
    int column;
} titles[] = {
    {"nameofship", SP_FAL_SHIP},
    {"shipname", SP_FAL_SHIP},
    {"ship", SP_FAL_SHIP},
    {"vessel", SP_FAL_SHIP},
    {"vesselname", SP_FAL_SHIP},
    {"nameofvessel", SP_FAL_SHIP},
    {"imonumber", SP_FAL_IMO},
    {"imo", SP_FAL_IMO},
    {"imono", SP_FAL_IMO},
    {"shipimonumber", SP_FAL_IMO},
    {"callsign", SP_FAL_CALL_SIGN},
    {"line", SP_FAL_LINE},
    {"shippingline", SP_FAL_LINE},
    {"operator", SP_FAL_LINE},
    {"carrier", SP_FAL_LINE},
    {"company", SP_FAL_LINE},
    {"voyagenumber", SP_FAL_VOYAGE},
    {"voyage", SP_FAL_VOYAGE},
    {"voyageno", SP_FAL_VOYAGE},
    {"port", SP_FAL_PORT},
    {"portofarrivaldeparture", SP_FAL_PORT},
    {"portofcall", SP_FAL_PORT},
    {"portofarrival", SP_FAL_PORT},
    {"portofdeparture", SP_FAL_PORT},
    {"arrivaldeparture", SP_FAL_WAY},
    {"arrivalordeparture", SP_FAL_WAY},
    {"calltype", SP_FAL_WAY},
    {"dateofarrivaldeparture", SP_FAL_DATE},
    {"date", SP_FAL_DATE},
    {"dateofarrival", SP_FAL_ARRIVAL},
    {"arrivaldate", SP_FAL_ARRIVAL},
    {"eta", SP_FAL_ARRIVAL},
    {"dateofdeparture", SP_FAL_DEPARTURE},
    {"departuredate", SP_FAL_DEPARTURE},
    {"etd", SP_FAL_DEPARTURE},
    {"flagstateofship", SP_FAL_FLAG},
    {"flagstate", SP_FAL_FLAG},
    {"flag", SP_FAL_FLAG},
    {"lastportofcall", SP_FAL_LAST_PORT},
    {"lastport", SP_FAL_LAST_PORT},
    {"previousport", SP_FAL_LAST_PORT},
    {"nextportofcall", SP_FAL_NEXT_PORT},
    {"nextport", SP_FAL_NEXT_PORT},
    {"familynamegivennames", SP_FAL_NAMES},
    {"name", SP_FAL_NAMES},
    {"fullname", SP_FAL_NAMES},
    {"familyname", SP_FAL_FIELD + SP_FIELD_SURNAME},
    {"surname", SP_FAL_FIELD + SP_FIELD_SURNAME},
    {"lastname", SP_FAL_FIELD + SP_FIELD_SURNAME},
    {"givennames", SP_FAL_FIELD + SP_FIELD_GIVEN},
    {"givenname", SP_FAL_FIELD + SP_FIELD_GIVEN},
    {"firstname", SP_FAL_FIELD + SP_FIELD_GIVEN},
    {"firstnames", SP_FAL_FIELD + SP_FIELD_GIVEN},
    {"rankorrating", SP_FAL_FIELD + SP_FIELD_RANK},
    {"rank", SP_FAL_FIELD + SP_FIELD_RANK},
    {"rating", SP_FAL_FIELD + SP_FIELD_RANK},
    {"position", SP_FAL_FIELD + SP_FIELD_RANK},
    {"nationality", SP_FAL_FIELD + SP_FIELD_NATIONALITY},
    {"dateofbirth", SP_FAL_FIELD + SP_FIELD_DOB},
    {"birthdate", SP_FAL_FIELD + SP_FIELD_DOB},
    {"dob", SP_FAL_FIELD + SP_FIELD_DOB},
    {"placeofbirth", SP_FAL_FIELD + SP_FIELD_BIRTH_PLACE},
    {"birthplace", SP_FAL_FIELD + SP_FIELD_BIRTH_PLACE},
    {"gender", SP_FAL_FIELD + SP_FIELD_SEX},
    {"sex", SP_FAL_FIELD + SP_FIELD_SEX},
    {"natureandnumberofidentitydocument", SP_FAL_DOCUMENT},
    {"natureandnoofidentitydocument", SP_FAL_DOCUMENT},
    {"identitydocument", SP_FAL_DOCUMENT},
    {"natureofidentitydocument", SP_FAL_DOC_TYPE},
    {"typeofidentitydocument", SP_FAL_DOC_TYPE},
    {"documenttype", SP_FAL_DOC_TYPE},
    {"idtype", SP_FAL_DOC_TYPE},
    {"identitydocumenttype", SP_FAL_DOC_TYPE},
    {"numberofidentitydocument", SP_FAL_DOC_NUMBER},
    {"identitydocumentnumber", SP_FAL_DOC_NUMBER},
    {"serialnumberofidentitydocument", SP_FAL_DOC_NUMBER},
    {"documentnumber", SP_FAL_DOC_NUMBER},
    {"idnumber", SP_FAL_DOC_NUMBER},
    {"passportnumber", SP_FAL_DOC_NUMBER},
    {"issuingstateofidentitydocument", SP_FAL_DOC_ISSUER},
    {"issuingstate", SP_FAL_DOC_ISSUER},
    {"issuingcountry", SP_FAL_DOC_ISSUER},
    {"documentissuer", SP_FAL_DOC_ISSUER},
    {"expirydateofidentitydocument", SP_FAL_DOC_EXPIRY},
    {"dateofexpiry", SP_FAL_DOC_EXPIRY},
    {"expirydate", SP_FAL_DOC_EXPIRY},
    {"expiry", SP_FAL_DOC_EXPIRY},
    {"documentexpiry", SP_FAL_DOC_EXPIRY},
    {"visanumber", SP_FAL_VISA},
    {"visanumberifappropriate", SP_FAL_VISA},
    {"visa", SP_FAL_VISA},
    {"portofembarkation", SP_FAL_FIELD + SP_FIELD_EMBARK},
    {"embarkationport", SP_FAL_FIELD + SP_FIELD_EMBARK},
    {"portofdisembarkation", SP_FAL_FIELD + SP_FIELD_DEBARK},
    {"disembarkationport", SP_FAL_FIELD + SP_FIELD_DEBARK},
    {"transitpassenger", SP_FAL_FIELD + SP_FIELD_TRANSIT},
    {"transit", SP_FAL_FIELD + SP_FIELD_TRANSIT},
    {"cabin", SP_FAL_FIELD + SP_FIELD_SEAT_OR_CABIN},
    {"cabinnumber", SP_FAL_FIELD + SP_FIELD_SEAT_OR_CABIN},
    {"reservationnumber", SP_FAL_FIELD + SP_FIELD_PNR},
    {"bookingnumber", SP_FAL_FIELD + SP_FIELD_PNR},
    {"travellerref", SP_FAL_FIELD + SP_FIELD_REF},
    {"personid", SP_FAL_FIELD + SP_FIELD_REF},
    {"no", SP_FAL_NOTHING},
    {"number", SP_FAL_NOTHING},
    {"sequence", SP_FAL_NOTHING},
    {"pageno", SP_FAL_NOTHING},
};

int sp_fal_column(const char *title)
{
    char plain[64];
    size_t at = 0, number = strspn(title, "0123456789. ");
    int inside = 0;
    if (number > 0 && (title[number - 1] == ' ' || title[number - 1] == '.'))
        title += number; /* "7. Family name", as the form prints it */
    for (; *title; title++) {
        inside += *title == '(';
        if (inside == 0 && isalnum((unsigned char)*title)) {
            if (at + 1 == sizeof plain)
                return -1;
            plain[at++] = (char)tolower((unsigned char)*title);
        }
        inside -= *title == ')' && inside > 0;
    }
    plain[at] = 0;
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        if (strcmp(titles[i].title, plain) == 0)
            return titles[i].column;
    return -1;
}

const char *sp_fal_document_type(const char *nature)
{
    static const struct {
        const char *nature, *type;
    } types[] = {{"passport", "P"},     {"pass", "P"},
                 {"pp", "P"},           {"identity card", "I"},
                 {"id card", "I"},      {"national id", "I"},
                 {"id", "I"},           {"seaman's book", "S"},
                 {"seamans book", "S"}, {"seafarer's identity document", "S"},
                 {"sid", "S"},          {"visa", "V"}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(types[i].nature, nature) == 0)
            return types[i].type;
    return nature;
}
