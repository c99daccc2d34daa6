#include <stdio.h>
#include "ops/command.h"
#include "ops/desk.h"

static const char init_help[] = "Usage: sallyport site init [--config FILE]\n"
                                "Make the site's data keys (for lanes, assignments and the ledger's evidence), "
                                "wrapped to the workers' fleet key and\n"
                                "the desk's key. Done once per site; done again it changes nothing.\n"
                                "Example: sallyport --config ops.yaml site init\n";

static int init_run(int argc, char **argv)
{
    const struct sp_ops_verb verb = {"sallyport site init", "Make the site's data keys.",
                                     "sallyport --config ops.yaml site init", NULL, NULL};
    struct sp_ops_line line = {0};
    struct sp_desk desk = {0};
    struct sp_err err = {0};
    struct sp_data_key key = {0};
    uint8_t fleet[32];
    bool made = false;
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    enum sp_status status = sp_ops_fleet(fleet, &line.config, &err);
    if (status == SP_OK)
        status = sp_desk_open(&desk, &line.config, false, &err);
    if (status == SP_OK)
        status = sp_site_make_keys(&made, desk.durable, fleet, desk.box.public_key, &err);
    if (status == SP_OK) { /* what stands must open with this desk's key, or nothing will work later */
        struct sp_manifest_reader reader = sp_desk_reader(&desk);
        status = sp_site_open_key(&key, desk.durable, &reader, &err);
    }
    if (status == SP_OK)
        printf(made ? "site keys made\n" : "site keys stand already, nothing changed\n");
    else
        code = sp_command_fail(&err);
    sp_seal_wipe(&key, sizeof key);
    sp_desk_close(&desk);
    return code;
}

int sp_ops_site(int argc, char **argv)
{
    static const struct sp_command_verb verbs[] = {
        {"init", "make the site's data keys, once", init_help, init_run},
        {NULL, NULL, NULL, NULL},
    };
    return sp_command_run("site", verbs, argc, argv);
}
