/* The CUSRES answer to a carrier's list: who can be matched, and why others cannot (docs/manifests.md 9.3). It says what the version
 * that stands has, so that a file that was applied before a crash is answered alike. */
#ifndef SALLYPORT_OPS_WATCH_ANSWER_H
#define SALLYPORT_OPS_WATCH_ANSWER_H

#include "listing/listing.h"
#include "ops/desk.h"
#include "roster/roster.h"

/* What is answered, and by whom. */
struct sp_watch_question {
    const struct sp_listing *about;
    const struct sp_roster *roster; /* made from it */
    const struct sp_desk *desk;
    const uint8_t *pack;            /* [16] that counts */
    const char *sender;             /* of the answer */
};
/* Append the answer to *answer (owned by the caller; NULL, 0 at first). Lists and changes in PAXLST are answered while the manifest is
 * open, all else leaves *answer as it is. */
enum sp_status sp_watch_answer(char **answer, size_t *length, const struct sp_watch_question *question,
                               struct sp_err *err);

#endif
