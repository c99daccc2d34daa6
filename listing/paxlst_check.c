/* What only the end of a message can tell: counts, travellers who come twice, a journey without ends. */
#include <stdlib.h>
#include <string.h>
#include "listing/paxlst_read.h"

static bool is_crew(const struct sp_traveller *traveller)
{
    return strcmp(traveller->role, "crew") == 0 || strcmp(traveller->role, "transit_crew") == 0;
}

static void check_counts(struct sp_paxlst_read *in)
{
    struct sp_listing *listing = in->listing;
    int crew = 0;
    for (int i = 0; i < listing->traveller_count; i++)
        crew += is_crew(&listing->travellers[i]);
    int passengers = listing->traveller_count - crew;
    if (in->declared_passengers >= 0 && in->declared_passengers != passengers)
        sp_paxlst_deviate(in, "CNT+42 says %d passengers, there are %d (and %d crew)", in->declared_passengers,
                          passengers, crew);
    if (in->declared_crew >= 0 && in->declared_crew != crew)
        sp_paxlst_deviate(in, "CNT+41 says %d crew, there are %d (and %d passengers)", in->declared_crew, crew,
                          passengers);
    if (in->declared_passengers >= 0 || in->declared_crew >= 0)
        listing->declared = (in->declared_passengers > 0 ? in->declared_passengers : 0) +
                            (in->declared_crew > 0 ? in->declared_crew : 0);
    if (listing->group == SP_GROUP_PASSENGERS && crew > 0)
        sp_paxlst_deviate(in, "%d crew in a message about passengers; they are kept", crew);
    if (listing->group == SP_GROUP_CREW && passengers > 0)
        sp_paxlst_deviate(in, "%d passengers in a message about crew; they are kept", passengers);
}

/* A traveller by one of its keys: a reference, or a document. */
struct key {
    const char *parts[3];
    int traveller;
};

static int by_key(const void *left, const void *right)
{
    const struct key *a = left, *b = right;
    for (int i = 0; i < 3; i++) {
        int order = strcmp(a->parts[i], b->parts[i]);
        if (order != 0)
            return order;
    }
    return (a->traveller > b->traveller) - (a->traveller < b->traveller);
}

/* Notes each traveller who has a key that an earlier one has. Sorted, so that no input makes it slow. */
static void check_keys(struct sp_paxlst_read *in, struct key *keys, size_t count, const char *what)
{
    if (count > 1)
        qsort(keys, count, sizeof *keys, by_key);
    for (size_t i = 1, first = 0; i < count && in->status == SP_OK; i++) {
        bool same = true;
        for (int part = 0; part < 3; part++)
            same = same && strcmp(keys[first].parts[part], keys[i].parts[part]) == 0;
        if (!same) {
            first = i;
        } else if (keys[i].traveller != keys[first].traveller) {
            const struct sp_traveller *again = &in->listing->travellers[keys[i].traveller];
            int earlier = in->listing->travellers[keys[first].traveller].segment;
            if (in->options.strict)
                sp_paxlst_deviate(in, "the traveller of segment %d has the %s of that in segment %d",
                                  again->segment, what, earlier);
            else
                sp_listing_deviate(in->listing, again->segment, again->offset,
                                   "this traveller has the %s of that in segment %d; both are kept", what, earlier);
        }
    }
}

static void check_twice(struct sp_paxlst_read *in)
{
    const struct sp_listing *listing = in->listing;
    size_t documents = 0, references = 0;
    for (int i = 0; i < listing->traveller_count; i++)
        documents += (size_t)listing->travellers[i].document_count;
    struct key *keys = calloc((size_t)listing->traveller_count + documents + 1, sizeof *keys);
    if (!keys) {
        sp_paxlst_fail(in, SP_E_NOMEM, "no memory to look for travellers who come twice");
        return;
    }
    for (int i = 0; i < listing->traveller_count; i++)
        if (*listing->travellers[i].ref)
            keys[references++] = (struct key){{listing->travellers[i].ref, "", ""}, i};
    check_keys(in, keys, references, "reference (ABO)");
    documents = 0;
    for (int i = 0; i < listing->traveller_count; i++)
        for (int j = 0; j < listing->travellers[i].document_count; j++) {
            const struct sp_document *document = &listing->travellers[i].documents[j];
            if (*document->number)
                keys[documents++] = (struct key){{document->number, document->issuer, document->type}, i};
        }
    check_keys(in, keys, documents, "document");
    free(keys);
}

static void check_journey(struct sp_paxlst_read *in)
{
    const struct sp_listing *listing = in->listing;
    if (in->transports == 0)
        sp_paxlst_deviate(in, "a message without a journey");
    else if (listing->leg_count == 0)
        sp_paxlst_deviate(in, "a journey without ports");
    else if (!*listing->number)
        sp_paxlst_deviate(in, "a journey without a number");
    for (int i = 0; i < listing->leg_count; i++) {
        const struct sp_leg *leg = &listing->legs[i];
        if (!*leg->dep_port || !*leg->arr_port)
            sp_paxlst_deviate(in, "leg %d has no port of %s", i + 1, *leg->dep_port ? "arrival" : "departure");
    }
    int first = 0; /* an over-flight departs elsewhere */
    while (first < listing->leg_count && listing->legs[first].over_flight)
        first++;
    if (first < listing->leg_count && !*listing->legs[first].sched_dep)
        sp_paxlst_deviate(in, "the first leg has no scheduled departure");
}

void sp_paxlst_check(struct sp_paxlst_read *in)
{
    if (in->listing->format == SP_LISTING_PAXLST)
        check_counts(in);
    if (in->status == SP_OK)
        check_journey(in);
    if (in->status == SP_OK)
        check_twice(in);
}
