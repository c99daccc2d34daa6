#include "ops/watch_take.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "listing/read.h"
#include "ops/desk.h"
#include "ops/enrol.h"
#include "ops/json.h"
#include "ops/watch_answer.h"
#include "roster/signed.h"

/* The file under way. */
struct taking {
    const struct sp_watch *watch;
    struct sp_watch_taken *taken;
    const char *name;
    struct sp_signature signature;
    const struct sp_carrier *carrier; /* NULL: no signature is asked for */
    struct sp_listing **listings;
    struct sp_desk desk;
    struct sp_ports *ports;
    struct sp_portraits *portraits;
    struct sp_publish_config config;
    struct sp_publish_report *report; /* of the message under way; large */
    FILE *out;                        /* of the JSON */
    struct sp_json json;
};

/* Does it speak of the file (and would again), or of what is around it (and may pass)? */
static enum sp_watch_outcome outcome_of(enum sp_status status)
{
    switch (status) {
    case SP_OK:
        return SP_WATCH_TAKEN;
    case SP_E_INVALID:
    case SP_E_FORMAT:
    case SP_E_LIMIT:
    case SP_E_NOTFOUND:
    case SP_E_EXISTS:
    case SP_E_UNSUPPORTED:
    case SP_E_CLOSED:
        return SP_WATCH_REJECTED;
    default:
        return SP_WATCH_LATER;
    }
}

/* ---- whose it is ---- */

static enum sp_status verify(struct taking *t, const uint8_t *bytes, size_t length, const uint8_t *signature,
                             size_t signature_length, struct sp_err *err)
{
    if (!t->watch->carriers)
        return SP_OK;
    if (!signature)
        return sp_fail(err, SP_E_DENIED, "there is no signature %s" SP_SIGNATURE_SUFFIX, t->name);
    enum sp_status status = sp_signature_parse(&t->signature, "the signature", signature, signature_length, err);
    if (status != SP_OK)
        return status;
    t->carrier = sp_carriers_find(t->watch->carriers, t->signature.key);
    if (!t->carrier)
        return sp_fail(err, SP_E_DENIED, "it is signed with a key that no carrier of the table has");
    snprintf(t->taken->carrier, sizeof t->taken->carrier, "%s", t->carrier->code);
    status = sp_signature_verify(&t->signature, t->name, bytes, length, err);
    return status == SP_OK ? sp_signature_fresh(&t->signature, sp_clock_wall_ms(), 0, err) : status;
}

/* All messages of the file, before any of them is published. */
static enum sp_status check_scopes(const struct taking *t, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    for (int i = 0; t->carrier && i < t->taken->message_count && status == SP_OK; i++) {
        const struct sp_listing *listing = t->listings[i];
        int count = 0;
        const char *const *ports = sp_ports_site(t->ports, &count);
        const struct sp_leg *leg = sp_journey_leg(listing, ports, count);
        status = sp_carrier_may(t->carrier, listing->mode, sp_journey_carrier(listing), leg ? leg->dep_port : "",
                                leg ? leg->arr_port : "", err);
    }
    return status;
}

/* ---- publishing ---- */

static enum sp_status prepare(struct taking *t, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    if (t->watch->portraits)
        status = sp_portraits_open(&t->portraits, t->watch->portraits, err);
    if (status == SP_OK)
        status = sp_manifest_prepare(&t->config, &t->desk, t->watch->config, NULL, err);
    t->config.ports = t->ports;
    return status;
}

static void add_to_report(struct taking *t, const struct sp_listing *listing)
{
    const struct sp_publish_report *report = t->report;
    struct sp_json *json = &t->json;
    sp_json_open(json, NULL, '{');
    sp_json_text(json, "kind", sp_listing_kind_word(listing->group, listing->action));
    sp_json_text(json, "format", sp_listing_format_word(listing->format));
    sp_json_text(json, "manifest", report->manifest);
    sp_json_number(json, "version", (double)report->version);
    sp_json_text(json, "state", sp_manifest_state_word(report->state));
    sp_json_bool(json, "unchanged", report->unchanged);
    sp_json_number(json, "parts", report->parts.count);
    sp_json_number(json, "parts_of", report->parts.of);
    sp_json_number(json, "travellers", report->rows);
    sp_json_number(json, "added", report->added);
    sp_json_number(json, "changed", report->changed);
    sp_json_number(json, "removed", report->removed);
    sp_json_number(json, "deviations", listing->deviation_count);
    sp_json_number(json, "warnings", report->warning_count);
    sp_json_open(json, "without_portrait", '[');
    for (int i = 0; i < report->lack_count; i++) {
        sp_json_open(json, NULL, '{');
        sp_json_text(json, "traveller_ref", report->lacks[i].label);
        sp_json_text(json, "reason", sp_reason_word(report->lacks[i].reason));
        sp_json_text(json, "text", report->lacks[i].text);
        sp_json_close(json, '}');
    }
    sp_json_close(json, ']');
    sp_json_close(json, '}');
}

