#include "tests/unit/roster/publish_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/reason.h"

struct redis_server world_server;
struct sp_key_file world_ops, world_fleet;
char world_folder[TEST_FOLDER_MAX];

static struct sp_store *open_store(void)
{
    struct sp_store *store = NULL;
    const struct sp_store_config config = {world_server.address, "", "", 2000};
    if (sp_store_new(&store, &config, NULL) != SP_OK)
        abort();
    return store;
}

/* What a worker does with a job: load by reference, store a template; "faceless" images have no face. */
static enum sp_status enrol_one(struct workers *w, const char *manifest, struct sp_enrol_job *job,
                                struct sp_err *err)
{
    struct sp_manifest_keys keys;
    struct sp_manifest_reader reader = {"workers", &world_fleet};
    uint8_t *image = NULL;
    size_t length = 0;
    float vector[DIM] = {0};
    enum sp_status status = sp_manifest_open_keys(&keys, w->durable, manifest, &reader, err);
    if (status == SP_OK)
        status = sp_manifest_load_portrait(&image, &length, w->durable, manifest, job->portrait, &keys, err);
    if (status != SP_OK && status != SP_E_NOTFOUND)
        return status;
    bool missing = status == SP_E_NOTFOUND;
    bool faceless = length >= 8 && memcmp(image, "faceless", 8) == 0;
    vector[0] = (float)length;
    status = SP_OK;
    if (!faceless && !missing)
        status = sp_template_store(w->galleries, manifest, job->pack, job->template_id, vector, DIM, &keys, err);
    free(image);
    job->reason = missing ? SP_REASON_BAD_PORTRAIT : faceless ? SP_REASON_NO_FACE : SP_REASON_NONE;
    job->quality = faceless || missing ? 0 : 77;
    job->done = true;
    w->enrolled++;
    return status;
}

static enum sp_status enrol(void *user, const char *manifest, struct sp_enrol_job *jobs, int count,
                            enum sp_status (*on_done)(void *publish, int job, struct sp_err *err), void *publish,
                            struct sp_err *err)
{
    struct workers *w = user;
    enum sp_status status = SP_OK;
    if (w->before)
        w->before(w);
    for (int i = 0; i < count && status == SP_OK; i++) {
        if (w->die_after > 0 && i == w->die_after)
            return sp_fail(err, SP_E_UNAVAILABLE, "the desk died");
        status = enrol_one(w, manifest, &jobs[i], err);
        if (status == SP_OK)
            status = on_done(publish, i, err);
    }
    return status;
}

void world_new(struct world *world)
{
    memset(world, 0, sizeof *world);
    world->workers.durable = open_store();
    world->workers.galleries = open_store();
    world->config = (struct sp_publish_config){
        .durable = open_store(), .galleries = open_store(), .ops = &world_ops, .state = SP_MANIFEST_COMPLETE};
    world->config.enroller = (struct sp_enroller){enrol, &world->workers};
    memcpy(world->config.workers_public, world_fleet.public_key, 32);
    memset(world->config.pack, 0xab, 16);
    assert_int_equal(sp_portraits_open(&world->portraits, world_folder, NULL), SP_OK);
}

void world_free(struct world *world)
{
    sp_store_free(&world->workers.durable);
    sp_store_free(&world->workers.galleries);
    sp_store_free(&world->config.durable);
    sp_store_free(&world->config.galleries);
    sp_portraits_free(&world->portraits);
}

void command(struct sp_store *store, const char *verb, const char *key, const char *more)
{
    struct sp_argument arguments[] = {SP_ARG_TEXT(verb), SP_ARG_TEXT(key ? key : ""),
                                      SP_ARG_TEXT(more ? more : "")};
    assert_int_equal(sp_store_command(store, arguments, key ? (more ? 3 : 2) : 1, NULL, NULL), SP_OK);
}

bool world_start(void)
{
    if (!redis_server_present()) {
        printf("skipped: redis-server is not installed\n");
        return false;
    }
    if (sp_seal_start(NULL) != SP_OK)
        abort();
    sp_key_generate(&world_ops, SP_KEY_BOX, "ops");
    sp_key_generate(&world_fleet, SP_KEY_BOX, "fleet");
    test_folder_new(world_folder);
    redis_server_start(&world_server, NULL);
    return true;
}

void world_stop(void)
{
    redis_server_stop(&world_server);
    test_folder_remove(world_folder);
}

void world_portrait(const char *name, const char *text)
{
    test_folder_write(world_folder, name, text, strlen(text), 0600);
}
