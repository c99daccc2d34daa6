#include "records/entry.h"

#include <stdlib.h>
#include <string.h>
#include "common/wire.h"

#define ENTRY_VERSION 1

static const struct sp_wire_limits entry_limits = {SP_ENTRY_MAX_BYTES, 1, 16};

enum sp_status sp_entry_seal(uint8_t **ret_sealed, size_t *ret_length, int partition,
                             const uint8_t encounter[SP_ENCOUNTER_BYTES], const uint8_t *body, size_t body_length,
                             const uint8_t recorder_public[32], struct sp_err *err)
{
    struct sp_wire_writer *w = NULL;
    const uint8_t *plain;
    size_t length;
    uint8_t *sealed = NULL;
    enum sp_status status = sp_wire_writer_new(&w, SP_ENTRY_MAX_BYTES, err);
    if (status != SP_OK)
        return status;
    sp_wire_put_map(w, 4);
    sp_wire_put_text(w, "v"), sp_wire_put_uint(w, ENTRY_VERSION);
    sp_wire_put_text(w, "partition"), sp_wire_put_uint(w, (uint64_t)partition);
    sp_wire_put_text(w, "enc"), sp_wire_put_bytes(w, encounter, SP_ENCOUNTER_BYTES);
    sp_wire_put_text(w, "body"), sp_wire_put_bytes(w, body, body_length);
    status = sp_wire_finish(w, &plain, &length, err);
    if (status == SP_OK) {
        sealed = malloc(length + SP_SEAL_TO_OVERHEAD);
        if (sealed) {
            sp_seal_close_to(sealed, plain, length, recorder_public);
            *ret_sealed = sealed;
            *ret_length = length + SP_SEAL_TO_OVERHEAD;
        } else {
            status = sp_fail(err, SP_E_NOMEM, "stream entry: no memory for %zu bytes", length);
        }
    }
    sp_wire_writer_free(&w);
    return status;
}

/* One signed decision of the body: signature, encounter. */
static enum sp_status verify_decision(struct sp_decision *ret, const struct sp_signed_decision *record,
                                      const struct sp_entry *entry, struct sp_err *err)
{
    enum sp_status status = sp_seal_verify(record->signature, SP_DECISION_CONTEXT, record->bytes, record->length,
                                           entry->worker.key, err);
    if (status == SP_OK)
        status = sp_decision_decode(ret, record->bytes, record->length, err);
    if (status == SP_OK && memcmp(ret->encounter, entry->encounter, SP_ENCOUNTER_BYTES) != 0)
        status = sp_fail(err, SP_E_AUTH, "the decision is about another encounter than its entry");
    if (status == SP_OK && (ret->issued_ms > entry->worker.not_after_ms))
        status = sp_fail(err, SP_E_AUTH, "worker %s's certificate had ended when it decided", entry->worker.name);
    return status;
}

static enum sp_status verify_routing(const struct sp_entry_routing *routing, const struct sp_entry *entry,
                                     uint64_t partition, struct sp_err *err)
{
    const struct sp_decision *first = &entry->decisions[0];
    if (partition != (uint64_t)routing->partition)
        return sp_fail(err, SP_E_AUTH, "the entry belongs to partition %llu, it lies in %d",
                       (unsigned long long)partition, routing->partition);
    if (strcmp(first->lane, routing->lane) != 0 || first->outcome != routing->outcome ||
        first->reason != routing->reason || first->issued_ms != routing->issued_ms)
        return sp_fail(err, SP_E_AUTH,
                       "the clear fields (lane %s, outcome %s) are not what was signed (lane %s, "
                       "outcome %s)",
                       routing->lane, sp_outcome_word(routing->outcome), first->lane,
                       sp_outcome_word(first->outcome));
    return SP_OK;
}

