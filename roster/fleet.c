#include "roster/fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/wire.h"
#include "roster/manifest_store.h"

#define SET          "sp:fleet"
#define KEY_MAX      (SP_NAME_MAX + 16)
#define VERSION      1
#define COUNT_MAX    100000000
#define WALL_MAX_MS  (1ll << 52)
#define REPORT_BYTES (SP_FLEET_MAX_GALLERIES * (SP_MANIFEST_ID_MAX + 24) + 512)

static const struct sp_wire_limits limits = {REPORT_BYTES, 3, 5 * SP_FLEET_MAX_GALLERIES + 32};

static void report_key(char ret_key[KEY_MAX], const char *worker)
{
    snprintf(ret_key, KEY_MAX, SET ":%s", worker);
}

static void put(struct sp_wire_writer *w, const struct sp_fleet_report *report)
{
    sp_wire_put_map(w, 6);
    sp_wire_put_text(w, "v"), sp_wire_put_uint(w, VERSION);
    sp_wire_put_text(w, "worker"), sp_wire_put_text(w, report->worker);
    sp_wire_put_text(w, "backend"), sp_wire_put_text(w, report->backend);
    sp_wire_put_text(w, "pack"), sp_wire_put_bytes(w, report->pack, sizeof report->pack);
    sp_wire_put_text(w, "at_ms"), sp_wire_put_int(w, report->at_ms);
    sp_wire_put_text(w, "galleries"), sp_wire_put_array(w, report->gallery_count);
    for (int i = 0; i < report->gallery_count; i++) {
        const struct sp_fleet_gallery *gallery = &report->galleries[i];
        sp_wire_put_array(w, 4);
        sp_wire_put_text(w, gallery->manifest);
        sp_wire_put_uint(w, gallery->version);
        sp_wire_put_uint(w, (uint64_t)gallery->people);
        sp_wire_put_uint(w, (uint64_t)gallery->missing);
    }
}

enum sp_status sp_fleet_encode(uint8_t **ret_bytes, size_t *ret_length, const struct sp_fleet_report *report,
                               struct sp_err *err)
{
    struct sp_wire_writer *writer = NULL;
    const uint8_t *bytes;
    size_t length;
    if (!sp_key_name_ok(report->worker) || report->gallery_count < 0 ||
        report->gallery_count > SP_FLEET_MAX_GALLERIES)
        return sp_fail(err, SP_E_INVALID, "fleet: a report needs a worker's name and at most %d galleries, not %d",
                       SP_FLEET_MAX_GALLERIES, report->gallery_count);
    enum sp_status status = sp_wire_writer_new(&writer, REPORT_BYTES, err);
    if (status != SP_OK)
        return status;
    put(writer, report);
    status = sp_wire_finish(writer, &bytes, &length, err);
    if (status == SP_OK && (*ret_bytes = malloc(length)) != NULL) {
        memcpy(*ret_bytes, bytes, length);
        *ret_length = length;
    } else if (status == SP_OK) {
        status = sp_fail(err, SP_E_NOMEM, "fleet: no memory for %zu bytes", length);
    }
    sp_wire_writer_free(&writer);
    return status;
}

static bool read_count(const sp_wire_value *value, int *ret)
{
    uint64_t number = 0;
    if (!sp_wire_as_uint(value, COUNT_MAX, &number))
        return false;
    *ret = (int)number;
    return true;
}

static enum sp_status read_galleries(struct sp_fleet_report *report, const sp_wire_value *map, struct sp_err *err)
{
    const sp_wire_value *list = sp_wire_find(map, "galleries");
    if (!sp_wire_is_array(list) || sp_wire_count(list) > SP_FLEET_MAX_GALLERIES)
        return sp_fail(err, SP_E_FORMAT, "galleries is not an array of at most %d", SP_FLEET_MAX_GALLERIES);
    int count = sp_wire_count(list);
    if (!(report->galleries = calloc((size_t)count + 1, sizeof *report->galleries)))
        return sp_fail(err, SP_E_NOMEM, "no memory for %d galleries", count);
    report->gallery_count = count;
    for (int i = 0; i < count; i++) {
        struct sp_fleet_gallery *gallery = &report->galleries[i];
        const sp_wire_value *row = sp_wire_at(list, i);
        if (!sp_wire_is_array(row) || sp_wire_count(row) != 4 ||
            !sp_wire_as_text(sp_wire_at(row, 0), gallery->manifest, sizeof gallery->manifest) ||
            !sp_manifest_id_ok(gallery->manifest) ||
            !sp_wire_as_uint(sp_wire_at(row, 1), INT64_MAX, &gallery->version) ||
            !read_count(sp_wire_at(row, 2), &gallery->people) || !read_count(sp_wire_at(row, 3), &gallery->missing))
            return sp_fail(err, SP_E_FORMAT, "galleries[%d] is not [manifest, version, people, missing]", i);
    }
    return SP_OK;
}

