/* Key files and certificates: what is accepted, and the sentence for what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/key.h"
#include "tests/support/folder.h"

static char folder[TEST_FOLDER_MAX];

static const char *path_of(const char *name)
{
    static char path[TEST_PATH_MAX];
    return test_folder_path(path, folder, name);
}

static void test_round_trip_of_every_kind(void **state)
{
    (void)state;
    for (int kind = SP_KEY_CURVE; kind <= SP_KEY_SIGN; kind++) {
        struct sp_key_file key, back;
        struct stat about;
        sp_key_generate(&key, (enum sp_key_kind)kind, "gate-b12");
        assert_int_equal(sp_key_save(&key, path_of("secret"), true, NULL), SP_OK);
        assert_int_equal(stat(path_of("secret"), &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
        assert_int_equal(sp_key_load(&back, path_of("secret"), (enum sp_key_kind)kind, true, NULL), SP_OK);
        assert_memory_equal(back.secret, key.secret, sizeof key.secret);
        assert_memory_equal(back.public_key, key.public_key, 32);
        assert_string_equal(back.name, "gate-b12");
        assert_true(back.has_secret);
        /* Who needs only the public half does not get the secret. */
        assert_int_equal(sp_key_load(&back, path_of("secret"), (enum sp_key_kind)kind, false, NULL), SP_OK);
        uint8_t none[64] = {0};
        assert_false(back.has_secret);
        assert_memory_equal(back.secret, none, sizeof none);

        assert_int_equal(sp_key_save(&key, path_of("public"), false, NULL), SP_OK);
        assert_int_equal(stat(path_of("public"), &about), 0);
        assert_int_equal(about.st_mode & 0777, 0644);
        assert_int_equal(sp_key_load(&back, path_of("public"), (enum sp_key_kind)kind, false, NULL), SP_OK);
        struct sp_err err = {0};
        assert_int_equal(sp_key_load(&back, path_of("public"), (enum sp_key_kind)kind, true, &err), SP_E_INVALID);
        assert_non_null(strstr(err.text, "only the public half"));
        int other = (kind + 1) % 3;
        assert_int_equal(sp_key_load(&back, path_of("public"), (enum sp_key_kind)other, false, &err), SP_E_INVALID);
        assert_non_null(strstr(err.text, sp_key_kind_word((enum sp_key_kind)other)));
        sp_key_wipe(&key);
        assert_memory_equal(key.secret, none, sizeof none);
    }
}

static void test_public_file_holds_no_secret(void **state)
{
    (void)state;
    struct sp_key_file key;
    char hex[129];
    uint8_t *bytes = NULL;
    size_t length = 0;
    sp_key_generate(&key, SP_KEY_BOX, "fleet");
    assert_int_equal(sp_key_save(&key, path_of("public"), false, NULL), SP_OK);
    assert_int_equal(sp_file_read(&bytes, &length, path_of("public"), 4096, NULL), SP_OK);
    sp_seal_to_hex(hex, key.secret, 32);
    assert_null(strstr((char *)bytes, hex));
    assert_null(strstr((char *)bytes, "\nsecret"));
    free(bytes);
    key.has_secret = false;
    assert_int_equal(sp_key_save(&key, path_of("never"), true, NULL), SP_E_INVALID);
}

static void test_others_may_not_read_a_secret(void **state)
{
    (void)state;
    struct sp_key_file key;
    sp_key_generate(&key, SP_KEY_CURVE, "broker");
    static const mode_t open_modes[] = {0640, 0604, 0660, 0602, 0644, 0666, 0610};
    for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
        struct sp_err err = {0};
        assert_int_equal(sp_key_save(&key, path_of("open"), true, NULL), SP_OK);
        assert_int_equal(chmod(path_of("open"), open_modes[i]), 0);
        assert_int_equal(sp_key_load(&key, path_of("open"), SP_KEY_CURVE, true, &err), SP_E_DENIED);
        assert_non_null(strstr(err.text, "chmod 600"));
        assert_int_equal(sp_key_load(&key, path_of("open"), SP_KEY_CURVE, false, NULL), SP_E_DENIED);
    }
    assert_int_equal(chmod(path_of("open"), 0400), 0);
    assert_int_equal(sp_key_load(&key, path_of("open"), SP_KEY_CURVE, true, NULL), SP_OK);
    struct sp_err err = {0};
    assert_int_equal(sp_key_load(&key, path_of("absent"), SP_KEY_CURVE, true, &err), SP_E_NOTFOUND);
    assert_non_null(strstr(err.text, "absent"));
    assert_int_equal(sp_key_load(&key, folder, SP_KEY_CURVE, true, NULL), SP_E_INVALID);
}

#define PUBLIC "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
#define SECRET "77076d0a7318a57d3c16c17251b26645df5a1a8f2a5b3b1b2c0f3a1e0d7c9b42"

