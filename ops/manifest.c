#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ops/command.h"
#include "ops/desk.h"
#include "ops/json.h"
#include "roster/publish.h"

static const char publish_help[] =
    "Usage: sallyport manifest publish FILE [--portraits DIR] [--kind list|change|removal] [--state "
    "partial|complete]\n"
    "                                  [--carrier CODE] [--format FORMAT] [--json] [--names] [--strict]\n"
    "                                  [--config FILE] [--set KEY=VALUE]\n"
    "Publish what a file says of journeys, message by message: it is applied to the version that stands, rows and\n"
    "portraits are sealed into the durable Redis, workers enrol the portraits, then the new version stands at "
    "once.\n"
    "Only what changed is done: a traveller who stays keeps the portraits; a command that was interrupted goes on\n"
    "where it stopped; nothing changed: no new version. Reads PAXLST, CSV, JSON, NDJSON, IMO FAL and eNOAD.\n\n"
    "  --portraits DIR  portrait files: photo_uri under DIR (several: a.jpg;b.dg2), else "
    "DIR/<traveller_ref>[_N].EXT,\n"
    "                   else DIR/<issuer>-<type>-<number>[_N].EXT; EXT is jpg, jpeg, png, jp2, j2k, dg2 or bin (a\n"
    "                   passport's DG2: each image in it is a portrait); nothing outside DIR is read\n"
    "  --kind KIND      what a desk's own file (CSV) is: list (default): all travellers; change: these are new or\n"
    "                   changed; removal: these do not travel\n"
    "  --state STATE    partial: more travellers will come; complete (default)\n"
    "  --carrier CODE   refuse journeys of other carriers\n"
    "  --format FORMAT  paxlst, csv, json, ndjson, fal5, fal6, enoad, or auto (default)\n"
    "  --json           one line of JSON per message\n"
    "  --names          names of travellers without a usable portrait, too\n"
    "  --strict         deviations are errors; exit 1 if a traveller has no usable portrait\n\n"
    "The header of a CSV file has carrier, journey, mode, dep_port, sched_dep and what tells travellers apart:\n"
    "traveller_ref, or doc_issuer, doc_type and doc_number, or surname, given, dob and nationality.\n"
    "Example: sallyport manifest publish ZX417.csv --portraits portraits/\n";
static const char parse_help[] =
    "Usage: sallyport manifest parse FILE... [--strict] [--json] [--format FORMAT] [--ports LIST]\n"
    "Show what files say about the travellers of a journey, as every other command understands them, with every\n"
    "deviation and its place. Reads PAXLST, CUSRES, CSV, JSON, NDJSON, IMO FAL 5 and 6 (CSV) and eNOAD (XML), "
    "found by\n"
    "content. Needs no configuration and no store; FILE - is standard input.\n\n"
    "  --strict         the first deviation is an error: exit 1\n"
    "  --json           one JSON object per message, one a line; it can be read again as NDJSON\n"
    "  --format FORMAT  paxlst, cusres, csv, json, ndjson, fal5, fal6, enoad, or auto (default)\n"
    "  --ports LIST     the site's ports (JFK,LIS): with several legs they choose the one that names the "
    "manifest\n\n"
    "Example: sallyport manifest parse ZX417.edi --json\n";
static const char list_help[] =
    "Usage: sallyport manifest list [--json] [--config FILE]\n"
    "Every manifest with its version, state and number of travellers. One that cannot be opened is said on\n"
    "stderr and hides no other.\n"
    "Example: sallyport manifest list\n";
static const char show_help[] =
    "Usage: sallyport manifest show ID [--json] [--names] [--config FILE]\n"
    "Every traveller of the current version: reference, pseudonym (what lanes see) and the state of the portrait.\n"
    "--json prints one document. --names adds surname and given names.\n"
    "Example: sallyport manifest show air-zx-417-20261204-lis --json\n";
static const char release_help[] =
    "Usage: sallyport manifest release ID REF [--config FILE]\n"
    "Lanes that let a traveller cross once (lane set --once yes) refer them as already_boarded the second time; "
    "after\n"
    "this they may cross once more. REF is the traveller's reference or pseudonym, as `manifest show` prints "
    "them.\n"
    "Example: sallyport manifest release air-zx-417-20261204-lis PNR7K2-1\n";
