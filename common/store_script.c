/* Lua scripts in a store: EVALSHA, and EVAL where the server does not know the script. Declared in store.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/store.h"

#define ARGUMENTS_MOST (1 << 19)

enum sp_status sp_store_load(struct sp_store *store, struct sp_script *script, struct sp_err *err)
{
    struct sp_argument arguments[] = {SP_ARG_TEXT("SCRIPT"), SP_ARG_TEXT("LOAD"), SP_ARG_TEXT(script->text)};
    sp_reply *reply = NULL;
    size_t length = 0;
    enum sp_status status = sp_store_command(store, arguments, 3, &reply, err);
    if (status != SP_OK)
        return status;
    const uint8_t *sha1 = sp_reply_bytes(reply, &length);
    if (!sha1 || length != sizeof script->sha1 - 1) {
        status = sp_fail(err, SP_E_INTERNAL, "SCRIPT LOAD answers without a SHA-1");
    } else if (memcmp(script->sha1, sha1, length) != 0) { /* not written again: other threads may read it */
        memcpy(script->sha1, sha1, length);
        script->sha1[length] = 0;
    }
    sp_reply_free(&reply);
    return status;
}

/* EVALSHA sha1 or EVAL text, keys, arguments: one vector, which the caller frees. */
static struct sp_argument *script_command(const char *verb, const char *script, const struct sp_argument *keys,
                                          int key_count, const struct sp_argument *arguments, int count,
                                          char key_text[16], int *ret_count)
{
    if (key_count < 0 || count < 0 || key_count > ARGUMENTS_MOST || count > ARGUMENTS_MOST)
        return NULL;
    struct sp_argument *command = malloc((size_t)(3 + key_count + count) * sizeof *command);
    if (!command)
        return NULL;
    snprintf(key_text, 16, "%d", key_count);
    command[0] = SP_ARG_TEXT(verb);
    command[1] = SP_ARG_TEXT(script);
    command[2] = SP_ARG_TEXT(key_text);
    for (int i = 0; i < key_count; i++)
        command[3 + i] = keys[i];
    for (int i = 0; i < count; i++)
        command[3 + key_count + i] = arguments[i];
    *ret_count = 3 + key_count + count;
    return command;
}

static enum sp_status no_command(struct sp_err *err)
{
    return sp_fail(err, SP_E_NOMEM, "no memory for a script's arguments");
}

enum sp_status sp_store_eval(struct sp_store *store, struct sp_script *script, const struct sp_argument *keys,
                             int key_count, const struct sp_argument *arguments, int count, sp_reply **ret_reply,
                             struct sp_err *err)
{
    char key_text[16];
    int total = 0;
    enum sp_status status = script->sha1[0] ? SP_OK : sp_store_load(store, script, err);
    if (status != SP_OK)
        return status;
    struct sp_argument *command =
        script_command("EVALSHA", script->sha1, keys, key_count, arguments, count, key_text, &total);
    if (!command)
        return no_command(err);
    struct sp_err why = {0};
    status = sp_store_command(store, command, total, ret_reply, &why);
    /* A server that began anew has run nothing of it, so that sending it again is safe. */
    if (status == SP_E_NOTFOUND && strstr(why.text, "NOSCRIPT ")) {
        command[0] = SP_ARG_TEXT("EVAL");
        command[1] = SP_ARG_TEXT(script->text);
        status = sp_store_command(store, command, total, ret_reply, &why);
    }
    free(command);
    return status == SP_OK ? SP_OK : sp_fail(err, status, "%s", why.text);
}

enum sp_status sp_store_append_eval(struct sp_store *store, const struct sp_script *script,
                                    const struct sp_argument *keys, int key_count,
                                    const struct sp_argument *arguments, int count, struct sp_err *err)
{
    char key_text[16];
    int total = 0;
    if (!script->sha1[0])
        return sp_fail(err, SP_E_INTERNAL, "a script in a pipeline before sp_store_load");
    struct sp_argument *command =
        script_command("EVALSHA", script->sha1, keys, key_count, arguments, count, key_text, &total);
    if (!command)
        return no_command(err);
    enum sp_status status = sp_store_append(store, command, total, err);
    free(command);
    return status;
}
