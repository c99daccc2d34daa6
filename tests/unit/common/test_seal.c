/* Seals: what opens, and that nothing else does. The vectors are Python's (hashlib.blake2b, PyNaCl), e.g. a subkey
 * is blake2b(digest_size=32, key=session key, salt=(1).to_bytes(8, "little") + bytes(8), person=b"SPpayld1" +
 * bytes(8)). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/resource.h>

#include "common/key.h"
#include "common/seal.h"

#define PLAIN  "the row of one traveller"
#define PLACE  "sp:m:air-zx-417|row"
#define LENGTH (sizeof PLAIN - 1)

static void counting_key(uint8_t key[32])
{
    for (int i = 0; i < 32; i++)
        key[i] = (uint8_t)i;
}

static void test_start_forbids_core_files(void **state)
{
    (void)state;
    struct rlimit core;
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_true(core.rlim_cur == 0 && core.rlim_max == 0);
}

static void test_suite1_round_trip_and_vector(void **state)
{
    (void)state;
    struct sp_data_key key;
    uint8_t bytes[32], sealed[LENGTH + SP_SEAL_OVERHEAD], again[sizeof sealed], plain[LENGTH];
    size_t length = 0;
    sp_seal_new_key(&key);
    sp_seal_close(sealed, PLAIN, LENGTH, PLACE, strlen(PLACE), &key);
    assert_int_equal(sealed[0], 1);
    assert_int_equal(sp_seal_open(plain, &length, sealed, sizeof sealed, PLACE, strlen(PLACE), &key, NULL), SP_OK);
    assert_int_equal(length, LENGTH);
    assert_memory_equal(plain, PLAIN, LENGTH);
    sp_seal_close(again, PLAIN, LENGTH, PLACE, strlen(PLACE), &key);
    assert_memory_not_equal(sealed, again, sizeof sealed); /* fresh nonce */

    static const char vector[] =
        "01cb2f5160fc1f7e056465666768696a6b6c6d6e6f707172737475767778797a7b1d538bdf880b8e7b1730"
        "28bc07d67263a9211b00b5";
    uint8_t known[54];
    counting_key(bytes);
    sp_seal_set_key(&key, bytes);
    assert_int_equal(sp_seal_from_hex(known, sizeof known, vector, NULL), SP_OK);
    assert_int_equal(sp_seal_open(plain, &length, known, sizeof known, "sp:m:x|f", 8, &key, NULL), SP_OK);
    assert_int_equal(length, 5);
    assert_memory_equal(plain, "a row", 5);
}

