#include "capture/encounter.h"

#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/uuid.h"

/* A frame on its way, or the one that waits for room. */
struct frame {
    uint32_t seq; /* 0: free */
    const void *tag;
    uint64_t offered_ns;
};

struct sp_encounter {
    struct sp_encounter_config config;
    uint8_t id[SP_ENCOUNTER_BYTES];
    uint64_t deadline_ns;
    uint32_t last_seq; /* of the newest frame offered */
    const void *last_tag;
    struct frame sent[SP_CLIENT_PENDING_MAX];
    uint32_t sent_count;
    struct frame waiting;
    uint8_t *image; /* of the waiting frame; owned */
    size_t image_length;
    int64_t captured_ms;
    bool waiting_last;
    bool no_more; /* the last frame was offered, or frames are not wanted any more */
    bool decided;
    bool barred; /* this client may not speak here: a CLOSE would be refused too */
    bool timed_out;
    bool closing, closed; /* CLOSE taken by the client; answered */
    uint64_t closing_ns;
};

enum sp_status sp_encounter_new(struct sp_encounter **ret_encounter, const struct sp_encounter_config *config,
                                struct sp_err *err)
{
    struct sp_encounter *e = calloc(1, sizeof *e);
    if (!e)
        return sp_fail(err, SP_E_NOMEM, "no memory for an encounter");
    e->config = *config;
    sp_uuid_new(e->id);
    e->deadline_ns = sp_clock_mono_ns() + config->budget_ms * SP_NS_PER_MS;
    *ret_encounter = e;
    return SP_OK;
}

void sp_encounter_free(struct sp_encounter **encounter)
{
    if (!encounter || !*encounter)
        return;
    free((*encounter)->image);
    free(*encounter);
    *encounter = NULL;
}

static void give_line(struct sp_encounter *e, const struct sp_client_answer *answer, const struct frame *frame)
{
    struct sp_encounter_line line = {.answer = answer, .tag = frame->tag, .offered_ns = frame->offered_ns};
    line.final = answer->answer == SP_ANSWER_DECIDED && !e->decided;
    e->decided = e->decided || line.final;
    e->config.on_line(e->config.user, &line);
}

/* An answer that this side makes. */
static void answer_here(struct sp_encounter *e, enum sp_message_type kind, const struct frame *frame, int answer,
                        int reason, const char *text)
{
    struct sp_client_answer made = {.kind = kind,
                                    .lane = e->config.lane,
                                    .seq = frame->seq,
                                    .answer = answer,
                                    .reason = reason,
                                    .text = text,
                                    .taken_ns = frame->offered_ns,
                                    .answered_ns = sp_clock_mono_ns()};
    memcpy(made.encounter, e->id, sizeof made.encounter);
    give_line(e, &made, frame);
}

static uint32_t remaining_ms(const struct sp_encounter *e, uint32_t at_least)
{
    uint64_t now = sp_clock_mono_ns();
    uint64_t left = e->deadline_ns > now ? (e->deadline_ns - now) / SP_NS_PER_MS : 0;
    return left > at_least ? (uint32_t)left : at_least;
}

/* Hand a frame to the client; one that it does not take is answered here. */
static void send_frame(struct sp_encounter *e, const struct frame *frame, const void *image, size_t length,
                       int64_t captured_ms, bool last)
{
    struct sp_err err = {0};
    struct sp_client_frame out = {.lane = e->config.lane,
                                  .seq = frame->seq,
                                  .job_class = e->config.job_class,
                                  .budget_ms = remaining_ms(e, 1),
                                  .last = last,
                                  .image = image,
                                  .image_length = length,
                                  .captured_ms = captured_ms};
    memcpy(out.encounter, e->id, sizeof out.encounter);
    if (sp_client_frame(e->config.client, &out, &err) != SP_OK) {
        bool too_large = length > 0 && err.status == SP_E_LIMIT && sp_client_pending(e->config.client) == 0;
        answer_here(e, SP_MSG_FRAME, frame, too_large ? SP_ANSWER_ERROR : SP_CLIENT_UNANSWERED,
                    too_large ? SP_REASON_PAYLOAD_TOO_LARGE : SP_REASON_NONE, err.text);
        return;
    }
    for (int i = 0; i < SP_CLIENT_PENDING_MAX; i++)
        if (e->sent[i].seq == 0) {
            e->sent[i] = *frame;
            e->sent_count++;
            return;
        }
}

static void drop_waiting(struct sp_encounter *e)
{
    free(e->image);
    e->image = NULL;
    e->waiting = (struct frame){0};
}

bool sp_encounter_has_room(const struct sp_encounter *encounter)
{
    const struct sp_encounter_config *c = &encounter->config;
    return encounter->waiting.seq == 0 && sp_client_waiting(c->client, c->lane) < sp_client_window(c->client) &&
           sp_client_pending(c->client) < SP_CLIENT_PENDING_MAX;
}

bool sp_encounter_is_open(const struct sp_encounter *encounter)
{
    return !encounter->no_more && !encounter->decided && !encounter->timed_out && !encounter->barred;
}

/* Keep the frame until the window has room; the frame that waited before is too old to be worth sending now. */
static enum sp_status keep(struct sp_encounter *e, const struct sp_encounter_frame *frame,
                           const struct frame *entry, struct sp_err *err)
{
    uint8_t *copy = malloc(frame->image_length ? frame->image_length : 1);
    if (!copy)
        return sp_fail(err, SP_E_NOMEM, "no memory to keep a frame of %zu bytes", frame->image_length);
    struct frame older = e->waiting;
    memcpy(copy, frame->image, frame->image_length);
    free(e->image);
    e->image = copy;
    e->image_length = frame->image_length;
    e->captured_ms = frame->captured_ms;
    e->waiting = *entry;
    e->waiting_last = frame->last;
    if (older.seq > 0)
        answer_here(e, SP_MSG_FRAME, &older, SP_ANSWER_SUPERSEDED, SP_REASON_NEWER_FRAME, "");
    return SP_OK;
}

