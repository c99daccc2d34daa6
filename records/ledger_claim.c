/* Claims: a traveller crosses once. docs/redis.md 3.3 has the states and what follows each failure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "records/claim.h"
#include "records/ledger_part.h"

enum outcome { MINE, CONFIRMED, HELD, OLD };

enum sp_status sp_ledger_append_claim(const struct sp_ledger *ledger, const struct sp_script *script,
                                      const struct sp_ledger_claim *claim, const struct sp_argument *extra,
                                      int extra_count, struct sp_err *err)
{
    char key[SP_CLAIM_KEY_MAX], hex[2 * SP_ENCOUNTER_BYTES + 1];
    struct sp_argument arguments[4] = {SP_ARG(claim->traveller, sizeof claim->traveller)};
    sp_claim_key(key, claim->manifest);
    sp_seal_to_hex(hex, claim->encounter, sizeof claim->encounter);
    arguments[1] = SP_ARG_TEXT(hex);
    for (int i = 0; i < extra_count; i++)
        arguments[2 + i] = extra[i];
    struct sp_argument keys[] = {SP_ARG_TEXT(key)};
    return sp_store_append_eval(ledger->store, script, keys, 1, arguments, 2 + extra_count, err);
}

/* What one claim came to. */
struct trial {
    struct sp_ledger_claim *claim;
    enum outcome outcome;
    uint8_t holder[SP_ENCOUNTER_BYTES]; /* unless MINE */
    char over; /* take the holder's over: 't' a tentative one, 'c' a confirmed one; 0: no */
};

static enum sp_status append_trial(const struct sp_ledger *ledger, const struct trial *trial, struct sp_err *err)
{
    char hold[24], over[2 + 2 * SP_ENCOUNTER_BYTES + 1] = "";
    snprintf(hold, sizeof hold, "%lld", (long long)ledger->config.claim_hold_ms);
    if (trial->over) {
        over[0] = trial->over;
        over[1] = ' ';
        sp_seal_to_hex(over + 2, trial->holder, sizeof trial->holder);
    }
    struct sp_argument extra[] = {SP_ARG_TEXT(hold), SP_ARG_TEXT(over)};
    return sp_ledger_append_claim(ledger, &ledger->claim, trial->claim, extra, 2, err);
}

static enum sp_status take_trial(struct trial *trial, const sp_reply *reply, struct sp_err *err)
{
    size_t length = 0;
    char hex[2 * SP_ENCOUNTER_BYTES + 1] = "";
    int64_t outcome = sp_reply_integer(sp_reply_at(reply, 0));
    const uint8_t *holder = sp_reply_bytes(sp_reply_at(reply, 1), &length);
    bool good = sp_reply_count(reply) >= 1 && outcome >= MINE && outcome <= OLD;
    if (good && outcome != MINE) {
        good = holder && length == sizeof hex - 1;
        if (good)
            memcpy(hex, holder, length);
        good = good && sp_seal_from_hex(trial->holder, sizeof trial->holder, hex, NULL) == SP_OK;
    }
    if (!good)
        return sp_fail(err, SP_E_FORMAT, "ledger: a claim's script answered in an unknown form");
    trial->outcome = (enum outcome)outcome;
    return SP_OK;
}

/* One round trip. A server that lost its scripts is given them, and everything is tried again: nothing is done
 * twice by that. */
static enum sp_status try_all(struct sp_ledger *ledger, struct trial *trials, int count, struct sp_err *err)
{
    enum sp_status status = ledger->loaded ? SP_OK : sp_ledger_load_scripts(ledger, err);
    for (int pass = 0; pass < 2 && status == SP_OK; pass++) {
        bool no_script = false;
        int sent = 0;
        for (; sent < count && (status = append_trial(ledger, &trials[sent], err)) == SP_OK; sent++)
            continue;
        for (int i = 0; i < sent; i++) {
            struct sp_err later = {0};
            sp_reply *reply = NULL;
            enum sp_status step = sp_store_collect(ledger->store, &reply, &later);
            if (step == SP_OK)
                step = take_trial(&trials[i], reply, &later);
            else
                no_script = no_script || strstr(later.text, "NOSCRIPT");
            sp_reply_free(&reply);
            if (step != SP_OK && status == SP_OK)
                status = sp_fail(err, step, "%s", later.text);
        }
        if (!no_script)
            break;
        if (pass == 0)
            status = sp_ledger_load_scripts(ledger, err);
    }
    return status;
}