static enum sp_status parse(const char *text, struct sp_err *err)
{
    struct sp_key_file key;
    return sp_key_parse(&key, "some.key", text, strlen(text), err);
}

static void test_damaged_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sp_status status;
        const char *says;
    } damaged[] = {
        {"sallyport_key: 1\nkind: box-public\nname: a\npublic: " PUBLIC "\n", SP_OK, ""},
        {"# made today\r\nsallyport_key: 1\r\n\r\nkind: box-public # X25519\nname: a\npublic: " PUBLIC, SP_OK, ""},
        {"", SP_E_FORMAT, "sallyport_key"},
        {"sallyport_key: 2\nkind: box-public\nname: a\npublic: " PUBLIC "\n", SP_E_VERSION, "only 1"},
        {"sallyport_key: 1\nkind: fox-public\nname: a\npublic: " PUBLIC "\n", SP_E_FORMAT, "kind"},
        {"sallyport_key: 1\nkind: box\nname: a\npublic: " PUBLIC "\n", SP_E_FORMAT, "kind"},
        {"sallyport_key: 1\nkind: box-public\nname: a b\npublic: " PUBLIC "\n", SP_E_FORMAT, "name"},
        {"sallyport_key: 1\nkind: box-public\nname: ../a\npublic: " PUBLIC "\n", SP_E_FORMAT, "name"},
        {"sallyport_key: 1\nkind: box-public\nname: a\npublic: 00\n", SP_E_FORMAT, "64 hex"},
        {"sallyport_key: 1\nkind: box-public\nname: a\n", SP_E_FORMAT, "\"public\" is missing"},
        {"sallyport_key: 1\nkind: box-public\nname: a\nname: b\npublic: " PUBLIC "\n", SP_E_FORMAT, "line 4"},
        {"sallyport_key: 1\nkind: box-public\nname: a\ncolour: red\npublic: " PUBLIC "\n", SP_E_FORMAT, "line 4"},
        {"sallyport_key: 1\nkind: box-public\nname: a\nnonsense\npublic: " PUBLIC "\n", SP_E_FORMAT, "line 4"},
        {"sallyport_key: 1\nkind: box-public\nname: a\npublic: " PUBLIC "\nsecret: " SECRET "\n", SP_E_FORMAT,
         "exposed"},
        {"sallyport_key: 1\nkind: box-secret\nname: a\npublic: " PUBLIC "\n", SP_E_FORMAT, "secret is missing"},
        {"sallyport_key: 1\nkind: box-secret\nname: a\npublic: " PUBLIC "\nsecret: " SECRET "\n", SP_E_FORMAT,
         "belong together"},
        {"sallyport_key: 1\nkind: box-secret\nname: a\npublic: " PUBLIC "\nsecret: 00\n", SP_E_FORMAT, "64 hex"},
        /* a point of small order: everybody could open what is sealed to it */
        {"sallyport_key: 1\nkind: box-public\nname: a\n"
         "public: 0000000000000000000000000000000000000000000000000000000000000000\n",
         SP_E_FORMAT, "no usable box key"},
        {"sallyport_key: 1\nkind: sign-public\nname: a\n"
         "public: 0200000000000000000000000000000000000000000000000000000000000000\n",
         SP_E_FORMAT, "no usable sign key"},
    };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct sp_err err = {0};
        assert_int_equal(parse(damaged[i].text, &err), damaged[i].status);
        if (!strstr(err.text, damaged[i].says) || (damaged[i].status != SP_OK && !strstr(err.text, "some.key")))
            fail_msg("case %zu says: %s", i, err.text);
        assert_null(strstr(err.text, SECRET)); /* no error repeats a secret */
    }
    char large[4096];
    memset(large, '#', sizeof large);
    struct sp_key_file key;
    assert_int_equal(sp_key_parse(&key, "x", large, sizeof large, NULL), SP_E_LIMIT);
    assert_int_equal(sp_key_parse(&key, "x", "a\0b", 3, NULL), SP_E_FORMAT);
}

static void test_names(void **state)
{
    (void)state;
    assert_true(sp_key_name_ok("gate-b12.3_x"));
    assert_true(sp_key_name_ok("01234567890123456789012345678901234567890123456"));
    assert_false(sp_key_name_ok("012345678901234567890123456789012345678901234567"));
    static const char *const bad[] = {"", ".", "..", ".a", "-a", "a/b", "a b", "a\n", "\xc3\xa9", "*"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sp_key_name_ok(bad[i]));
}

/* ---- certificates ---- */

#define NOW 1796408400000ll

struct issued {
    struct sp_key_file authority, worker;
    uint8_t bytes[SP_CERT_MAX_BYTES];
    size_t length;
};

