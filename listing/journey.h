/* The journey of a listing: what adapters put into it, which leg is ours, and the manifest that it names
 * (docs/manifests.md 3). */
#ifndef SALLYPORT_LISTING_JOURNEY_H
#define SALLYPORT_LISTING_JOURNEY_H

#include "common/decision.h"
#include "listing/listing.h"

/* X(CONSTANT, member of struct sp_listing, greatest length in bytes). The member's name is the JSON key. */
#define SP_JOURNEY_LIST(X)                                                                                         \
    X(MODE, mode, 12)                                                                                              \
    X(CARRIER, carrier, 28)                                                                                        \
    X(NUMBER, number, 28)                                                                                          \
    X(DIRECTION, direction, 8)                                                                                     \
    X(VESSEL, vessel, 100)                                                                                         \
    X(VESSEL_ID, vessel_id, 28)                                                                                    \
    X(FLAG, flag, 3)
enum sp_journey_field {
#define X(constant, member, max) SP_JOURNEY_##constant,
    SP_JOURNEY_LIST(X)
#undef X
        SP_JOURNEY_COUNT
};
const char *sp_journey_name(enum sp_journey_field field);
int sp_journey_from(const char *name); /* -1: none; any case */
const char *sp_journey_value(const struct sp_listing *listing, enum sp_journey_field field);

/* Put one value: trimmed, in the listing's spelling; what is not of its form is a deviation at that place.
 * SP_E_NOMEM only. */
enum sp_status sp_journey_put(struct sp_listing *listing, enum sp_journey_field field, const char *text,
                              int segment, size_t offset, struct sp_err *err);
/* One more leg; NULL is "". Times as sp_field_time takes them. */
struct sp_journey_leg {
    const char *dep_port, *arr_port, *sched_dep, *sched_arr;
};
enum sp_status sp_journey_put_leg(struct sp_listing *listing, const struct sp_journey_leg *leg, int segment,
                                  size_t offset, struct sp_err *err);

/* What fills the gaps of a file that does not say everything; NULL or "": nothing. */
struct sp_journey_defaults {
    const char *mode, *carrier, *number, *direction;
    const char *port, *date; /* of the departure */
};
enum sp_status sp_journey_fill(struct sp_listing *listing, const struct sp_journey_defaults *defaults,
                               struct sp_err *err);

/* Carrier and number as they count: a vessel or aircraft without a carrier is its own (IMO number, registration), a
 * flight number is without its carrier and leading zeros. ret_number: 32 bytes. */
const char *sp_journey_carrier(const struct sp_listing *listing);
void sp_journey_number(char ret_number[32], const struct sp_listing *listing);
/* The leg the manifest is named after: the first that departs from one of the site's ports, else one that arrives
 * there, else the first; over-flights do not count. NULL: no leg. */
const struct sp_leg *sp_journey_leg(const struct sp_listing *listing, const char *const *ports, int port_count);
/* The manifest's id. SP_E_FORMAT names what the listing does not say. */
enum sp_status sp_journey_id(char ret_id[SP_MANIFEST_ID_MAX], const struct sp_listing *listing,
                             const char *const *ports, int port_count, struct sp_err *err);

#endif
