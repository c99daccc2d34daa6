#include "tests/unit/worker/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/clock.h"
#include "roster/index.h"
#include "roster/manifest_store.h"
#include "roster/template.h"

struct sp_store *world_store(const struct redis_server *server)
{
    struct sp_store *store = NULL;
    struct sp_store_config config = {server->address, "", "", 300};
    assert_int_equal(sp_store_new(&store, &config, NULL), SP_OK);
    return store;
}

static void make_keys(struct world *world)
{
    struct sp_manifest_reader reader = {"workers", &world->fleet};
    bool made = false;
    sp_key_generate(&world->fleet, SP_KEY_BOX, "fleet");
    sp_key_generate(&world->ops, SP_KEY_BOX, "ops");
    sp_key_generate(&world->recorder, SP_KEY_BOX, "recorder");
    sp_key_generate(&world->sign, SP_KEY_SIGN, "worker-1");
    sp_key_generate(&world->authority, SP_KEY_SIGN, "authority");
    struct sp_cert cert = {.kind = "worker", .name = "worker-1", .not_after_ms = sp_clock_wall_ms() + 3600000};
    memcpy(cert.key, world->sign.public_key, sizeof cert.key);
    assert_int_equal(sp_cert_issue(world->signer.cert, &world->signer.cert_length, &cert, &world->authority, NULL),
                     SP_OK);
    memcpy(world->signer.secret, world->sign.secret, sizeof world->signer.secret);
    memcpy(world->signer.pack, world->pack.fingerprint, sizeof world->signer.pack);
    assert_int_equal(sp_site_make_keys(&made, world->durable, world->fleet.public_key, world->ops.public_key, NULL),
                     SP_OK);
    assert_int_equal(sp_site_open_key(&world->site, world->durable, &reader, NULL), SP_OK);
    assert_int_equal(sp_site_open_evidence_key(&world->evidence, world->durable, &reader, NULL), SP_OK);
}

void world_start(struct world *world)
{
    memset(world, 0, sizeof *world);
    if (!redis_server_present()) {
        puts("SKIP: redis-server is not installed");
        exit(77);
    }
    assert_int_equal(sp_seal_start(NULL), SP_OK);
    world->pack.dim = WORLD_DIM;
    world->pack.metric = SP_PACK_L2;
    memset(world->pack.fingerprint, 7, sizeof world->pack.fingerprint);
    world->pack.calibration_count = 2;
    world->pack.calibration[0] = (struct sp_pack_calibration){0.1, 0.50};
    world->pack.calibration[1] = (struct sp_pack_calibration){0.000001, 0.49};
    redis_server_start(&world->durable_server, NULL);
    redis_server_start(&world->galleries_server, NULL);
    world->durable = world_store(&world->durable_server);
    world->galleries = world_store(&world->galleries_server);
    make_keys(world);
}

void world_stop(struct world *world)
{
    sp_store_free(&world->durable);
    sp_store_free(&world->galleries);
    redis_server_stop(&world->durable_server);
    redis_server_stop(&world->galleries_server);
}

struct sp_ledger_config world_ledger_config(const struct world *world)
{
    struct sp_ledger_config config = {.partitions = 4,
                                      .final_ttl_ms = 60000,
                                      .abandon_after_ms = 30000,
                                      .alarm_length = 1000,
                                      .evidence = world->evidence};
    memcpy(config.recorder_public, world->recorder.public_key, 32);
    return config;
}

void world_lane(struct world *world, const char *lane, enum sp_lane_kind kind, uint64_t expected)
{
    struct sp_lane record = {.kind = kind,
                             .mode = SP_MODE_AIR,
                             .fpir = 0.01,
                             .margin = 0.02,
                             .reveal_scores = true,
                             .decision_ttl_ms = 10000,
                             .version = expected + 1};
    struct sp_err err = {0};
    snprintf(record.name, sizeof record.name, "%s", lane);
    snprintf(record.terminal, sizeof record.terminal, "T1");
    if (sp_lane_store(world->durable, &record, expected, &world->site, &err) != SP_OK)
        fail_msg("lane %s: %s", lane, err.text);
}

void world_assign(struct world *world, const char *lane, uint64_t expected, const char *const *manifests)
{
    struct sp_assignment assignment = {.version = expected + 1, .direction = "exit", .set_by = "desk"};
    struct sp_err err = {0};
    snprintf(assignment.lane, sizeof assignment.lane, "%s", lane);
    for (; manifests[assignment.count]; assignment.count++)
        snprintf(assignment.entries[assignment.count].manifest, SP_MANIFEST_ID_MAX, "%s",
                 manifests[assignment.count]);
    if (sp_assignment_store(world->durable, &assignment, expected, &world->site, &err) != SP_OK)
        fail_msg("assignment of %s: %s", lane, err.text);
}

