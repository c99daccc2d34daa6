#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/log.h"
#include "listing/listing.h"
#include "ops/command.h"
#include "ops/desk.h"
#include "ops/json.h"
#include "ops/watch_take.h"
#include "roster/drop.h"
#include "roster/ports.h"

#define AGENT        "sallyport"
#define LOOK_MS      2000  /* a look without an event, and before a file that could not be taken is tried again */
#define GROWING_MS   500   /* while a file is still being written */
#define SIGNATURE_MS 60000 /* how long a file waits for its signature */
#define TOLD_MAX     1000  /* files that are left alone, and were told once */
#define NAME_ROOM    (SP_DROP_NAME_MAX + 16)

struct watching {
    struct sp_drop *drop;
    struct sp_watch watch;
    struct sp_carriers *carriers;
    struct sp_log log;
    int signals; /* descriptor; -1: none */
    bool json, stop;
    int taken, rejected, left;        /* files; left: of the last look */
    char later[SP_DROP_NAME_MAX + 1]; /* the file that waits, told already */
    struct sp_err why_later;
    int told_count;
    char (*told)[SP_DROP_NAME_MAX + 1];
};

/* A file under way, as it was when it was read: another may come under its name while it is published. */
struct reading {
    const char *name;
    struct sp_drop_stamp stamp, signature_stamp;
    uint8_t *bytes, *signature; /* owned */
    size_t length, signature_length;
};

/* ---- telling ---- */

static void tell(const struct watching *w, const char *name, const char *as, const struct sp_watch_taken *taken)
{
    static const char *const words[] = {"taken", "rejected", "later"};
    struct sp_json json = {stdout, false};
    if (taken->outcome == SP_WATCH_TAKEN)
        sp_log(&w->log, SP_LOG_INFO, "WAT-TAKEN",
               "file=%s as=done/%s manifest=%s version=%llu state=%s travellers=%d "
               "without_portrait=%d deviations=%d%s%s",
               name, as, taken->manifest, (unsigned long long)taken->version, sp_manifest_state_word(taken->state),
               taken->travellers, taken->lacks, taken->deviations, taken->carrier[0] ? " carrier=" : "",
               taken->carrier);
    else if (taken->outcome == SP_WATCH_REJECTED)
        sp_log(&w->log, SP_LOG_WARN, "WAT-REJECTED", "file=%s as=rejected/%s: %s", name, as, taken->err.text);
    else
        sp_log(&w->log, SP_LOG_WARN, "WAT-LATER", "file=%s stays and is tried again: %s", name, taken->err.text);
    if (!w->json)
        return;
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "file", name);
    sp_json_text(&json, "outcome", words[taken->outcome]);
    sp_json_text(&json, "as", as);
    sp_json_text(&json, "manifest", taken->manifest);
    sp_json_number(&json, "version", (double)taken->version);
    sp_json_text(&json, "carrier", taken->carrier);
    sp_json_number(&json, "travellers", taken->travellers);
    sp_json_number(&json, "without_portrait", taken->lacks);
    sp_json_text(&json, "reason", taken->err.text);
    sp_json_close(&json, '}');
    printf("\n");
    fflush(stdout);
}

/* A file that is left alone is told once. */
static void tell_left(struct watching *w, const struct sp_drop_file *file, const char *why)
{
    for (int i = 0; i < w->told_count; i++)
        if (strcmp(w->told[i], file->name) == 0)
            return;
    if (w->told_count < TOLD_MAX)
        memcpy(w->told[w->told_count++], file->name, sizeof file->name);
    sp_log(&w->log, SP_LOG_WARN, "WAT-LEFT", "file=%s is left alone: %s", file->name, why);
}

/* ---- one file ---- */

/* Its papers, then the file, then its signature: a run that dies in between finds the file where it was and does
 * all again. */
