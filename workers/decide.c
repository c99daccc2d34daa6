#include "workers/decide.h"

#include <math.h>
#include <string.h>

static double area(const struct sp_box *box)
{
    double width = box->x1 - box->x0, height = box->y1 - box->y0;
    return width > 0 && height > 0 ? width * height : 0;
}

/* Large and central wins: a face in a corner counts half its area. */
static double weight(const struct sp_box *box, int width, int height)
{
    double dx = (box->x0 + box->x1) / 2 - width / 2.0, dy = (box->y0 + box->y1) / 2 - height / 2.0;
    double off = hypot(dx, dy) / fmax(hypot(width / 2.0, height / 2.0), 1);
    return area(box) * (1 - 0.5 * fmin(off, 1));
}

static bool near_centre(const struct sp_box *box, int width, int height)
{
    double dx = fabs((box->x0 + box->x1) / 2 - width / 2.0), dy = fabs((box->y0 + box->y1) / 2 - height / 2.0);
    return dx <= SP_DECIDE_RIVAL_MIDDLE / 2 * width && dy <= SP_DECIDE_RIVAL_MIDDLE / 2 * height;
}

int sp_decide_dominant(const struct sp_faces *faces, int width, int height, int *ret_reason)
{
    *ret_reason = SP_REASON_NO_FACE;
    if (faces->count < 1)
        return -1;
    int dominant = 0;
    for (int i = 1; i < faces->count; i++)
        if (weight(&faces->faces[i].box, width, height) > weight(&faces->faces[dominant].box, width, height))
            dominant = i;
    double rival = SP_DECIDE_RIVAL_AREA * area(&faces->faces[dominant].box);
    *ret_reason = SP_REASON_SEVERAL_FACES;
    for (int i = 0; i < faces->count; i++)
        if (i != dominant && area(&faces->faces[i].box) >= rival &&
            near_centre(&faces->faces[i].box, width, height))
            return -1;
    *ret_reason = SP_REASON_NONE;
    return dominant;
}

/* Why a face cannot be compared; SP_REASON_NONE if it can. */
static int face_reason(const struct sp_face *face)
{
    if (face->reason != SP_REASON_NONE)
        return face->reason;
    return face->embedded ? SP_REASON_NONE : SP_REASON_BLURRED; /* its embedding was not a finite vector */
}

int sp_decide_probes(const struct sp_faces *faces, enum sp_lane_kind kind, int width, int height,
                     int ret_probes[SP_MAX_FACES], int *ret_reason)
{
    if (kind == SP_LANE_SINGLE) {
        int dominant = sp_decide_dominant(faces, width, height, ret_reason);
        if (dominant >= 0 && (*ret_reason = face_reason(&faces->faces[dominant])) == SP_REASON_NONE)
            ret_probes[0] = dominant;
        return dominant >= 0 && *ret_reason == SP_REASON_NONE;
    }
    int count = 0;
    for (int i = 0; i < faces->count; i++)
        if (face_reason(&faces->faces[i]) == SP_REASON_NONE)
            ret_probes[count++] = i;
    *ret_reason = faces->count ? SP_REASON_NONE : SP_REASON_NO_FACE;
    return count;
}

static bool all(const bool *flags, int count)
{
    for (int i = 0; i < count; i++)
        if (!flags[i])
            return false;
    return true;
}

/* A comparable face against the galleries; the outcome is what a rule decides, or 0. */
static void judge_hit(struct sp_verdict *verdict, const struct sp_basis *basis, const struct sp_comparison *hit)
{
    bool fresh = all(basis->current, basis->gallery_count) && all(basis->complete, basis->gallery_count);
    if (basis->gallery_count == 0) {
        verdict->reason = SP_REASON_NO_ASSIGNMENT;
        return;
    }
    if (!hit->first.there) {
        verdict->reason = fresh ? SP_REASON_NO_PORTRAIT : SP_REASON_GALLERY_STALE;
        return;
    }
    const struct sp_ranked_row *first = &hit->first;
    verdict->compared = fresh;
    verdict->has_candidate = true;
    memcpy(verdict->candidate, first->pseudonym, SP_PSEUDONYM_BYTES);
    verdict->score = first->score;
    verdict->margin = hit->second.there ? first->score - hit->second.score : NAN;
    bool beyond = first->score >= basis->threshold;
    if (!beyond) {
        verdict->reason = fresh ? SP_REASON_NOT_ON_MANIFEST : SP_REASON_GALLERY_STALE;
    } else if (!basis->current[first->gallery]) {
        verdict->reason = SP_REASON_GALLERY_STALE; /* the row may be gone or changed by now */
    } else if (hit->second.there && verdict->margin < basis->margin) {
        verdict->outcome = SP_OUTCOME_REFER;
        verdict->reason = SP_REASON_LOOK_ALIKE;
    } else {
        verdict->outcome = SP_OUTCOME_MATCH;
        verdict->reason = SP_REASON_NONE;
        verdict->has_traveller = true;
        memcpy(verdict->traveller, first->pseudonym, SP_PSEUDONYM_BYTES);
        memcpy(verdict->manifest, basis->galleries[first->gallery].manifest, sizeof verdict->manifest);
    }
}

