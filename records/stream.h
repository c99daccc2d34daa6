/* The decision streams of the ledger, read: sp:{d0}:decisions to sp:{dP-1}:decisions. What lies in a stream may be anything;
 * an entry that does not verify is given out with the reason, never left out silently. docs/redis.md 3.2. */
#ifndef SALLYPORT_RECORDS_STREAM_H
#define SALLYPORT_RECORDS_STREAM_H

#include "common/store.h"
#include "records/entry.h"

#define SP_STREAM_ID_MAX  48 /* of a stream entry: "1712345678901-0" */
#define SP_STREAM_KEY_MAX 64

/* An entry as it came, before it is opened. */
struct sp_stream_entry {
    char id[SP_STREAM_ID_MAX];
    uint64_t ms, seq; /* of the id: the order between partitions */
    int partition;    /* it lies in; routing.partition is what it says */
    struct sp_entry_routing routing;
    uint8_t *sealed; /* owned */
    size_t length;
};

void sp_stream_key(char ret_key[SP_STREAM_KEY_MAX], int partition);
/* From a reply's [id, [field, value, ...]]; clear it in any case. SP_E_FORMAT: it has no id. Whatever else is strange about
 * it is found by sp_stream_open. */
enum sp_status sp_stream_take(struct sp_stream_entry *ret_entry, int partition, const sp_reply *reply,
                              struct sp_err *err);
void sp_stream_entry_clear(struct sp_stream_entry *entry);
/* Open and verify (records/entry.h); an entry that lacks its fields or lies in another partition's stream is refused. */
enum sp_status sp_stream_open(struct sp_entry *ret_entry, const struct sp_stream_entry *entry,
                              const struct sp_key_file *recorder, const uint8_t authority_public[32],
                              struct sp_err *err);

/* All entries of one stream whose ids lie within from_ms..to_ms (0: open), oldest first, in pages of bounded size.
 * on_entry may fail: that ends it. Blocks up to the store's time-out per page. */
enum sp_status sp_stream_scan(struct sp_store *durable, int partition, int64_t from_ms, int64_t to_ms,
                              enum sp_status (*on_entry)(void *user, const struct sp_stream_entry *entry,
                                                         struct sp_err *err),
                              void *user, struct sp_err *err);

#endif
