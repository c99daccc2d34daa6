/* Any bytes as a header: refused with a sentence, or read and then written and read again to the same. */
#include <stdlib.h>
#include <string.h>
#include "common/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sp_header header, again;
    uint8_t first[SP_HEADER_MAX_BYTES], second[SP_HEADER_MAX_BYTES];
    size_t first_length, second_length;
    struct sp_err err = {0};
    if (sp_message_decode(&header, data, size, &err) != SP_OK) {
        if (err.status == SP_OK || err.text[0] == '\0')
            abort();
        return 0;
    }
    /* a lone enc or seq of a REFUSED is read, but written together or not at all */
    if (sp_message_encode(first, &first_length, &header, &err) != SP_OK ||
        sp_message_decode(&again, first, first_length, &err) != SP_OK ||
        sp_message_encode(second, &second_length, &again, &err) != SP_OK || first_length != second_length ||
        memcmp(first, second, first_length) != 0)
        abort();
    return 0;
}
