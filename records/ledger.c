#include "records/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "records/entry.h"
#include "records/ledger_part.h"
#include "records/ledger_script.h"

#define FIELD_EVIDENCE "evidence"
#define FIELD_FINAL    "final"
#define AD_MAX         (SP_LEDGER_KEY_MAX + 16)
/* Undecided encounters outlive finals: workers may be away for a while, and their sweep still has to find them. */
#define EVIDENCE_LIVES 6
#define CLAIM_HOLD_MS  30000

void sp_ledger_partition_key(char *ret_key, int partition, const char *kind)
{
    snprintf(ret_key, SP_LEDGER_KEY_MAX, "sp:{d%d}:%s", partition, kind);
}

void sp_ledger_encounter_key(char *ret_key, const struct sp_ledger *ledger,
                             const uint8_t encounter[SP_ENCOUNTER_BYTES])
{
    char hex[2 * SP_ENCOUNTER_BYTES + 1];
    sp_seal_to_hex(hex, encounter, SP_ENCOUNTER_BYTES);
    snprintf(ret_key, SP_LEDGER_KEY_MAX, "sp:{d%d}:e:%s", sp_ledger_partition(ledger, encounter), hex);
}

int sp_ledger_partition(const struct sp_ledger *ledger, const uint8_t encounter[SP_ENCOUNTER_BYTES])
{
    uint8_t hash[16]; /* the smallest BLAKE2b that seal.h offers; the first 8 bytes are used */
    uint64_t number = 0;
    sp_seal_hash(hash, sizeof hash, encounter, SP_ENCOUNTER_BYTES, NULL, 0);
    for (int i = 0; i < 8; i++)
        number |= (uint64_t)hash[i] << (8 * i);
    return (int)(number % (uint64_t)ledger->config.partitions);
}

enum sp_status sp_ledger_new(struct sp_ledger **ret_ledger, struct sp_store *durable,
                             const struct sp_ledger_config *config, struct sp_err *err)
{
    if (config->partitions < 1 || config->partitions > SP_LEDGER_MAX_PARTITIONS)
        return sp_fail(err, SP_E_INVALID, "ledger.partitions is %d, it must be 1 to %d", config->partitions,
                       SP_LEDGER_MAX_PARTITIONS);
    if (config->final_ttl_ms < 1 || config->abandon_after_ms < 1 || config->replicas < 0)
        return sp_fail(err, SP_E_INVALID, "ledger: times must be positive and replicas not negative");
    struct sp_ledger *ledger = calloc(1, sizeof *ledger);
    if (!ledger)
        return sp_fail(err, SP_E_NOMEM, "ledger: out of memory");
    ledger->store = durable;
    ledger->config = *config;
    ledger->observe.text = sp_ledger_script_observe;
    ledger->decide.text = sp_ledger_script_decide;
    ledger->lease.text = sp_ledger_script_lease;
    ledger->claim.text = sp_ledger_script_claim;
    ledger->confirm.text = sp_ledger_script_confirm;
    ledger->release.text = sp_ledger_script_release;
    if (ledger->config.claim_hold_ms <= 0)
        ledger->config.claim_hold_ms = CLAIM_HOLD_MS;
    *ret_ledger = ledger;
    return SP_OK;
}

void sp_ledger_free(struct sp_ledger **ledger)
{
    if (!ledger || !*ledger)
        return;
    sp_seal_wipe(&(*ledger)->config.evidence, sizeof(*ledger)->config.evidence);
    free(*ledger);
    *ledger = NULL;
}

uint64_t sp_ledger_longest(const struct sp_ledger *ledger)
{
    return ledger->longest;
}

void sp_encounter_state_clear(struct sp_encounter_state *state)
{
    free(state->final_body);
    memset(state, 0, sizeof *state);
}

/* Associated data: the place a sealed field lies in. */
static size_t place(char ret_ad[AD_MAX], const char *key, const char *field)
{
    return (size_t)snprintf(ret_ad, AD_MAX, "%s|%s", key, field);
}

/* A sealed field into fresh memory, which the caller frees. Evidence and finals hold no template, yet who crossed.
 */
