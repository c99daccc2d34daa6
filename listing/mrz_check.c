#include "listing/mrz_check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "common/seal.h"
#include "document/mrz.h"
#include "listing/field.h"

/* The document that the zone is of: by number, however it is written, else the first of its type. NULL: none. */
static struct sp_document *document_of(struct sp_traveller *t, const struct sp_mrz *zone)
{
    for (int i = 0; i < t->document_count; i++) {
        const char *const number[SP_MRZ_FIELD_COUNT] = {[SP_MRZ_FIELD_NUMBER] = t->documents[i].number};
        if (t->documents[i].number[0] && sp_mrz_match(zone, number) == 0)
            return &t->documents[i];
    }
    for (int i = 0; i < t->document_count; i++)
        if (toupper((unsigned char)t->documents[i].type[0]) == zone->type[0])
            return &t->documents[i];
    return NULL;
}

static void report(struct sp_listing *listing, const struct sp_traveller *t, const struct sp_mrz *zone,
                   unsigned differ)
{
    for (int i = 0; i < sp_remarks_noted(&zone->remarks); i++)
        sp_listing_deviate(listing, t->segment, t->offset, "mrz: %s", zone->remarks.items[i].text);
    for (int i = 0; i < SP_MRZ_CHECK_COUNT; i++)
        if (zone->failed & (1u << i))
            sp_listing_deviate(listing, t->segment, t->offset, "mrz: the check digit of %s is wrong",
                               sp_mrz_check_name((enum sp_mrz_check)i));
    for (int i = 0; i < SP_MRZ_FIELD_COUNT; i++)
        if (differ & (1u << i))
            sp_listing_deviate(listing, t->segment, t->offset, "mrz and %s differ",
                               sp_mrz_field_name((enum sp_mrz_field)i));
}

/* Where the traveller says nothing, the zone counts; a part of it whose check digit is wrong does not. */
static enum sp_status fill(struct sp_listing *listing, struct sp_traveller *t, const struct sp_mrz *zone,
                           struct sp_err *err)
{
    bool germany = strcmp(zone->nationality, "D") == 0; /* Doc 9303-3 part 5: the one code that is not alpha-3 */
    bool birth = !(zone->failed & (1u << SP_MRZ_CHECK_BIRTH));
    const struct {
        enum sp_field field;
        const char *text;
    } values[] = {{SP_FIELD_SURNAME, zone->surname},
                  {SP_FIELD_GIVEN, zone->given},
                  {SP_FIELD_DOB, birth ? zone->dob : ""},
                  {SP_FIELD_SEX, zone->sex},
                  {SP_FIELD_NATIONALITY, germany                          ? "DEU"
                                         : strlen(zone->nationality) == 3 ? zone->nationality
                                                                          : ""}};
    enum sp_status status = SP_OK;
    for (size_t i = 0; status == SP_OK && i < sizeof values / sizeof values[0]; i++)
        if (!sp_field_value(t, values[i].field)[0])
            status = sp_field_put(listing, t, values[i].field, values[i].text, strlen(values[i].text), err);
    return status;
}

static enum sp_status fill_document(struct sp_listing *listing, struct sp_traveller *t,
                                    struct sp_document *document, const struct sp_mrz *zone, struct sp_err *err)
{
    bool number = !(zone->failed & (1u << SP_MRZ_CHECK_NUMBER)),
         expiry = !(zone->failed & (1u << SP_MRZ_CHECK_EXPIRY));
    const char *issuer = strcmp(zone->issuer, "D") == 0 ? "DEU" : zone->issuer;
    if (!document) {
        const char type[2] = {zone->type[0], 0};
        const struct sp_field_document whole = {type, number ? zone->number : "", issuer,
                                                expiry ? zone->expiry : "", NULL};
        return number ? sp_field_put_document(listing, t, &whole, err) : SP_OK;
    }
    enum sp_status status = SP_OK;
    if (!document->number[0] && number)
        status = sp_listing_text(listing, &document->number, zone->number, strlen(zone->number), NULL, err);
    if (status == SP_OK && !document->issuer[0])
        status = sp_listing_text(listing, &document->issuer, issuer, strlen(issuer), NULL, err);
    if (status == SP_OK && !document->expiry[0] && expiry)
        status = sp_listing_text(listing, &document->expiry, zone->expiry, strlen(zone->expiry), NULL, err);
    return status;
}

static enum sp_status check_one(struct sp_listing *listing, struct sp_traveller *t, const char *today,
                                struct sp_err *err)
{
    struct sp_mrz zone = {0};
    struct sp_err wrong = {0};
    if (sp_mrz_parse(&zone, t->mrz, strlen(t->mrz), today, &wrong) != SP_OK) {
        sp_listing_deviate_value(listing, t->segment, t->offset, "%.200s", wrong.text);
        return SP_OK;
    }
    struct sp_document *document = document_of(t, &zone);
    const char *const fields[SP_MRZ_FIELD_COUNT] = {[SP_MRZ_FIELD_SURNAME] = t->surname,
                                                    [SP_MRZ_FIELD_GIVEN] = t->given,
                                                    [SP_MRZ_FIELD_DOB] = t->dob,
                                                    [SP_MRZ_FIELD_SEX] = t->sex,
                                                    [SP_MRZ_FIELD_NATIONALITY] = t->nationality,
                                                    [SP_MRZ_FIELD_NUMBER] = document ? document->number : "",
                                                    [SP_MRZ_FIELD_ISSUER] = document ? document->issuer : "",
                                                    [SP_MRZ_FIELD_EXPIRY] = document ? document->expiry : ""};
    unsigned differ = sp_mrz_match(&zone, fields);
    report(listing, t, &zone, differ);
    enum sp_status status = fill(listing, t, &zone, err);
    if (status == SP_OK && !(differ & (1u << SP_MRZ_FIELD_NUMBER))) /* else it is another document's zone */
        status = fill_document(listing, t, document, &zone, err);
    sp_seal_wipe(&zone, sizeof zone);
    return status;
}

enum sp_status sp_mrz_check(struct sp_listing *listing, int64_t now_ms, struct sp_err *err)
{
    char today[11] = "9999-12-31";
    struct tm day;
    time_t now = (time_t)(now_ms / 1000);
    enum sp_status status = SP_OK;
    if (gmtime_r(&now, &day))
        strftime(today, sizeof today, "%Y-%m-%d", &day);
    for (int i = 0; status == SP_OK && i < listing->traveller_count; i++)
        if (listing->travellers[i].mrz[0])
            status = check_one(listing, &listing->travellers[i], today, err);
    return status;
}
