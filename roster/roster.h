/* From a listing to the rows of a manifest: which manifest, which document counts, who is who. Nothing here talks to Redis. */
#ifndef SALLYPORT_ROSTER_ROSTER_H
#define SALLYPORT_ROSTER_ROSTER_H

#include "listing/listing.h"
#include "roster/row.h"

#define SP_ROSTER_MAX_WARNINGS 100

struct sp_roster {
    char source[256];                     /* file name, for messages */
    char manifest[SP_MANIFEST_ID_MAX];    /* docs/manifests.md 3 */
    int row_count;
    struct sp_row *rows;                  /* owned; one per traveller */
    int warning_count;                    /* all of them; the first SP_ROSTER_MAX_WARNINGS have a text */
    char warnings[SP_ROSTER_MAX_WARNINGS][200];
};

struct sp_roster_options {
    const char *name;          /* of the file, for messages */
    const char *const *ports;  /* the site's: which leg of several names the manifest; may be NULL */
    int port_count;
};

/* A desk's own formats (CSV, JSON, NDJSON) are refused with the first value that is not of its form and with two rows of one
 * traveller that differ. What carriers send is taken as far as it goes: the listing's deviations become warnings, of two
 * rows of one traveller the last counts, a traveller that nothing names is left out with a warning. Errors name file and
 * place, never the traveller. SP_E_FORMAT: also if the journey names no manifest. */
enum sp_status sp_roster_from_listing(struct sp_roster **ret_roster, const struct sp_listing *listing,
                                      const struct sp_roster_options *options, struct sp_err *err);

/* A CSV file by the same way. Blocking for the file. */
enum sp_status sp_roster_parse(struct sp_roster **ret_roster, const char *name, const void *bytes, size_t length,
                               struct sp_err *err);
enum sp_status sp_roster_read(struct sp_roster **ret_roster, const char *path, struct sp_err *err);
void sp_roster_free(struct sp_roster **roster); /* wipes */

#endif