static void judge_face(struct sp_verdict *verdict, const struct sp_face *face, const struct sp_basis *basis,
                       const struct sp_comparison *hit)
{
    *verdict = (struct sp_verdict){.reason = face_reason(face), .margin = NAN};
    if (verdict->reason == SP_REASON_NONE)
        judge_hit(verdict, basis, hit);
}

/* Two faces of one picture cannot be one traveller: the closer one keeps the match. */
static void part_doubles(struct sp_judgement *judgement)
{
    for (int i = 0; i < judgement->count; i++)
        for (int k = 0; k < judgement->count; k++) {
            struct sp_verdict *a = &judgement->verdicts[i], *b = &judgement->verdicts[k];
            if (i == k || !a->has_traveller || !b->has_traveller || a->score > b->score ||
                memcmp(a->traveller, b->traveller, SP_PSEUDONYM_BYTES) != 0)
                continue;
            a->outcome = SP_OUTCOME_REFER;
            a->reason = SP_REASON_LOOK_ALIKE;
            a->has_traveller = false;
            a->manifest[0] = '\0';
        }
}

static void decide_multi(struct sp_judgement *judgement, const struct sp_faces *faces, const struct sp_basis *basis,
                         const struct sp_comparison *comparisons)
{
    judgement->count = faces->count;
    judgement->answer = faces->count ? SP_ANSWER_DECIDED : SP_ANSWER_UNDECIDED;
    judgement->reason = faces->count ? SP_REASON_NONE : SP_REASON_NO_FACE;
    for (int i = 0; i < faces->count; i++) {
        struct sp_verdict *verdict = &judgement->verdicts[i];
        judge_face(verdict, &faces->faces[i], basis, &comparisons[i]);
        if (!verdict->outcome)
            verdict->outcome =
                verdict->reason == SP_REASON_NOT_ON_MANIFEST ? SP_OUTCOME_NO_MATCH : SP_OUTCOME_REFER;
        if (faces->faces[i].quality.unified > judgement->quality)
            judgement->quality = faces->faces[i].quality.unified;
    }
    part_doubles(judgement);
    for (int i = 0; i < judgement->count && judgement->reason == SP_REASON_NONE; i++)
        judgement->reason = judgement->verdicts[i].reason;
}

static void decide_single(struct sp_judgement *judgement, const struct sp_faces *faces, int width, int height,
                          const struct sp_basis *basis, const struct sp_comparison *comparisons)
{
    int reason, dominant = sp_decide_dominant(faces, width, height, &reason);
    struct sp_verdict *verdict = &judgement->verdicts[0];
    judgement->count = 1;
    *verdict = (struct sp_verdict){.reason = reason, .margin = NAN};
    if (dominant >= 0) {
        judge_face(verdict, &faces->faces[dominant], basis, &comparisons[dominant]);
        judgement->quality = faces->faces[dominant].quality.unified;
    }
    judgement->answer = verdict->outcome ? SP_ANSWER_DECIDED : SP_ANSWER_UNDECIDED;
    judgement->reason = verdict->reason;
}

void sp_decide_frame(struct sp_judgement *ret_judgement, const struct sp_faces *faces, int width, int height,
                     const struct sp_basis *basis, const struct sp_comparison *comparisons)
{
    memset(ret_judgement, 0, sizeof *ret_judgement);
    ret_judgement->faces = faces->count;
    if (basis->kind == SP_LANE_MULTI)
        decide_multi(ret_judgement, faces, basis, comparisons);
    else
        decide_single(ret_judgement, faces, width, height, basis, comparisons);
}

void sp_decide_boarded(struct sp_judgement *judgement, int at)
{
    struct sp_verdict *verdict = &judgement->verdicts[at];
    verdict->outcome = SP_OUTCOME_REFER;
    verdict->reason = SP_REASON_ALREADY_BOARDED;
    verdict->has_traveller = false;
    verdict->manifest[0] = '\0';
    memset(verdict->traveller, 0, sizeof verdict->traveller);
    judgement->reason = SP_REASON_NONE;
    for (int i = 0; i < judgement->count && judgement->reason == SP_REASON_NONE; i++)
        judgement->reason = judgement->verdicts[i].reason;
}

