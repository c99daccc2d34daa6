/* Any bytes as a portrait file: a DG2 in either encoding, or a picture. What comes out are views inside the bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include "document/portrait.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_portrait portrait = {0};
    if (sp_portrait_parse(&portrait, "fuzz", data, size, NULL) != SP_OK)
        return 0;
    const struct sp_dg2 *faces = portrait.faces;
    if (faces->image_count < 1 || faces->image_count > SP_DG2_MAX_IMAGES || faces->instances > SP_DG2_MAX_INSTANCES)
        abort();
    for (int i = 0; i < faces->image_count; i++) {
        const struct sp_dg2_image *image = &faces->images[i];
        if (image->bytes != data + image->offset || image->offset > size || image->length > size - image->offset ||
            image->kind != sp_image_sniff(image->bytes, image->length) || image->kind == SP_IMAGE_NONE)
            abort();
    }
    for (int i = 0; i < sp_remarks_noted(&faces->remarks); i++)
        if (faces->remarks.items[i].offset > size || !faces->remarks.items[i].text[0])
            abort();
    sp_portrait_clear(&portrait);
    return 0;
}
