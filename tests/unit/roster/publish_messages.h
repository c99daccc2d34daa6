#ifndef SALLYPORT_TESTS_UNIT_ROSTER_PUBLISH_MESSAGES_H
#define SALLYPORT_TESTS_UNIT_ROSTER_PUBLISH_MESSAGES_H

#include "roster/manifest_purge.h"
#include "tests/unit/roster/publish_world.h"

/* Messages about one manifest, by a desk's CSV. */
#define MANIFEST "air-zx-417-20261204-jfk"
#define HEADER   "carrier,journey,mode,dep_port,arr_port,sched_dep,sched_arr,traveller_ref,surname,seat_or_cabin\n"
#define ROW(ref) "ZX,417,air,JFK,LIS,2026-12-04T18:20,2026-12-05T06:10," ref ",Doe,\n"
/* T4 in one seat after the other. */
#define SEAT(seat) HEADER "ZX,417,air,JFK,,2026-12-04T18:20,,T4,Doe," seat "\n"
#define PORTRAITS   "sp:m:{" MANIFEST "}:portraits"
#define ROWS        "sp:m:{" MANIFEST "}:rows"
#define CURRENT     "sp:m:{" MANIFEST "}:current"
#define NOTES       "sp:m:{" MANIFEST "}:enrolled:abababababababababababababababab"
#define TEMPLATES   "sp:g:{" MANIFEST "}:abababababababababababababababab"
#define TEMPLATES_2 "sp:g:{" MANIFEST "}:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
#define FOUR        HEADER ROW("T1") ROW("T2") ROW("T3") ROW("T4")

extern char reference[32]; /* of the next message; "": none */

enum sp_status tell(struct world *world, enum sp_listing_action action, const char *text,
                    const struct sp_portraits *portraits, struct sp_publish_report *ret, struct sp_err *err);
void tell_ok(struct world *world, enum sp_listing_action action, const char *text, struct sp_publish_report *ret);
/* An empty store and a new world. */
void begin(struct world *world);
/* VERB KEY: the integer that Redis answers, or how many values. */
int64_t ask(struct sp_store *store, const char *verb, const char *key);
struct sp_manifest_index *load(struct world *world);
void tidy(struct world *world, struct sp_manifest_tidied *ret, int64_t now_ms);
/* Five portraits: of T1, two of T2, a faceless one of T3, of T5. */
void world_portraits(void);

#endif