static enum sp_status read_report(struct sp_fleet_report *report, const sp_wire_value *map, struct sp_err *err)
{
    uint64_t version = 0;
    enum sp_status status = sp_wire_get_uint(map, "v", INT32_MAX, &version, err);
    if (status == SP_OK && version != VERSION)
        return sp_fail(err, SP_E_VERSION, "format %" PRIu64 ", this program reads %d", version, VERSION);
    if (status == SP_OK)
        status = sp_wire_get_text(map, "worker", report->worker, sizeof report->worker, err);
    if (status == SP_OK && !sp_key_name_ok(report->worker))
        status = sp_fail(err, SP_E_FORMAT, "worker is not a name");
    if (status == SP_OK)
        status = sp_wire_get_text(map, "backend", report->backend, sizeof report->backend, err);
    if (status == SP_OK)
        status = sp_wire_get_bytes(map, "pack", report->pack, sizeof report->pack, err);
    if (status == SP_OK)
        status = sp_wire_get_int(map, "at_ms", 0, WALL_MAX_MS, &report->at_ms, err);
    return status == SP_OK ? read_galleries(report, map, err) : status;
}

enum sp_status sp_fleet_decode(struct sp_fleet_report *ret_report, const void *bytes, size_t length,
                               struct sp_err *err)
{
    struct sp_wire_doc *doc = NULL;
    struct sp_err inner = {0};
    struct sp_fleet_report report = {0};
    enum sp_status status = sp_wire_parse(&doc, bytes, length, &limits, &inner);
    if (status == SP_OK && !sp_wire_is_map(sp_wire_root(doc)))
        status = sp_fail(&inner, SP_E_FORMAT, "not a map");
    if (status == SP_OK)
        status = read_report(&report, sp_wire_root(doc), &inner);
    sp_wire_free(&doc);
    if (status == SP_OK) {
        *ret_report = report;
        return SP_OK;
    }
    free(report.galleries);
    return sp_fail(err, status == SP_E_NOTFOUND ? SP_E_FORMAT : status, "fleet: %s", inner.text);
}

enum sp_status sp_fleet_write(struct sp_store *galleries, const struct sp_fleet_report *report, struct sp_err *err)
{
    char key[KEY_MAX], life[24];
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = sp_fleet_encode(&bytes, &length, report, err);
    if (status != SP_OK)
        return status;
    report_key(key, report->worker);
    snprintf(life, sizeof life, "%d", SP_FLEET_LIFE_MS);
    struct sp_argument set[] = {SP_ARG_TEXT("SET"), SP_ARG_TEXT(key), SP_ARG(bytes, length), SP_ARG_TEXT("PX"),
                                SP_ARG_TEXT(life)};
    struct sp_argument add[] = {SP_ARG_TEXT("SADD"), SP_ARG_TEXT(SET), SP_ARG_TEXT(report->worker)};
    status = sp_store_append(galleries, set, 5, err);
    enum sp_status adding = status == SP_OK ? sp_store_append(galleries, add, 3, err) : status;
    if (status == SP_OK)
        status = sp_store_collect(galleries, NULL, err);
    if (adding == SP_OK) {
        struct sp_err later = {0};
        adding = sp_store_collect(galleries, NULL, &later);
        if (status == SP_OK && adding != SP_OK)
            status = sp_fail(err, adding, "%s", later.text);
    }
    free(bytes);
    return status == SP_OK ? adding : status;
}

/* ---- reading ---- */

static int by_name(const void *a, const void *b)
{
    const struct sp_fleet_report *one = a, *two = b;
    return strcmp(one->worker, two->worker);
}