static enum sp_status open_field(uint8_t **ret_plain, size_t *ret_length, const struct sp_ledger *ledger,
                                 const char *key, const char *field, const uint8_t *sealed, size_t length,
                                 struct sp_err *err)
{
    char ad[AD_MAX];
    struct sp_err inner = {0};
    uint8_t *plain = malloc(length + 1);
    if (!plain)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory for %zu bytes", key, length);
    enum sp_status status = sp_seal_open(plain, ret_length, sealed, length, ad, place(ad, key, field),
                                         &ledger->config.evidence, &inner);
    if (status != SP_OK) {
        free(plain);
        return sp_fail(err, status, "%s %s: %s", key, field, inner.text);
    }
    *ret_plain = plain;
    return SP_OK;
}

/* Fill a state from what the server holds; any of the sealed fields may be NULL. */
static enum sp_status take_state(struct sp_encounter_state *ret, const struct sp_ledger *ledger, const char *key,
                                 uint64_t version, const sp_reply *evidence, const sp_reply *final, int reason,
                                 struct sp_err *err)
{
    struct sp_encounter_state state = {.version = version};
    size_t length = 0, plain_length = 0;
    uint8_t *plain = NULL;
    enum sp_status status = SP_OK;
    const uint8_t *sealed = evidence ? sp_reply_bytes(evidence, &length) : NULL;
    if (sealed) {
        status = open_field(&plain, &plain_length, ledger, key, FIELD_EVIDENCE, sealed, length, err);
        if (status == SP_OK)
            status = sp_evidence_decode(&state.evidence, plain, plain_length, err);
        free(plain);
    }
    sealed = final ? sp_reply_bytes(final, &length) : NULL;
    if (status == SP_OK && sealed) {
        status =
            open_field(&state.final_body, &state.final_body_length, ledger, key, FIELD_FINAL, sealed, length, err);
        state.final = status == SP_OK;
        state.final_reason = reason;
    }
    if (status == SP_OK)
        *ret = state;
    else
        free(state.final_body);
    return status;
}

enum sp_status sp_ledger_read(struct sp_ledger *ledger, const uint8_t (*encounters)[SP_ENCOUNTER_BYTES], int count,
                              struct sp_encounter_state *ret_states, struct sp_err *err)
{
    char key[SP_LEDGER_KEY_MAX];
    enum sp_status status = SP_OK;
    int sent = 0;
    memset(ret_states, 0, (size_t)count * sizeof *ret_states);
    for (; sent < count && status == SP_OK; sent++) {
        sp_ledger_encounter_key(key, ledger, encounters[sent]);
        struct sp_argument arguments[] = {SP_ARG_TEXT("HMGET"),     SP_ARG_TEXT(key),
                                          SP_ARG_TEXT("v"),         SP_ARG_TEXT(FIELD_EVIDENCE),
                                          SP_ARG_TEXT(FIELD_FINAL), SP_ARG_TEXT("reason")};
        status = sp_store_append(ledger->store, arguments, 6, err);
    }
    if (status != SP_OK)
        sent--;
    for (int i = 0; i < sent; i++) { /* all of them, or the next command would read these replies */
        struct sp_err later = {0};
        sp_reply *reply = NULL;
        enum sp_status step = sp_store_collect(ledger->store, &reply, &later);
        if (step == SP_OK && sp_reply_count(reply) != 4)
            step =
                sp_fail(&later, SP_E_FORMAT, "ledger: HMGET gave %zu values instead of 4", sp_reply_count(reply));
        if (step == SP_OK) {
            sp_ledger_encounter_key(key, ledger, encounters[i]);
            step = take_state(&ret_states[i], ledger, key, (uint64_t)sp_reply_integer(sp_reply_at(reply, 0)),
                              sp_reply_at(reply, 1), sp_reply_at(reply, 2),
                              (int)sp_reply_integer(sp_reply_at(reply, 3)), &later);
        }
        sp_reply_free(&reply);
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
    }
    for (int i = 0; status != SP_OK && i < count; i++)
        sp_encounter_state_clear(&ret_states[i]);
    return status;
}

/* ---- writing ---- */

