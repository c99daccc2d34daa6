#include "listing/journey.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "listing/field.h"

static const struct info {
    const char *name;
    size_t place, max;
} fields[SP_JOURNEY_COUNT] = {
#define X(constant, member, max) {#member, offsetof(struct sp_listing, member), max},
    SP_JOURNEY_LIST(X)
#undef X
};

#define PORT_MAX 12

const char *sp_journey_name(enum sp_journey_field field)
{
    return (unsigned)field < SP_JOURNEY_COUNT ? fields[field].name : "unknown";
}

int sp_journey_from(const char *name)
{
    for (int i = 0; i < SP_JOURNEY_COUNT; i++)
        if (strcasecmp(fields[i].name, name) == 0)
            return i;
    return -1;
}

const char *sp_journey_value(const struct sp_listing *listing, enum sp_journey_field field)
{
    return *(const char *const *)((const char *)listing + fields[field].place);
}

static bool one_of(const char *text, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static bool has_plain(const char *value)
{
    for (; *value; value++)
        if (isalnum((unsigned char)*value))
            return true;
    return false;
}

/* The form that a value of this field does not have; NULL: it has. */
static const char *wrong(enum sp_journey_field field, const char *value)
{
    static const char *const modes[] = {"air", "sea", "pedestrian", "vehicle", "private"};
    static const char *const directions[] = {"exit", "entry"};
    if (strlen(value) > fields[field].max)
        return "shorter";
    switch (field) {
    case SP_JOURNEY_MODE:
        return one_of(value, modes, 5) ? NULL : "air, sea, pedestrian, vehicle or private";
    case SP_JOURNEY_DIRECTION:
        return one_of(value, directions, 2) ? NULL : "exit or entry";
    case SP_JOURNEY_CARRIER:
    case SP_JOURNEY_NUMBER:
        return has_plain(value) ? NULL : "given, with letters or digits";
    default:
        return NULL;
    }
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

enum sp_status sp_journey_put(struct sp_listing *listing, enum sp_journey_field field, const char *text,
                              int segment, size_t offset, struct sp_err *err)
{
    const char **place = (const char **)((char *)listing + fields[field].place), *copy = "";
    enum sp_status status = sp_listing_text(listing, &copy, text, strlen(text), NULL, err);
    if (status != SP_OK || !copy[0])
        return status;
    /* "number" is called journey where people write it. */
    const char *name = field == SP_JOURNEY_NUMBER ? "journey" : fields[field].name;
    const char *form = has_control(text) ? "without control characters" : wrong(field, copy);
    if (form)
        sp_listing_deviate_value(listing, segment, offset, "%s must be %s", name, form);
    else
        *place = copy;
    return SP_OK;
}

static enum sp_status put_port(struct sp_listing *listing, const char **ret, const char *name, const char *text,
                               int segment, size_t offset, struct sp_err *err)
{
    char upper[PORT_MAX + 1];
    size_t length = 0;
    while (text && (*text == ' ' || *text == '\t'))
        text++;
    if (!text || !*text)
        return SP_OK;
    for (; text[length] && length < PORT_MAX; length++)
        upper[length] = (char)toupper((unsigned char)text[length]);
    upper[length] = 0;
    if (text[length] || !has_plain(upper) || has_control(upper)) {
        sp_listing_deviate_value(listing, segment, offset,
                                 "%s must be given, with letters or digits, at most %d of them", name, PORT_MAX);
        return SP_OK;
    }
    return sp_listing_text(listing, ret, upper, length, NULL, err);
}

static enum sp_status put_time(struct sp_listing *listing, const char **ret, const char *name, const char *text,
                               int segment, size_t offset, struct sp_err *err)
{
    char time[17], trimmed[64];
    bool zone = false;
    while (text && (*text == ' ' || *text == '\t'))
        text++;
    if (!text || !*text)
        return SP_OK;
    snprintf(trimmed, sizeof trimmed, "%s", text);
    for (size_t length = strlen(trimmed); trimmed[length - 1] == ' ' || trimmed[length - 1] == '\t'; length--)
        trimmed[length - 1] = 0; /* it does not begin with one */
    if (!sp_field_time(time, &zone, trimmed)) {
        sp_listing_deviate_value(listing, segment, offset, "%s must be a date or time as 2026-12-04T18:20", name);
        return SP_OK;
    }
    if (zone)
        sp_listing_deviate(listing, segment, offset, "the zone of %s is not used: times are the port's own", name);
    return sp_listing_text(listing, ret, time, strlen(time), NULL, err);
}

enum sp_status sp_journey_put_leg(struct sp_listing *listing, const struct sp_journey_leg *leg, int segment,
                                  size_t offset, struct sp_err *err)
{
    struct sp_leg *kept = NULL;
    enum sp_status status = sp_listing_add_leg(listing, &kept, err);
    if (status == SP_OK)
        status = put_port(listing, &kept->dep_port, "dep_port", leg->dep_port, segment, offset, err);
    if (status == SP_OK)
        status = put_port(listing, &kept->arr_port, "arr_port", leg->arr_port, segment, offset, err);
    if (status == SP_OK)
        status = put_time(listing, &kept->sched_dep, "sched_dep", leg->sched_dep, segment, offset, err);
    if (status == SP_OK)
        status = put_time(listing, &kept->sched_arr, "sched_arr", leg->sched_arr, segment, offset, err);
    return status;
}

enum sp_status sp_journey_fill(struct sp_listing *listing, const struct sp_journey_defaults *defaults,
                               struct sp_err *err)
{
    const struct {
        enum sp_journey_field field;
        const char *text;
    } values[] = {{SP_JOURNEY_MODE, defaults->mode},
                  {SP_JOURNEY_CARRIER, defaults->carrier},
                  {SP_JOURNEY_NUMBER, defaults->number},
                  {SP_JOURNEY_DIRECTION, defaults->direction}};
    enum sp_status status = SP_OK;
    for (int i = 0; status == SP_OK && i < 4; i++)
        if (values[i].text && !sp_journey_value(listing, values[i].field)[0])
            status = sp_journey_put(listing, values[i].field, values[i].text, 0, 0, err);
    if (status != SP_OK || (!defaults->port && !defaults->date))
        return status;
    if (listing->leg_count == 0) {
        const struct sp_journey_leg leg = {defaults->port, NULL, defaults->date, NULL};
        return sp_journey_put_leg(listing, &leg, 0, 0, err);
    }
    struct sp_leg *first = &listing->legs[0];
    if (!first->dep_port[0])
        status = put_port(listing, &first->dep_port, "dep_port", defaults->port, 0, 0, err);
    if (status == SP_OK && !first->sched_dep[0])
        status = put_time(listing, &first->sched_dep, "sched_dep", defaults->date, 0, 0, err);
    return status;
}

const char *sp_journey_carrier(const struct sp_listing *listing)
{
    return listing->carrier[0] ? listing->carrier : listing->vessel_id;
}

void sp_journey_number(char ret_number[32], const struct sp_listing *listing)
{
    const char *number = listing->number, *carrier = listing->carrier;
    size_t prefix = strlen(carrier);
    if (strcmp(listing->mode, "air") == 0) {
        if (prefix > 0 && strncasecmp(number, carrier, prefix) == 0 &&
            isdigit((unsigned char)number[prefix + strspn(number + prefix, " ")]))
            number += prefix + strspn(number + prefix, " ");
        while (number[0] == '0' && isdigit((unsigned char)number[1]))
            number++;
    }
    snprintf(ret_number, 32, "%.31s", number[0] ? number : listing->vessel_id);
}

static bool in(const char *port, const char *const *ports, int count)
{
    for (int i = 0; i < count; i++)
        if (strcasecmp(port, ports[i]) == 0)
            return true;
    return false;
}

const struct sp_leg *sp_journey_leg(const struct sp_listing *listing, const char *const *ports, int port_count)
{
    const struct sp_leg *first = NULL, *arrives = NULL;
    for (int i = 0; i < listing->leg_count; i++) {
        const struct sp_leg *leg = &listing->legs[i];
        if (leg->over_flight)
            continue;
        if (in(leg->dep_port, ports, port_count))
            return leg;
        if (!arrives && in(leg->arr_port, ports, port_count))
            arrives = leg;
        if (!first)
            first = leg;
    }
    return arrives ? arrives : first;
}

/* One part of the id: lower case, and a dot for each run of what is not [a-z0-9]. */
static void put_part(char *id, const char *value)
{
    size_t at = strlen(id);
    if (at > 0)
        id[at++] = '-';
    for (; *value && at + 1 < SP_MANIFEST_ID_MAX; value++) {
        char c = (char)tolower((unsigned char)*value);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain || (at > 0 && id[at - 1] != '.'))
            id[at++] = plain ? c : '.';
    }
    id[at] = 0;
}

enum sp_status sp_journey_id(char ret_id[SP_MANIFEST_ID_MAX], const struct sp_listing *listing,
                             const char *const *ports, int port_count, struct sp_err *err)
{
    const struct sp_leg *leg = sp_journey_leg(listing, ports, port_count);
    char number[32], day[12] = "";
    const char *date = !leg ? "" : leg->sched_dep[0] ? leg->sched_dep : leg->sched_arr;
    const char *port = !leg ? "" : leg->dep_port[0] ? leg->dep_port : leg->arr_port;
    bool stands =
        !date[0] && listing->mode[0] && strcmp(listing->mode, "air") != 0 && strcmp(listing->mode, "sea") != 0;
    sp_journey_number(number, listing);
    if (stands)
        snprintf(number, sizeof number, "standing");
    snprintf(day, sizeof day, "%.4s%.2s%.2s", date, date[0] ? date + 5 : "", date[0] ? date + 8 : "");
    const struct {
        const char *name, *value;
        size_t max;
    } parts[] = {{"mode", listing->mode, 12},
                 {"carrier", sp_journey_carrier(listing), 28},
                 {"journey", number, 28},
                 {"sched_dep", stands ? port : day, 12},
                 {"dep_port", port, PORT_MAX}};
    ret_id[0] = 0;
    for (int i = 0; i < (stands ? 4 : 5); i++) {
        const char *name = stands && i == 3 ? "dep_port" : parts[i].name;
        if (!has_plain(parts[i].value) || strlen(parts[i].value) > parts[i].max) {
            ret_id[0] = 0;
            return sp_fail(err, SP_E_FORMAT, "%s must be given, with letters or digits, at most %zu of them", name,
                           parts[i].max);
        }
        put_part(ret_id, parts[i].value);
    }
    return SP_OK;
}
