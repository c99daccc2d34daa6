#include "tests/unit/roster/publish_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char reference[32]; /* of the next message; "": none */

enum sp_status tell(struct world *world, enum sp_listing_action action, const char *text,
                    const struct sp_portraits *portraits, struct sp_publish_report *ret, struct sp_err *err)
{
    struct sp_roster *roster = NULL;
    struct sp_apply_message message;
    sp_publish_report_clear(ret);
    if (sp_roster_parse(&roster, "m.csv", text, strlen(text), err) != SP_OK)
        fail_msg("%s", err ? err->text : "no roster");
    sp_apply_whole(&message, roster, action, true);
    message.reference = reference;
    enum sp_status status = sp_publish_message(ret, &message, roster, portraits, &world->config, err);
    sp_roster_free(&roster);
    return status;
}

void tell_ok(struct world *world, enum sp_listing_action action, const char *text, struct sp_publish_report *ret)
{
    struct sp_err err = {0};
    if (tell(world, action, text, world->portraits, ret, &err) != SP_OK)
        fail_msg("%s", err.text);
}

void begin(struct world *world)
{
    world_new(world);
    reference[0] = 0;
    command(world->config.durable, "FLUSHALL", NULL, NULL);
}

int64_t ask(struct sp_store *store, const char *verb, const char *key)
{
    struct sp_argument arguments[] = {SP_ARG_TEXT(verb), SP_ARG_TEXT(key)};
    sp_reply *reply = NULL;
    assert_int_equal(sp_store_command(store, arguments, 2, &reply, NULL), SP_OK);
    int64_t value =
        sp_reply_type(reply) == SP_REPLY_ARRAY ? (int64_t)sp_reply_count(reply) : sp_reply_integer(reply);
    sp_reply_free(&reply);
    return value;
}

struct sp_manifest_index *load(struct world *world)
{
    struct sp_manifest_keys keys;
    struct sp_manifest_index *index = NULL;
    struct sp_manifest_reader reader = {"ops", &world_ops};
    uint64_t version = 0;
    enum sp_manifest_state state;
    assert_int_equal(sp_manifest_current(world->config.durable, MANIFEST, &version, &state, NULL), SP_OK);
    assert_int_equal(sp_manifest_open_keys(&keys, world->config.durable, MANIFEST, &reader, NULL), SP_OK);
    assert_int_equal(sp_manifest_load_index(&index, world->config.durable, MANIFEST, version, &keys, NULL), SP_OK);
    assert_int_equal(index->state, state);
    return index;
}

void tidy(struct world *world, struct sp_manifest_tidied *ret, int64_t now_ms)
{
    struct sp_err err = {0};
    if (sp_manifest_tidy(ret, world->config.durable, world->config.galleries, MANIFEST, &world_ops, now_ms, &err) !=
        SP_OK)
        fail_msg("%s", err.text);
}

void world_portraits(void)
{
    world_portrait("T1.jpg", "face of T1");
    world_portrait("T2_1.jpg", "face of T2");
    world_portrait("T2_2.jpg", "another face of T2");
    world_portrait("T3.png", "faceless");
    world_portrait("T5.jpg", "face of T5");
}
