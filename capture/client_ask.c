/* What a desk asks its broker: pages of lanes or workers, gathered. */
#include <stdlib.h>
#include <string.h>
#include "capture/client_state.h"
#include "common/clock.h"

#define POLL_MS  50
#define ROWS_MAX 65536 /* more than a broker holds */

void sp_client_take_told(struct sp_client *c, const struct sp_header *header)
{
    struct sp_client_question *q = &c->question;
    if (!q->waiting || strcmp(q->what, header->what) != 0) {
        c->counts.unexpected++;
        return;
    }
    q->waiting = false;
    q->more = header->more && header->told_count > 0;
    q->page_count = header->told_count;
    memcpy(q->page, header->told, (size_t)header->told_count * sizeof header->told[0]);
}

/* One page: asked once in each session until it is there. */
static enum sp_status ask_page(struct sp_client *c, const char *what, const char *after, uint64_t deadline_ns,
                               struct sp_err *err)
{
    struct sp_header ask = {.type = SP_MSG_ASK};
    struct sp_client_question *q = &c->question;
    uint64_t session = 0, refusals = c->counts.refusals;
    memcpy(ask.what, what, strlen(what) + 1);
    memcpy(ask.after, after, strlen(after) + 1);
    memcpy(q->what, ask.what, sizeof q->what);
    q->waiting = true;
    while (q->waiting) {
        if (c->state == STATE_READY && session != c->counts.sessions && sp_client_say(c, &ask) == SP_OK)
            session = c->counts.sessions;
        uint64_t now = sp_clock_mono_ns();
        if (now >= deadline_ns)
            return sp_fail(err, SP_E_TIMEOUT, "%s: the broker did not tell its %s in time%s%s", c->address, what,
                           c->trouble.text[0] ? ": " : "", c->trouble.text);
        enum sp_status status = sp_client_poll(c, POLL_MS, err);
        if (status != SP_OK)
            return status;
        if (q->waiting && session == c->counts.sessions && c->state == STATE_READY &&
            c->counts.refusals != refusals)
            return sp_fail(err, SP_E_DENIED, "%s", c->trouble.text);
    }
    return SP_OK;
}

enum sp_status sp_client_ask(struct sp_client *client, const char *what, int timeout_ms, struct sp_told **ret_rows,
                             int *ret_count, struct sp_err *err)
{
    uint64_t deadline_ns = sp_clock_mono_ns() + (uint64_t)timeout_ms * SP_NS_PER_MS;
    char after[2 * SP_NAME_MAX] = "";
    struct sp_told *rows = NULL;
    int count = 0;
    bool more = true;
    if (strcmp(what, SP_ASK_LANES) != 0 && strcmp(what, SP_ASK_WORKERS) != 0)
        return sp_fail(err, SP_E_INVALID, "a broker tells of %s and %s, not of %s", SP_ASK_LANES, SP_ASK_WORKERS,
                       what);
    enum sp_status status = SP_OK;
    while (more && status == SP_OK) {
        if ((status = ask_page(client, what, after, deadline_ns, err)) != SP_OK)
            break;
        const struct sp_client_question *q = &client->question;
        struct sp_told *larger = realloc(rows, ((size_t)count + (size_t)q->page_count + 1) * sizeof *rows);
        if (!larger || count + q->page_count > ROWS_MAX) {
            rows = larger ? larger : rows;
            status = sp_fail(err, larger ? SP_E_LIMIT : SP_E_NOMEM, "no room for %d rows", count + q->page_count);
            break;
        }
        rows = larger;
        memcpy(rows + count, q->page, (size_t)q->page_count * sizeof *rows);
        count += q->page_count;
        more = q->more;
        if (more) {
            const struct sp_told *last = &rows[count - 1];
            bool lanes = strcmp(what, SP_ASK_LANES) == 0;
            size_t length = strlen(last->name);
            memcpy(after, last->name, length + 1);
            if (lanes) {
                after[length] = '/';
                memcpy(after + length + 1, last->peer, strlen(last->peer) + 1);
            }
        }
    }
    client->question.waiting = false;
    if (status != SP_OK) {
        free(rows);
        return status;
    }
    *ret_rows = rows;
    *ret_count = count;
    return SP_OK;
}
