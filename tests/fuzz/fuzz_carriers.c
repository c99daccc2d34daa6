/* What a carrier puts beside its file, and the table it is looked up in. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "roster/carriers.h"
#include "roster/drop.h"
#include "roster/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    struct sp_signature signature, back;
    struct sp_carriers *carriers = NULL;
    char text[SP_SIGNATURE_TEXT_MAX];
    if (!started)
        started = sp_seal_start(NULL) == SP_OK;
    if (sp_signature_parse(&signature, "fuzz", data, size, NULL) == SP_OK) {
        sp_signature_print(text, &signature);
        if (sp_signature_parse(&back, "fuzz", text, strlen(text), NULL) != SP_OK ||
            memcmp(back.bytes, signature.bytes, sizeof back.bytes) != 0 || back.signed_ms != signature.signed_ms)
            abort();
        (void)sp_signature_verify(&signature, "a.csv", data, size, NULL);
        (void)sp_signature_fresh(&signature, 0, INT64_MAX, NULL);
    }
    if (sp_carriers_parse(&carriers, "fuzz", data, size, NULL) == SP_OK) {
        for (int i = 0; i < carriers->count; i++)
            if (!carriers->all[i].code[0] ||
                sp_carriers_find(carriers, carriers->all[i].keys[0]) != &carriers->all[i])
                abort();
        sp_carriers_free(&carriers);
    }
    return 0;
}
