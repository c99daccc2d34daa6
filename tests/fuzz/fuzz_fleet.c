/* A worker's report as a desk reads it. What decodes must encode, and decode to the same bytes again. */
#include <stdlib.h>
#include <string.h>
#include "roster/fleet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_fleet_report report, again;
    uint8_t *bytes = NULL, *second = NULL;
    size_t length = 0, second_length = 0;
    if (sp_fleet_decode(&report, data, size, NULL) != SP_OK)
        return 0;
    if (sp_fleet_encode(&bytes, &length, &report, NULL) != SP_OK ||
        sp_fleet_decode(&again, bytes, length, NULL) != SP_OK ||
        sp_fleet_encode(&second, &second_length, &again, NULL) != SP_OK || length != second_length ||
        memcmp(bytes, second, length) != 0)
        abort();
    free(report.galleries);
    free(again.galleries);
    free(bytes);
    free(second);
    return 0;
}
