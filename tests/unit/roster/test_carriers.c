/* Carriers' signatures and scopes: another's journey, an altered byte, a renamed file, an old list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "roster/carriers.h"
#include "roster/signature.h"

#define NOW  1796385600000ll
#define HOUR 3600000ll

static struct sp_key_file zx, qq;

static int setup(void **state)
{
    (void)state;
    sp_key_generate(&zx, SP_KEY_SIGN, "zx");
    sp_key_generate(&qq, SP_KEY_SIGN, "qq");
    return 0;
}

static const char list[] = "UNB+UNOA:4+ZX'";

static struct sp_signature signature(void)
{
    struct sp_signature made;
    assert_int_equal(sp_signature_make(&made, &zx, NOW, "ZX417.edi", list, sizeof list, NULL), SP_OK);
    return made;
}

static void test_signature(void **state)
{
    (void)state;
    struct sp_signature made = signature(), other = made;
    char altered[sizeof list];
    assert_int_equal(sp_signature_verify(&made, "ZX417.edi", list, sizeof list, NULL), SP_OK);
    for (size_t i = 0; i < sizeof list; i++) {
        memcpy(altered, list, sizeof list);
        altered[i] ^= 1;
        assert_int_equal(sp_signature_verify(&made, "ZX417.edi", altered, sizeof list, NULL), SP_E_AUTH);
    }
    assert_int_equal(sp_signature_verify(&made, "ZX417.edi", list, sizeof list - 1, NULL), SP_E_AUTH);
    assert_int_equal(sp_signature_verify(&made, "ZX418.edi", list, sizeof list, NULL), SP_E_AUTH);
    /* the name's end and the file's begin cannot be shifted */
    assert_int_equal(sp_signature_verify(&made, "ZX417.ediU", list + 1, sizeof list - 1, NULL), SP_E_AUTH);
    other.signed_ms++;
    assert_int_equal(sp_signature_verify(&other, "ZX417.edi", list, sizeof list, NULL), SP_E_AUTH);
    other = made;
    memcpy(other.key, qq.public_key, 32);
    assert_int_equal(sp_signature_verify(&other, "ZX417.edi", list, sizeof list, NULL), SP_E_AUTH);
    assert_int_equal(sp_signature_make(&made, &zx, NOW, "empty", NULL, 0, NULL), SP_OK);
    assert_int_equal(sp_signature_verify(&made, "empty", "", 0, NULL), SP_OK);
}

