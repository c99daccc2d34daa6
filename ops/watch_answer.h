/* The CUSRES answer to a carrier's list: who can be matched, and why others cannot (docs/manifests.md 9.3). */
#ifndef SALLYPORT_OPS_WATCH_ANSWER_H
#define SALLYPORT_OPS_WATCH_ANSWER_H

#include "listing/listing.h"
#include "roster/publish.h"

/* Append the answer to one listing to *answer (owned by the caller; NULL, 0 at first). Lists and changes in PAXLST are answered, all
 * else leaves *answer as it is. */
enum sp_status sp_watch_answer(char **answer, size_t *length, const struct sp_listing *about,
                               const struct sp_publish_report *report, const char *sender, struct sp_err *err);

#endif
