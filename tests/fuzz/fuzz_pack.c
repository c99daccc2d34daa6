/* pack.yaml from bytes: the YAML reader and the pack's table of keys. */
#include <stddef.h>
#include <stdint.h>

#include "common/pack_read.h"
#include "common/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_yaml *yaml = NULL;
    struct sp_pack pack;
    struct sp_err err = {0};
    if (sp_yaml_parse(&yaml, "fuzz", data, size, &err) != SP_OK)
        return 0;
    if (sp_pack_read(&pack, yaml, &err) == SP_OK)
        (void)sp_pack_threshold(&pack, 0.01, 100);
    sp_yaml_free(&yaml);
    return 0;
}