/* The best frame so far: one that was compared beats one that was not, then the better quality. */
static void keep_best(struct sp_evidence *evidence, const struct sp_judgement *judgement, bool compared)
{
    bool had = evidence->comparable > 0;
    if (evidence->frames == 0 || (compared && !had) ||
        (compared == had && judgement->quality >= evidence->best_quality)) {
        evidence->best_quality = judgement->quality;
        evidence->best_reason = judgement->reason;
    }
}

static void keep_candidate(struct sp_evidence *evidence, const struct sp_verdict *verdict)
{
    if (!verdict->has_candidate || (evidence->has_candidate && verdict->score <= evidence->score))
        return;
    evidence->has_candidate = true;
    memcpy(evidence->candidate, verdict->candidate, SP_PSEUDONYM_BYTES);
    evidence->score = verdict->score;
    evidence->margin = verdict->margin;
}

/* Scores of two packs are never compared, and a close may call compared only what one pack was. */
static void take_pack(struct sp_evidence *evidence, const struct sp_judgement *judgement,
                      const struct sp_basis *basis)
{
    bool scored = false;
    for (int i = 0; i < judgement->count; i++)
        scored = scored || judgement->verdicts[i].has_candidate;
    if (!scored || memcmp(evidence->pack, basis->pack, sizeof evidence->pack) == 0)
        return;
    memcpy(evidence->pack, basis->pack, sizeof evidence->pack);
    memset(evidence->candidate, 0, sizeof evidence->candidate);
    evidence->has_candidate = false;
    evidence->score = evidence->margin = 0;
    evidence->comparable = 0;
}

void sp_decide_merge(struct sp_evidence *evidence, const struct sp_header *header,
                     const struct sp_judgement *judgement, const struct sp_basis *basis)
{
    if (!evidence->lane[0]) {
        memcpy(evidence->lane, header->lane, sizeof evidence->lane);
        memcpy(evidence->sender, header->sender, sizeof evidence->sender);
    }
    take_pack(evidence, judgement, basis);
    bool compared = false;
    for (int i = 0; i < judgement->count; i++)
        compared = compared || judgement->verdicts[i].compared;
    /* What a close may call compared is what a fresh comparison was made against, not what a later glance would
     * have used. */
    bool take_basis = compared || evidence->comparable == 0;
    keep_best(evidence, judgement, compared);
    evidence->frames++;
    evidence->comparable += compared;
    for (int i = 0; i < judgement->count; i++)
        keep_candidate(evidence, &judgement->verdicts[i]);
    if (take_basis) {
        evidence->threshold = basis->threshold;
        evidence->assignment = basis->assignment;
        evidence->gallery_count = 0;
        for (int i = 0; i < basis->gallery_count; i++)
            if (basis->galleries[i].version)
                evidence->galleries[evidence->gallery_count++] = basis->galleries[i];
    }
    if (evidence->answer_count < SP_EVIDENCE_MAX_ANSWERS)
        evidence->answers[evidence->answer_count++] =
            (struct sp_evidence_answer){header->seq, judgement->answer, judgement->reason};
}

bool sp_decide_fresh(const struct sp_evidence *evidence, const struct sp_basis *now)
{
    for (int i = 0; i < now->gallery_count; i++) {
        bool found = false;
        for (int k = 0; k < evidence->gallery_count && !found; k++)
            found = evidence->galleries[k].version == now->galleries[i].version &&
                    strcmp(evidence->galleries[k].manifest, now->galleries[i].manifest) == 0;
        if (!found)
            return false;
    }
    return true;
}

void sp_decide_close(struct sp_verdict *ret_verdict, const struct sp_evidence *evidence, int close_reason,
                     bool fresh)
{
    *ret_verdict = (struct sp_verdict){.outcome = SP_OUTCOME_REFER, .reason = close_reason, .margin = NAN};
    if (evidence->has_candidate) {
        ret_verdict->has_candidate = true;
        memcpy(ret_verdict->candidate, evidence->candidate, SP_PSEUDONYM_BYTES);
        ret_verdict->score = evidence->score;
        ret_verdict->margin = evidence->margin;
    }
    bool ended = close_reason == SP_REASON_DONE || close_reason == SP_REASON_TIMEOUT;
    if (!ended || evidence->frames == 0)
        return; /* the close says it all: opted_out, left, abandoned, or nothing was seen */
    if (evidence->comparable > 0 && fresh) {
        ret_verdict->outcome = SP_OUTCOME_NO_MATCH;
        ret_verdict->reason = SP_REASON_NOT_ON_MANIFEST;
    } else if (evidence->comparable > 0) {
        ret_verdict->reason = SP_REASON_GALLERY_STALE;
    } else {
        ret_verdict->reason = evidence->best_reason;
    }
}
