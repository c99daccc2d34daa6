/* Who is who (docs/manifests.md 3): travellers of a message against each other and against the rows that stand. Of
 * apply.c. */
#ifndef SALLYPORT_ROSTER_APPLY_MATCH_H
#define SALLYPORT_ROSTER_APPLY_MATCH_H

#include "roster/apply.h"

/* One traveller of the message after repeats were joined. */
struct sp_match {
    int same_as;  /* index of the earlier row of this message that is the same traveller; -1: this is the first */
    int before;   /* the standing row; -1: none */
    int absorbed; /* another standing row of the same traveller; -1: none */
    int replaced; /* the standing row of somebody else who had this new traveller's reference before; -1: none */
    struct sp_row
        row; /* values; what this row does not give is taken from its repeats, then from the standing row */
};

/* ret_matches[roster->row_count]. Problems are noted in applied. */
enum sp_status sp_apply_match(struct sp_match *ret_matches, struct sp_applied *applied,
                              const struct sp_manifest_index *before, const struct sp_row *rows_before,
                              const struct sp_roster *roster, enum sp_listing_format format, struct sp_err *err);
void sp_apply_problem(struct sp_applied *applied, int source, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
