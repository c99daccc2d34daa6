/* How well carriers send: one line per carrier over its journeys, as authorities score them (late, incomplete, insufficient).
 * Pure: indexes and opened rows in, counts out; docs/manifests.md 8.3 says what each word means. A journey that never sent
 * anything is not known here, so it is not counted. */
#ifndef SALLYPORT_ROSTER_SCORECARD_H
#define SALLYPORT_ROSTER_SCORECARD_H

#include "roster/manifest.h"
#include "roster/row.h"

#define SP_SCORE_MAX_CARRIERS 500

/* X(CONSTANT, "word"): the data elements a traveller must have. */
#define SP_SCORE_ELEMENT_LIST(X)       \
    X(NAMES, "names")                  \
    X(DOB, "dob")                      \
    X(SEX, "sex")                      \
    X(NATIONALITY, "nationality")      \
    X(DOC_NUMBER, "doc_number")        \
    X(DOC_ISSUER, "doc_issuer")        \
    X(DOC_EXPIRY, "doc_expiry")
enum sp_score_element {
#define X(constant, word) SP_SCORE_##constant,
    SP_SCORE_ELEMENT_LIST(X)
#undef X
    SP_SCORE_ELEMENT_COUNT
};
const char *sp_score_element_word(enum sp_score_element element);
/* Bit of enum sp_score_element for each that the row lacks; 0: it is sufficient. */
unsigned sp_score_lacking(const struct sp_row *row);

struct sp_score {
    char carrier[32];
    int journeys;
    int on_time, late;   /* its first whole list came before the deadline, or after it */
    int undated;         /* its departure is not known: neither */
    int incomplete;      /* no whole list ever, or a list with another number of travellers than it says */
    int travellers;
    int sufficient;      /* with all elements */
    int lacking[SP_SCORE_ELEMENT_COUNT];
    int with_portrait;   /* with a usable one */
    int messages, deviations; /* received; deviations of all of them */
};

struct sp_scorecard {
    int count;
    struct sp_score scores[SP_SCORE_MAX_CARRIERS]; /* in the order of arrival; sp_scorecard_sort: by name */
};

/* One journey. lacking[i] = sp_score_lacking of row i (the index's order). deadline_ms: before departure. SP_E_LIMIT: too many
 * carriers. */
enum sp_status sp_scorecard_add(struct sp_scorecard *card, const struct sp_manifest_index *index,
                                const unsigned *lacking, int64_t deadline_ms, struct sp_err *err);
void sp_scorecard_sort(struct sp_scorecard *card);

/* When the first list of passengers (or of all) was whole; 0: never. */
int64_t sp_score_whole_ms(const struct sp_manifest_index *index);

#endif