/* Persons far apart from each other (at least 2), portraits of one person close (0.1). */
void world_vector(float *ret_vector, const char *manifest, int person, int portrait)
{
    memset(ret_vector, 0, WORLD_DIM * sizeof *ret_vector);
    for (int bit = 0; bit < WORLD_DIM - 2; bit++)
        ret_vector[bit] = person >> bit & 1 ? 2.0f : 0.0f;
    ret_vector[WORLD_DIM - 2] = (float)(manifest[0] % 16) * 2.0f;
    ret_vector[WORLD_DIM - 1] = 0.1f * (float)portrait;
}

void world_ids(uint8_t ret_row[SP_ROW_BYTES], uint8_t ret_portrait[SP_PORTRAIT_BYTES], const char *manifest,
               int person, int portrait)
{
    char text[160];
    int length = snprintf(text, sizeof text, "%s row %05d", manifest, person);
    sp_seal_hash(ret_row, SP_ROW_BYTES, text, (size_t)length, NULL, 0);
    length = snprintf(text, sizeof text, "%s portrait %d %d", manifest, person, portrait);
    sp_seal_hash(ret_portrait, SP_PORTRAIT_BYTES, text, (size_t)length, NULL, 0);
}

static struct sp_manifest_keys keys_of(struct world *world, const char *manifest)
{
    struct sp_manifest_keys keys;
    struct sp_manifest_reader reader = {"workers", &world->fleet};
    struct sp_err err = {0};
    struct sp_manifest_keys mine;
    if (sp_manifest_make_keys(&mine, world->durable, manifest, world->fleet.public_key, &world->ops, &err) != SP_OK)
        fail_msg("%s", err.text);
    if (sp_manifest_open_keys(&keys, world->durable, manifest, &reader, &err) != SP_OK)
        fail_msg("%s", err.text);
    return keys;
}

static void store_template(struct world *world, const char *manifest, int person, int portrait,
                           const struct sp_manifest_keys *keys)
{
    uint8_t row[SP_ROW_BYTES], image[SP_PORTRAIT_BYTES], id[SP_TEMPLATE_ID_BYTES];
    float vector[WORLD_DIM];
    struct sp_err err = {0};
    world_ids(row, image, manifest, person, portrait);
    world_vector(vector, manifest, person, portrait);
    sp_template_id(id, manifest, row, world->pack.fingerprint, image);
    if (sp_template_store(world->galleries, manifest, world->pack.fingerprint, id, vector, WORLD_DIM, keys, &err) !=
        SP_OK)
        fail_msg("template: %s", err.text);
}

void world_store_template(struct world *world, const char *manifest, int person, int portrait)
{
    struct sp_manifest_keys keys = keys_of(world, manifest);
    store_template(world, manifest, person, portrait, &keys);
}

void world_pseudonym(const struct world *world, uint8_t ret_pseudonym[SP_PSEUDONYM_BYTES], const char *manifest,
                     int person)
{
    char text[160];
    (void)world;
    int length = snprintf(text, sizeof text, "%s pseudonym %d", manifest, person);
    sp_seal_hash(ret_pseudonym, SP_PSEUDONYM_BYTES, text, (size_t)length, NULL, 0);
}

void world_publish(struct world *world, const char *manifest, uint64_t version, int people, int portraits,
                   int with_templates, enum sp_manifest_state state)
{
    struct sp_manifest_keys keys = keys_of(world, manifest);
    struct sp_manifest_index *index = NULL;
    struct sp_err err = {0};
    uint64_t standing = 0;
    enum sp_manifest_state standing_state = SP_MANIFEST_PARTIAL;
    assert_int_equal(sp_index_new(&index, manifest, people, NULL), SP_OK);
    index->version = version;
    index->state = state;
    index->pack_count = 1;
    memcpy(index->packs[0], world->pack.fingerprint, sizeof index->packs[0]);
    for (int person = 0; person < people; person++) {
        struct sp_index_row *row = &index->rows[person];
        row->portrait_count = portraits;
        row->valid_from_ms = person < 4 ? world->valid_from_ms[person] : 0;
        row->valid_to_ms = person < 4 ? world->valid_to_ms[person] : 0;
        for (int k = 0; k < portraits; k++) {
            world_ids(row->row, row->portraits[k].id, manifest, person, k);
            row->portraits[k].packs[0].quality = 80;
            if (person < with_templates)
                store_template(world, manifest, person, k, &keys);
        }
        memcpy(row->content, row->row, sizeof row->content);
        world_pseudonym(world, row->pseudonym, manifest, person);
    }
    sp_index_sort(index);
    assert_int_equal(sp_manifest_current(world->durable, manifest, &standing, &standing_state, NULL), SP_OK);
    if (sp_manifest_flip(world->durable, index, standing, standing_state, &keys, &err) != SP_OK)
        fail_msg("flip: %s", err.text);
    sp_manifest_index_free(&index);
}