static enum sp_status publish_one(struct taking *t, const struct sp_listing *listing, struct sp_err *err)
{
    struct sp_roster_options options = {.name = t->name};
    struct sp_apply_message message;
    struct sp_roster *roster = NULL;
    options.ports = sp_ports_site(t->ports, &options.port_count);
    enum sp_status status = sp_roster_from_listing(&roster, listing, &options, err);
    if (status != SP_OK)
        return status;
    sp_apply_from_listing(&message, listing, roster, options.ports, options.port_count);
    if (t->carrier)
        status = sp_signed_check(&t->signature, listing, t->desk.durable, roster->manifest, err);
    if (status == SP_OK)
        status = sp_publish_message(t->report, &message, roster, t->portraits, &t->config, err);
    if (status == SP_OK && t->carrier)
        status = sp_signed_note(&t->signature, listing, t->desk.durable, roster->manifest, err);
    if (status == SP_OK) {
        struct sp_watch_taken *taken = t->taken;
        memcpy(taken->manifest, t->report->manifest, sizeof taken->manifest);
        taken->version = t->report->version;
        taken->state = t->report->state;
        taken->travellers = t->report->rows;
        taken->lacks = t->report->lack_count;
        taken->published++;
        add_to_report(t, listing);
        const struct sp_watch_question question = {listing, roster, &t->desk, t->config.pack, t->watch->name};
        if (!t->report->late) /* a newer list has replaced this one */
            status = sp_watch_answer(&taken->answer, &taken->answer_length, &question, err);
    }
    sp_roster_free(&roster);
    return status;
}

static enum sp_status publish_all(struct taking *t, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    sp_json_open(&t->json, NULL, '{');
    sp_json_text(&t->json, "file", t->name);
    if (t->carrier)
        sp_json_text(&t->json, "carrier", t->carrier->code);
    sp_json_open(&t->json, "messages", '[');
    for (int i = 0; i < t->taken->message_count && status == SP_OK; i++) {
        status = publish_one(t, t->listings[i], err);
        sp_publish_report_clear(t->report);
    }
    sp_json_close(&t->json, ']');
    sp_json_close(&t->json, '}');
    fputc('\n', t->out);
    return status;
}

/* ---- one file ---- */

/* The sentence, what was published all the same, and the deviations. */
static void write_reason(struct taking *t)
{
    struct sp_watch_taken *taken = t->taken;
    FILE *out = open_memstream(&taken->reason, &taken->reason_length);
    if (!out)
        return;
    fprintf(out, "%s\n", taken->err.text);
    if (taken->published > 0)
        fprintf(out, "%d of the file's %d messages were published before it\n", taken->published,
                taken->message_count);
    for (int i = 0; i < taken->message_count && t->listings; i++) {
        const struct sp_listing *listing = t->listings[i];
        for (int k = 0; k < sp_listing_noted(listing); k++)
            fprintf(out, "message %d, %d at offset %zu: %s\n", i + 1, listing->deviations[k].segment,
                    listing->deviations[k].offset, listing->deviations[k].text);
        if (listing->deviation_count > sp_listing_noted(listing))
            fprintf(out, "message %d: %d deviations more\n", i + 1,
                    listing->deviation_count - sp_listing_noted(listing));
    }
    fclose(out);
}

static void take(struct taking *t, const uint8_t *bytes, size_t length, const uint8_t *signature,
                 size_t signature_length)
{
    struct sp_watch_taken *taken = t->taken;
    struct sp_listing_read_options options = {.now_ms = sp_clock_wall_ms()};
    enum sp_status status = verify(t, bytes, length, signature, signature_length, &taken->err);
    if (status == SP_OK)
        status = sp_listing_read_bytes(&t->listings, &taken->message_count, t->name, bytes, length, &options,
                                       &taken->err);
    for (int i = 0; status == SP_OK && i < taken->message_count; i++)
        taken->deviations += t->listings[i]->deviation_count;
    if (status != SP_OK) { /* whatever it is but memory, it is the file's */
        taken->outcome = status == SP_E_NOMEM ? SP_WATCH_LATER : SP_WATCH_REJECTED;
        return;
    }
    if (t->watch->config->ports[0])
        status = sp_ports_read(&t->ports, t->watch->config->ports, &taken->err);
    if (status == SP_OK) {
        status = check_scopes(t, &taken->err);
        if (status == SP_E_DENIED) {
            taken->outcome = SP_WATCH_REJECTED;
            return;
        }
    }
    if (status == SP_OK)
        status = prepare(t, &taken->err);
    if (status != SP_OK) { /* the desk's own trouble; it was well configured when it started */
        taken->outcome = SP_WATCH_LATER;
        return;
    }
    status = publish_all(t, &taken->err);
    taken->outcome = outcome_of(status);
}

void sp_watch_take(struct sp_watch_taken *ret_taken, const struct sp_watch *watch, const char *name,
                   const uint8_t *bytes, size_t length, const uint8_t *signature, size_t signature_length)
{
    struct taking t = {.watch = watch, .taken = ret_taken, .name = name};
    t.report = calloc(1, sizeof *t.report);
    t.out = open_memstream(&ret_taken->report, &ret_taken->report_length);
    t.json.out = t.out;
    if (t.report && t.out) {
        take(&t, bytes, length, signature, signature_length);
    } else {
        sp_fail(&ret_taken->err, SP_E_NOMEM, "no memory for a report");
        ret_taken->outcome = SP_WATCH_LATER;
    }
    if (t.out)
        fclose(t.out);
    if (ret_taken->outcome == SP_WATCH_REJECTED)
        write_reason(&t);
    free(t.report);
    sp_listing_free_all(&t.listings, ret_taken->message_count);
    sp_portraits_free(&t.portraits);
    sp_ports_free(&t.ports);
    sp_desk_close(&t.desk);
}

void sp_watch_reject(struct sp_watch_taken *ret_taken, const char *why)
{
    struct taking t = {.taken = ret_taken};
    sp_fail(&ret_taken->err, SP_E_INVALID, "the file is not read: %s", why);
    ret_taken->outcome = SP_WATCH_REJECTED;
    write_reason(&t);
}

void sp_watch_taken_clear(struct sp_watch_taken *taken)
{
    free(taken->report);
    free(taken->answer);
    free(taken->reason);
    memset(taken, 0, sizeof *taken);
}