static const char close_help[] = "Usage: sallyport manifest close ID [--standing] [--config FILE]\n"
                                 "No lane matches against a closed manifest; it takes no further version but "
                                 "close-outs. Its portraits and templates\n"
                                 "are deleted; closing it again deletes what an interrupted command left of them. "
                                 "A standing gallery is closed\n"
                                 "only with --standing: it cannot begin again.\n"
                                 "Example: sallyport manifest close air-zx-417-20261204-lis\n";
static const char purge_help[] = "Usage: sallyport manifest purge ID [--config FILE]\n"
                                 "Delete everything of a closed manifest: rows, indexes, notes, claims and keys. "
                                 "Only that it was purged stays, for\n"
                                 "400 days. Interrupted, it goes on when it is run again. What a first publish "
                                 "that failed left is deleted, too.\n"
                                 "Example: sallyport manifest purge air-zx-417-20261204-lis\n";
static const char tidy_help[] =
    "Usage: sallyport manifest tidy ID... | --all [--json] [--config FILE]\n"
    "Remove what the current versions do not name: rows, portraits, notes and templates of travellers who left, "
    "rows whose\n"
    "validity is over, and what an interrupted close or purge left. A publish under way begins again.\n"
    "Example: sallyport manifest tidy --all\n";
static const char enrol_help[] =
    "Usage: sallyport manifest enrol ID... | --all [--pack DIR] [--retire PACK] [--json] [--config FILE]\n"
    "Enrol every portrait that lies sealed in Redis under another model pack, then let both packs serve: workers "
    "of the\n"
    "old and of the new pack match meanwhile. Interrupted, it goes on when it is run again.\n\n"
    "  --pack DIR     the new pack; default pack.directory\n"
    "  --retire PACK  do not enrol: drop this pack (its fingerprint, as `manifest show --json` prints it)\n"
    "  --all          every open manifest\n\n"
    "Example: sallyport manifest enrol --all --pack packs/new/\n";

static const char reconcile_help[] =
    "Usage: sallyport manifest reconcile ID... | --departed SPAN [--since TIME] [--until TIME] [--with-crew] "
    "[--json]\n"
    "                                    [--names] [--config FILE]\n"
    "What the close-out says against what the ledger decided: boarded but not confirmed, confirmed but not "
    "boarded, the\n"
    "capture rate and an upper estimate of the FNIR with 95 % bounds, per lane and hour; of several journeys a "
    "line each\n"
    "and all together. Needs the desk's key and user for the travellers (keys.ops, durable.*), the recorder's for "
    "the\n"
    "decisions (keys.recorder, records.user, records.password_file), and keys.authority: docs/security.md says who "
    "may.\n\n"
    "  --departed SPAN        all journeys that departed within the last 24h, 90m, 2d and are not purged\n"
    "  --since, --until TIME  decisions of that time, UTC or with an offset (default: departure -24 h to +24 h)\n"
    "  --with-crew            crew counts in the rates, too\n"
    "  --names                names of the travellers that differ, too\n\n"
    "A decision that does not verify is not counted, is said, and makes the exit code 4.\n"
    "Example: sallyport --config supervisor.yaml manifest reconcile air-zx-417-20261204-lis\n";
static const char watch_help[] =
    "Usage: sallyport manifest watch DIR [--portraits DIR] [--carriers FILE] [--once] [--json] [--config FILE]\n"
    "Publish the files that come into DIR, in order of name, until SIGTERM: taken files go to DIR/done/ with "
    "NAME.report.json\n"
    "and, for PAXLST, the answer NAME.answer.edi; others to DIR/rejected/ with NAME.reason.txt. While a store, the "
    "broker\n"
    "or workers are away, files stay and are tried again. Names that begin with '.' or end in .part or .tmp are "
    "left alone:\n"
    "write under such a name, then rename.\n\n"
    "  --portraits DIR   portrait files, as for `manifest publish`\n"
    "  --carriers FILE   table of carriers: only files with a signature NAME.sig by a carrier's key are taken, and "
    "only\n"
    "                    that carrier's journeys (docs/manifests.md 9.2)\n"
    "  --once            take what is there and leave: 0 all taken, 1 some rejected, 3 some wait\n"
    "  --json            one JSON object per file on stdout\n\n"
    "Example: sallyport manifest watch /srv/drop --portraits /srv/portraits --carriers carriers.yaml\n";
