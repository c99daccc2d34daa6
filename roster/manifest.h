/* Manifests: the travellers expected on one journey, as rows, and their published versions in the durable Redis.
 *
 * Sources (docs/redis.md): rows, portraits and version indexes are sealed with per-manifest data keys, which are
 * themselves sealed to the roles that may open them (workers = the fleet key, ops). Publishing is one fenced
 * compare-and-set of `current`. Every function that talks to Redis blocks up to the store's time-out. */
#ifndef SALLYPORT_ROSTER_MANIFEST_H
#define SALLYPORT_ROSTER_MANIFEST_H

#include <stdbool.h>
#include "common/decision.h"
#include "common/key.h"
#include "common/store.h"

#define SP_ROW_BYTES        16 /* row id: keyed BLAKE2b-128 of the row's identity (domain.md 2.5) */
#define SP_PORTRAIT_BYTES   16 /* portrait id: keyed BLAKE2b-128 of the image bytes */
#define SP_MANIFEST_MAX_ROWS 20000
#define SP_ROW_MAX_PORTRAITS 8
#define SP_INDEX_MAX_PACKS  2   /* model packs that serve at the same time: the old one and the new one */
#define SP_INDEX_MAX_RECEIPTS 256 /* the newest messages that made a manifest what it is */

enum sp_manifest_state { SP_MANIFEST_PARTIAL, SP_MANIFEST_COMPLETE, SP_MANIFEST_AMENDED, SP_MANIFEST_CLOSED,
                         SP_MANIFEST_PURGED };
const char *sp_manifest_state_word(enum sp_manifest_state state);

/* The data keys of one manifest, unsealed; rows and templates have different keys. Wipe when done. */
struct sp_manifest_keys {
    struct sp_data_key rows;      /* rows, indexes, pseudonyms */
    struct sp_data_key portraits;
    struct sp_data_key templates;
};

/* How a role opens what is sealed to it. public/secret of the fleet or the ops box key. */
struct sp_manifest_reader {
    const char *role; /* "workers" or "ops": which wrap to open */
    const struct sp_key_file *box;
};

/* What became of a portrait under one of the index's packs. */
struct sp_index_enrolment {
    int reason;  /* 0: enrolled; else enum sp_reason why it is not usable under that pack */
    int quality; /* 0..100 */
};

/* One portrait of a row in a version index. */
struct sp_index_portrait {
    uint8_t id[SP_PORTRAIT_BYTES];
    struct sp_index_enrolment packs[SP_INDEX_MAX_PACKS]; /* as index->packs */
};

/* What a close-out said of a row. */
enum sp_boarding { SP_BOARDING_UNKNOWN, SP_BOARDING_ON_BOARD, SP_BOARDING_NOT_ON_BOARD };

struct sp_index_row {
    uint8_t row[SP_ROW_BYTES];
    uint8_t content[SP_ROW_BYTES]; /* keyed hash of the whole row: the sealed row lies under row | content */
    uint8_t pseudonym[SP_PSEUDONYM_BYTES]; /* keyed; what lanes and partners see */
    bool crew;
    enum sp_boarding boarding;
    uint32_t series;               /* of the list that named it last (struct sp_index_receipt) */
    int64_t valid_from_ms, valid_to_ms; /* standing galleries: when it may be matched; 0: open */
    int portrait_count;
    struct sp_index_portrait portraits[SP_ROW_MAX_PORTRAITS];
};

/* A message that was applied. */
struct sp_index_receipt {
    uint8_t digest[16];   /* keyed hash of what the listing says */
    uint32_t series;      /* parts of one list share it: hash of its common reference and group */
    uint8_t format, group, action; /* listing/listing.h */
    bool last_part;
    uint16_t part;        /* 0: the format has no parts */
    int travellers, deviations, declared; /* declared -1: it did not say */
    int64_t received_ms;  /* wall clock of the desk */
};

/* A version: immutable once written. */
struct sp_manifest_index {
    char id[SP_MANIFEST_ID_MAX];
    uint64_t version;
    enum sp_manifest_state state;
    bool standing;        /* no journey: rows have validity of their own */
    /* the journey; times are UTC milliseconds, 0 unknown */
    char carrier[32], journey[32], dep_port[16], arr_port[16], direction[8];
    char zone[48];        /* of the departure port, as in the IANA database; "": not known, then the times are as if UTC */
    int64_t departs_ms, arrives_ms;
    int64_t flipped_ms;   /* wall clock of the desk when this version was made */
    int pack_count;       /* packs the portraits were enrolled under; the newest first */
    uint8_t packs[SP_INDEX_MAX_PACKS][16];
    int row_count;
    struct sp_index_row *rows; /* owned */
    int receipt_count;
    struct sp_index_receipt *receipts; /* owned; oldest first */
};
/* Which of the index's packs this is; -1: none. */
int sp_manifest_index_pack(const struct sp_manifest_index *index, const uint8_t pack[16]);

void sp_manifest_index_free(struct sp_manifest_index **index); /* NULL is fine */

/* Redis key names; ret_key holds at least 192 bytes. kind: "current", "keys", "rows", "portraits", "index:<n>". */
void sp_manifest_key(char *ret_key, const char *manifest, const char *kind);

/* The associated data of a hash field: "<key>|<field bytes>"; ret_ad holds the key's length + 1 + field_length. */
size_t sp_manifest_field_place(uint8_t *ret_ad, const char *key, const void *field, size_t field_length);

/* "7 COMPLETE" <-> parts: the value of sp:m:{id}:current, in clear because workers MGET it before every final. */
enum sp_status sp_manifest_current_parse(const uint8_t *bytes, size_t length, uint64_t *ret_version,
                                         enum sp_manifest_state *ret_state, struct sp_err *err);

enum sp_status sp_manifest_open_keys(struct sp_manifest_keys *ret_keys, struct sp_store *durable, const char *manifest,
                                     const struct sp_manifest_reader *reader, struct sp_err *err);
/* Load one version's index. SP_E_NOTFOUND names manifest and version. */
enum sp_status sp_manifest_load_index(struct sp_manifest_index **ret_index, struct sp_store *durable,
                                      const char *manifest, uint64_t version, const struct sp_manifest_keys *keys,
                                      struct sp_err *err);
/* A portrait's image bytes, unsealed; caller frees with free() after sp_seal_wipe. */
enum sp_status sp_manifest_load_portrait(uint8_t **ret_bytes, size_t *ret_length, struct sp_store *durable,
                                         const char *manifest, const uint8_t portrait[SP_PORTRAIT_BYTES],
                                         const struct sp_manifest_keys *keys, struct sp_err *err);

#endif