static void test_suite1_every_bit_counts(void **state)
{
    (void)state;
    struct sp_data_key key, other;
    uint8_t sealed[LENGTH + SP_SEAL_OVERHEAD], plain[LENGTH + SP_SEAL_OVERHEAD];
    size_t length = 99;
    struct sp_err err = {0};
    sp_seal_new_key(&key);
    sp_seal_new_key(&other);
    sp_seal_close(sealed, PLAIN, LENGTH, PLACE, strlen(PLACE), &key);
    for (size_t i = 0; i < 8 * sizeof sealed; i++) {
        sealed[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(sp_seal_open(plain, &length, sealed, sizeof sealed, PLACE, strlen(PLACE), &key, NULL),
                         SP_E_AUTH);
        sealed[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t cut = 0; cut < sizeof sealed; cut++)
        assert_int_equal(sp_seal_open(plain, &length, sealed, cut, PLACE, strlen(PLACE), &key, NULL), SP_E_AUTH);
    assert_int_equal(sp_seal_open(plain, &length, sealed, sizeof sealed, PLACE, strlen(PLACE) - 1, &key, NULL),
                     SP_E_AUTH);
    assert_int_equal(sp_seal_open(plain, &length, sealed, sizeof sealed, NULL, 0, &key, &err), SP_E_AUTH);
    assert_non_null(strstr(err.text, "another place"));
    assert_int_equal(sp_seal_open(plain, &length, sealed, sizeof sealed, PLACE, strlen(PLACE), &other, &err),
                     SP_E_AUTH);
    assert_non_null(strstr(err.text, "check which key file"));
    /* The right id in front of the wrong key's bytes. */
    memcpy(other.id, key.id, sizeof other.id);
    assert_int_equal(sp_seal_open(plain, &length, sealed, sizeof sealed, PLACE, strlen(PLACE), &other, NULL),
                     SP_E_AUTH);
    assert_int_equal(length, 99);
    assert_int_equal(sp_seal_open(plain, &length, sealed, sizeof sealed, PLACE, strlen(PLACE), &key, NULL), SP_OK);
}

static void test_suite2(void **state)
{
    (void)state;
    struct sp_key_file role, other;
    uint8_t sealed[LENGTH + SP_SEAL_TO_OVERHEAD], plain[LENGTH + SP_SEAL_TO_OVERHEAD];
    size_t length = 0;
    sp_key_generate(&role, SP_KEY_BOX, "recorder");
    sp_key_generate(&other, SP_KEY_BOX, "ops");
    sp_seal_close_to(sealed, PLAIN, LENGTH, role.public_key);
    assert_int_equal(sp_seal_open_to(plain, &length, sealed, sizeof sealed, role.public_key, role.secret, NULL),
                     SP_OK);
    assert_int_equal(length, LENGTH);
    assert_memory_equal(plain, PLAIN, LENGTH);
    assert_int_equal(sp_seal_open_to(plain, &length, sealed, sizeof sealed, other.public_key, other.secret, NULL),
                     SP_E_AUTH);
    assert_int_equal(sp_seal_open_to(plain, &length, sealed, sizeof sealed, role.public_key, other.secret, NULL),
                     SP_E_AUTH);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 0x40;
        assert_int_equal(sp_seal_open_to(plain, &length, sealed, sizeof sealed, role.public_key, role.secret, NULL),
                         SP_E_AUTH);
        sealed[i] ^= 0x40;
        assert_int_equal(sp_seal_open_to(plain, &length, sealed, i, role.public_key, role.secret, NULL), SP_E_AUTH);
    }
}

static void test_payload_vectors_and_directions(void **state)
{
    (void)state;
    static const char *const vectors[] = {
        "6465666768696a6b6c6d6e6f707172737475767778797a7bf8d14ac0cd27e67d26d01efb6984de877af21dd75b38d9",
        "6465666768696a6b6c6d6e6f707172737475767778797a7bcad3cb48c4bbe0c1dc8a9a09dd2b0e8d88ec0c70f8a5c6"};
    uint8_t key[32], payload[47], plain[47];
    size_t length = 0;
    counting_key(key);
    for (int direction = SP_TO_WORKER; direction <= SP_TO_CLIENT; direction++) {
        int other = SP_TO_WORKER + SP_TO_CLIENT - direction;
        assert_int_equal(sp_seal_from_hex(payload, sizeof payload, vectors[direction - 1], NULL), SP_OK);
        assert_int_equal(sp_seal_payload_open(plain, &length, payload, sizeof payload, "header", 6, key,
                                              (enum sp_direction)direction, NULL),
                         SP_OK);
        assert_int_equal(length, 7);
        assert_memory_equal(plain, "a frame", 7);
        assert_int_equal(sp_seal_payload_open(plain, &length, payload, sizeof payload, "header", 6, key,
                                              (enum sp_direction)other, NULL),
                         SP_E_AUTH);
    }
}

static void test_payload_tampering(void **state)
{
    (void)state;
    uint8_t key[32], other[32], payload[LENGTH + SP_PAYLOAD_OVERHEAD], plain[LENGTH + SP_PAYLOAD_OVERHEAD];
    size_t length = 0;
    sp_seal_random(key, sizeof key);
    sp_seal_random(other, sizeof other);
    sp_seal_payload_close(payload, PLAIN, LENGTH, "h", 1, key, SP_TO_WORKER);
    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] ^= 1;
        assert_int_equal(
            sp_seal_payload_open(plain, &length, payload, sizeof payload, "h", 1, key, SP_TO_WORKER, NULL),
            SP_E_AUTH);
        payload[i] ^= 1;
        assert_int_equal(sp_seal_payload_open(plain, &length, payload, i, "h", 1, key, SP_TO_WORKER, NULL),
                         SP_E_AUTH);
    }
    assert_int_equal(sp_seal_payload_open(plain, &length, payload, sizeof payload, "H", 1, key, SP_TO_WORKER, NULL),
                     SP_E_AUTH);
    assert_int_equal(
        sp_seal_payload_open(plain, &length, payload, sizeof payload, "h", 1, other, SP_TO_WORKER, NULL),
        SP_E_AUTH);
    assert_int_equal(sp_seal_payload_open(plain, &length, payload, sizeof payload, "h", 1, key, SP_TO_WORKER, NULL),
                     SP_OK);
}

