/* Socket security on real sockets: who comes in, under which User-Id, and who hears why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "common/clock.h"
#include "common/curve.h"
#include "tests/support/folder.h"

#define DEADLINE_MS 5000

static char folder[TEST_FOLDER_MAX];
static void *context;
static struct sp_key_file server_key, gate, stranger;

static void write_peer(const char *name, const char *role, const uint8_t key[32], const char *lanes)
{
    char file[TEST_PATH_MAX], text[512], hex[65];
    sp_seal_to_hex(hex, key, 32);
    snprintf(file, sizeof file, "%s.yaml", name);
    snprintf(text, sizeof text, "name: %s\nrole: %s\nkey: \"%s\"\nlanes: %s\n", name, role, hex, lanes);
    test_folder_write(folder, file, text, strlen(text), 0644);
}

static void remove_peer(const char *name)
{
    char path[TEST_PATH_MAX], file[TEST_PATH_MAX];
    snprintf(file, sizeof file, "%s.yaml", name);
    unlink(test_folder_path(path, folder, file));
}

/* A server socket on loopback TCP and where it is. */
static void *open_server(char endpoint[64])
{
    size_t size = 64;
    int none = 0, wait = DEADLINE_MS;
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(sp_curve_server(socket, &server_key, NULL), SP_OK);
    assert_int_equal(zmq_bind(socket, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    return socket;
}

static void *open_client(const struct sp_key_file *self, const uint8_t server_public[32], const char *endpoint,
                         void **ret_monitor)
{
    int none = 0, wait = DEADLINE_MS;
    void *socket = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(sp_curve_client(socket, self, server_public, NULL), SP_OK);
    assert_int_equal(sp_curve_watch(context, socket, ret_monitor, NULL), SP_OK);
    assert_int_equal(zmq_connect(socket, endpoint), 0);
    return socket;
}

/* The monitor's next event. */
static enum sp_status next_event(void *monitor, struct sp_err *err)
{
    uint64_t deadline = sp_clock_mono_ns() + DEADLINE_MS * SP_NS_PER_MS;
    for (;;) {
        zmq_pollitem_t item = {monitor, 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, 100);
        enum sp_status status = sp_curve_event(monitor, err);
        if (status != SP_E_NOTFOUND)
            return status;
        assert_true(sp_clock_mono_ns() < deadline);
    }
}

/* Pass over what else happens (an old connection's end) until this is heard. */
static void hear(void *monitor, enum sp_status wanted)
{
    struct sp_err err;
    uint64_t deadline = sp_clock_mono_ns() + DEADLINE_MS * SP_NS_PER_MS;
    while (next_event(monitor, &err) != wanted)
        assert_true(sp_clock_mono_ns() < deadline);
}

static void close_client(void *socket, void *monitor)
{
    sp_curve_unwatch(socket, &monitor);
    assert_null(monitor);
    zmq_close(socket);
}

/* Receive [identity][body]; the sender of the body. */
static enum sp_status receive(void *server, uint8_t ret_key[32], struct sp_err *err)
{
    zmq_msg_t part;
    enum sp_status status = SP_E_TIMEOUT;
    int more = 1;
    size_t size = sizeof more;
    while (more) {
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, server, 0) < 0) {
            zmq_msg_close(&part);
            return SP_E_TIMEOUT;
        }
        zmq_getsockopt(server, ZMQ_RCVMORE, &more, &size);
        if (!more)
            status = sp_curve_sender(&part, ret_key, err);
        zmq_msg_close(&part);
    }
    return status;
}

