/* Hot galleries: the manifests that lanes match now, in memory, one version each, loaded once however many jobs
 * wait.
 *
 * A loaded gallery is immutable and reference-counted: a newer version takes its place while comparisons that hold
 * the old one finish. Missing templates make a gallery incomplete: they are wanted (workers/want.h), and it is
 * loaded again, at most once per retry interval, until they are there.
 *
 * Where places, memory or the device's memory are short, galleries go in the order of workers/evict.h; those that a
 * batch still holds are not taken for the device's sake, as that would free nothing now. If none is left, the load
 * is refused with the reason, and only the rows of that manifest wait. */
#ifndef SALLYPORT_WORKERS_HOT_H
#define SALLYPORT_WORKERS_HOT_H

#include "common/pack.h"
#include "gpu/gallery.h"
#include "roster/fleet.h"
#include "roster/template.h"
#include "workers/want.h"

/* One version of one manifest. Read-only after it was loaded. */
struct sp_hot_gallery {
    char manifest[SP_MANIFEST_ID_MAX];
    uint64_t version;
    int64_t departs_ms;                        /* wall clock of its journey; 0: unknown, or no journey */
    struct sp_gallery *gallery;                /* its entries are portraits */
    int *people;                               /* [entries]: whose portrait that is: index into pseudonyms */
    uint8_t (*pseudonyms)[SP_PSEUDONYM_BYTES]; /* [row_count] */
    int row_count;                             /* travellers on the manifest */
    int usable;                                /* of them with a portrait that can be compared */
    int64_t changes_ms;                        /* wall clock: when a row's validity begins or ends next; 0: never */
    int missing;                               /* usable portraits whose template is not there (yet) */
    int most_portraits;                        /* entries of the traveller who has most */
    size_t bytes;                              /* about what it takes in memory */
    _Atomic int references;
};
struct sp_hot_gallery *sp_hot_ref(struct sp_hot_gallery *gallery);
/* A row has begun or ended since it was loaded. */
bool sp_hot_outdated(const struct sp_hot_gallery *gallery, int64_t wall_ms);
void sp_hot_unref(struct sp_hot_gallery **gallery); /* NULL is fine; frees at the last */

struct sp_hot_config {
    struct sp_engine *engine;
    const struct sp_pack *pack;
    struct sp_manifest_reader reader; /* the fleet's box key; must outlive the object */
    struct sp_wants *wants;           /* may be NULL */
    int max_galleries;
    size_t max_bytes;
    int64_t retry_ms; /* a failed or incomplete load is not tried again for that long */
    /* For sp_hot_load; sp_hot_new sets its own. Memory is short: give some back. False: there is none to give. */
    bool (*spare)(void *context);
    void *context;
};

struct sp_hot;
enum sp_status sp_hot_new(struct sp_hot **ret_hot, const struct sp_hot_config *config, struct sp_err *err);
void sp_hot_free(struct sp_hot **hot); /* no acquire may be under way */

/* A reference to the best copy of a manifest: `version` or newer where it is there or can be loaded by deadline_ns
 * (monotonic), else whatever older copy is hot, else NULL. SP_OK with *ret_gallery->version >= version, whose rows
 * are those that are valid now on this worker's wall clock; otherwise
 * the reason why not, with the older copy or NULL in *ret_gallery (so: written on failure too). Each thread brings
 * its own stores. Blocks while it loads, or while another thread loads the same one. Thread-safe. */
enum sp_status sp_hot_acquire(struct sp_hot *hot, struct sp_store *durable, struct sp_store *galleries,
                              const char *manifest, uint64_t version, uint64_t deadline_ns,
                              struct sp_hot_gallery **ret_gallery, struct sp_err *err);

/* For metrics and tests. */
int sp_hot_count(struct sp_hot *hot);
uint64_t sp_hot_loads(struct sp_hot *hot);
/* What is hot now, by manifest, each entry's unused bytes zero; returns how many, at most max. Thread-safe. */
int sp_hot_list(struct sp_hot *hot, struct sp_fleet_gallery *ret_galleries, int max);

/* Load one version from the stores (what sp_hot_acquire does for the first who asks). */
enum sp_status sp_hot_load(struct sp_hot_gallery **ret_gallery, const struct sp_hot_config *config,
                           struct sp_store *durable, struct sp_store *galleries, const char *manifest,
                           uint64_t version, struct sp_err *err);

/* The vectors of a gallery, for who compares it with itself: they do not come back from the device. */
struct sp_hot_vectors {
    int count;
    int *people;    /* [count]: whose portrait that is: index into the gallery's pseudonyms */
    float *vectors; /* [count][dim] */
    size_t bytes;   /* of vectors; what follows the last one counts too */
};
/* Read them from the stores again, onto no device: of the rows that are valid now and the templates that are there
 * now, which may be other ones than when the gallery was loaded. SP_E_NOTFOUND: its version is gone. Blocking. */
enum sp_status sp_hot_load_vectors(struct sp_hot_vectors *ret_vectors, const struct sp_hot_config *config,
                                   struct sp_store *durable, struct sp_store *galleries,
                                   const struct sp_hot_gallery *gallery, struct sp_err *err);
void sp_hot_vectors_clear(struct sp_hot_vectors *vectors); /* wipes; of zeroes it is fine */
const struct sp_hot_config *sp_hot_config(const struct sp_hot *hot);

#endif