static void test_wrap(void **state)
{
    (void)state;
    struct sp_key_file fleet, other;
    uint8_t key[32], back[32], wrapped[SP_WRAPPED_KEY_BYTES];
    sp_key_generate(&fleet, SP_KEY_BOX, "fleet");
    sp_key_generate(&other, SP_KEY_BOX, "other");
    counting_key(key);
    sp_seal_wrap(wrapped, key, fleet.public_key);
    assert_int_equal(sp_seal_unwrap(back, wrapped, fleet.public_key, fleet.secret, NULL), SP_OK);
    assert_memory_equal(key, back, sizeof key);
    assert_int_equal(sp_seal_unwrap(back, wrapped, other.public_key, other.secret, NULL), SP_E_AUTH);
    wrapped[79] ^= 1;
    assert_int_equal(sp_seal_unwrap(back, wrapped, fleet.public_key, fleet.secret, NULL), SP_E_AUTH);
}

static void test_signature(void **state)
{
    (void)state;
    static const char vector[] =
        "f0f0e74d8f582c6d77f6aad4a45f96934a190d1edc41c672537004228514cfba9944056ad3bf9a28f3735414bc"
        "a14d6186dc498dd81889260086f9495944620a";
    uint8_t secret[64], public_key[32], known[64], signature[64];
    static const uint8_t large[20000] = {1};
    counting_key(secret);
    assert_int_equal(
        sp_seal_from_hex(public_key, 32, "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8", NULL),
        SP_OK);
    memcpy(secret + 32, public_key, 32);
    assert_int_equal(sp_seal_from_hex(known, sizeof known, vector, NULL), SP_OK);
    sp_seal_sign(signature, "sallyport decision 1", "bytes", 5, secret);
    assert_memory_equal(signature, known, sizeof known);
    assert_int_equal(sp_seal_verify(signature, "sallyport decision 1", "bytes", 5, public_key, NULL), SP_OK);
    assert_int_equal(sp_seal_verify(signature, "sallyport certificate 1", "bytes", 5, public_key, NULL), SP_E_AUTH);
    assert_int_equal(sp_seal_verify(signature, "sallyport decision 1", "bytez", 5, public_key, NULL), SP_E_AUTH);
    for (size_t i = 0; i < sizeof signature; i++) {
        signature[i] ^= 4;
        assert_int_equal(sp_seal_verify(signature, "sallyport decision 1", "bytes", 5, public_key, NULL),
                         SP_E_AUTH);
        signature[i] ^= 4;
    }
    sp_seal_sign(signature, "x", large, sizeof large, secret); /* more than the stack takes */
    assert_int_equal(sp_seal_verify(signature, "x", large, sizeof large, public_key, NULL), SP_OK);
    assert_int_equal(sp_seal_verify(signature, "x", large, sizeof large - 1, public_key, NULL), SP_E_AUTH);
}

static void test_hash_and_hex(void **state)
{
    (void)state;
    uint8_t zero[32] = {0}, id[SP_KEY_ID_BYTES], bytes[2];
    char text[2 * SP_KEY_ID_BYTES + 1], digest[65];
    uint8_t hash[32];
    sp_seal_key_id(id, zero);
    sp_seal_to_hex(text, id, sizeof id);
    assert_string_equal(text, "89eb0d6a8a691dae");
    sp_seal_sha256(hash, "abc", 3);
    sp_seal_to_hex(digest, hash, sizeof hash);
    assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(sp_seal_from_hex(bytes, 2, "0aF", NULL), SP_E_FORMAT);
    assert_int_equal(sp_seal_from_hex(bytes, 2, "0aFg", NULL), SP_E_FORMAT);
    assert_int_equal(sp_seal_from_hex(bytes, 2, "0aF00", NULL), SP_E_FORMAT);
    assert_int_equal(sp_seal_from_hex(bytes, 2, "0aF0", NULL), SP_OK);
    assert_int_equal(bytes[1], 0xf0);
    assert_true(sp_seal_equal("ab", "ab", 2));
    assert_false(sp_seal_equal("ab", "ac", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_forbids_core_files),
        cmocka_unit_test(test_suite1_round_trip_and_vector),
        cmocka_unit_test(test_suite1_every_bit_counts),
        cmocka_unit_test(test_suite2),
        cmocka_unit_test(test_payload_vectors_and_directions),
        cmocka_unit_test(test_payload_tampering),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_hash_and_hex),
    };
    return sp_seal_start(NULL) == SP_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