static void issue(struct issued *issued, const char *kind)
{
    struct sp_cert cert = {.not_after_ms = NOW + 1000};
    sp_key_generate(&issued->authority, SP_KEY_SIGN, "authority");
    sp_key_generate(&issued->worker, strcmp(kind, "fleet") == 0 ? SP_KEY_BOX : SP_KEY_SIGN, "worker-1");
    snprintf(cert.kind, sizeof cert.kind, "%s", kind);
    snprintf(cert.name, sizeof cert.name, "worker-1");
    memcpy(cert.key, issued->worker.public_key, 32);
    assert_int_equal(sp_cert_issue(issued->bytes, &issued->length, &cert, &issued->authority, NULL), SP_OK);
}

static void test_cert_round_trip(void **state)
{
    (void)state;
    static const char *const kinds[] = {"fleet", "worker"};
    for (int i = 0; i < 2; i++) {
        struct issued issued;
        struct sp_cert cert;
        issue(&issued, kinds[i]);
        assert_int_equal(sp_cert_verify(&cert, issued.bytes, issued.length, kinds[i], issued.authority.public_key,
                                        NOW + 1000, NULL),
                         SP_OK);
        assert_string_equal(cert.name, "worker-1");
        assert_memory_equal(cert.key, issued.worker.public_key, 32);
        assert_true(cert.not_after_ms == NOW + 1000);
    }
}

static void test_cert_refusals_say_which(void **state)
{
    (void)state;
    struct issued issued;
    struct sp_cert cert;
    struct sp_key_file other;
    struct sp_err err = {0};
    issue(&issued, "worker");
    const uint8_t *trusted = issued.authority.public_key;
    assert_int_equal(sp_cert_verify(&cert, issued.bytes, issued.length, "worker", trusted, NOW + 1001, &err),
                     SP_E_AUTH);
    assert_non_null(strstr(err.text, "ended at 2026-12-04T18:20:01.000Z"));
    assert_int_equal(sp_cert_verify(&cert, issued.bytes, issued.length, "fleet", trusted, NOW, &err), SP_E_AUTH);
    assert_non_null(strstr(err.text, "for a worker, not for a fleet"));
    sp_key_generate(&other, SP_KEY_SIGN, "other");
    assert_int_equal(sp_cert_verify(&cert, issued.bytes, issued.length, "worker", other.public_key, NOW, &err),
                     SP_E_AUTH);
    assert_non_null(strstr(err.text, "not signed by the authority"));
    for (size_t bit = 0; bit < 8 * issued.length; bit++) {
        issued.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(sp_cert_verify(&cert, issued.bytes, issued.length, "worker", trusted, NOW, NULL),
                         SP_E_AUTH);
        issued.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < issued.length; cut++)
        assert_int_equal(sp_cert_verify(&cert, issued.bytes, cut, "worker", trusted, NOW, NULL), SP_E_AUTH);
    assert_int_equal(sp_cert_verify(&cert, issued.bytes, issued.length, "worker", trusted, NOW, NULL), SP_OK);
}

static void test_cert_issue_refuses(void **state)
{
    (void)state;
    struct sp_key_file authority, box;
    struct sp_cert cert = {.kind = "worker", .name = "w", .not_after_ms = NOW};
    uint8_t bytes[SP_CERT_MAX_BYTES];
    size_t length;
    sp_key_generate(&authority, SP_KEY_SIGN, "authority");
    sp_key_generate(&box, SP_KEY_BOX, "box");
    memcpy(cert.key, authority.public_key, 32);
    assert_int_equal(sp_cert_issue(bytes, &length, &cert, &authority, NULL), SP_OK);
    assert_int_equal(sp_cert_issue(bytes, &length, &cert, &box, NULL), SP_E_INVALID);
    strcpy(cert.kind, "pirate");
    assert_int_equal(sp_cert_issue(bytes, &length, &cert, &authority, NULL), SP_E_INVALID);
    strcpy(cert.kind, "worker");
    strcpy(cert.name, "a b");
    assert_int_equal(sp_cert_issue(bytes, &length, &cert, &authority, NULL), SP_E_INVALID);
    strcpy(cert.name, "w");
    memset(cert.key, 0, 32);
    strcpy(cert.kind, "fleet");
    assert_int_equal(sp_cert_issue(bytes, &length, &cert, &authority, NULL), SP_E_INVALID);
    authority.has_secret = false;
    assert_int_equal(sp_cert_issue(bytes, &length, &cert, &authority, NULL), SP_E_INVALID);
}

static int make_folder(void **state)
{
    (void)state;
    test_folder_new(folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_of_every_kind),
        cmocka_unit_test(test_public_file_holds_no_secret),
        cmocka_unit_test(test_others_may_not_read_a_secret),
        cmocka_unit_test(test_damaged_files_are_named),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_cert_round_trip),
        cmocka_unit_test(test_cert_refusals_say_which),
        cmocka_unit_test(test_cert_issue_refuses),
    };
    return sp_seal_start(NULL) == SP_OK ? cmocka_run_group_tests(tests, make_folder, remove_folder) : 1;
}
