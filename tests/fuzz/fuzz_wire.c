/* msgpack: whatever the bytes, scan and parse agree on the form, every value can be visited, nothing is read
 * outside. */
#include <stdint.h>
#include <stdlib.h>

#include "common/wire.h"

static void visit(const sp_wire_value *value, int depth)
{
    const uint8_t *bytes;
    size_t length;
    uint64_t u;
    int64_t i;
    double d;
    char text[64];
    volatile uint8_t last;
    if (depth > 10)
        abort(); /* the limits said less */
    sp_wire_as_uint(value, UINT64_MAX, &u);
    sp_wire_as_int(value, &i);
    sp_wire_as_double(value, &d);
    sp_wire_as_text(value, text, sizeof text);
    if (sp_wire_as_view(value, &bytes, &length) && length > 0)
        last = bytes[length - 1];
    (void)last;
    if (sp_wire_is_array(value))
        for (int n = 0; n < sp_wire_count(value); n++)
            visit(sp_wire_at(value, n), depth + 1);
    static const char *const keys[] = {"v", "t", "lane", "enc", "cert", "a"};
    if (sp_wire_is_map(value))
        for (size_t n = 0; n < sizeof keys / sizeof keys[0]; n++)
            if (sp_wire_find(value, keys[n]))
                visit(sp_wire_find(value, keys[n]), depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct sp_wire_limits *const limits[] = {&sp_wire_header_limits, &sp_wire_payload_limits,
                                                   &sp_wire_record_limits};
    for (size_t n = 0; n < sizeof limits / sizeof limits[0]; n++) {
        struct sp_wire_doc *doc = NULL;
        struct sp_err err = {0};
        enum sp_status form = sp_wire_scan(data, size, limits[n], NULL);
        enum sp_status status = sp_wire_parse(&doc, data, size, limits[n], &err);
        if (form != SP_OK && status != form)
            abort();
        if ((status == SP_OK) != (doc != NULL) || (status != SP_OK && !err.text[0]))
            abort();
        if (doc)
            visit(sp_wire_root(doc), 0);
        sp_wire_free(&doc);
    }
    return 0;
}
