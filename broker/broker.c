#include "broker/broker.h"

#include <stdlib.h>
#include <string.h>
#include "broker/actions.h"
#include "broker/clients.h"
#include "broker/dispatch.h"
#include "broker/fleet.h"

/* ---- the table: state x event -> action; docs/protocol.md section 7 prints it and a test compares the two ---- */

/* A connection of the front is NEW or GREETED; while the broker drains both are LEAVING. */
#define FRONT_ROWS(X)                                                                                              \
    X(NEW, HELLO, greet_client)                                                                                    \
    X(NEW, FRAME, refuse_not_greeted)                                                                              \
    X(NEW, CLOSE, refuse_not_greeted)                                                                              \
    X(NEW, ENROL, refuse_not_greeted)                                                                              \
    X(NEW, REVIEW, refuse_not_greeted)                                                                             \
    X(NEW, ASK, refuse_not_greeted)                                                                                \
    X(NEW, PING, refuse_not_greeted)                                                                               \
    X(NEW, PONG, refuse_not_greeted)                                                                               \
    X(NEW, BYE, ignore)                                                                                            \
    X(GREETED, HELLO, greet_client)                                                                                \
    X(GREETED, FRAME, take_work)                                                                                   \
    X(GREETED, CLOSE, take_work)                                                                                   \
    X(GREETED, ENROL, take_work)                                                                                   \
    X(GREETED, REVIEW, take_work)                                                                                  \
    X(GREETED, ASK, tell)                                                                                          \
    X(GREETED, PING, answer_ping)                                                                                  \
    X(GREETED, PONG, note_life)                                                                                    \
    X(GREETED, BYE, end_session)                                                                                   \
    X(LEAVING, HELLO, refuse_draining)                                                                             \
    X(LEAVING, FRAME, answer_draining)                                                                             \
    X(LEAVING, CLOSE, answer_draining)                                                                             \
    X(LEAVING, ENROL, answer_draining)                                                                             \
    X(LEAVING, REVIEW, answer_draining)                                                                            \
    X(LEAVING, ASK, refuse_draining)                                                                               \
    X(LEAVING, PING, note_life)                                                                                    \
    X(LEAVING, PONG, note_life)                                                                                    \
    X(LEAVING, BYE, end_session)

/* A connection of the back is STRANGE, READY or DRAINING. */
#define BACK_ROWS(X)                                                                                               \
    X(STRANGE, READY, greet_worker)                                                                                \
    X(STRANGE, RESULT, refuse_worker_not_greeted)                                                                  \
    X(STRANGE, BEAT, refuse_worker_not_greeted)                                                                    \
    X(STRANGE, DRAIN, refuse_worker_not_greeted)                                                                   \
    X(STRANGE, WANT, refuse_worker_not_greeted)                                                                    \
    X(STRANGE, PING, refuse_worker_not_greeted)                                                                    \
    X(STRANGE, PONG, refuse_worker_not_greeted)                                                                    \
    X(STRANGE, BYE, ignore)                                                                                        \
    X(READY, READY, greet_worker)                                                                                  \
    X(READY, RESULT, take_result)                                                                                  \
    X(READY, BEAT, renew_lease)                                                                                    \
    X(READY, DRAIN, start_draining)                                                                                \
    X(READY, WANT, take_want)                                                                                      \
    X(READY, PING, answer_worker_ping)                                                                             \
    X(READY, PONG, note_life)                                                                                      \
    X(READY, BYE, lose_worker)                                                                                     \
    X(DRAINING, READY, greet_worker)                                                                               \
    X(DRAINING, RESULT, take_result)                                                                               \
    X(DRAINING, BEAT, renew_lease)                                                                                 \
    X(DRAINING, DRAIN, note_life)                                                                                  \
    X(DRAINING, WANT, take_want)                                                                                   \
    X(DRAINING, PING, answer_worker_ping)                                                                          \
    X(DRAINING, PONG, note_life)                                                                                   \
    X(DRAINING, BYE, lose_worker)

/* In any state: what a message must be before its row is looked up, in this order, and what is no message. */
#define OTHER_ROWS(X)                                                                                              \
    X(FRONT_REVOKED, "front: key not in the peer table", refuse_revoked)                                           \
    X(FRONT_ROLE, "front: role neither capture nor ops", refuse_role)                                              \
    X(FRONT_FLAW, "front: malformed, version, number", refuse_flaw)                                                \
    X(FRONT_OTHER, "front: a message clients do not send", refuse_role)                                            \
    X(BACK_REVOKED, "back: key not in the peer table", refuse_worker_revoked)                                      \
    X(BACK_ROLE, "back: role not worker", refuse_worker_role)                                                      \
    X(BACK_FLAW, "back: malformed, version, number", refuse_worker_flaw)                                           \
    X(BACK_OTHER, "back: a message workers do not send", refuse_worker_role)                                       \
    X(FRONT_LOST, "front: connection lost", end_session)                                                           \
    X(BACK_LOST, "back: connection lost", lose_worker)                                                             \
    X(KEY_REVOKED, "a key left the peer table", end_revoked)                                                       \
    X(TICK, "time passed", run_timers)                                                                             \
    X(DRAIN, "SIGTERM", drain_broker)                                                                              \
    X(STOP, "drained, or out of patience", stop_broker)

