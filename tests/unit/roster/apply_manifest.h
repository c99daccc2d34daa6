/* A manifest that messages are applied to in memory, as publish.c does with a store; and travellers for the messages. */
#ifndef SALLYPORT_TESTS_UNIT_ROSTER_APPLY_MANIFEST_H
#define SALLYPORT_TESTS_UNIT_ROSTER_APPLY_MANIFEST_H

#include "roster/apply.h"
#include "roster/manifest_store.h"

/* A traveller as a message names it: NULL is "not given". A document is "issuer number". */
struct person {
    const char *ref, *document, *surname, *dob, *seat;
};

struct manifest {
    struct sp_manifest_keys keys;
    struct sp_manifest_index *index; /* NULL: none stands */
    struct sp_row *rows;
    struct sp_applied *last;
    enum sp_status status;
    int64_t now_ms;
};

void manifest_new(struct manifest *m);
void manifest_free(struct manifest *m);
struct sp_apply_message message_of(enum sp_listing_action action);
/* Apply; on success the manifest goes on, unless nothing was to be done. */
void tell(struct manifest *m, const struct sp_apply_message *message, const struct person *people, int count);
/* The row that has this value, -1: none. Fails if there are two. */
int find_row(const struct manifest *m, enum sp_column column, const char *value);

#define TELL(m, message, ...)                                                                                      \
    do {                                                                                                           \
        const struct person told[] = {__VA_ARGS__};                                                                \
        tell(m, message, told, (int)(sizeof told / sizeof told[0]));                                               \
    } while (0)

#define P(n)                                                                                                       \
    {                                                                                                              \
        "R" #n, "UTO P" #n, "SAMPLE" #n, "1990-01-0" #n, NULL                                                      \
    }
#define STATE(m) ((m)->index->state)

#endif
