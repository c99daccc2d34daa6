#include "tests/support/listing_same.h"

#include <string.h>

#define TEXT(member)                                                                                               \
    if (strcmp(left->member, right->member) != 0)                                                                  \
        return #member;
#define VALUE(member)                                                                                              \
    if (left->member != right->member)                                                                             \
        return #member;

static const char *same_traveller(const struct sp_traveller *left, const struct sp_traveller *right)
{
    TEXT(ref)
    TEXT(role) TEXT(surname) TEXT(given) TEXT(dob) TEXT(sex) TEXT(nationality) TEXT(residence) TEXT(birth_place)
        TEXT(rank) TEXT(pnr) TEXT(seat_or_cabin) TEXT(embark) TEXT(debark) TEXT(clearance) TEXT(transit)
            TEXT(verified) TEXT(answer) TEXT(answer_text) VALUE(document_count)
                VALUE(photo_count) for (int i = 0; i < left->document_count; i++)
    {
        TEXT(documents[i].type)
        TEXT(documents[i].number) TEXT(documents[i].issuer) TEXT(documents[i].expiry) TEXT(documents[i].issued)
    }
    return NULL;
}

const char *listing_same(const struct sp_listing *left, const struct sp_listing *right)
{
    VALUE(format)
    VALUE(group) VALUE(action) VALUE(part) VALUE(last_part) VALUE(leg_count) VALUE(traveller_count) TEXT(reference)
        TEXT(common) TEXT(mode) TEXT(carrier) TEXT(number) TEXT(direction) TEXT(vessel) TEXT(vessel_id) TEXT(flag)
            TEXT(answer) TEXT(answer_text) for (int i = 0; i < left->leg_count; i++)
    {
        TEXT(legs[i].dep_port)
        TEXT(legs[i].arr_port) TEXT(legs[i].sched_dep) TEXT(legs[i].sched_arr) VALUE(legs[i].over_flight)
    }
    for (int i = 0; i < left->traveller_count; i++) {
        const char *differs = same_traveller(&left->travellers[i], &right->travellers[i]);
        if (differs)
            return differs;
    }
    return NULL;
}
