/* Time zone files, and their last line alone. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "roster/zone.h"
#include "roster/zone_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_zone *zone = NULL;
    struct sp_zone_rule rule;
    char text[SP_ZONE_RULE_MAX] = "";
    if (sp_zone_parse(&zone, "fuzz", data, size, NULL) == SP_OK) {
        int64_t ms = 0;
        for (int64_t s = -5000000000; s <= 15000000000; s += 250000000) {
            int32_t offset = sp_zone_offset(zone, s);
            if (offset <= -100000 || offset >= 100000)
                abort();
        }
        if (!sp_zone_time(&ms, zone, "2026-12-04T18:20"))
            abort();
        sp_zone_free(&zone);
    }
    memcpy(text, data, size < sizeof text - 1 ? size : sizeof text - 1);
    if (sp_zone_rule_parse(&rule, text) && sp_zone_rule_offset(&rule, 1796408400) > 100000)
        abort();
    sp_zone_time(&(int64_t){0}, NULL, text);
    return 0;
}
