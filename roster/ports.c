#include "roster/ports.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/file.h"
#include "listing/csv.h"

#define MAX_BYTES (2u << 20)
#define CODE_MAX  12

struct port {
    char code[CODE_MAX + 1];
    char zone[SP_ZONE_NAME_MAX];
    int line;
    bool site;
};

struct sp_ports {
    int count, site_count;
    struct port *all;  /* owned; sorted by code */
    const char **site; /* owned; point into all */
};

enum column { PORT, ZONE, NAME, SITE, COLUMNS };

static int compare_ports(const void *a, const void *b)
{
    return strcmp(((const struct port *)a)->code, ((const struct port *)b)->code);
}

static bool take_code(char ret_code[CODE_MAX + 1], const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > CODE_MAX)
        return false;
    for (size_t i = 0; i <= length; i++) {
        if (text[i] && !isalnum((unsigned char)text[i]))
            return false;
        ret_code[i] = (char)toupper((unsigned char)text[i]);
    }
    return true;
}

static enum sp_status read_header(int ret_columns[COLUMNS], const char *name, const struct sp_csv_record *record,
                                  struct sp_err *err)
{
    static const char *const words[COLUMNS] = {"port", "zone", "name", "site"};
    for (int column = 0; column < COLUMNS; column++) {
        ret_columns[column] = -1;
        for (int i = 0; i < record->count; i++)
            if (strcmp(record->fields[i], words[column]) == 0)
                ret_columns[column] = i;
    }
    if (ret_columns[PORT] < 0 || ret_columns[ZONE] < 0)
        return sp_fail(err, SP_E_FORMAT, "%s line %d: the header is port,zone[,name][,site]", name, record->line);
    return SP_OK;
}

static const char *field(const struct sp_csv_record *record, int column)
{
    return column >= 0 && column < record->count ? record->fields[column] : "";
}

static enum sp_status take_port(struct port *port, const char *name, const struct sp_csv_record *record,
                                const int columns[COLUMNS], struct sp_err *err)
{
    const char *zone = field(record, columns[ZONE]), *site = field(record, columns[SITE]);
    if (!take_code(port->code, field(record, columns[PORT])))
        return sp_fail(err, SP_E_FORMAT, "%s line %d: a port is 1 to %d letters and digits", name, record->line,
                       CODE_MAX);
    if (!sp_zone_name_ok(zone))
        return sp_fail(err, SP_E_FORMAT, "%s line %d: port %s: a zone is a name as Europe/Lisbon", name,
                       record->line, port->code);
    if (site[0] && strcmp(site, "yes") != 0 && strcmp(site, "no") != 0)
        return sp_fail(err, SP_E_FORMAT, "%s line %d: port %s: site is yes, no or empty", name, record->line,
                       port->code);
    snprintf(port->zone, sizeof port->zone, "%s", zone);
    port->site = strcmp(site, "yes") == 0;
    port->line = record->line;
    return SP_OK;
}

static enum sp_status take_all(struct sp_ports *ports, const char *name, struct sp_csv *csv, struct sp_err *err)
{
    struct sp_csv_record record;
    int columns[COLUMNS];
    enum sp_status status = sp_csv_next(csv, &record, err);
    if (status == SP_E_CLOSED)
        return sp_fail(err, SP_E_FORMAT, "%s: it is empty", name);
    if (status == SP_OK)
        status = read_header(columns, name, &record, err);
    while (status == SP_OK && (status = sp_csv_next(csv, &record, err)) == SP_OK) {
        if (ports->count == SP_PORTS_MAX)
            return sp_fail(err, SP_E_LIMIT, "%s line %d: more than %d ports", name, record.line, SP_PORTS_MAX);
        if ((ports->count & (ports->count - 1)) == 0) {
            struct port *grown = realloc(ports->all, (size_t)(2 * ports->count + 1) * sizeof *grown);
            if (!grown)
                return sp_fail(err, SP_E_NOMEM, "%s: no memory for %d ports", name, 2 * ports->count + 1);
            ports->all = grown;
        }
        status = take_port(&ports->all[ports->count], name, &record, columns, err);
        ports->count += status == SP_OK;
    }
    return status == SP_E_CLOSED ? SP_OK : status;
}

static enum sp_status order(struct sp_ports *ports, const char *name, struct sp_err *err)
{
    ports->site = calloc((size_t)ports->count + 1, sizeof *ports->site);
    if (!ports->site)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory for %d ports", name, ports->count);
    if (ports->count > 0)
        qsort(ports->all, (size_t)ports->count, sizeof *ports->all, compare_ports);
    for (int i = 0; i < ports->count; i++) {
        if (i > 0 && strcmp(ports->all[i].code, ports->all[i - 1].code) == 0)
            return sp_fail(err, SP_E_FORMAT, "%s line %d: port %s is there twice", name,
                           ports->all[i].line > ports->all[i - 1].line ? ports->all[i].line
                                                                       : ports->all[i - 1].line,
                           ports->all[i].code);
        if (ports->all[i].site)
            ports->site[ports->site_count++] = ports->all[i].code;
    }
    return SP_OK;
}

enum sp_status sp_ports_parse(struct sp_ports **ret_ports, const char *name, const void *bytes, size_t length,
                              struct sp_err *err)
{
    struct sp_csv *csv = NULL;
    struct sp_ports *ports = calloc(1, sizeof *ports);
    if (!ports)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory", name);
    enum sp_status status = sp_csv_new(&csv, name, bytes, length, err);
    if (status == SP_OK)
        status = take_all(ports, name, csv, err);
    if (status == SP_OK)
        status = order(ports, name, err);
    sp_csv_free(&csv);
    if (status == SP_OK)
        *ret_ports = ports;
    else
        sp_ports_free(&ports);
    return status;
}

enum sp_status sp_ports_read(struct sp_ports **ret_ports, const char *path, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = sp_file_read(&bytes, &length, path, MAX_BYTES, err);
    if (status == SP_OK)
        status = sp_ports_parse(ret_ports, path, bytes, length, err);
    free(bytes);
    return status;
}

void sp_ports_free(struct sp_ports **ports)
{
    if (!ports || !*ports)
        return;
    free((*ports)->all);
    free((*ports)->site);
    free(*ports);
    *ports = NULL;
}

const char *sp_ports_zone(const struct sp_ports *ports, const char *port)
{
    struct port wanted;
    if (!ports || ports->count == 0 || !take_code(wanted.code, port))
        return "";
    const struct port *found =
        bsearch(&wanted, ports->all, (size_t)ports->count, sizeof *ports->all, compare_ports);
    return found ? found->zone : "";
}

const char *const *sp_ports_site(const struct sp_ports *ports, int *ret_count)
{
    *ret_count = ports ? ports->site_count : 0;
    return ports ? ports->site : NULL;
}