static void test_signature_file(void **state)
{
    (void)state;
    struct sp_signature made = signature(), back;
    struct sp_err err = {0};
    char text[SP_SIGNATURE_TEXT_MAX + 1] = {0};
    sp_signature_print(text, &made);
    assert_int_equal(sp_signature_parse(&back, "x.sig", text, strlen(text), NULL), SP_OK);
    assert_memory_equal(back.key, made.key, 32);
    assert_memory_equal(back.bytes, made.bytes, sizeof made.bytes);
    assert_true(back.signed_ms == NOW);
    static const struct {
        const char *text, *says;
        enum sp_status status;
    } bad[] = {
        {"", "missing", SP_E_FORMAT},
        {"sallyport_signature: 2\n", "version 2", SP_E_VERSION},
        {"sallyport_signature: 1\nkey: \"00\"\n", "64 hex digits", SP_E_FORMAT},
        {"sallyport_signature: 1\n", "key is missing", SP_E_FORMAT},
        {"- 1\n", "missing", SP_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(sp_signature_parse(&back, "x.sig", bad[i].text, strlen(bad[i].text), &err), bad[i].status);
        if (!strstr(err.text, bad[i].says) || !strstr(err.text, "x.sig"))
            fail_msg("\"%s\" does not say \"%s\"", err.text, bad[i].says);
    }
    for (size_t cut = 0; cut + 2 < strlen(text); cut++)
        assert_int_not_equal(sp_signature_parse(&back, "x.sig", text, cut, NULL), SP_OK);
    assert_int_equal(sp_signature_parse(&back, "x.sig", text, sizeof text, NULL), SP_E_LIMIT);
}

static void test_replay(void **state)
{
    (void)state;
    struct sp_signature made = signature();
    struct sp_err err = {0};
    assert_int_equal(sp_signature_fresh(&made, NOW + 1000, 0, NULL), SP_OK);
    assert_int_equal(sp_signature_fresh(&made, NOW + 1000, NOW, NULL), SP_OK); /* the same file again */
    assert_int_equal(sp_signature_fresh(&made, NOW + 1000, NOW + 1, &err), SP_E_DENIED);
    assert_non_null(strstr(err.text, "old list"));
    assert_int_equal(sp_signature_fresh(&made, NOW + 48 * HOUR, 0, NULL), SP_OK);
    assert_int_equal(sp_signature_fresh(&made, NOW + 48 * HOUR + 1, 0, &err), SP_E_DENIED);
    assert_non_null(strstr(err.text, "48 h"));
    assert_int_equal(sp_signature_fresh(&made, NOW - 10 * 60000, 0, NULL), SP_OK);
    assert_int_equal(sp_signature_fresh(&made, NOW - 10 * 60000 - 1, 0, &err), SP_E_DENIED);
    assert_non_null(strstr(err.text, "clock"));
}

static struct sp_carriers *table(const char *format, struct sp_err *err)
{
    char text[1024], key[2][65];
    struct sp_carriers *carriers = NULL;
    sp_seal_to_hex(key[0], zx.public_key, 32);
    sp_seal_to_hex(key[1], qq.public_key, 32);
    snprintf(text, sizeof text, format, key[0], key[1]); /* NOLINT: the formats are below */
    sp_carriers_parse(&carriers, "carriers.yaml", text, strlen(text), err);
    return carriers;
}

static void test_scopes(void **state)
{
    (void)state;
    struct sp_err err = {0};
    struct sp_carriers *carriers = table("carriers:\n"
                                         "  - code: ZX\n    name: Zephyr Express\n    keys: [\"%s\"]\n"
                                         "    modes: [air]\n    ports: [JFK, LIS]\n"
                                         "  - code: QQ\n    keys: [\"%s\"]\n",
                                         &err);
    assert_string_equal(err.text, "");
    const struct sp_carrier *first = sp_carriers_find(carriers, zx.public_key);
    const struct sp_carrier *second = sp_carriers_find(carriers, qq.public_key);
    assert_string_equal(first->name, "Zephyr Express");
    assert_int_equal(sp_carrier_may(first, "air", "zx", "jfk", "FRA", NULL), SP_OK);
    assert_int_equal(sp_carrier_may(first, "air", "ZX", "FRA", "LIS", NULL), SP_OK);
    assert_int_equal(sp_carrier_may(first, "air", "QQ", "JFK", "LIS", &err), SP_E_DENIED);
    assert_non_null(strstr(err.text, "another carrier"));
    assert_int_equal(sp_carrier_may(first, "sea", "ZX", "JFK", "LIS", NULL), SP_E_DENIED);
    assert_int_equal(sp_carrier_may(first, "", "ZX", "JFK", "LIS", NULL), SP_E_DENIED);
    assert_int_equal(sp_carrier_may(first, "air", "ZX", "FRA", "MUC", NULL), SP_E_DENIED);
    assert_int_equal(sp_carrier_may(second, "sea", "QQ", "", "", NULL), SP_OK);
    assert_int_equal(sp_carrier_may(second, "air", "", "", "", NULL), SP_E_DENIED);
    uint8_t nobody[32] = {1};
    assert_null(sp_carriers_find(carriers, nobody));
    sp_carriers_free(&carriers);
}

static void test_bad_tables(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"carriers:\n  - code: ZX\n", "has no key"},
        {"carriers:\n  - keys: [\"%s\"]\n", "has no code"},
        {"carriers:\n  - code: ZX\n    keys: [\"%s\", \"00\"]\n", "64 hex"},
        {"carriers:\n  - code: ZX\n    keys: [\"%1$s\", \"%1$s\"]\n", "already"},
        {"carriers:\n  - code: ZX\n    keys: [\"%s\"]\n  - code: zx\n    keys: [\"%s\"]\n", "twice"},
        {"carriers:\n  - code: ZX\n    keys: [\"%s\"]\n    modes: [balloon]\n", "a mode is"},
        {"carriers:\n  - code: ZX\n    key: \"%s\"\n", "code, name"},
        {"carriers:\n  - code: ZX\n    keys: "
         "[\"0100000000000000000000000000000000000000000000000000000000000000\"]\n",
         "public sign key"},
        {"carrier: ZX\n", "named carriers"},
        {"carriers: ZX\n", "named carriers"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sp_err err = {0};
        struct sp_carriers *carriers = table(bad[i].text, &err);
        assert_null(carriers);
        if (!strstr(err.text, bad[i].says) || !strstr(err.text, "carriers.yaml"))
            fail_msg("\"%s\" does not say \"%s\"", err.text, bad[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signature), cmocka_unit_test(test_signature_file), cmocka_unit_test(test_replay),
        cmocka_unit_test(test_scopes),    cmocka_unit_test(test_bad_tables),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
