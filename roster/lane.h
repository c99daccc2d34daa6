/* Lanes and assignments, sealed sources in the durable Redis: sp:lane:<name> and sp:asg:<lane> (docs/redis.md).
 * Sealed with the site's data key (sp:site:keys, wrapped to workers and ops). */
#ifndef SALLYPORT_ROSTER_LANE_H
#define SALLYPORT_ROSTER_LANE_H

#include "roster/manifest.h"

enum sp_lane_kind { SP_LANE_SINGLE, SP_LANE_MULTI };
enum sp_mode { SP_MODE_AIR, SP_MODE_SEA, SP_MODE_PEDESTRIAN, SP_MODE_VEHICLE, SP_MODE_PRIVATE };
const char *sp_mode_word(enum sp_mode mode);
int sp_mode_from(const char *word); /* -1: none */
/* What a lane of this mode does unless it is told: once where people leave (air, private); at sea and on land they go to
 * and fro. */
bool sp_mode_once(enum sp_mode mode);
#define SP_LANE_FPIR_DEFAULT   0.003
#define SP_LANE_MARGIN_DEFAULT 0.02

struct sp_lane {
    char name[SP_NAME_MAX];
    char terminal[SP_NAME_MAX];
    enum sp_lane_kind kind;
    enum sp_mode mode;
    double fpir;          /* target false positive identification rate; default 0.003 */
    double margin;        /* score distance to the second row below which the answer is refer look_alike; default 0.02 */
    bool once;            /* a traveller of a manifest crosses once: the second encounter hears already_boarded */
    bool reveal_scores;   /* development: answers carry candidate, score, margin */
    int64_t decision_ttl_ms; /* how long a lane may act on a decision; default 10,000 */
    uint64_t version;     /* grows by one with each change */
};

#define SP_ASSIGNMENT_MAX 16
struct sp_assignment_entry {
    char manifest[SP_MANIFEST_ID_MAX];
    int64_t from_ms, to_ms; /* wall clock on the worker's clock; 0 = open */
};
struct sp_assignment {
    char lane[SP_NAME_MAX];
    uint64_t version;
    char direction[8]; /* "exit" or "entry" */
    char set_by[SP_NAME_MAX];
    int count;
    struct sp_assignment_entry entries[SP_ASSIGNMENT_MAX];
};

/* The site's data key for lanes and assignments (sp:site:keys, roles workers and ops). SP_E_NOTFOUND says to run
 * `sallyport site init`; SP_E_AUTH: wrapped to another key. */
enum sp_status sp_site_open_key(struct sp_data_key *ret_key, struct sp_store *durable,
                                const struct sp_manifest_reader *reader, struct sp_err *err);
/* The same for the key of the ledger's evidence (role workers only). */
enum sp_status sp_site_open_evidence_key(struct sp_data_key *ret_key, struct sp_store *durable,
                                         const struct sp_manifest_reader *reader, struct sp_err *err);
/* ops: make both keys, wrapped to the fleet's and the desk's box keys, unless they exist. ret_made says which. */
enum sp_status sp_site_make_keys(bool *ret_made, struct sp_store *durable, const uint8_t workers_public[32],
                                 const uint8_t ops_public[32], struct sp_err *err);

/* Decode a value as MGET returned it. The key name is the associated data. */
enum sp_status sp_lane_open(struct sp_lane *ret_lane, const char *lane, const uint8_t *sealed, size_t length,
                            const struct sp_data_key *site, struct sp_err *err);
enum sp_status sp_assignment_open(struct sp_assignment *ret, const char *lane, const uint8_t *sealed, size_t length,
                                  const struct sp_data_key *site, struct sp_err *err);
/* Key names; ret_key holds at least 64 bytes. */
void sp_lane_key(char *ret_key, const char *lane);
void sp_assignment_key(char *ret_key, const char *lane);

/* ops: compare-and-set by version (expected = the version read before, 0 = must not exist). SP_E_CONFLICT. */
enum sp_status sp_lane_store(struct sp_store *durable, const struct sp_lane *lane, uint64_t expected,
                             const struct sp_data_key *site, struct sp_err *err);
enum sp_status sp_assignment_store(struct sp_store *durable, const struct sp_assignment *assignment,
                                   uint64_t expected, const struct sp_data_key *site, struct sp_err *err);

#endif
