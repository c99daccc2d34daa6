/* The first byte chooses: decision or answer body. What decodes must encode, and decode to the same again. */
#include <stdlib.h>
#include <string.h>
#include "common/decision.h"

static void fuzz_one_decision(const uint8_t *data, size_t size)
{
    uint8_t bytes[SP_DECISION_MAX_BYTES];
    size_t length;
    struct sp_decision first, second;
    if (sp_decision_decode(&first, data, size, NULL) != SP_OK)
        return;
    if (sp_decision_encode(bytes, &length, &first, NULL) != SP_OK ||
        sp_decision_decode(&second, bytes, length, NULL) != SP_OK || memcmp(&first, &second, sizeof first) != 0)
        abort();
}

static void fuzz_one_body(const uint8_t *data, size_t size)
{
    uint8_t *bytes = NULL, *again = NULL;
    size_t length = 0, again_length = 0;
    struct sp_answer_body *body = calloc(1, sizeof *body);
    if (body && sp_answer_body_decode(body, data, size, NULL) == SP_OK) {
        if (sp_answer_body_encode(&bytes, &length, body, NULL) != SP_OK ||
            sp_answer_body_decode(body, bytes, length, NULL) != SP_OK ||
            sp_answer_body_encode(&again, &again_length, body, NULL) != SP_OK || length != again_length ||
            memcmp(bytes, again, length) != 0)
            abort();
    }
    free(bytes);
    free(again);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] % 2 == 0)
        fuzz_one_decision(data + 1, size - 1);
    else if (size > 0)
        fuzz_one_body(data + 1, size - 1);
    return 0;
}
