#include "listing/fal_column.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "common/seal.h"

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
    {"portofarrival", SP_FAL_TO},
    {"portofdeparture", SP_FAL_FROM},
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

static const struct {
    const char *nature, *type;
} types[] = {{"passport", "P"},
             {"pass", "P"},
             {"pp", "P"},
             {"p", "P"},
             {"identity card", "I"},
             {"id card", "I"},
             {"national id", "I"},
             {"id", "I"},
             {"i", "I"},
             {"seaman's book", "S"},
             {"seamans book", "S"},
             {"seafarer's identity document", "S"},
             {"sid", "S"},
             {"s", "S"},
             {"visa", "V"},
             {"v", "V"}};
#define TYPES (sizeof types / sizeof types[0])

const char *sp_fal_document_type(const char *nature)
{
    for (size_t i = 0; i < TYPES; i++)
        if (strcasecmp(types[i].nature, nature) == 0)
            return types[i].type;
    return nature;
}

/* Bytes of the word that `text` begins with, any case; 0: another word. */
static size_t word(const char *text, const char *known)
{
    size_t length = strlen(known);
    return strncasecmp(text, known, length) == 0 && !isalnum((unsigned char)text[length]) ? length : 0;
}

/* Bytes of the nature that `text` begins with: the longest known one, else what stands in front of the last
 * separator, if no digit is in it. */
static size_t nature_length(const char *text)
{
    size_t longest = 0, at = strcspn(text, "/:");
    for (size_t i = 0; i < TYPES; i++) {
        size_t length = word(text, types[i].nature);
        longest = length > longest ? length : longest;
    }
    if (longest > 0)
        return longest;
    const char *last = strrchr(text, text[at] ? text[at] : ' ');
    size_t length = last ? (size_t)(last - text) : 0;
    return strcspn(text, "0123456789") < length ? 0 : length;
}

/* What is left of "No. X00 00001" is X0000001. */
static void put_number(char *ret_number, const char *text)
{
    static const char separators[] = " \t.:/,#-";
    size_t at = 0;
    text += strspn(text, separators);
    size_t length = word(text, "number") + word(text, "no") + word(text, "nr");
    text += length;
    text += strspn(text, separators);
    for (; *text; text++)
        if (*text != ' ' && *text != '\t')
            ret_number[at++] = *text;
    ret_number[at] = 0;
    if (!ret_number[strcspn(ret_number, "0123456789")])
        ret_number[0] = 0;
}

void sp_fal_document_split(struct sp_fal_document *ret_document, const char *text)
{
    char plain[sizeof ret_document->number], nature[sizeof ret_document->type];
    size_t length = strlen(text);
    const char *open = strrchr(text, '(');
    ret_document->type[0] = ret_document->number[0] = 0;
    if (length >= sizeof plain)
        return;
    bool behind = open && text[length - 1] == ')';
    size_t inside = behind ? (size_t)(open - text) : nature_length(text);
    snprintf(plain, sizeof plain, "%.*s", (int)(behind ? inside : length - inside), behind ? text : text + inside);
    snprintf(nature, sizeof nature, "%.*s", (int)(behind ? length - inside - 2 : inside), behind ? open + 1 : text);
    snprintf(ret_document->type, sizeof ret_document->type, "%s", sp_fal_document_type(nature));
    put_number(ret_document->number, plain);
    sp_seal_wipe(plain, sizeof plain);
}
