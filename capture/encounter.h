/* One traveller's attempt to cross at a lane: frames seq 1..n under the lane's window, then, unless a frame was decided,
 * CLOSE. The newest frame wins: one frame may wait for room in the window, and a newer one takes its place
 * (`superseded newer_frame`). Every frame that was offered gets exactly one line, and so does the CLOSE. One thread, that of
 * its client. */
#ifndef SALLYPORT_CAPTURE_ENCOUNTER_H
#define SALLYPORT_CAPTURE_ENCOUNTER_H

#include "capture/client.h"

struct sp_encounter;

/* One answer, as the lane's owner hears it. Borrowed for the call. */
struct sp_encounter_line {
    const struct sp_client_answer *answer; /* also for answers made here: superseded, unanswered */
    const void *tag;      /* of the frame; with a CLOSE that of the last frame */
    uint64_t offered_ns;  /* monotonic: when the frame was offered, or the CLOSE decided on */
    bool final;           /* the first decision that this encounter heard */
};

struct sp_encounter_config {
    struct sp_client *client; /* outlives the encounter */
    const char *lane;         /* outlives the encounter */
    int job_class;            /* enum sp_class */
    uint32_t budget_ms;       /* of all frames together, from the start; then CLOSE{timeout} */
    uint32_t close_ms;        /* a CLOSE has at least this budget */
    int close_reason;         /* why it is closed when no frame decided: SP_REASON_DONE, _LEFT, _OPTED_OUT */
    void (*on_line)(void *user, const struct sp_encounter_line *line);
    void *user;
};

struct sp_encounter_frame {
    const void *image; /* file bytes; copied when it has to wait */
    size_t image_length;
    int64_t captured_ms;
    bool last;         /* no further frame will be offered */
    const void *tag;   /* the caller's own, handed back with the line */
};

/* A new encounter with a fresh id. Its budget runs from now. */
enum sp_status sp_encounter_new(struct sp_encounter **ret_encounter, const struct sp_encounter_config *config,
                                struct sp_err *err);
/* Accepts NULL. Lines that have not come yet will not come. */
void sp_encounter_free(struct sp_encounter **encounter);

/* Offer the next frame; it gets the next seq. SP_E_CLOSED after the last one, after a decision or the budget's end: no
 * line then. */
enum sp_status sp_encounter_offer(struct sp_encounter *encounter, const struct sp_encounter_frame *frame,
                                  struct sp_err *err);
/* No further frame will be offered (as if the newest had been `last`): closed when all are answered. */
void sp_encounter_finish(struct sp_encounter *encounter);
/* Would a frame offered now go out at once? */
bool sp_encounter_has_room(const struct sp_encounter *encounter);
/* Can another frame be offered at all? */
bool sp_encounter_is_open(const struct sp_encounter *encounter);
/* An answer of the client: true if it was this encounter's (its line has been given then). */
bool sp_encounter_answer(struct sp_encounter *encounter, const struct sp_client_answer *answer);
/* Send what waits, close what is due. Call after answers and at sp_encounter_due. */
void sp_encounter_tick(struct sp_encounter *encounter, uint64_t now_ns);
/* When time alone will change something: the end of the budget. */
uint64_t sp_encounter_due(const struct sp_encounter *encounter);
/* Every frame has its line, and the encounter is decided, closed or cannot be. */
bool sp_encounter_over(const struct sp_encounter *encounter);
/* A verified decision was heard. */
bool sp_encounter_decided(const struct sp_encounter *encounter);
const uint8_t *sp_encounter_id(const struct sp_encounter *encounter);

#endif
