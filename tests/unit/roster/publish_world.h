/* A desk against a real redis-server, with an enroller that plays the workers. */
#ifndef SALLYPORT_TESTS_UNIT_ROSTER_PUBLISH_WORLD_H
#define SALLYPORT_TESTS_UNIT_ROSTER_PUBLISH_WORLD_H

#include "roster/publish.h"
#include "tests/support/redis_server.h"

#define DIM 8

/* Plays broker and workers. */
struct workers {
    struct sp_store *durable, *galleries;
    int enrolled;                            /* portraits asked for, in all */
    int die_after;                           /* > 0: the desk's connection breaks after so many */
    void (*before)(struct workers *workers); /* called once before the first job */
    void *user;
};

struct world {
    struct workers workers;
    struct sp_publish_config config;
    struct sp_portraits *portraits;
};

extern struct redis_server world_server;
extern struct sp_key_file world_ops, world_fleet;
extern char world_folder[TEST_FOLDER_MAX]; /* of portraits */

/* Start the server and make keys and the folder; false: no redis-server is installed. */
bool world_start(void);
void world_stop(void);
void world_new(struct world *world);
void world_free(struct world *world);
void world_portrait(const char *name, const char *text);
/* VERB [KEY [MORE]] */
void command(struct sp_store *store, const char *verb, const char *key, const char *more);

#endif
