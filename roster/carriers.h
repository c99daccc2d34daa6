/* Who may send what: the table of carriers whose signed files a drop folder takes (docs/manifests.md 9.2).
 *
 * A YAML file:
 *     carriers:
 *       - code: ZX                   # as it stands in the journey: IATA or ICAO code, shipping line, or a vessel's IMO number
 *         name: Zephyr Express
 *         keys: ["<64 hex digits>"]  # public sign keys, at most 8: two while one is replaced
 *         modes: [air]               # left out: all
 *         ports: [JFK, USNYC]        # left out: all; else the journey departs from or arrives at one of them
 * Unknown words, a code or key that stands twice, a key that no honest pair has: refused with file and line. */
#ifndef SALLYPORT_ROSTER_CARRIERS_H
#define SALLYPORT_ROSTER_CARRIERS_H

#include "common/key.h"

#define SP_CARRIER_MAX_KEYS  8
#define SP_CARRIER_MAX_PORTS 32
#define SP_CARRIERS_MAX      500

struct sp_carrier {
    char code[32], name[96];
    int key_count;
    uint8_t keys[SP_CARRIER_MAX_KEYS][32];
    unsigned modes; /* bit of enum sp_mode; 0: all */
    int port_count; /* 0: all */
    char ports[SP_CARRIER_MAX_PORTS][16];
};

struct sp_carriers {
    int count;
    struct sp_carrier *all; /* owned */
};

enum sp_status sp_carriers_load(struct sp_carriers **ret_carriers, const char *path, struct sp_err *err);
/* The same from memory; source is for messages. */
enum sp_status sp_carriers_parse(struct sp_carriers **ret_carriers, const char *source, const void *bytes,
                                 size_t length, struct sp_err *err);
void sp_carriers_free(struct sp_carriers **carriers);
/* NULL: no carrier has this key. */
const struct sp_carrier *sp_carriers_find(const struct sp_carriers *carriers, const uint8_t key[32]);

/* May this carrier speak of that journey? Letter case does not count. SP_E_DENIED says what is not its own. */
enum sp_status sp_carrier_may(const struct sp_carrier *carrier, const char *mode, const char *code,
                              const char *dep_port, const char *arr_port, struct sp_err *err);

#endif