enum sp_status sp_encounter_offer(struct sp_encounter *encounter, const struct sp_encounter_frame *frame,
                                  struct sp_err *err)
{
    struct sp_encounter *e = encounter;
    if (!sp_encounter_is_open(e))
        return sp_fail(err, SP_E_CLOSED, "the encounter takes no more frames");
    struct frame entry = {.seq = e->last_seq + 1, .tag = frame->tag, .offered_ns = sp_clock_mono_ns()};
    bool room = sp_encounter_has_room(e);
    if (!room) {
        enum sp_status status = keep(e, frame, &entry, err);
        if (status != SP_OK)
            return status;
    }
    e->last_seq = entry.seq;
    e->last_tag = entry.tag;
    e->no_more = frame->last;
    if (room)
        send_frame(e, &entry, frame->image, frame->image_length, frame->captured_ms, frame->last);
    return SP_OK;
}

void sp_encounter_finish(struct sp_encounter *encounter)
{
    encounter->no_more = true;
}

/* Errors that say "not you, not here": asking again cannot help. */
static bool bars(const struct sp_client_answer *answer)
{
    if (answer->answer != SP_ANSWER_ERROR)
        return false;
    switch (answer->reason) {
    case SP_REASON_NOT_AUTHORISED:
    case SP_REASON_NOT_YOUR_LANE:
    case SP_REASON_SENDER_MISMATCH:
    case SP_REASON_NOT_YOUR_ENCOUNTER:
    case SP_REASON_UNKNOWN_LANE:
    case SP_REASON_REVOKED:
        return true;
    default:
        return false;
    }
}

bool sp_encounter_answer(struct sp_encounter *encounter, const struct sp_client_answer *answer)
{
    struct sp_encounter *e = encounter;
    if (memcmp(answer->encounter, e->id, sizeof e->id) != 0)
        return false;
    e->barred = e->barred || bars(answer);
    if (answer->kind == SP_MSG_CLOSE) {
        struct frame close = {.seq = answer->seq, .tag = e->last_tag, .offered_ns = e->closing_ns};
        e->closed = true;
        give_line(e, answer, &close);
        return true;
    }
    for (int i = 0; i < SP_CLIENT_PENDING_MAX; i++)
        if (e->sent[i].seq == answer->seq) {
            struct frame frame = e->sent[i];
            e->sent[i] = (struct frame){0};
            e->sent_count--;
            give_line(e, answer, &frame);
            break;
        }
    return true;
}

static void send_close(struct sp_encounter *e)
{
    struct sp_err err = {0};
    struct sp_client_close close = {.lane = e->config.lane,
                                    .seq = e->last_seq + 1,
                                    .job_class = e->config.job_class,
                                    .budget_ms = remaining_ms(e, e->config.close_ms),
                                    .reason = e->timed_out ? SP_REASON_TIMEOUT : e->config.close_reason};
    memcpy(close.encounter, e->id, sizeof close.encounter);
    enum sp_status status = sp_client_close(e->config.client, &close, &err);
    if (status == SP_E_LIMIT)
        return; /* the client's table is full: next tick */
    e->closing = true;
    e->closing_ns = sp_clock_mono_ns();
    if (status != SP_OK) {
        struct frame frame = {.seq = close.seq, .tag = e->last_tag, .offered_ns = e->closing_ns};
        e->closed = true;
        answer_here(e, SP_MSG_CLOSE, &frame, SP_CLIENT_UNANSWERED, SP_REASON_NONE, err.text);
    }
}

void sp_encounter_tick(struct sp_encounter *encounter, uint64_t now_ns)
{
    struct sp_encounter *e = encounter;
    if (!e->decided && !e->closing && now_ns >= e->deadline_ns)
        e->timed_out = true;
    if (e->waiting.seq > 0) {
        struct frame waiting = e->waiting;
        if (e->timed_out || e->barred) {
            drop_waiting(e);
            answer_here(e, SP_MSG_FRAME, &waiting, SP_CLIENT_UNANSWERED, SP_REASON_BUDGET_SPENT,
                        "the encounter ended before this frame could be sent");
        } else {
            e->waiting.seq = 0; /* has_room asks whether the place is free */
            if (sp_encounter_has_room(e)) {
                send_frame(e, &waiting, e->image, e->image_length, e->captured_ms, e->waiting_last);
                drop_waiting(e);
            } else {
                e->waiting = waiting;
            }
        }
    }
    bool answered = e->sent_count == 0 && e->waiting.seq == 0;
    if (!e->closing && !e->decided && !e->barred && e->last_seq > 0 && (e->timed_out || (e->no_more && answered)))
        send_close(e);
}

uint64_t sp_encounter_due(const struct sp_encounter *encounter)
{
    return encounter->closing || encounter->decided || encounter->timed_out ? UINT64_MAX : encounter->deadline_ns;
}

bool sp_encounter_over(const struct sp_encounter *encounter)
{
    const struct sp_encounter *e = encounter;
    bool answered = e->sent_count == 0 && e->waiting.seq == 0 && e->closing == e->closed;
    return answered && (e->decided || e->closed || e->barred || ((e->timed_out || e->no_more) && e->last_seq == 0));
}

bool sp_encounter_decided(const struct sp_encounter *encounter)
{
    return encounter->decided;
}

const uint8_t *sp_encounter_id(const struct sp_encounter *encounter)
{
    return encounter->id;
}