static const char sign_help[] =
    "Usage: sallyport manifest sign FILE --key K.sign\n"
    "Write FILE.sig: a signature over the file's bytes, its name and the time, for a drop folder that asks for "
    "one. It is "
    "good\n"
    "for 48 hours. `sallyport keys new sign NAME` makes a key; the taker needs its public half.\n"
    "Example: sallyport manifest sign ZX417.edi --key zx.sign\n";
static const char ready_help[] =
    "Usage: sallyport manifest ready ID|--departures SPAN [--no-review] [--json] [--names] [--config FILE]\n"
    "Can this journey board with cameras? Parts received, travellers with a usable portrait and why others have "
    "none, "
    "pairs\n"
    "of travellers that look alike, which version each worker holds, lanes alive; problems with the worst first. "
    "What "
    "could\n"
    "not be asked is unknown and counts as not ready. Exit code: 0 ready, 1 not ready.\n\n"
    "  --departures SPAN  a table of every open manifest that departs within 24h, 90m, 2d\n"
    "  --no-review        do not ask a worker for look-alikes; that is no problem then\n"
    "  --names            names of the travellers that are listed, too\n\n"
    "Example: sallyport manifest ready --departures 24h\n";
static const char scorecard_help[] =
    "Usage: sallyport manifest scorecard [--carrier CODE] [--days N] [--deadline MIN] [--json] [--config FILE]\n"
    "How well carriers send, one line per carrier, over the journeys that departed in the last N days (7): first "
    "whole "
    "list\n"
    "in time or late, incomplete lists, travellers with all data elements, with a usable portrait, deviations per "
    "traveller.\n\n"
    "  --deadline MIN  lists are due this long before departure (air 30, sea and private 60, land 0)\n\n"
    "Example: sallyport manifest scorecard --carrier ZX --days 30\n";

/* Begun and never flipped: a publish is under way, or has failed. */
static void list_unfinished(const char *manifest, bool as_json)
{
    if (!as_json) {
        printf("%-44s %7d  never finished: publish it again, or purge it\n", manifest, 0);
        return;
    }
    struct sp_json json = {stdout, false};
    sp_json_open(&json, NULL, '{');
    sp_json_text(&json, "manifest", manifest);
    sp_json_number(&json, "version", 0);
    sp_json_text(&json, "state", "never finished");
    sp_json_close(&json, '}');
    printf("\n");
}

/* One line of the list. */
static enum sp_status list_one(struct sp_desk *desk, const char *manifest, bool as_json, struct sp_err *err)
{
    struct sp_manifest_keys keys = {0};
    struct sp_manifest_reader reader = sp_desk_reader(desk);
    struct sp_manifest_index *index = NULL;
    uint64_t version = 0;
    enum sp_manifest_state state;
    int usable = 0;
    enum sp_status status = sp_manifest_current(desk->durable, manifest, &version, &state, err);
    if (status == SP_OK && version == 0)
        list_unfinished(manifest, as_json);
    if (status != SP_OK || version == 0)
        return status;
    if (state == SP_MANIFEST_PURGED) /* a purge under way: there is nothing of it to read */
        status = sp_index_new(&index, manifest, 0, err);
    else
        status = sp_manifest_open_keys(&keys, desk->durable, manifest, &reader, err);
    if (status == SP_OK && !index)
        status = sp_manifest_load_current(&index, NULL, &version, &state, desk->durable, manifest, &keys, err);
    if (status == SP_OK && !index)
        status = sp_index_new(&index, manifest, 0, err);
    for (int i = 0; status == SP_OK && state < SP_MANIFEST_CLOSED && i < index->row_count; i++)
        usable += sp_index_row_usable(&index->rows[i], 0);
    if (status == SP_OK && as_json) {
        struct sp_json json = {stdout, false};
        sp_json_open(&json, NULL, '{');
        sp_json_text(&json, "manifest", manifest);
        sp_json_number(&json, "version", (double)version);
        sp_json_text(&json, "state", sp_manifest_state_word(state));
        sp_json_bool(&json, "standing", index->standing);
        sp_json_number(&json, "packs", index->pack_count);
        sp_json_number(&json, "travellers", index->row_count);
        sp_json_number(&json, "with_portrait", usable);
        sp_json_close(&json, '}');
        printf("\n");
    } else if (status == SP_OK) {
        printf("%-44s %7llu  %-9s %10d %14d\n", manifest, (unsigned long long)version,
               sp_manifest_state_word(state), index->row_count, usable);
    }
    sp_manifest_index_free(&index);
    sp_seal_wipe(&keys, sizeof keys);
    return status;
}

