/* What a version knows of the journey: the message's word, else what stood. Declared in publish_parts.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "roster/publish_parts.h"

static void warn(struct sp_publish_run *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(struct sp_publish_run *p, const char *format, ...)
{
    struct sp_publish_report *report = p->report;
    int at = report->warning_count++;
    va_list arguments;
    if (at >= SP_PUBLISH_MAX_WARNINGS)
        return;
    va_start(arguments, format);
    vsnprintf(report->warnings[at], sizeof report->warnings[at], format, arguments);
    va_end(arguments);
}

static void put(char *ret, size_t size, const char *said)
{
    if (said[0])
        snprintf(ret, size, "%.*s", (int)size - 1, said);
}

/* The zone's name by the desk's table, else as the version that stands knows it: a desk without a table must not
 * move a journey. */
static const char *name_of(const struct sp_publish_run *p, const char *port)
{
    const char *name = p->config->ports ? sp_ports_zone(p->config->ports, port) : "";
    return !name[0] && p->before && strcmp(p->before->dep_port, port) == 0 ? p->before->zone : name;
}

/* A zone that the machine does not have is a warning: the journey is published, its times as if UTC. */
static struct sp_zone *zone_of(struct sp_publish_run *p, const char *port)
{
    struct sp_zone *zone = NULL;
    struct sp_err err = {0};
    const char *name = name_of(p, port);
    if (!port[0])
        return NULL;
    if (!name[0] && p->config->ports)
        warn(p, "port %.15s is not in the table of ports (site.ports): its times are taken as UTC", port);
    else if (!name[0] && port == p->next->dep_port) /* said once */
        warn(p, "there is no table of ports (site.ports): times are taken as UTC");
    if (name[0] && sp_zone_open(&zone, name, &err) != SP_OK)
        warn(p, "%.200s: times at %.15s are taken as UTC", err.text, port);
    return zone;
}

static void put_time(int64_t *ret_ms, const struct sp_zone *zone, const char *said)
{
    int64_t ms;
    if (sp_zone_time(&ms, zone, said))
        *ret_ms = ms;
}

static void put_times(struct sp_publish_run *p)
{
    const struct sp_apply_message *m = p->message;
    struct sp_manifest_index *next = p->next;
    struct sp_zone *here = zone_of(p, next->dep_port), *there = m->sched_arr[0] ? zone_of(p, next->arr_port) : NULL;
    snprintf(next->zone, sizeof next->zone, "%s", here ? name_of(p, next->dep_port) : "");
    put_time(&next->departs_ms, here, m->sched_dep);
    put_time(&next->arrives_ms, there, m->sched_arr);
    sp_zone_free(&here);
    sp_zone_free(&there);
}

void sp_publish_journey(struct sp_publish_run *p)
{
    const struct sp_apply_message *m = p->message;
    struct sp_manifest_index *next = p->next;
    put(next->carrier, sizeof next->carrier, m->carrier);
    put(next->journey, sizeof next->journey, m->journey);
    put(next->dep_port, sizeof next->dep_port, m->dep_port);
    put(next->arr_port, sizeof next->arr_port, m->arr_port);
    put(next->direction, sizeof next->direction, m->direction);
    next->standing = next->standing || m->standing;
    put_times(p);
    if (strcmp(p->manifest, p->roster->manifest) != 0)
        warn(p, "%s was never published: taken for a new date of %s", p->roster->manifest, p->manifest);
    for (int i = 0; i < p->applied->problem_count && i < SP_APPLY_MAX_PROBLEMS; i++) {
        const struct sp_apply_problem *problem = &p->applied->problems[i];
        warn(p, "line %d %s", p->roster->rows[problem->source].line, problem->text);
    }
    if (p->applied->unknown > 0)
        warn(p, "%d travellers that the message names are not in the manifest", p->applied->unknown);
}
