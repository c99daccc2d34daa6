#include "records/ledger_part.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum sp_status sp_ledger_lease(struct sp_ledger *ledger, int partition, const char *holder, int64_t lease_ms,
                               bool *ret_held, struct sp_err *err)
{
    char key[SP_LEDGER_KEY_MAX], time[24];
    sp_reply *reply = NULL;
    sp_ledger_partition_key(key, partition, "sweep");
    snprintf(time, sizeof time, "%" PRId64, lease_ms);
    struct sp_argument keys[] = {SP_ARG_TEXT(key)};
    struct sp_argument arguments[] = {SP_ARG_TEXT(holder), SP_ARG_TEXT(time)};
    enum sp_status status = sp_store_eval(ledger->store, &ledger->lease, keys, 1, arguments, 2, &reply, err);
    if (status == SP_OK)
        *ret_held = sp_reply_integer(reply) == 1;
    sp_reply_free(&reply);
    return status;
}

/* Ask for each encounter whether its hash is still there; drop those that expired undecided from the set. */
static enum sp_status drop_expired(struct sp_ledger *ledger, const char *open,
                                   uint8_t (*encounters)[SP_ENCOUNTER_BYTES], int *count, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    int sent = 0, kept = 0, dropped = 0;
    struct sp_err later = {0};
    for (; sent < *count && status == SP_OK; sent++) {
        char key[SP_LEDGER_KEY_MAX];
        sp_ledger_encounter_key(key, ledger, encounters[sent]);
        struct sp_argument arguments[] = {SP_ARG_TEXT("EXISTS"), SP_ARG_TEXT(key)};
        status = sp_store_append(ledger->store, arguments, 2, err);
    }
    if (status != SP_OK)
        sent--;
    uint8_t(*gone)[SP_ENCOUNTER_BYTES] = calloc((size_t)sent + 1, sizeof *gone);
    for (int i = 0; i < sent; i++) {
        sp_reply *reply = NULL;
        enum sp_status step = sp_store_collect(ledger->store, &reply, &later);
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
        if (step == SP_OK && sp_reply_integer(reply) == 1)
            memmove(encounters[kept++], encounters[i], SP_ENCOUNTER_BYTES);
        else if (step == SP_OK && gone)
            memcpy(gone[dropped++], encounters[i], SP_ENCOUNTER_BYTES);
        sp_reply_free(&reply);
    }
    for (int i = 0; i < dropped && status == SP_OK; i++) {
        char hex[2 * SP_ENCOUNTER_BYTES + 1];
        sp_seal_to_hex(hex, gone[i], SP_ENCOUNTER_BYTES);
        struct sp_argument arguments[] = {SP_ARG_TEXT("ZREM"), SP_ARG_TEXT(open), SP_ARG_TEXT(hex)};
        status = sp_store_command(ledger->store, arguments, 3, NULL, err);
    }
    free(gone);
    *count = kept;
    return status;
}

enum sp_status sp_ledger_overdue(struct sp_ledger *ledger, int partition, int64_t now_wall_ms,
                                 uint8_t (*ret_encounters)[SP_ENCOUNTER_BYTES], int max, int *ret_count,
                                 struct sp_err *err)
{
    char key[SP_LEDGER_KEY_MAX], now[24], limit[12];
    sp_reply *reply = NULL;
    int count = 0;
    sp_ledger_partition_key(key, partition, "open");
    snprintf(now, sizeof now, "%" PRId64, now_wall_ms);
    snprintf(limit, sizeof limit, "%d", max);
    struct sp_argument arguments[] = {
        SP_ARG_TEXT("ZRANGEBYSCORE"), SP_ARG_TEXT(key), SP_ARG_TEXT("-inf"), SP_ARG_TEXT(now),
        SP_ARG_TEXT("LIMIT"),         SP_ARG_TEXT("0"), SP_ARG_TEXT(limit)};
    enum sp_status status = sp_store_command(ledger->store, arguments, 7, &reply, err);
    for (size_t i = 0; status == SP_OK && i < sp_reply_count(reply) && count < max; i++) {
        char hex[2 * SP_ENCOUNTER_BYTES + 1] = "";
        size_t length = 0;
        const uint8_t *bytes = sp_reply_bytes(sp_reply_at(reply, i), &length);
        if (bytes && length == sizeof hex - 1)
            memcpy(hex, bytes, length);
        status = sp_seal_from_hex(ret_encounters[count], SP_ENCOUNTER_BYTES, hex, err);
        count++;
    }
    sp_reply_free(&reply);
    if (status == SP_OK)
        status = drop_expired(ledger, key, ret_encounters, &count, err);
    if (status == SP_OK)
        *ret_count = count;
    return status;
}
