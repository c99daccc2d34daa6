#include "broker/told.h"

#include <string.h>

/* Where a row stands: lanes by "LANE/PEER", workers by name. Names hold no slash, and a shorter one sorts first. */
struct place {
    const char *name, *peer; /* peer: "" for workers */
};

static int compare(struct place a, struct place b)
{
    int by_name = strcmp(a.name, b.name);
    return by_name ? by_name : strcmp(a.peer, b.peer);
}

static struct place place_of(const struct sp_told *row)
{
    return (struct place){row->name, row->peer};
}

/* Split the cursor in place. */
static struct place split(char *cursor)
{
    struct place place = {cursor, ""};
    for (char *at = cursor; *at; at++)
        if (*at == '/') {
            *at = '\0';
            place.peer = at + 1;
            break;
        }
    return place;
}

/* Room for a row in its order among those behind the cursor; NULL: it is not on this page. */
static struct sp_told *insert(struct broker_page *page, struct place place, struct place after)
{
    int at = page->count;
    if (compare(place, after) <= 0)
        return NULL;
    while (at > 0 && compare(place, place_of(&page->rows[at - 1])) < 0)
        at--;
    if (page->count == SP_TOLD_MAX) {
        page->more = true;
        if (at == SP_TOLD_MAX)
            return NULL;
        page->count--;
    }
    for (int i = page->count++; i > at; i--)
        page->rows[i] = page->rows[i - 1];
    page->rows[at] = (struct sp_told){0};
    return &page->rows[at];
}

static uint64_t quiet_ms(const struct broker *broker, uint64_t heard_ns)
{
    return (broker->now - heard_ns) / 1000000u;
}

static void tell_lanes(struct broker_page *page, const struct broker *broker, struct place after)
{
    for (int i = 0; i < broker->limits.max_clients; i++) {
        const struct client *client = &broker->clients[i];
        for (int lane = 0; client->used && lane < client->lane_count; lane++) {
            struct sp_told *row = insert(page, (struct place){client->lanes[lane], client->name}, after);
            if (!row)
                continue;
            memcpy(row->name, client->lanes[lane], sizeof row->name);
            memcpy(row->peer, client->name, sizeof row->peer);
            row->quiet_ms = quiet_ms(broker, client->heard_ns);
        }
    }
}

static void tell_workers(struct broker_page *page, const struct broker *broker, struct place after)
{
    for (int i = 0; i < broker->limits.max_workers; i++) {
        const struct worker *worker = &broker->workers[i];
        struct sp_told *row = worker->used ? insert(page, (struct place){worker->name, ""}, after) : NULL;
        if (!row)
            continue;
        memcpy(row->name, worker->name, sizeof row->name);
        memcpy(row->backend, worker->backend, sizeof row->backend);
        memcpy(row->pack, worker->pack, sizeof row->pack);
        row->credit = worker->credit;
        row->quiet_ms = quiet_ms(broker, worker->heard_ns);
    }
}

bool told_page(struct broker_page *ret_page, const struct broker *broker, const char *what, const char *after)
{
    char cursor[2 * SP_NAME_MAX] = "";
    bool lanes = strcmp(what, SP_ASK_LANES) == 0;
    if (!lanes && strcmp(what, SP_ASK_WORKERS) != 0)
        return false;
    memset(ret_page, 0, sizeof *ret_page);
    memcpy(ret_page->what, what, sizeof ret_page->what);
    memcpy(cursor, after, sizeof cursor);
    if (lanes)
        tell_lanes(ret_page, broker, split(cursor));
    else
        tell_workers(ret_page, broker, split(cursor));
    return true;
}
