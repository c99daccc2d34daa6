/* The registry of reasons: one word that an agent can act on, with its number on the wire. Numbers are never reused;
 * docs/protocol.md prints this table. */
#ifndef SALLYPORT_COMMON_REASON_H
#define SALLYPORT_COMMON_REASON_H

/* X(number, CONSTANT, word, what to do or what it means) */
#define SP_REASON_LIST(X)                                                                                          \
    X(0, NONE, "none", "nothing to say")                                                                           \
    /* what the frame shows */                                                                                     \
    X(1, NO_FACE, "no_face", "no face was found: look at the camera")                                              \
    X(2, SEVERAL_FACES, "several_faces", "more than one face in a single lane: one at a time")                     \
    X(3, TOO_DARK, "too_dark", "the face is too dark")                                                             \
    X(4, TOO_BRIGHT, "too_bright", "the face is too bright")                                                       \
    X(5, TURNED, "turned", "the head is turned or tilted: look straight")                                          \
    X(6, TOO_FAR, "too_far", "the face is too small: step closer")                                                 \
    X(7, BLURRED, "blurred", "the face is blurred: stand still")                                                   \
    X(8, OCCLUDED, "occluded", "part of the face is covered")                                                      \
    X(9, SPOOF_SUSPECTED, "spoof_suspected", "this may not be a live face")                                        \
    /* what the gallery says */                                                                                    \
    X(20, NOT_ON_MANIFEST, "not_on_manifest", "compared, and nobody expected here is close enough")                \
    X(21, NO_PORTRAIT, "no_portrait", "nobody in this gallery has a portrait to compare with")                     \
    X(22, GALLERY_STALE, "gallery_stale", "the gallery is not the current one: try again or check by hand")        \
    X(23, LOOK_ALIKE, "look_alike", "two travellers are too close to tell apart: check by hand")                   \
    X(24, ALREADY_BOARDED, "already_boarded", "this traveller has crossed already")                                \
    X(25, NO_ASSIGNMENT, "no_assignment", "no manifest is assigned to this lane now")                              \
    /* why an encounter was closed */                                                                              \
    X(40, DONE, "done", "the capture node has no more frames")                                                     \
    X(41, LEFT, "left", "the traveller left the lane")                                                             \
    X(42, OPTED_OUT, "opted_out", "the traveller chose the manual check")                                          \
    X(43, TIMEOUT, "timeout", "the encounter's budget is spent")                                                   \
    X(44, ABANDONED, "abandoned", "the capture node vanished")                                                     \
    /* refusals and failures */                                                                                    \
    X(60, STORE_UNAVAILABLE, "store_unavailable", "the ledger does not answer")                                    \
    X(61, BAD_MESSAGE, "bad_message", "the header or payload is malformed")                                        \
    X(62, BAD_VERSION, "bad_version", "this protocol version is not spoken here")                                  \
    X(63, UNKNOWN_MESSAGE, "unknown_message", "this message number is not known here")                             \
    X(64, NOT_AUTHORISED, "not_authorised", "this key's role may not send this message")                           \
    X(65, NOT_YOUR_LANE, "not_your_lane", "this key may not speak for this lane")                                  \
    X(66, SENDER_MISMATCH, "sender_mismatch", "the header names another sender than the connection's key")         \
    X(67, STALE_SESSION, "stale_session", "the header names another session than the connection's")                \
    X(68, TOO_OLD, "too_old", "the frame is over the maximum age")                                                 \
    X(69, CANNOT_OPEN, "cannot_open", "the payload's seal does not open")                                          \
    X(70, BAD_IMAGE, "bad_image", "the image is damaged or of an unsupported format")                              \
    X(71, IMAGE_TOO_LARGE, "image_too_large", "the image is over the size limits")                                 \
    X(72, PAYLOAD_TOO_LARGE, "payload_too_large", "the payload is over the broker's limit")                        \
    X(73, NO_WORKER, "no_worker", "no worker took the job within its budget")                                      \
    X(74, WORKER_LOST, "worker_lost", "the workers that held the job died, too often to try again")                \
    X(75, WINDOW_FULL, "window_full", "the lane has too many unanswered frames")                                   \
    X(76, QUEUE_FULL, "queue_full", "the broker's queue for this class is full")                                   \
    X(77, DRAINING, "draining", "the broker is going down: use another")                                           \
    X(78, BUDGET_SPENT, "budget_spent", "the budget ran out before the job could be done")                         \
    X(79, NOT_YOUR_ENCOUNTER, "not_your_encounter", "this encounter belongs to another sender or lane")            \
    X(80, BAD_PORTRAIT, "bad_portrait", "the portrait is missing, damaged or not enrollable")                      \
    X(81, NOT_GREETED, "not_greeted", "say HELLO first")                                                           \
    X(82, UNKNOWN_LANE, "unknown_lane", "no lane of this name is set up")                                          \
    X(83, INTERNAL, "internal", "a defect or a device failure; see the worker's log")                              \
    X(84, NEWER_FRAME, "newer_frame", "a newer frame took this one's place in the capture node")                   \
    X(85, REVOKED, "revoked", "this key was revoked")

enum sp_reason {
#define X(number, constant, word, text) SP_REASON_##constant = number,
    SP_REASON_LIST(X)
#undef X
    SP_REASON_MAX = 255
};

/* "too_dark"; "reason_N" style text never appears: unknown numbers give "unknown". Static storage. */
const char *sp_reason_word(int number);
const char *sp_reason_text(int number);
/* The number of a word, or -1. */
int sp_reason_from_word(const char *word);

#endif
