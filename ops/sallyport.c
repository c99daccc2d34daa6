/* sallyport: the command for people. Finds the group and hands over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/program.h"
#include "ops/command.h"

static const struct group {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} groups[] = {
    {"keys", sp_ops_keys, "the keys and certificates of a site, and who may come in at its brokers"},
    {"site", sp_ops_site, "the site's data keys"},
    {"manifest", sp_ops_manifest, "who travels: publish, parse, ready, reconcile and more"},
    {"lane", sp_ops_lane, "lanes: set up, assign manifests, list"},
    {"records", sp_ops_records, "the ledger: open, verify and print decisions"},
    {"model", sp_ops_model, "model packs: import the default one, inspect, run a net, seal a hand-written pack"},
};

enum { GROUPS = sizeof groups / sizeof groups[0] };

static void print_help(FILE *out)
{
    fputs("Usage: sallyport [--config FILE] GROUP VERB [options]\n"
          "The command for people who run Sallyport.\n\nGroups:\n",
          out);
    for (int i = 0; i < GROUPS; i++)
        fprintf(out, "  %-10s %s\n", groups[i].name, groups[i].summary);
    fputs("\n`sallyport GROUP --help` lists the verbs, `sallyport GROUP VERB --help` explains one.\n"
          "\nExamples:\n"
          "  sallyport model import face-api\n"
          "  sallyport model inspect ~/.local/share/sallyport/packs/face-api\n"
          "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 a service is unavailable, 4 refused or denied.\n",
          out);
}

/* `sallyport --config FILE GROUP VERB` is SALLYPORT_CONFIG=FILE for the groups that read one. */
static void take_config(int *argc, char ***argv)
{
    if (*argc < 3 || strcmp((*argv)[1], "--config") != 0)
        return;
    setenv("SALLYPORT_CONFIG", (*argv)[2], 1);
    (*argv)[2] = (*argv)[0];
    *argc -= 2;
    *argv += 2;
}

/* A result that did not reach its file is none. */
static int delivered(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "sallyport: the output could not be written: %s\n", strerror(errno));
    return code == SP_EXIT_OK ? SP_EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
    take_config(&argc, &argv);
    if (argc < 2) {
        print_help(stderr);
        return SP_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return SP_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("sallyport %s\n", SALLYPORT_VERSION);
        return SP_EXIT_OK;
    }
    for (int i = 0; i < GROUPS; i++)
        if (strcmp(groups[i].name, argv[1]) == 0)
            return delivered(groups[i].run(argc - 1, argv + 1));
    fprintf(stderr, "sallyport: no group '%s'\n\n", argv[1]);
    print_help(stderr);
    return SP_EXIT_USAGE;
}