static enum sp_status verify_body(struct sp_entry *entry, const uint8_t *bytes, size_t length,
                                  const uint8_t authority_public[32], struct sp_err *err)
{
    struct sp_answer_body *body = malloc(sizeof *body);
    struct sp_decision first = {0};
    enum sp_status status = SP_OK;
    if (!body)
        return sp_fail(err, SP_E_NOMEM, "no memory for an answer body");
    status = sp_answer_body_decode(body, bytes, length, err);
    if (status == SP_OK && body->decision_count == 0)
        status = sp_fail(err, SP_E_FORMAT, "a final without a decision");
    /* The certificate must have been good when the decision was made; that time is in the decision, whose signature
     * is only checked with the certified key below, so that a false time gains nothing. */
    if (status == SP_OK)
        status = sp_decision_decode(&first, body->decisions[0].bytes, body->decisions[0].length, err);
    if (status == SP_OK)
        status = sp_cert_verify(&entry->worker, body->cert, body->cert_length, "worker", authority_public,
                                first.issued_ms, err);
    for (int i = 0; status == SP_OK && i < body->decision_count; i++)
        status = verify_decision(&entry->decisions[i], &body->decisions[i], entry, err);
    entry->decision_count = body->decision_count;
    free(body);
    return status;
}

static enum sp_status open_plain(struct sp_entry *entry, const uint8_t *plain, size_t length,
                                 const uint8_t authority_public[32], struct sp_err *err)
{
    struct sp_wire_doc *doc = NULL;
    uint64_t version = 0, partition = 0;
    const uint8_t *body = NULL;
    size_t body_length = 0;
    enum sp_status status = sp_wire_parse(&doc, plain, length, &entry_limits, err);
    if (status != SP_OK)
        return status;
    const sp_wire_value *map = sp_wire_root(doc);
    if ((status = sp_wire_get_uint(map, "v", UINT32_MAX, &version, err)) == SP_OK && version != ENTRY_VERSION)
        status = sp_fail(err, SP_E_VERSION, "entry version %llu, this program reads %d",
                         (unsigned long long)version, ENTRY_VERSION);
    if (status == SP_OK)
        status = sp_wire_get_uint(map, "partition", INT32_MAX, &partition, err);
    if (status == SP_OK)
        status = sp_wire_get_bytes(map, "enc", entry->encounter, SP_ENCOUNTER_BYTES, err);
    if (status == SP_OK)
        status = sp_wire_get_view(map, "body", SP_ANSWER_BODY_MAX, &body, &body_length, err);
    if (status == SP_OK)
        status = verify_body(entry, body, body_length, authority_public, err);
    if (status == SP_OK)
        status = verify_routing(&entry->routing, entry, partition, err);
    sp_wire_free(&doc);
    return status == SP_E_NOTFOUND ? SP_E_FORMAT : status;
}

enum sp_status sp_entry_open(struct sp_entry *ret_entry, const struct sp_entry_routing *routing,
                             const uint8_t *sealed, size_t length, const struct sp_key_file *recorder,
                             const uint8_t authority_public[32], struct sp_err *err)
{
    struct sp_entry *entry = NULL;
    uint8_t *plain = NULL;
    size_t plain_length = 0;
    enum sp_status status;
    if (length < SP_SEAL_TO_OVERHEAD || length > SP_ENTRY_MAX_BYTES + SP_SEAL_TO_OVERHEAD)
        return sp_fail(err, SP_E_LIMIT, "stream entry: %zu sealed bytes, expected %d to %zu", length,
                       SP_SEAL_TO_OVERHEAD, SP_ENTRY_MAX_BYTES + SP_SEAL_TO_OVERHEAD);
    entry = calloc(1, sizeof *entry);
    plain = malloc(length);
    if (!entry || !plain) {
        status = sp_fail(err, SP_E_NOMEM, "stream entry: no memory for %zu bytes", length);
        goto out;
    }
    entry->routing = *routing;
    status = sp_seal_open_to(plain, &plain_length, sealed, length, recorder->public_key, recorder->secret, err);
    if (status == SP_OK)
        status = open_plain(entry, plain, plain_length, authority_public, err);
    if (status == SP_OK)
        *ret_entry = *entry;
    if (plain)
        sp_seal_wipe(plain, plain_length);
out:
    free(plain);
    free(entry);
    return status;
}
