/* What a publish did, for people and for programs. */
#ifndef SALLYPORT_OPS_MANIFEST_REPORT_H
#define SALLYPORT_OPS_MANIFEST_REPORT_H

#include "roster/publish.h"

struct sp_manifest_told {
    const char *kind;  /* sp_listing_kind_word */
    int deviations;    /* of the listing */
    int declared;      /* travellers it says it has; -1: it does not say */
    int named;         /* travellers it has */
    double seconds;
    bool names;        /* print names, too */
};

/* One line of JSON, or a few lines of text, on stdout. */
void sp_manifest_report_json(const struct sp_publish_report *report, const struct sp_roster *roster,
                             const struct sp_manifest_told *told);
void sp_manifest_report_text(const struct sp_publish_report *report, const struct sp_manifest_told *told);

#endif
