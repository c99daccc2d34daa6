/* Decide: the rules that turn faces and hits into an answer. Pure: no clock, no store, no allocation.
 *
 * A frame is judged in two steps: sp_decide_probes says which faces are to be compared, and once the galleries have
 * answered, sp_decide_frame gives the judgement. What an encounter has shown so far is folded into its evidence by
 * sp_decide_merge; sp_decide_close makes the final of an encounter from the evidence alone. */
#ifndef SALLYPORT_WORKERS_DECIDE_H
#define SALLYPORT_WORKERS_DECIDE_H

#include "records/evidence.h"
#include "roster/lane.h"
#include "workers/vision.h"

/* Another face this large (share of the dominant one's area), with its centre in this middle part of the picture's
 * width and height, competes with the dominant one: one at a time. */
#define SP_DECIDE_RIVAL_AREA   0.6
#define SP_DECIDE_RIVAL_MIDDLE 0.6

/* What a lane compares against at one moment. */
struct sp_basis {
    enum sp_lane_kind kind;
    uint8_t pack[SP_PACK_FINGERPRINT_BYTES]; /* under which it compares */
    double threshold;                        /* score units, larger is better, for `people` */
    double margin;                           /* score units */
    int people;                              /* travellers with a usable template, over all galleries */
    uint64_t assignment;                     /* its version */
    int gallery_count;                       /* manifests assigned now; 0: none */
    struct sp_decision_gallery galleries[SP_DECISION_MAX_GALLERIES]; /* as compared; version 0: nothing is hot */
    bool current[SP_DECISION_MAX_GALLERIES];                         /* that is the version which is current now */
    bool complete[SP_DECISION_MAX_GALLERIES];                        /* and no template of it was missing */
};

/* One traveller as a gallery names him. */
struct sp_ranked_row {
    bool there;
    uint8_t pseudonym[SP_PSEUDONYM_BYTES];
    int gallery; /* index into the basis */
    double score;
};

/* The best two different travellers for one face. */
struct sp_comparison {
    struct sp_ranked_row first, second;
};

/* What is said about one face (or, in a close, about the encounter). */
struct sp_verdict {
    int outcome; /* enum sp_outcome; 0: undecided */
    int reason;
    bool compared; /* against every assigned gallery in its current version */
    bool has_traveller;
    uint8_t traveller[SP_PSEUDONYM_BYTES];
    char manifest[SP_MANIFEST_ID_MAX];
    bool has_candidate; /* the best row at any score */
    uint8_t candidate[SP_PSEUDONYM_BYTES];
    double score, margin; /* margin: NaN without a second traveller */
};

struct sp_judgement {
    int answer; /* SP_ANSWER_DECIDED or SP_ANSWER_UNDECIDED */
    int reason;
    int faces;   /* seen */
    int quality; /* of the face that was judged (multi: the best one's), 0..100 */
    int count;   /* verdicts: 1 in a single lane, one per face in a multi lane, 0 without a face there */
    struct sp_verdict verdicts[SP_MAX_FACES];
};

/* The faces to compare, as indexes into faces. single: at most the dominant one, with *ret_reason why not where
 * there is none; multi: every comparable face. Returns their number. */
int sp_decide_probes(const struct sp_faces *faces, enum sp_lane_kind kind, int width, int height,
                     int ret_probes[SP_MAX_FACES], int *ret_reason);

/* Index of the dominant face by size and centre, or -1 with *ret_reason no_face or several_faces. */
int sp_decide_dominant(const struct sp_faces *faces, int width, int height, int *ret_reason);

/* comparisons[i] belongs to face i; only those that sp_decide_probes named are read. width, height: of the image.
 */
void sp_decide_frame(struct sp_judgement *ret_judgement, const struct sp_faces *faces, int width, int height,
                     const struct sp_basis *basis, const struct sp_comparison *comparisons);

/* The traveller of this verdict has crossed already: refer already_boarded instead of the match. */
void sp_decide_boarded(struct sp_judgement *judgement, int verdict);

/* Fold a judged frame into the evidence (zeroed before the first frame: then it also takes the owner from header).
 * A frame with a candidate under another pack than the evidence's starts candidate and comparisons anew. */
void sp_decide_merge(struct sp_evidence *evidence, const struct sp_header *header,
                     const struct sp_judgement *judgement, const struct sp_basis *basis);

/* True when everything that is assigned now was compared in the very version that is current now. */
bool sp_decide_fresh(const struct sp_evidence *evidence, const struct sp_basis *now);

/* The final of an encounter that ends with close_reason (done, left, opted_out, timeout, abandoned). fresh: see
 * sp_decide_fresh. */
void sp_decide_close(struct sp_verdict *ret_verdict, const struct sp_evidence *evidence, int close_reason,
                     bool fresh);

#endif
