/* Any text as a machine readable zone, and against names that are any text, too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "document/mrz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_mrz mrz;
    /* The zone, then NUL-terminated values of a row. */
    size_t length = strnlen((const char *)data, size);
    const char *fields[SP_MRZ_FIELD_COUNT] = {NULL};
    char *rest = calloc(size - length + 1, 1);
    if (!rest)
        abort();
    memcpy(rest, data + length, size - length);
    char *at = rest, *end = rest + (size - length);
    for (int i = 0; i < SP_MRZ_FIELD_COUNT && at < end; i++) {
        fields[i] = ++at > end ? NULL : at;
        at += strlen(at);
    }
    if (sp_mrz_parse(&mrz, (const char *)data, length, "2026-11-26", NULL) == SP_OK) {
        if (mrz.failed >> SP_MRZ_CHECK_COUNT || strlen(mrz.number) >= sizeof mrz.number ||
            sp_mrz_match(&mrz, fields) >> SP_MRZ_FIELD_COUNT)
            abort();
        /* Its own words are no difference. */
        const char *const own[SP_MRZ_FIELD_COUNT] = {mrz.surname,     mrz.given,  mrz.dob,    mrz.sex,
                                                     mrz.nationality, mrz.number, mrz.issuer, mrz.expiry};
        if (sp_mrz_match(&mrz, own) != 0)
            abort();
    }
    free(rest);
    return 0;
}