static void test_known_key_comes_in_under_its_name(void **state)
{
    (void)state;
    struct sp_peers *peers = NULL;
    struct sp_zap *zap = NULL, *second = NULL;
    struct sp_err err = {0};
    char endpoint[64];
    void *monitor;
    uint8_t key[32] = {0};
    struct sp_peer peer;
    write_peer("gate", "capture", gate.public_key, "[B12, B14]");
    assert_int_equal(sp_peers_new(&peers, folder, NULL), SP_OK);
    assert_int_equal(sp_zap_new(&zap, context, peers, NULL), SP_OK);
    assert_int_equal(sp_zap_new(&second, context, peers, &err), SP_E_EXISTS);
    assert_null(second);
    void *server = open_server(endpoint);
    void *client = open_client(&gate, server_key.public_key, endpoint, &monitor);
    assert_int_equal(next_event(monitor, &err), SP_OK);
    assert_int_equal(zmq_send(client, "hello", 5, 0), 5);
    assert_int_equal(receive(server, key, NULL), SP_OK);
    assert_memory_equal(key, gate.public_key, 32);
    assert_true(sp_peers_find(peers, key, &peer));
    assert_string_equal(peer.name, "gate");
    assert_int_equal(peer.role, SP_ROLE_CAPTURE);
    assert_true(sp_peer_may_use_lane(&peer, "B14"));
    assert_false(sp_peer_may_use_lane(&peer, "B1"));
    assert_false(sp_peer_may_use_lane(&peer, "B123"));
    assert_int_equal(sp_zap_refused(zap), 0);

    /* Revoked: the open connection still carries messages, and the table knows better. */
    remove_peer("gate");
    bool changed = false;
    assert_int_equal(sp_peers_refresh(peers, &changed, NULL), SP_OK);
    assert_true(changed);
    assert_int_equal(zmq_send(client, "again", 5, 0), 5);
    assert_int_equal(receive(server, key, NULL), SP_OK);
    assert_false(sp_peers_find(peers, key, &peer));
    close_client(client, monitor);
    /* And a new connection of the same key is refused. */
    client = open_client(&gate, server_key.public_key, endpoint, &monitor);
    assert_int_equal(next_event(monitor, &err), SP_E_AUTH);
    close_client(client, monitor);
    zmq_close(server);
    sp_zap_free(&zap);
    assert_null(zap);
    sp_peers_free(&peers);
}

static void test_unknown_key_hears_why(void **state)
{
    (void)state;
    struct sp_peers *peers = NULL;
    struct sp_zap *zap = NULL;
    struct sp_err err = {0};
    char endpoint[64];
    void *monitor;
    assert_int_equal(sp_peers_new(&peers, folder, NULL), SP_OK);
    assert_int_equal(sp_zap_new(&zap, context, peers, NULL), SP_OK);
    void *server = open_server(endpoint);
    void *client = open_client(&stranger, server_key.public_key, endpoint, &monitor);
    zmq_send(client, "let me in", 9, ZMQ_DONTWAIT);
    assert_int_equal(next_event(monitor, &err), SP_E_AUTH);
    assert_non_null(strstr(err.text, endpoint));
    assert_non_null(strstr(err.text, "sallyport keys peer"));
    assert_true(sp_zap_refused(zap) >= 1);
    /* Added meanwhile: libzmq gave the connection up at the refusal, the same socket connects anew and is in. */
    write_peer("stranger", "ops", stranger.public_key, "[]");
    assert_int_equal(sp_peers_refresh(peers, NULL, NULL), SP_OK);
    uint8_t key[32] = {0};
    zmq_disconnect(client, endpoint);
    assert_int_equal(zmq_connect(client, endpoint), 0);
    hear(monitor, SP_OK);
    assert_int_equal(zmq_send(client, "let me in", 9, 0), 9);
    assert_int_equal(receive(server, key, NULL), SP_OK);
    assert_memory_equal(key, stranger.public_key, 32);
    remove_peer("stranger");
    close_client(client, monitor);
    zmq_close(server);
    sp_zap_free(&zap);
    sp_peers_free(&peers);
}

static void test_wrong_server_is_not_talked_to(void **state)
{
    (void)state;
    struct sp_peers *peers = NULL;
    struct sp_zap *zap = NULL;
    struct sp_err err = {0};
    char endpoint[64];
    void *monitor;
    write_peer("gate", "capture", gate.public_key, "['*']");
    assert_int_equal(sp_peers_new(&peers, folder, NULL), SP_OK);
    assert_int_equal(sp_zap_new(&zap, context, peers, NULL), SP_OK);
    void *server = open_server(endpoint);
    void *client = open_client(&gate, stranger.public_key, endpoint, &monitor); /* takes it for somebody else */
    assert_int_equal(next_event(monitor, &err), SP_E_UNAVAILABLE);
    close_client(client, monitor);
    zmq_close(server);
    sp_zap_free(&zap);
    sp_peers_free(&peers);
    remove_peer("gate");
}

static void test_without_a_handler_nobody_has_a_name(void **state)
{
    (void)state;
    char endpoint[64];
    void *monitor;
    uint8_t key[32];
    struct sp_err err = {0};
    void *server = open_server(endpoint);
    void *client = open_client(&gate, server_key.public_key, endpoint, &monitor);
    assert_int_equal(zmq_send(client, "hello", 5, 0), 5);
    enum sp_status status = receive(server, key, &err);
    assert_true(status == SP_E_AUTH || status == SP_E_TIMEOUT);
    close_client(client, monitor);
    zmq_close(server);
}