static enum sp_status read_names(struct sp_fleet_report **ret_reports, int *ret_count, struct sp_store *galleries,
                                 struct sp_err *err)
{
    struct sp_argument arguments[] = {SP_ARG_TEXT("SMEMBERS"), SP_ARG_TEXT(SET)};
    sp_reply *reply = NULL;
    enum sp_status status = sp_store_command(galleries, arguments, 2, &reply, err);
    size_t count = status == SP_OK ? sp_reply_count(reply) : 0;
    if (status == SP_OK && count > SP_FLEET_MAX_WORKERS)
        status = sp_fail(err, SP_E_LIMIT, SET ": %zu workers, at most %d are read", count, SP_FLEET_MAX_WORKERS);
    struct sp_fleet_report *reports = status == SP_OK ? calloc(count + 1, sizeof *reports) : NULL;
    if (status == SP_OK && !reports)
        status = sp_fail(err, SP_E_NOMEM, SET ": no memory for %zu workers", count);
    for (size_t i = 0; status == SP_OK && i < count; i++) {
        size_t length = 0;
        const uint8_t *name = sp_reply_bytes(sp_reply_at(reply, i), &length);
        if (name && length < sizeof reports[i].worker)
            memcpy(reports[i].worker, name, length);
        reports[i].stale = true;
        if (!sp_key_name_ok(reports[i].worker))
            status = sp_fail(err, SP_E_FORMAT, SET ": a member of %zu bytes is no worker's name", length);
    }
    sp_reply_free(&reply);
    if (status != SP_OK) {
        free(reports);
        return status;
    }
    qsort(reports, count, sizeof *reports, by_name);
    *ret_reports = reports;
    *ret_count = (int)count;
    return SP_OK;
}

static enum sp_status take_report(struct sp_fleet_report *report, const sp_reply *reply, struct sp_err *err)
{
    size_t length = 0;
    const uint8_t *bytes = sp_reply_bytes(reply, &length);
    struct sp_fleet_report found = {0};
    if (!bytes)
        return SP_OK; /* silent for too long: it stays stale */
    enum sp_status status = sp_fleet_decode(&found, bytes, length, err);
    if (status == SP_OK && strcmp(found.worker, report->worker) != 0)
        status = sp_fail(err, SP_E_FORMAT, "fleet: the report is another worker's");
    if (status != SP_OK) {
        free(found.galleries);
        return err ? sp_fail_in(err, "worker %s", report->worker) : status;
    }
    *report = found;
    return SP_OK;
}

enum sp_status sp_fleet_read(struct sp_fleet_report **ret_reports, int *ret_count, struct sp_store *galleries,
                             struct sp_err *err)
{
    struct sp_fleet_report *reports = NULL;
    int count = 0;
    sp_reply *reply = NULL;
    enum sp_status status = read_names(&reports, &count, galleries, err);
    char(*keys)[KEY_MAX] = calloc((size_t)count + 1, sizeof *keys);
    struct sp_argument *arguments = calloc((size_t)count + 1, sizeof *arguments);
    if (status == SP_OK && (!keys || !arguments))
        status = sp_fail(err, SP_E_NOMEM, SET ": no memory for %d workers", count);
    if (status == SP_OK && count > 0) {
        arguments[0] = SP_ARG_TEXT("MGET");
        for (int i = 0; i < count; i++) {
            report_key(keys[i], reports[i].worker);
            arguments[i + 1] = SP_ARG_TEXT(keys[i]);
        }
        status = sp_store_command(galleries, arguments, count + 1, &reply, err);
    }
    for (int i = 0; status == SP_OK && i < count; i++)
        status = take_report(&reports[i], sp_reply_at(reply, (size_t)i), err);
    sp_reply_free(&reply);
    free(keys);
    free(arguments);
    if (status != SP_OK) {
        sp_fleet_free(&reports, count);
        return status;
    }
    *ret_reports = reports;
    *ret_count = count;
    return SP_OK;
}

void sp_fleet_free(struct sp_fleet_report **reports, int count)
{
    if (!reports || !*reports)
        return;
    for (int i = 0; i < count; i++)
        free((*reports)[i].galleries);
    free(*reports);
    *reports = NULL;
}