/* One write, sealed and ready to be sent any number of times. */
struct prepared {
    char key[SP_LEDGER_KEY_MAX], hex[2 * SP_ENCOUNTER_BYTES + 1];
    int partition;
    uint8_t evidence[SP_EVIDENCE_MAX_BYTES + SP_SEAL_OVERHEAD];
    size_t evidence_length; /* 0: none */
    uint8_t *final, *entry; /* owned */
    size_t final_length, entry_length;
    bool done;
    int confirmed; /* of its claims */
    bool sent;     /* in the pipeline under way */
    int confirms_sent;
};

static enum sp_status prepare_final(struct prepared *p, const struct sp_ledger *ledger,
                                    const struct sp_ledger_write *write, struct sp_err *err)
{
    char ad[AD_MAX];
    if (!write->decision || write->final_body_length > SP_ANSWER_BODY_MAX)
        return sp_fail(err, SP_E_INVALID, "ledger: a final needs its decision and a body of at most %u bytes",
                       SP_ANSWER_BODY_MAX);
    p->final_length = write->final_body_length + SP_SEAL_OVERHEAD;
    p->final = malloc(p->final_length);
    if (!p->final)
        return sp_fail(err, SP_E_NOMEM, "ledger: no memory for a final of %zu bytes", p->final_length);
    sp_seal_close(p->final, write->final_body, write->final_body_length, ad, place(ad, p->key, FIELD_FINAL),
                  &ledger->config.evidence);
    return sp_entry_seal(&p->entry, &p->entry_length, p->partition, write->encounter, write->final_body,
                         write->final_body_length, ledger->config.recorder_public, err);
}

static enum sp_status prepare(struct prepared *p, const struct sp_ledger *ledger,
                              const struct sp_ledger_write *write, struct sp_err *err)
{
    char ad[AD_MAX];
    uint8_t plain[SP_EVIDENCE_MAX_BYTES];
    size_t length = 0;
    sp_ledger_encounter_key(p->key, ledger, write->encounter);
    sp_seal_to_hex(p->hex, write->encounter, SP_ENCOUNTER_BYTES);
    p->partition = sp_ledger_partition(ledger, write->encounter);
    if (!write->evidence && !write->final_body)
        return sp_fail(err, SP_E_INVALID, "ledger: a write with neither evidence nor a final");
    if (write->evidence) {
        enum sp_status status = sp_evidence_encode(plain, &length, write->evidence, err);
        if (status != SP_OK)
            return status;
        sp_seal_close(p->evidence, plain, length, ad, place(ad, p->key, FIELD_EVIDENCE), &ledger->config.evidence);
        p->evidence_length = length + SP_SEAL_OVERHEAD;
    }
    return write->final_body ? prepare_final(p, ledger, write, err) : SP_OK;
}

static enum sp_status append_observe(const struct sp_ledger *ledger, const struct prepared *p,
                                     const struct sp_ledger_write *write, struct sp_err *err)
{
    char open[SP_LEDGER_KEY_MAX], expected[24], ttl[24], abandoned[24];
    sp_ledger_partition_key(open, p->partition, "open");
    snprintf(expected, sizeof expected, "%" PRIu64, write->expected_version);
    snprintf(ttl, sizeof ttl, "%" PRId64, EVIDENCE_LIVES * ledger->config.final_ttl_ms);
    snprintf(abandoned, sizeof abandoned, "%" PRId64, sp_clock_wall_ms() + ledger->config.abandon_after_ms);
    struct sp_argument keys[] = {SP_ARG_TEXT(p->key), SP_ARG_TEXT(open)};
    struct sp_argument arguments[] = {SP_ARG_TEXT(expected), SP_ARG(p->evidence, p->evidence_length),
                                      SP_ARG_TEXT(ttl), SP_ARG_TEXT(abandoned), SP_ARG_TEXT(p->hex)};
    return sp_store_append_eval(ledger->store, &ledger->observe, keys, 2, arguments, 5, err);
}