static void test_plain_client_does_not_come_in(void **state)
{
    (void)state;
    struct sp_peers *peers = NULL;
    struct sp_zap *zap = NULL;
    char endpoint[64];
    uint8_t key[32];
    int none = 0, soon = 300;
    assert_int_equal(sp_peers_new(&peers, folder, NULL), SP_OK);
    assert_int_equal(sp_zap_new(&zap, context, peers, NULL), SP_OK);
    void *server = open_server(endpoint);
    void *client = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(client, ZMQ_LINGER, &none, sizeof none);
    assert_int_equal(zmq_connect(client, endpoint), 0);
    zmq_send(client, "hello", 5, ZMQ_DONTWAIT);
    zmq_setsockopt(server, ZMQ_RCVTIMEO, &soon, sizeof soon);
    assert_int_equal(receive(server, key, NULL), SP_E_TIMEOUT);
    zmq_close(client);
    zmq_close(server);
    sp_zap_free(&zap);
    sp_peers_free(&peers);
}

/* What a request may look like is the business of whoever can reach the context: each odd one is refused, none
 * hangs. */
static void test_odd_zap_requests(void **state)
{
    (void)state;
    struct sp_peers *peers = NULL;
    struct sp_zap *zap = NULL;
    char key32[33] = {0}, large[1000];
    memcpy(key32, gate.public_key, 32);
    memset(large, 'x', sizeof large);
    const struct {
        int parts;
        const char *version, *mechanism;
        int key_length;
        const char *code;
    } requests[] = {
        {7, "1.0", "CURVE", 32, "200"}, {7, "2.0", "CURVE", 32, "400"},   {7, "1.0", "PLAIN", 32, "400"},
        {7, "1.0", "CURVE", 31, "400"}, {7, "1.0", "CURVE", 1000, "400"}, {6, "1.0", "CURVE", 32, "400"},
        {8, "1.0", "CURVE", 32, "400"}, {1, "1.0", "CURVE", 32, "400"},   {7, "", "", 0, "400"},
    };
    write_peer("gate", "capture", gate.public_key, "['*']");
    assert_int_equal(sp_peers_new(&peers, folder, NULL), SP_OK);
    assert_int_equal(sp_zap_new(&zap, context, peers, NULL), SP_OK);
    int wait = DEADLINE_MS, none = 0;
    void *asker = zmq_socket(context, ZMQ_REQ);
    zmq_setsockopt(asker, ZMQ_RCVTIMEO, &wait, sizeof wait);
    zmq_setsockopt(asker, ZMQ_LINGER, &none, sizeof none);
    assert_int_equal(zmq_connect(asker, "inproc://zeromq.zap.01"), 0);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const char *key = requests[i].key_length > 32 ? large : key32;
        const char *parts[8] = {requests[i].version,   "id", "sallyport", "127.0.0.1", "",
                                requests[i].mechanism, key,  "more"};
        char reply[4][300] = {{0}};
        for (int part = 0; part < requests[i].parts; part++)
            assert_true(zmq_send(asker, parts[part],
                                 part == 6 ? (size_t)requests[i].key_length : strlen(parts[part]),
                                 part + 1 < requests[i].parts ? ZMQ_SNDMORE : 0) >= 0);
        for (int part = 0, more = 1; more; part++) {
            char bytes[300] = {0};
            size_t size = sizeof more;
            assert_true(zmq_recv(asker, bytes, sizeof bytes - 1, 0) >= 0);
            if (part < 4)
                memcpy(reply[part], bytes, sizeof bytes);
            zmq_getsockopt(asker, ZMQ_RCVMORE, &more, &size);
        }
        assert_string_equal(reply[0], "1.0");
        assert_string_equal(reply[2], requests[i].code);
    }
    assert_int_equal(sp_zap_refused(zap), 8);
    zmq_close(asker);
    sp_zap_free(&zap);
    sp_peers_free(&peers);
    remove_peer("gate");
}

static void test_identity_must_be_a_secret_curve_key(void **state)
{
    (void)state;
    struct sp_key_file box, half = gate;
    struct sp_err err = {0};
    half.has_secret = false;
    sp_key_generate(&box, SP_KEY_BOX, "box");
    void *socket = zmq_socket(context, ZMQ_DEALER);
    assert_int_equal(sp_curve_server(socket, &box, &err), SP_E_INVALID);
    assert_int_equal(sp_curve_client(socket, &half, gate.public_key, &err), SP_E_INVALID);
    assert_non_null(strstr(err.text, "without its secret"));
    zmq_close(socket);
}

/* ---- the table ---- */

