/* An answer is read, written as it was read, and then says the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "listing/cusres.h"
#include "listing/paxlst.h"
#include "tests/support/listing_same.h"

#define NOW_MS 1795651200000 /* 2026-11-26 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *write_answer(const struct sp_listing *listing, size_t *ret_length)
{
    const struct sp_cusres_options options = {.sender = "FUZZ", .now_ms = NOW_MS};
    int count = 0;
    struct sp_cusres_verdict *verdicts = calloc((size_t)listing->traveller_count + 1, sizeof *verdicts);
    struct sp_err err = {0};
    char *text = NULL;
    if (!verdicts)
        abort();
    if (*listing->answer || *listing->answer_text)
        verdicts[count++] = (struct sp_cusres_verdict){-1, listing->answer, listing->answer_text};
    for (int i = 0; i < listing->traveller_count; i++)
        verdicts[count++] =
            (struct sp_cusres_verdict){i, listing->travellers[i].answer, listing->travellers[i].answer_text};
    if (sp_cusres_write(&text, ret_length, listing, verdicts, count, &options, &err) != SP_OK) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    free(verdicts);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sp_paxlst_options options = {.now_ms = NOW_MS};
    struct sp_listing **listings = NULL, **again = NULL;
    struct sp_err err = {0};
    int count = 0, again_count = 0;
    size_t length = 0;
    if (sp_paxlst_parse(&listings, &count, "fuzz", data, size, &options, NULL) != SP_OK)
        return 0;
    for (int i = 0; i < count; i++) {
        if (listings[i]->format != SP_LISTING_CUSRES)
            continue;
        char *text = write_answer(listings[i], &length);
        if (sp_paxlst_parse(&again, &again_count, "fuzz", text, length, &options, &err) != SP_OK) {
            fprintf(stderr, "%s\n", err.text);
            abort();
        }
        const char *differs = again_count == 1 ? listing_same(listings[i], again[0]) : "the number of messages";
        if (differs) {
            fprintf(stderr, "%s differs after the round trip\n", differs);
            abort();
        }
        sp_paxlst_free(&again, again_count);
        free(text);
    }
    sp_paxlst_free(&listings, count);
    return 0;
}