static enum sp_status append_decide(const struct sp_ledger *ledger, const struct prepared *p,
                                    const struct sp_ledger_write *write, struct sp_err *err)
{
    char open[SP_LEDGER_KEY_MAX], stream[SP_LEDGER_KEY_MAX];
    char reason[12], ttl[24], partition[12], outcome[12], issued[24];
    const struct sp_decision *d = write->decision;
    sp_ledger_partition_key(open, p->partition, "open");
    sp_ledger_partition_key(stream, p->partition, "decisions");
    snprintf(reason, sizeof reason, "%d", write->final_reason);
    snprintf(ttl, sizeof ttl, "%" PRId64, ledger->config.final_ttl_ms);
    snprintf(partition, sizeof partition, "%d", p->partition);
    snprintf(outcome, sizeof outcome, "%d", d->outcome);
    snprintf(issued, sizeof issued, "%" PRId64, d->issued_ms);
    struct sp_argument keys[] = {SP_ARG_TEXT(p->key), SP_ARG_TEXT(open), SP_ARG_TEXT(stream)};
    struct sp_argument arguments[] = {SP_ARG(p->final, p->final_length),
                                      SP_ARG_TEXT(reason),
                                      SP_ARG(p->evidence, p->evidence_length),
                                      SP_ARG_TEXT(ttl),
                                      SP_ARG_TEXT(p->hex),
                                      SP_ARG_TEXT(partition),
                                      SP_ARG_TEXT(d->lane),
                                      SP_ARG_TEXT(outcome),
                                      SP_ARG_TEXT(issued),
                                      SP_ARG(p->entry, p->entry_length)};
    return sp_store_append_eval(ledger->store, &ledger->decide, keys, 3, arguments, 10, err);
}

/* Behind the final, never before it: a claim that is confirmed without one would turn a traveller away for good. */
static enum sp_status append_confirms(const struct sp_ledger *ledger, struct prepared *p,
                                      const struct sp_ledger_write *write, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    p->confirms_sent = 0;
    for (int i = p->confirmed; write->final_body && i < write->claim_count && status == SP_OK; i++) {
        status = sp_ledger_append_claim(ledger, &ledger->confirm, &write->claims[i], NULL, 0, err);
        p->confirms_sent += status == SP_OK;
    }
    return status;
}

static enum sp_status append_write(const struct sp_ledger *ledger, struct prepared *p,
                                   const struct sp_ledger_write *write, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    p->sent = !p->done;
    if (p->sent)
        status = write->final_body ? append_decide(ledger, p, write, err) : append_observe(ledger, p, write, err);
    p->sent = p->sent && status == SP_OK;
    p->confirms_sent = 0;
    return status == SP_OK ? append_confirms(ledger, p, write, err) : status;
}

static enum sp_status take_outcome(struct sp_ledger *ledger, struct prepared *p, struct sp_ledger_write *write,
                                   const sp_reply *reply, struct sp_err *err)
{
    int64_t outcome = sp_reply_integer(sp_reply_at(reply, 0));
    size_t count = sp_reply_count(reply);
    enum sp_status status = SP_OK;
    if (count < 2 || outcome < 0 || outcome > 2 || (outcome == 2 && count < 4))
        return sp_fail(err, SP_E_FORMAT, "%s: the ledger's script answered in an unknown form", p->key);
    if (outcome == 2) {
        status = take_state(&write->ret_state, ledger, p->key, (uint64_t)sp_reply_integer(sp_reply_at(reply, 1)),
                            sp_reply_at(reply, 4), sp_reply_at(reply, 2),
                            (int)sp_reply_integer(sp_reply_at(reply, 3)), err);
        write->ret_outcome = SP_LEDGER_STANDS;
    } else {
        write->ret_outcome = outcome == 0 ? SP_LEDGER_WRITTEN : SP_LEDGER_MOVED;
        uint64_t length = (uint64_t)sp_reply_integer(sp_reply_at(reply, 2));
        if (count > 2 && length > ledger->longest)
            ledger->longest = length;
    }
    p->done = status == SP_OK;
    return status;
}

static enum sp_status append_wait(const struct sp_ledger *ledger, struct sp_err *err)
{
    char replicas[12], time[24];
    snprintf(replicas, sizeof replicas, "%d", ledger->config.replicas);
    snprintf(time, sizeof time, "%" PRId64, ledger->config.replica_wait_ms);
    struct sp_argument arguments[] = {SP_ARG_TEXT("WAIT"), SP_ARG_TEXT(replicas), SP_ARG_TEXT(time)};
    return sp_store_append(ledger->store, arguments, 3, err);
}