bool sp_ledger_matched(const struct sp_encounter_state *state, const struct sp_ledger_claim *claim)
{
    struct sp_answer_body *body = state->final ? calloc(1, sizeof *body) : NULL;
    bool read = body && sp_answer_body_decode(body, state->final_body, state->final_body_length, NULL) == SP_OK;
    bool found = state->final && !read;
    for (int i = 0; read && i < body->decision_count && !found; i++) {
        struct sp_decision decision;
        found = sp_decision_decode(&decision, body->decisions[i].bytes, body->decisions[i].length, NULL) != SP_OK ||
                (decision.outcome == SP_OUTCOME_MATCH && decision.has_traveller &&
                 strcmp(decision.manifest, claim->manifest) == 0 &&
                 memcmp(decision.traveller, claim->traveller, sizeof claim->traveller) == 0);
    }
    free(body);
    return found;
}

/* A round trip of confirm or release for every claim. */
static enum sp_status run_all(struct sp_ledger *ledger, const struct sp_script *script,
                              const struct sp_ledger_claim *claims, int count, struct sp_err *err)
{
    enum sp_status status = ledger->loaded ? SP_OK : sp_ledger_load_scripts(ledger, err);
    int sent = 0;
    for (; status == SP_OK && sent < count; sent += status == SP_OK)
        status = sp_ledger_append_claim(ledger, script, &claims[sent], NULL, 0, err);
    for (int i = 0; i < sent; i++) {
        struct sp_err later = {0};
        enum sp_status step = sp_store_collect(ledger->store, NULL, &later);
        if (step != SP_OK && status == SP_OK)
            status = sp_fail(err, step, "%s", later.text);
    }
    return status;
}

/* Whoever held an old tentative claim is done with it one way or the other: if its final is a match of this
 * traveller (the worker died between the final and the confirmation) the claim is confirmed for that encounter;
 * else it is free. A confirmed one is free only if its final is there and is no such match (the worker could not
 * release it): a final never changes. */
static enum sp_status look_up(struct sp_ledger *ledger, struct trial *trial, struct sp_err *err)
{
    struct sp_encounter_state state = {0};
    enum sp_status status =
        sp_ledger_read(ledger, (const uint8_t(*)[SP_ENCOUNTER_BYTES])trial->holder, 1, &state, err);
    if (status != SP_OK)
        return status;
    bool old = trial->outcome == OLD;
    if (old && sp_ledger_matched(&state, trial->claim)) {
        struct sp_ledger_claim his = *trial->claim;
        memcpy(his.encounter, trial->holder, sizeof his.encounter);
        status = run_all(ledger, &ledger->confirm, &his, 1, err);
        trial->outcome = CONFIRMED;
    } else if (old || (state.final && !sp_ledger_matched(&state, trial->claim))) {
        trial->over = old ? 't' : 'c';
        status = try_all(ledger, trial, 1, err);
    }
    sp_encounter_state_clear(&state);
    return status;
}

enum sp_status sp_ledger_claim(struct sp_ledger *ledger, struct sp_ledger_claim *claims, int count,
                               struct sp_err *err)
{
    struct trial *trials = calloc((size_t)count + 1, sizeof *trials);
    if (!trials)
        return sp_fail(err, SP_E_NOMEM, "ledger: no memory for %d claims", count);
    for (int i = 0; i < count; i++)
        trials[i].claim = &claims[i];
    enum sp_status status = try_all(ledger, trials, count, err);
    for (int i = 0; i < count && status == SP_OK; i++) {
        if (trials[i].outcome == OLD || trials[i].outcome == CONFIRMED)
            status = look_up(ledger, &trials[i], err);
        claims[i].ret_mine = trials[i].outcome == MINE;
    }
    free(trials);
    return status;
}

enum sp_status sp_ledger_release(struct sp_ledger *ledger, const struct sp_ledger_claim *claims, int count,
                                 struct sp_err *err)
{
    return run_all(ledger, &ledger->release, claims, count, err);
}