static void test_damaged_peers_are_named_and_skipped(void **state)
{
    (void)state;
    struct sp_peers *peers = NULL;
    struct sp_err err = {0};
    bool changed = true;
    static const struct {
        const char *text, *says;
    } damaged[] = {
        {"name: bad\nrole: capture\nkey: \"00\"\n", "64 hex"},
        {"name: bad\nrole: king\nkey: \"00\"\n", "role is"},
        {"name: bad\nrole: ops\n", "key is missing"},
        {"name: other\nrole: ops\nkey: \"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a\"\n",
         "agree"},
        {"name: bad\nrole: ops\nlanes: [\"a b\"]\n", "a lane is"},
        {"name: bad\ncolour: red\n", "unknown word"},
        {"key: \"0000000000000000000000000000000000000000000000000000000000000000\"\n", "key is not"},
        {"][", "bad.yaml"},
    };
    write_peer("gate", "capture", gate.public_key, "['*']");
    assert_int_equal(sp_peers_new(&peers, folder, NULL), SP_OK);
    assert_int_equal(sp_peers_refresh(peers, &changed, NULL), SP_OK);
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        test_folder_write(folder, "bad.yaml", damaged[i].text, strlen(damaged[i].text), 0644);
        assert_int_equal(sp_peers_refresh(peers, &changed, &err), SP_E_FORMAT);
        assert_false(changed);
        if (!strstr(err.text, damaged[i].says))
            fail_msg("case %zu says: %s", i, err.text);
        assert_true(sp_peers_find(peers, gate.public_key, NULL));
    }
    remove_peer("bad");
    write_peer("twin", "ops", gate.public_key, "[]"); /* a second role for one key would be a trap */
    assert_int_equal(sp_peers_refresh(peers, &changed, &err), SP_E_FORMAT);
    assert_non_null(strstr(err.text, "has the key of peer \"gate\""));
    struct sp_peer peer;
    assert_true(sp_peers_find(peers, gate.public_key, &peer));
    assert_int_equal(peer.role, SP_ROLE_CAPTURE);
    remove_peer("twin");
    assert_int_equal(sp_peers_refresh(peers, &changed, &err), SP_OK);
    write_peer("gate", "capture", gate.public_key, "[B12]"); /* other rights, same key */
    assert_int_equal(sp_peers_refresh(peers, &changed, &err), SP_OK);
    assert_true(changed);
    assert_true(sp_peers_find(peers, gate.public_key, &peer));
    assert_false(sp_peer_may_use_lane(&peer, "B13"));
    sp_peers_free(&peers);
    remove_peer("gate");
    assert_int_equal(sp_peers_new(&peers, "/nowhere/peers", &err), SP_E_IO);
    assert_null(peers);
}

static void test_many_peers(void **state)
{
    (void)state;
    enum { PEERS = 300 };
    struct sp_peers *peers = NULL;
    static struct sp_key_file keys[PEERS];
    for (int i = 0; i < PEERS; i++) {
        char name[SP_NAME_MAX];
        snprintf(name, sizeof name, "lane-%d", i);
        sp_key_generate(&keys[i], SP_KEY_CURVE, name);
        write_peer(name, "capture", keys[i].public_key, "['*']");
    }
    assert_int_equal(sp_peers_new(&peers, folder, NULL), SP_OK);
    for (int i = 0; i < PEERS; i++) {
        struct sp_peer peer;
        assert_true(sp_peers_find(peers, keys[i].public_key, &peer));
        assert_string_equal(peer.name, keys[i].name);
        remove_peer(keys[i].name);
    }
    assert_int_equal(sp_peers_refresh(peers, NULL, NULL), SP_OK);
    assert_false(sp_peers_find(peers, keys[0].public_key, NULL));
    sp_peers_free(&peers);
}

static int start(void **state)
{
    (void)state;
    test_folder_new(folder);
    context = zmq_ctx_new();
    sp_key_generate(&server_key, SP_KEY_CURVE, "broker");
    sp_key_generate(&gate, SP_KEY_CURVE, "gate");
    sp_key_generate(&stranger, SP_KEY_CURVE, "stranger");
    return context ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    zmq_ctx_term(context);
    test_folder_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_key_comes_in_under_its_name),
        cmocka_unit_test(test_unknown_key_hears_why),
        cmocka_unit_test(test_wrong_server_is_not_talked_to),
        cmocka_unit_test(test_without_a_handler_nobody_has_a_name),
        cmocka_unit_test(test_plain_client_does_not_come_in),
        cmocka_unit_test(test_odd_zap_requests),
        cmocka_unit_test(test_identity_must_be_a_secret_curve_key),
        cmocka_unit_test(test_damaged_peers_are_named_and_skipped),
        cmocka_unit_test(test_many_peers),
    };
    return sp_seal_start(NULL) == SP_OK ? cmocka_run_group_tests(tests, start, stop) : 1;
}
