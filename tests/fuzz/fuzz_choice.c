/* Files of measured choices from bytes. */
#include <stdlib.h>
#include <string.h>

#include "gpu/cuda_choice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sp_cuda_chosen chosen[SP_CUDA_MOST_CHOICES];
    struct sp_err err = {0};
    char identity[SP_CUDA_IDENTITY] = "plain memory|8.0|6|0|0|0|emulated";
    int count = 0;
    if (size >= 16 + sizeof identity &&
        memchr(data + 16, 0, sizeof identity)) /* its own: the rest is looked at too */
        memcpy(identity, data + 16, sizeof identity);
    if (sp_cuda_choices_parse(data, size, identity, chosen, &count, &err) == SP_OK)
        for (int i = 0; i < count; i++)
            if (chosen[i].choice < 0 || chosen[i].choice >= SP_CHOICE_COUNT)
                abort();
    return 0;
}
