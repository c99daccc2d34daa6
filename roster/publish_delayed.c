/* Which manifest a change of a journey means: a flight that is delayed past midnight is told with another date.
 * Declared in publish_parts.h. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "roster/publish_parts.h"

#define DATE_CHARACTERS 8
#define DAYS            2 /* either way */
#define DAY_MS          86400000LL

/* Where the date begins in <mode>-<carrier>-<journey>-<yyyymmdd>-<dep_port>; 0: a standing gallery has none. */
static size_t date_of(const char *id)
{
    size_t length = strlen(id);
    for (size_t at = length > DATE_CHARACTERS ? length - DATE_CHARACTERS - 1 : 0; at > 0; at--) {
        size_t digits = 0;
        while (digits < DATE_CHARACTERS && isdigit((unsigned char)id[at + digits]))
            digits++;
        if (digits == DATE_CHARACTERS && id[at - 1] == '-' && id[at + DATE_CHARACTERS] == '-')
            return at;
    }
    return 0;
}

/* Midnight of the date that begins there; false: no such day. */
static bool day_of(int64_t *ret_ms, const char *date)
{
    char text[32];
    snprintf(text, sizeof text, "%.4s-%.2s-%.2sT00:00:00Z", date, date + 4, date + 6);
    return sp_clock_parse(text, ret_ms) == 0;
}

/* The same journey but for its date, which is near. */
static bool is_near(const char *id, const char *wanted, size_t date)
{
    int64_t a = 0, b = 0;
    const char *rest = wanted + date + DATE_CHARACTERS;
    if (date_of(id) != date || strncmp(id, wanted, date) != 0 || strcmp(id + date + DATE_CHARACTERS, rest) != 0)
        return false;
    return day_of(&a, id + date) && day_of(&b, wanted + date) && llabs(a - b) <= DAYS * DAY_MS;
}

/* Those of the listed ids that are near and open: the first one, how many, and their names for the error. */
static enum sp_status find_open(char *ret_id, int *ret_count, char names[200], struct sp_store *durable,
                                const char *manifest, struct sp_err *err)
{
    char(*ids)[SP_MANIFEST_ID_MAX] = NULL;
    int count = 0;
    size_t date = date_of(manifest), used = 0;
    enum sp_status status = sp_manifest_list(&ids, &count, durable, err);
    for (int i = 0; i < count && status == SP_OK; i++) {
        uint64_t version = 0;
        enum sp_manifest_state state;
        if (!is_near(ids[i], manifest, date))
            continue;
        status = sp_manifest_current(durable, ids[i], &version, &state, err);
        if (status != SP_OK || version == 0 || state >= SP_MANIFEST_CLOSED)
            continue;
        if ((*ret_count)++ == 0)
            memcpy(ret_id, ids[i], sizeof ids[i]);
        if (used < 200)
            used += (size_t)snprintf(names + used, 200 - used, "%s%s", used ? ", " : "", ids[i]);
    }
    free(ids);
    return status;
}

enum sp_status sp_publish_delayed(char ret_manifest[SP_MANIFEST_ID_MAX], struct sp_store *durable,
                                  const char *manifest, struct sp_err *err)
{
    uint64_t version = 0;
    enum sp_manifest_state state;
    char names[200] = "", found[SP_MANIFEST_ID_MAX] = "";
    int count = 0;
    enum sp_status status = sp_manifest_current(durable, manifest, &version, &state, err);
    if (status == SP_OK && version == 0 && date_of(manifest) > 0)
        status = find_open(found, &count, names, durable, manifest, err);
    if (status == SP_OK && count > 1)
        return sp_fail(
            err, SP_E_NOTFOUND,
            "manifest %s was never published, and the change of its journey may mean %s: give it with the "
            "date of one of them",
            manifest, names);
    if (status == SP_OK)
        snprintf(ret_manifest, SP_MANIFEST_ID_MAX, "%s", count == 1 ? found : manifest);
    return status;
}
