#include "records/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE         "500"
#define SEALED_MAX   (1u << 20)
#define NO_PARTITION (-1)

void sp_stream_key(char ret_key[SP_STREAM_KEY_MAX], int partition)
{
    snprintf(ret_key, SP_STREAM_KEY_MAX, "sp:{d%d}:decisions", partition);
}

static bool take_text(char *ret, size_t capacity, const sp_reply *value)
{
    size_t length = 0;
    const uint8_t *bytes = sp_reply_bytes(value, &length);
    if (!bytes || length >= capacity)
        return false;
    memcpy(ret, bytes, length);
    ret[length] = 0;
    return true;
}

static bool take_field(struct sp_stream_entry *entry, const char *field, const sp_reply *value)
{
    if (strcmp(field, "lane") == 0)
        return take_text(entry->routing.lane, sizeof entry->routing.lane, value);
    if (strcmp(field, "partition") == 0)
        entry->routing.partition = (int)sp_reply_integer(value);
    else if (strcmp(field, "outcome") == 0)
        entry->routing.outcome = (int)sp_reply_integer(value);
    else if (strcmp(field, "reason") == 0)
        entry->routing.reason = (int)sp_reply_integer(value);
    else if (strcmp(field, "issued_ms") == 0)
        entry->routing.issued_ms = sp_reply_integer(value);
    else if (strcmp(field, "sealed") == 0) {
        size_t length = 0;
        const uint8_t *bytes = sp_reply_bytes(value, &length);
        if (!bytes || entry->sealed || length > SEALED_MAX || !(entry->sealed = malloc(length + 1)))
            return false;
        memcpy(entry->sealed, bytes, length);
        entry->length = length;
    }
    return true;
}

enum sp_status sp_stream_take(struct sp_stream_entry *ret_entry, int partition, const sp_reply *reply,
                              struct sp_err *err)
{
    unsigned long long ms = 0, seq = 0;
    const sp_reply *fields = sp_reply_at(reply, 1);
    memset(ret_entry, 0, sizeof *ret_entry);
    ret_entry->partition = partition;
    ret_entry->routing.partition = NO_PARTITION;
    if (!take_text(ret_entry->id, sizeof ret_entry->id, sp_reply_at(reply, 0)) ||
        sscanf(ret_entry->id, "%llu-%llu", &ms, &seq) != 2)
        return sp_fail(err, SP_E_FORMAT, "partition %d: an entry without an id", partition);
    ret_entry->ms = ms;
    ret_entry->seq = seq;
    for (size_t i = 0; i + 1 < sp_reply_count(fields); i += 2) {
        char field[32];
        if (!take_text(field, sizeof field, sp_reply_at(fields, i)) ||
            !take_field(ret_entry, field, sp_reply_at(fields, i + 1)))
            break; /* cut short: verification will say so */
    }
    return SP_OK;
}

void sp_stream_entry_clear(struct sp_stream_entry *entry)
{
    free(entry->sealed);
    memset(entry, 0, sizeof *entry);
}

enum sp_status sp_stream_open(struct sp_entry *ret_entry, const struct sp_stream_entry *entry,
                              const struct sp_key_file *recorder, const uint8_t authority_public[32],
                              struct sp_err *err)
{
    if (entry->routing.partition != entry->partition || !entry->sealed)
        return sp_fail(err, SP_E_FORMAT, "the entry lacks its fields, or names another partition");
    return sp_entry_open(ret_entry, &entry->routing, entry->sealed, entry->length, recorder, authority_public, err);
}

/* One page; *from becomes the id to go on after, *ret_count what the page had. */
static enum sp_status scan_page(struct sp_store *durable, int partition, char from[SP_STREAM_ID_MAX + 1],
                                const char *to, size_t *ret_count,
                                enum sp_status (*on_entry)(void *user, const struct sp_stream_entry *entry,
                                                           struct sp_err *err),
                                void *user, struct sp_err *err)
{
    char key[SP_STREAM_KEY_MAX];
    sp_reply *reply = NULL;
    sp_stream_key(key, partition);
    struct sp_argument arguments[] = {SP_ARG_TEXT("XRANGE"), SP_ARG_TEXT(key),     SP_ARG_TEXT(from),
                                      SP_ARG_TEXT(to),       SP_ARG_TEXT("COUNT"), SP_ARG_TEXT(PAGE)};
    enum sp_status status = sp_store_command(durable, arguments, 6, &reply, err);
    *ret_count = status == SP_OK ? sp_reply_count(reply) : 0;
    for (size_t i = 0; status == SP_OK && i < *ret_count; i++) {
        struct sp_stream_entry entry;
        status = sp_stream_take(&entry, partition, sp_reply_at(reply, i), err);
        if (status == SP_OK) {
            snprintf(from, SP_STREAM_ID_MAX + 1, "(%s", entry.id);
            status = on_entry(user, &entry, err);
        }
        sp_stream_entry_clear(&entry);
    }
    sp_reply_free(&reply);
    return status;
}

enum sp_status sp_stream_scan(struct sp_store *durable, int partition, int64_t from_ms, int64_t to_ms,
                              enum sp_status (*on_entry)(void *user, const struct sp_stream_entry *entry,
                                                         struct sp_err *err),
                              void *user, struct sp_err *err)
{
    char from[SP_STREAM_ID_MAX + 1] = "-", to[SP_STREAM_ID_MAX] = "+";
    size_t count = 0;
    if (from_ms > 0)
        snprintf(from, sizeof from, "%" PRId64, from_ms);
    if (to_ms > 0)
        snprintf(to, sizeof to, "%" PRId64, to_ms);
    enum sp_status status;
    do
        status = scan_page(durable, partition, from, to, &count, on_entry, user, err);
    while (status == SP_OK && count > 0);
    return status;
}
