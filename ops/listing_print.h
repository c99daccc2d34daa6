/* A listing for people and for programs: what `sallyport manifest parse` shows, and other commands that show what they read. */
#ifndef SALLYPORT_OPS_LISTING_PRINT_H
#define SALLYPORT_OPS_LISTING_PRINT_H

#include "listing/listing.h"
#include "ops/json.h"

/* Where its manifest id comes from with several legs; NULL, 0: the first leg. */
struct sp_listing_ports {
    const char *const *ports;
    int count;
};

/* One object with the keys of docs/manifests.md 2.2; sp_listing_json_parse reads it again. key NULL: a document. */
void sp_listing_print_json(struct sp_json *json, const char *key, const struct sp_listing *listing,
                           const struct sp_listing_ports *ports);
/* A summary, a line for each traveller, a line for each deviation: "FILE segment 12 offset 345: text". */
void sp_listing_print_text(FILE *out, const char *file, const struct sp_listing *listing,
                           const struct sp_listing_ports *ports);

#endif