static enum sp_status put_away(struct watching *w, const struct reading *file, const struct sp_watch_taken *taken,
                               char ret_as[NAME_ROOM], struct sp_err *err)
{
    const char *name = file->name;
    enum sp_drop_place place = taken->outcome == SP_WATCH_TAKEN ? SP_DROP_DONE : SP_DROP_REJECTED;
    char signature[SP_DROP_NAME_MAX + 8], signature_as[NAME_ROOM + 8];
    enum sp_status status = sp_drop_free_name(w->drop, place, name, ret_as, err);
    if (status == SP_OK && place == SP_DROP_DONE)
        status = sp_drop_write(w->drop, place, ret_as, ".report.json", taken->report, taken->report_length, err);
    if (status == SP_OK && place == SP_DROP_DONE && taken->answer)
        status = sp_drop_write(w->drop, place, ret_as, ".answer.edi", taken->answer, taken->answer_length, err);
    if (status == SP_OK && place == SP_DROP_REJECTED)
        status =
            sp_drop_write(w->drop, place, ret_as, ".reason.txt", taken->reason ? taken->reason : taken->err.text,
                          taken->reason ? taken->reason_length : strlen(taken->err.text), err);
    if (status == SP_OK)
        status = sp_drop_move(w->drop, name, &file->stamp, place, ret_as, err);
    snprintf(signature, sizeof signature, "%s" SP_SIGNATURE_SUFFIX, name);
    snprintf(signature_as, sizeof signature_as, "%s" SP_SIGNATURE_SUFFIX, ret_as);
    if (status == SP_OK && sp_drop_there(w->drop, signature))
        (void)sp_drop_move(w->drop, signature, &file->signature_stamp, place, signature_as, NULL);
    return status;
}

/* True: go on with the next file. */
static bool finish(struct watching *w, const struct reading *file, struct sp_watch_taken *taken)
{
    const char *name = file->name;
    char as[NAME_ROOM] = "";
    struct sp_err err = {0};
    bool changed = false;
    if (taken->outcome != SP_WATCH_LATER && put_away(w, file, taken, as, &err) != SP_OK) {
        sp_fail(&taken->err, err.status, "%s", err.text); /* a full disk, for one */
        taken->outcome = SP_WATCH_LATER;
        changed = err.status == SP_E_CONFLICT || err.status == SP_E_NOTFOUND; /* by its sender: as if it grew */
    }
    w->taken += taken->outcome == SP_WATCH_TAKEN;
    w->rejected += taken->outcome == SP_WATCH_REJECTED;
    if (taken->outcome != SP_WATCH_LATER) {
        tell(w, name, as, taken);
        return true;
    }
    w->left++;
    if (strcmp(w->later, name) != 0 || strcmp(w->why_later.text, taken->err.text) != 0)
        tell(w, name, "", taken);
    snprintf(w->later, sizeof w->later, "%s", name);
    w->why_later = taken->err;
    return changed;
}

/* SP_E_NOTFOUND: it is not there yet, or only half of it, and there is time. */
static enum sp_status read_signature(struct watching *w, const struct sp_drop_file *file, struct reading *reading,
                                     struct sp_err *err)
{
    char name[SP_DROP_NAME_MAX + 8];
    struct sp_signature parsed;
    bool time = file->rest_ms < SIGNATURE_MS;
    if (!w->carriers)
        return SP_OK;
    snprintf(name, sizeof name, "%s" SP_SIGNATURE_SUFFIX, file->name);
    enum sp_status status = sp_drop_read(w->drop, name, SP_SIGNATURE_TEXT_MAX, &reading->signature,
                                         &reading->signature_length, &reading->signature_stamp, err);
    if (status == SP_OK && time &&
        sp_signature_parse(&parsed, name, reading->signature, reading->signature_length, err) != SP_OK)
        status = SP_E_NOTFOUND;
    if (status == SP_E_CONFLICT)
        status = SP_E_NOTFOUND;
    return status == SP_E_NOTFOUND && !time ? SP_OK : status; /* taking says what is missing */
}

static bool take(struct watching *w, const struct sp_drop_file *file)
{
    struct sp_watch_taken taken = {0};
    struct reading reading = {.name = file->name};
    bool next = true, read = true;
    enum sp_status status = read_signature(w, file, &reading, &taken.err);
    if (status == SP_OK)
        status = sp_drop_read(w->drop, file->name, SP_LISTING_MAX_BYTES, &reading.bytes, &reading.length,
                              &reading.stamp, &taken.err);
    if (status == SP_OK) {
        sp_watch_take(&taken, &w->watch, file->name, reading.bytes, reading.length, reading.signature,
                      reading.signature_length);
        sp_seal_wipe(reading.bytes, reading.length);
    } else if (status == SP_E_LIMIT) {
        struct sp_err why = taken.err;
        sp_watch_reject(&taken, why.text);
    } else if (status == SP_E_NOMEM) {
        taken.outcome = SP_WATCH_LATER;
    } else { /* somebody writes it, or it is not for this service: nobody else's file waits for that */
        if (status != SP_E_NOTFOUND && status != SP_E_CONFLICT)
            tell_left(w, file, taken.err.text);
        w->left++;
        read = false;
    }
    if (read)
        next = finish(w, &reading, &taken);
    free(reading.bytes);
    free(reading.signature);
    sp_watch_taken_clear(&taken);
    return next;
}

/* ---- all files ---- */