static enum sp_status collect_wait(const struct sp_ledger *ledger, struct sp_err *err)
{
    sp_reply *reply = NULL;
    enum sp_status status = sp_store_collect(ledger->store, &reply, err);
    if (status == SP_OK && sp_reply_integer(reply) < ledger->config.replicas)
        status = sp_fail(err, SP_E_UNAVAILABLE, "ledger: %lld of %d replicas acknowledged within %lld ms",
                         (long long)sp_reply_integer(reply), ledger->config.replicas,
                         (long long)ledger->config.replica_wait_ms);
    sp_reply_free(&reply);
    return status;
}

/* The replies of one write and of its confirms; the first failure counts. */
static enum sp_status collect_write(struct sp_ledger *ledger, struct prepared *p, struct sp_ledger_write *write,
                                    bool *ret_no_script, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int i = p->sent ? -1 : 0; i < p->confirms_sent; i++) {
        struct sp_err later = {0};
        sp_reply *reply = NULL;
        enum sp_status step = sp_store_collect(ledger->store, &reply, &later);
        if (step == SP_OK && i < 0)
            step = take_outcome(ledger, p, write, reply, &later);
        else if (step == SP_OK)
            p->confirmed++;
        else if (strstr(later.text, "NOSCRIPT"))
            *ret_no_script = true;
        sp_reply_free(&reply);
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
    }
    return status;
}

/* One round trip with everything that is not done yet. ret_no_script: the server lost its scripts (it was
 * restarted); what it did not run stays undone and may be sent again. */
static enum sp_status send_all(struct sp_ledger *ledger, struct prepared *all, struct sp_ledger_write *writes,
                               int count, bool *ret_no_script, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    int sent = 0;
    bool waiting = false;
    *ret_no_script = false;
    for (; sent < count && status == SP_OK; sent++)
        status = append_write(ledger, &all[sent], &writes[sent], err);
    if (status == SP_OK && ledger->config.replicas > 0)
        waiting = (status = append_wait(ledger, err)) == SP_OK;
    for (int i = 0; i < sent; i++) { /* all that was appended, or the next command would read these replies */
        struct sp_err later = {0};
        enum sp_status step = collect_write(ledger, &all[i], &writes[i], ret_no_script, &later);
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
    }
    struct sp_err later = {0};
    enum sp_status step = waiting ? collect_wait(ledger, &later) : SP_OK;
    if (step != SP_OK && status == SP_OK)
        status = sp_fail(err, step, "%s", later.text);
    return status;
}

enum sp_status sp_ledger_load_scripts(struct sp_ledger *ledger, struct sp_err *err)
{
    struct sp_script *const scripts[] = {&ledger->observe, &ledger->decide, &ledger->claim, &ledger->confirm,
                                         &ledger->release};
    enum sp_status status = SP_OK;
    for (size_t i = 0; status == SP_OK && i < sizeof scripts / sizeof scripts[0]; i++)
        status = sp_store_load(ledger->store, scripts[i], err);
    ledger->loaded = status == SP_OK;
    return status;
}

enum sp_status sp_ledger_write(struct sp_ledger *ledger, struct sp_ledger_write *writes, int count,
                               struct sp_err *err)
{
    bool no_script = false;
    enum sp_status status = SP_OK;
    struct prepared *all = calloc((size_t)count + 1, sizeof *all);
    if (!all)
        return sp_fail(err, SP_E_NOMEM, "ledger: no memory for %d writes", count);
    for (int i = 0; i < count; i++)
        memset(&writes[i].ret_state, 0, sizeof writes[i].ret_state);
    for (int i = 0; i < count && status == SP_OK; i++)
        status = prepare(&all[i], ledger, &writes[i], err);
    if (status == SP_OK && !ledger->loaded)
        status = sp_ledger_load_scripts(ledger, err);
    if (status == SP_OK) {
        status = send_all(ledger, all, writes, count, &no_script, err);
        if (no_script && (status = sp_ledger_load_scripts(ledger, err)) == SP_OK)
            status = send_all(ledger, all, writes, count, &no_script, err);
    }
    for (int i = 0; i < count; i++) {
        if (status != SP_OK)
            sp_encounter_state_clear(&writes[i].ret_state);
        free(all[i].final);
        free(all[i].entry);
    }
    free(all);
    return status;
}