static int list_run(int argc, char **argv)
{
    bool as_json = false;
    const struct sp_flag flags[] = {{"json", NULL, "one JSON object per line", NULL, &as_json}, {0}};
    const struct sp_ops_verb verb = {"sallyport manifest list", "Every manifest with its version and state.",
                                     "sallyport manifest list", NULL, flags};
    struct sp_ops_line line = {0};
    struct sp_desk desk = {0};
    struct sp_err err = {0};
    char(*ids)[SP_MANIFEST_ID_MAX] = NULL;
    int count = 0, code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    enum sp_status status = sp_desk_open(&desk, &line.config, false, &err);
    if (status == SP_OK)
        status = sp_manifest_list(&ids, &count, desk.durable, &err);
    if (status == SP_OK && !as_json && count > 0)
        printf("%-44s %7s  %-9s %10s %14s\n", "MANIFEST", "VERSION", "STATE", "TRAVELLERS", "WITH PORTRAIT");
    if (status == SP_OK && count == 0 && !as_json)
        printf("no manifest; publish one with `sallyport manifest publish FILE.csv --portraits DIR`\n");
    if (status != SP_OK)
        code = sp_command_fail(&err);
    for (int i = 0; status == SP_OK && i < count; i++) { /* one that cannot be opened does not hide the others */
        enum sp_status step = list_one(&desk, ids[i], as_json, &err);
        if (step != SP_OK)
            code = sp_command_fail(&err);
        if (step == SP_E_UNAVAILABLE || step == SP_E_TIMEOUT)
            break;
    }
    free(ids);
    sp_desk_close(&desk);
    return code;
}

int sp_ops_manifest(int argc, char **argv)
{
    static const struct sp_command_verb verbs[] = {
        {"publish", "publish what a file says of journeys", publish_help, sp_manifest_publish_run},
        {"parse", "show what a file of any accepted format says, with its deviations", parse_help,
         sp_manifest_parse_run},
        {"list", "every manifest with its version and state", list_help, list_run},
        {"show", "the travellers of a manifest and the state of their portraits", show_help, sp_manifest_show_run},
        {"release", "let a traveller who crossed cross again", release_help, sp_manifest_release_run},
        {"ready", "is a journey ready to board?", ready_help, sp_manifest_ready_run},
        {"scorecard", "how well carriers send their lists", scorecard_help, sp_manifest_scorecard_run},
        {"reconcile", "the close-out against the ledger's decisions", reconcile_help, sp_manifest_reconcile_run},
        {"watch", "publish the files that come into a folder", watch_help, sp_manifest_watch_run},
        {"sign", "sign a file for another's drop folder", sign_help, sp_manifest_sign_run},
        {"close", "end a manifest", close_help, sp_manifest_close_run},
        {"purge", "delete everything of a closed manifest", purge_help, sp_manifest_purge_run},
        {"tidy", "remove what no version names", tidy_help, sp_manifest_tidy_run},
        {"enrol", "enrol the portraits under another model pack", enrol_help, sp_manifest_enrol_run},
        {"portrait", "take the face image out of a passport's DG2 or a picture", sp_manifest_portrait_help,
         sp_manifest_portrait_run},
        {NULL, NULL, NULL, NULL},
    };
    return sp_command_run("manifest", verbs, argc, argv);
}