enum front_state { NEW, GREETED, LEAVING, FRONT_STATES };
enum back_state { STRANGE, READY, DRAINING, BACK_STATES };
enum { MESSAGES = SP_MSG_WANT + 1 };

static broker_action *const front_actions[FRONT_STATES][MESSAGES] = {
#define X(state, message, action) [state][SP_MSG_##message] = action,
    FRONT_ROWS(X)
#undef X
};
static broker_action *const back_actions[BACK_STATES][MESSAGES] = {
#define X(state, message, action) [state][SP_MSG_##message] = action,
    BACK_ROWS(X)
#undef X
};
enum other {
#define X(name, words, action) OTHER_##name,
    OTHER_ROWS(X)
#undef X
};
static broker_action *const other_actions[] = {
#define X(name, words, action) action,
    OTHER_ROWS(X)
#undef X
};
static const struct broker_row rows[] = {
#define X(state, message, action) {#state, #message, #action},
    FRONT_ROWS(X) BACK_ROWS(X)
#undef X
#define X(name, words, action) {"any", words, #action},
        OTHER_ROWS(X)
#undef X
};

const struct broker_row *broker_table(int i)
{
    return i >= 0 && i < (int)(sizeof rows / sizeof rows[0]) ? &rows[i] : NULL;
}

/* ---- the step ---- */

static broker_action *choose_front(struct broker *broker, int client)
{
    const struct broker_event *event = broker->event;
    if (!event->peer)
        return other_actions[OTHER_FRONT_REVOKED];
    if (event->peer->role != SP_ROLE_CAPTURE && event->peer->role != SP_ROLE_OPS)
        return other_actions[OTHER_FRONT_ROLE];
    if (event->flaw)
        return other_actions[OTHER_FRONT_FLAW];
    enum front_state state = broker->draining ? LEAVING : client == NOBODY ? NEW : GREETED;
    unsigned message = (unsigned)event->header->type;
    broker_action *action = message < MESSAGES ? front_actions[state][message] : NULL;
    return action ? action : other_actions[OTHER_FRONT_OTHER];
}

static broker_action *choose_back(struct broker *broker, int worker)
{
    const struct broker_event *event = broker->event;
    if (!event->peer)
        return other_actions[OTHER_BACK_REVOKED];
    if (event->peer->role != SP_ROLE_WORKER)
        return other_actions[OTHER_BACK_ROLE];
    if (event->flaw)
        return other_actions[OTHER_BACK_FLAW];
    enum back_state state = worker == NOBODY ? STRANGE : broker->workers[worker].draining ? DRAINING : READY;
    unsigned message = (unsigned)event->header->type;
    broker_action *action = message < MESSAGES ? back_actions[state][message] : NULL;
    return action ? action : other_actions[OTHER_BACK_OTHER];
}

static void on_front(struct broker *broker)
{
    int client = clients_find(broker, &broker->event->route, broker->event->key);
    broker->counts.received[0]++;
    if (client != NOBODY)
        broker->clients[client].heard_ns = broker->now;
    choose_front(broker, client)(broker, client);
}

static void on_back(struct broker *broker)
{
    int worker = fleet_find(broker, &broker->event->route, broker->event->key);
    broker->counts.received[1]++;
    if (worker != NOBODY)
        broker->workers[worker].heard_ns = broker->now;
    choose_back(broker, worker)(broker, worker);
}

void broker_step(struct broker *broker, const struct broker_event *event, uint64_t now_ns,
                 struct broker_outbox *out)
{
    broker->event = event;
    broker->now = now_ns;
    broker->out = out;
    switch (event->type) {
    case BROKER_FRONT_MESSAGE:
        on_front(broker);
        break;
    case BROKER_BACK_MESSAGE:
        on_back(broker);
        break;
    case BROKER_FRONT_LOST:
        other_actions[OTHER_FRONT_LOST](broker, clients_find(broker, &event->route, NULL));
        break;
    case BROKER_BACK_LOST:
        other_actions[OTHER_BACK_LOST](broker, fleet_find(broker, &event->route, NULL));
        break;
    case BROKER_KEY_REVOKED:
        other_actions[OTHER_KEY_REVOKED](broker, NOBODY);
        break;
    case BROKER_TICK:
        other_actions[OTHER_TICK](broker, NOBODY);
        break;
    case BROKER_DRAIN:
        other_actions[OTHER_DRAIN](broker, NOBODY);
        break;
    case BROKER_STOP:
        other_actions[OTHER_STOP](broker, NOBODY);
        break;
    }
    dispatch_run(broker);
    broker->event = NULL;
    broker->out = NULL;
}