static enum sp_status look(struct watching *w, bool *ret_growing, struct sp_err *err)
{
    struct sp_drop_file *files = NULL;
    int count = 0;
    bool next = true;
    *ret_growing = false;
    w->left = 0;
    enum sp_status status = sp_drop_look(w->drop, sp_clock_wall_ms(), SP_LISTING_MAX_BYTES, &files, &count, err);
    /* In order of name: what waits for a store or a worker holds up what comes after it. */
    for (int i = 0; i < count && status == SP_OK && next && !w->stop; i++) {
        struct sp_watch_taken taken = {0};
        if (files[i].state == SP_DROP_GROWING) {
            *ret_growing = true;
            w->left++;
        } else if (files[i].state == SP_DROP_COMPLETE) {
            next = take(w, &files[i]);
        } else if (files[i].regular && !files[i].strange) {
            const struct reading unread = {.name = files[i].name, .stamp = files[i].stamp};
            sp_watch_reject(&taken, files[i].why);
            next = finish(w, &unread, &taken);
            sp_watch_taken_clear(&taken);
        } else {
            tell_left(w, &files[i], files[i].why);
        }
        w->stop = w->stop || sp_drop_wait(w->drop, w->signals, 0);
    }
    free(files);
    return status;
}

static enum sp_status run(struct watching *w, bool once, struct sp_err *err)
{
    enum sp_status status = sp_program_signals(&w->signals, err);
    if (status != SP_OK)
        return status;
    sp_program_notify("READY=1");
    while (status == SP_OK && !w->stop) {
        bool growing = false;
        status = look(w, &growing, err);
        if (once || status != SP_OK || w->stop)
            break;
        w->stop = sp_drop_wait(w->drop, w->signals, growing ? GROWING_MS : LOOK_MS);
    }
    sp_program_notify("STOPPING=1");
    return status;
}

/* What would make every file wait for ever is said at once. */
static enum sp_status check(const struct sp_ops_config *config, struct sp_err *err)
{
    struct sp_desk desk = {0};
    uint8_t fleet[32];
    struct sp_ports *ports = NULL;
    if (!config->pack[0])
        return sp_fail(err, SP_E_INVALID,
                       "the configuration does not set pack.directory: the pack that the workers run");
    if (!config->broker_address[0])
        return sp_fail(err, SP_E_INVALID,
                       "the configuration does not set broker.address: portraits are enrolled there");
    enum sp_status status = sp_ops_fleet(fleet, config, err);
    if (status == SP_OK)
        status = sp_ops_box(&desk.box, config, err);
    if (status == SP_OK && config->ports[0])
        status = sp_ports_read(&ports, config->ports, err);
    sp_ports_free(&ports);
    sp_desk_close(&desk);
    return status;
}

int sp_manifest_watch_run(int argc, char **argv)
{
    struct watching w = {.log = {"sallyport", SP_LOG_INFO, false}, .signals = -1, .watch = {.name = AGENT}};
    const char *carriers = NULL;
    bool once = false;
    const struct sp_flag flags[] = {
        {"portraits", "DIR", "directory with portrait files", &w.watch.portraits, NULL},
        {"carriers", "FILE", "who may send what; files must be signed", &carriers, NULL},
        {"once", NULL, "take what lies there and leave", NULL, &once},
        {"json", NULL, "a JSON object per file on stdout", NULL, &w.json},
        {0}};
    const struct sp_ops_verb verb = {"sallyport manifest watch", "Publish the files that come into a folder.",
                                     "sallyport manifest watch /srv/drop --portraits /srv/portraits", "DIR", flags};
    struct sp_ops_line line = {0};
    struct sp_err err = {0};
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    if (line.count != 1)
        return sp_command_usage("manifest watch", "give one directory, not %d", line.count);
    w.watch.config = &line.config;
    w.told = calloc(TOLD_MAX, sizeof *w.told);
    enum sp_status status = w.told ? check(&line.config, &err) : sp_fail(&err, SP_E_NOMEM, "no memory");
    if (status == SP_OK && carriers)
        status = sp_carriers_load(&w.carriers, carriers, &err);
    w.watch.carriers = w.carriers;
    if (status == SP_OK)
        status = sp_drop_open(&w.drop, line.operands[0], &err);
    if (status == SP_OK)
        status = run(&w, once, &err);
    if (status != SP_OK)
        code = sp_command_fail(&err);
    else if (once)
        code = w.left > 0 ? SP_EXIT_UNAVAILABLE : w.rejected > 0 ? SP_EXIT_FAILED : SP_EXIT_OK;
    sp_drop_free(&w.drop);
    sp_carriers_free(&w.carriers);
    free(w.told);
    return code;
}
