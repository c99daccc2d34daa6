/* `sallyport keys`: the files it makes are the ones that programs load, and it overwrites nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/curve.h"
#include "common/file.h"
#include "common/program.h"
#include "ops/command.h"
#include "tests/support/folder.h"

static char folder[TEST_FOLDER_MAX], keys[TEST_PATH_MAX], peers_dir[TEST_PATH_MAX];

/* Run "keys ..." with words separated by spaces; K is the keys' folder and P the peers'. */
static int keys_command(const char *line)
{
    char copy[512], program[] = "keys", *argv[24] = {program};
    int argc = 1;
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = strcmp(word, "K") == 0 ? keys : strcmp(word, "P") == 0 ? peers_dir : word;
    char public_file[TEST_PATH_MAX];
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "K/", 2) == 0) {
            test_folder_path(public_file, keys, argv[i] + 2);
            argv[i] = public_file;
        }
    return sp_ops_keys(argc, argv);
}

static const char *key_path(const char *name)
{
    static char path[TEST_PATH_MAX];
    return test_folder_path(path, keys, name);
}

static void test_init_makes_a_site(void **state)
{
    (void)state;
    struct sp_key_file authority, key;
    struct sp_cert cert;
    struct stat about;
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(keys_command("init --dir K"), SP_EXIT_OK);
    assert_int_equal(stat(keys, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    assert_int_equal(sp_key_load(&authority, key_path("authority.sign"), SP_KEY_SIGN, true, NULL), SP_OK);
    assert_int_equal(sp_key_load(&key, key_path("ops.box"), SP_KEY_BOX, true, NULL), SP_OK);
    assert_int_equal(sp_key_load(&key, key_path("recorder.box"), SP_KEY_BOX, true, NULL), SP_OK);
    assert_int_equal(sp_key_load(&key, key_path("broker.curve"), SP_KEY_CURVE, true, NULL), SP_OK);
    assert_int_equal(sp_key_load(&key, key_path("fleet.box"), SP_KEY_BOX, true, NULL), SP_OK);
    assert_int_equal(sp_file_read(&bytes, &length, key_path("fleet.cert"), SP_CERT_MAX_BYTES, NULL), SP_OK);
    int64_t now = sp_clock_wall_ms();
    assert_int_equal(sp_cert_verify(&cert, bytes, length, "fleet", authority.public_key, now, NULL), SP_OK);
    assert_memory_equal(cert.key, key.public_key, 32);
    assert_true(cert.not_after_ms > now + 364 * 86400000ll && cert.not_after_ms <= now + 366 * 86400000ll);
    free(bytes);
    assert_int_equal(keys_command("init --dir K"), SP_EXIT_FAILED); /* a second time would orphan what is sealed */
    struct sp_key_file again;
    assert_int_equal(sp_key_load(&again, key_path("authority.sign"), SP_KEY_SIGN, true, NULL), SP_OK);
    assert_memory_equal(again.secret, authority.secret, sizeof again.secret);
}

static void test_worker_certificate(void **state)
{
    (void)state;
    struct sp_key_file authority, worker;
    struct sp_cert cert;
    uint8_t *bytes = NULL;
    size_t length = 0;
    assert_int_equal(keys_command("new sign worker-1 --dir K"), SP_EXIT_OK);
    assert_int_equal(keys_command("new sign worker-1 --dir K"), SP_EXIT_FAILED);
    assert_int_equal(keys_command("certify worker worker-1 --dir K --days 2"), SP_EXIT_OK);
    assert_int_equal(sp_key_load(&authority, key_path("authority.sign.pub"), SP_KEY_SIGN, false, NULL), SP_OK);
    assert_int_equal(sp_key_load(&worker, key_path("worker-1.sign"), SP_KEY_SIGN, true, NULL), SP_OK);
    assert_int_equal(sp_file_read(&bytes, &length, key_path("worker-1.cert"), SP_CERT_MAX_BYTES, NULL), SP_OK);
    int64_t now = sp_clock_wall_ms();
    assert_int_equal(sp_cert_verify(&cert, bytes, length, "worker", authority.public_key, now, NULL), SP_OK);
    assert_memory_equal(cert.key, worker.public_key, 32);
    assert_int_equal(
        sp_cert_verify(&cert, bytes, length, "worker", authority.public_key, now + 3 * 86400000ll, NULL),
        SP_E_AUTH);
    free(bytes);
    assert_int_equal(keys_command("show K/worker-1.cert"), SP_EXIT_OK);
    assert_int_equal(keys_command("show K/worker-1.sign"), SP_EXIT_OK);
    assert_int_equal(keys_command("certify worker nobody --dir K"), SP_EXIT_FAILED);
    assert_int_equal(keys_command("certify pirate worker-1 --dir K"), SP_EXIT_USAGE);
    assert_int_equal(keys_command("certify worker worker-1 --dir K --days 0"), SP_EXIT_USAGE);
    assert_int_equal(keys_command("certify worker worker-1 --dir K --days 2x"), SP_EXIT_USAGE);
}

static void test_peer_and_revoke(void **state)
{
    (void)state;
    struct sp_peers *peers = NULL;
    struct sp_key_file gate;
    struct sp_peer peer;
    assert_int_equal(keys_command("new curve gate --dir K"), SP_EXIT_OK);
    assert_int_equal(sp_key_load(&gate, key_path("gate.curve.pub"), SP_KEY_CURVE, false, NULL), SP_OK);
    assert_int_equal(keys_command("peer gate --role capture --peers-dir P --public K/gate.curve.pub"),
                     SP_EXIT_USAGE);
    assert_int_equal(keys_command("peer gate --role king --peers-dir P --public K/gate.curve.pub"), SP_EXIT_USAGE);
    assert_int_equal(keys_command("peer gate --role capture --lanes a/b --peers-dir P --public K/gate.curve.pub"),
                     SP_EXIT_USAGE);
    assert_int_equal(
        keys_command("peer gate --role capture --lanes B12,B14 --peers-dir P --public K/gate.curve.pub"),
        SP_EXIT_OK);
    assert_int_equal(keys_command("peer gate2 --role ops --peers-dir P --public K/gate.curve.pub"), SP_EXIT_FAILED);
    assert_int_equal(keys_command("peer fleet --role ops --peers-dir P --public K/fleet.box.pub"), SP_EXIT_USAGE);
    assert_int_equal(sp_peers_new(&peers, peers_dir, NULL), SP_OK);
    assert_true(sp_peers_find(peers, gate.public_key, &peer));
    assert_int_equal(peer.lane_count, 2);
    assert_string_equal(peer.lanes[1], "B14");
    assert_int_equal(keys_command("revoke gate --peers-dir P"), SP_EXIT_OK);
    assert_int_equal(sp_peers_refresh(peers, NULL, NULL), SP_OK);
    assert_false(sp_peers_find(peers, gate.public_key, &peer));
    assert_int_equal(keys_command("revoke gate --peers-dir P"), SP_EXIT_FAILED);
    assert_int_equal(keys_command("revoke ../gate --peers-dir P"), SP_EXIT_USAGE);
    sp_peers_free(&peers);
}

static void test_usage(void **state)
{
    (void)state;
    static const char *const help[] = {"--help",      "init --help",   "new --help", "certify --help",
                                       "peer --help", "revoke --help", "show --help"};
    static const char *const wrong[] = {"",
                                        "dance",
                                        "init",
                                        "init --dir",
                                        "init K",
                                        "new curve --dir K",
                                        "new shoe x --dir K",
                                        "new curve ../x --dir K",
                                        "init --colour red",
                                        "show"};
    for (size_t i = 0; i < sizeof help / sizeof help[0]; i++)
        assert_int_equal(keys_command(help[i]), SP_EXIT_OK);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(keys_command(wrong[i]), SP_EXIT_USAGE);
    assert_int_equal(keys_command("show K/absent"), SP_EXIT_FAILED);
    assert_int_equal(chmod(key_path("fleet.box"), 0644), 0);
    assert_int_equal(keys_command("show K/fleet.box"), SP_EXIT_REFUSED);
}

static int start(void **state)
{
    (void)state;
    test_folder_new(folder);
    test_folder_path(keys, folder, "keys");
    test_folder_path(peers_dir, folder, "peers");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_makes_a_site),
        cmocka_unit_test(test_worker_certificate),
        cmocka_unit_test(test_peer_and_revoke),
        cmocka_unit_test(test_usage),
    };
    return sp_seal_start(NULL) == SP_OK ? cmocka_run_group_tests(tests, start, stop) : 1;
}
