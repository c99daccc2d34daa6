/* Wants: portraits whose template is missing from `galleries`, on their way to a broker as WANT messages. Bounded:
 * what does not fit is wanted again when the gallery is next asked for. Thread-safe. */
#ifndef SALLYPORT_WORKERS_WANT_H
#define SALLYPORT_WORKERS_WANT_H

#include "roster/manifest.h"

struct sp_want {
    char manifest[SP_MANIFEST_ID_MAX];
    uint8_t row[SP_ROW_BYTES];
    uint8_t portrait[SP_PORTRAIT_BYTES];
};

struct sp_wants;
/* quiet_ms: the same portrait is not wanted again for that long. */
enum sp_status sp_wants_new(struct sp_wants **ret_wants, int64_t quiet_ms, struct sp_err *err);
void sp_wants_free(struct sp_wants **wants);
/* False when it was wanted lately or no room is left. */
bool sp_wants_add(struct sp_wants *wants, const struct sp_want *want);
bool sp_wants_take(struct sp_wants *wants, struct sp_want *ret_want);

#endif
