#include "common/uuid.h"

#include <string.h>
#include "common/clock.h"
#include "common/seal.h"

void sp_uuid_new(uint8_t ret_uuid[SP_UUID_BYTES])
{
    uint64_t ms = (uint64_t)sp_clock_wall_ms();
    sp_seal_random(ret_uuid, SP_UUID_BYTES);
    for (int i = 0; i < 6; i++)
        ret_uuid[i] = (uint8_t)(ms >> (40 - 8 * i));
    ret_uuid[6] = (uint8_t)(0x70 | (ret_uuid[6] & 0x0f));
    ret_uuid[8] = (uint8_t)(0x80 | (ret_uuid[8] & 0x3f));
}

/* A dash stands in front of these bytes. */
static int dash_before(int byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void sp_uuid_format(char ret_text[SP_UUID_TEXT], const uint8_t uuid[SP_UUID_BYTES])
{
    for (int i = 0; i < SP_UUID_BYTES; i++) {
        if (dash_before(i))
            *ret_text++ = '-';
        sp_seal_to_hex(ret_text, uuid + i, 1);
        ret_text += 2;
    }
}

int sp_uuid_parse(uint8_t ret_uuid[SP_UUID_BYTES], const char *text)
{
    uint8_t uuid[SP_UUID_BYTES];
    for (int i = 0; i < SP_UUID_BYTES; i++) {
        if (dash_before(i) && *text++ != '-')
            return -1;
        char digits[3] = {0};
        for (int d = 0; d < 2 && *text; d++)
            digits[d] = *text++;
        if (sp_seal_from_hex(uuid + i, 1, digits, NULL) != SP_OK)
            return -1;
    }
    if (*text)
        return -1;
    memcpy(ret_uuid, uuid, sizeof uuid);
    return 0;
}
