/* A real sallyport-broker over real CURVE sockets; clients and workers are made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>
#include "common/clock.h"
#include "link.h"

static struct port port;
static struct mail mail;
static struct link cam, cam2, worker, worker2;
static const char payload[] = "sealed by the client";
static const char sealed[] = "sealed by the worker";

static int setup(void **state)
{
    port_start(&port, state ? *state : NULL);
    link_open(&cam, &port, "cam", "capture", "A1", false);
    link_open(&worker, &port, "worker", "worker", "", true);
    cam2.socket = worker2.socket = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    struct link *links[] = {&cam, &cam2, &worker, &worker2};
    for (int i = 0; i < 4; i++)
        if (links[i]->socket)
            link_close(links[i]);
    assert_int_equal(port_stop(&port), 0);
    return 0;
}

static void test_welcome_and_greet(void **state)
{
    (void)state;
    link_hello(&cam, &mail, "A1");
    assert_string_equal(mail.header.broker, "broker-1");
    assert_int_equal(mail.header.window, 2);
    assert_int_equal(mail.header.heartbeat_ms, 200);
    assert_int_equal(mail.header.cert_length, port.fleet_cert_length);
    assert_memory_equal(mail.header.cert, port.fleet_cert, port.fleet_cert_length);
    uint8_t first[SP_SESSION_BYTES];
    memcpy(first, cam.session, sizeof first);
    link_hello(&cam, &mail, "A1");
    assert_memory_not_equal(first, cam.session, sizeof first);
    link_ready(&worker, &mail, 4);
    assert_int_equal(mail.header.lease_ms, 600);
    struct sp_header hello = {.type = SP_MSG_HELLO, .lane_count = 2, .lanes = {"A1", "B7"}};
    link_send(&cam, &hello, NULL, 0);
    link_expect_reason(&cam, &mail, SP_MSG_REFUSED, SP_REASON_NOT_YOUR_LANE);
    assert_non_null(strstr(mail.header.text, "B7"));
}

static void test_frame_job_result_answer(void **state)
{
    (void)state;
    link_hello(&cam, &mail, "A1");
    link_ready(&worker, &mail, 4);
    struct sp_header frame = link_frame(&cam, 7, 1);
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    size_t length;
    assert_int_equal(sp_message_encode(bytes, &length, &frame, NULL), SP_OK);
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect(&worker, &mail, SP_MSG_JOB);
    assert_int_equal(mail.parts, 3);
    assert_int_equal(mail.header.attempt, 1);
    assert_int_equal(mail.header.kind, SP_MSG_FRAME);
    assert_in_range(mail.header.budget_ms, 7000, 8000);
    assert_int_equal(mail.more_length[0], length); /* byte for byte: it is associated data */
    assert_memory_equal(mail.more[0], bytes, length);
    assert_int_equal(mail.more_length[1], sizeof payload);
    assert_memory_equal(mail.more[1], payload, sizeof payload);
    uint64_t job = mail.header.job;
    link_result(&worker, job, SP_ANSWER_DECIDED, sealed, sizeof sealed);
    link_expect_reason(&cam, &mail, SP_MSG_ANSWER, 0);
    assert_int_equal(mail.header.answer, SP_ANSWER_DECIDED);
    assert_int_equal(mail.header.seq, 1);
    assert_int_equal(mail.header.encounter[15], 7);
    assert_string_equal(mail.header.lane, "A1");
    assert_int_equal(mail.parts, 2);
    assert_memory_equal(mail.more[0], sealed, sizeof sealed);
    link_result(&worker, job, SP_ANSWER_DECIDED, sealed, sizeof sealed); /* the second one is heard by nobody */
    frame.seq = 2;
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect(&worker, &mail, SP_MSG_JOB);
    struct sp_header result = {.type = SP_MSG_RESULT,
                               .job = mail.header.job,
                               .answer = SP_ANSWER_ERROR,
                               .reason = SP_REASON_BAD_IMAGE,
                               .text = "JPEG: cut short"};
    link_send(&worker, &result, NULL, 0);
    link_expect_reason(&cam, &mail, SP_MSG_ANSWER, SP_REASON_BAD_IMAGE);
    assert_string_equal(mail.header.text, "JPEG: cut short");
    assert_int_equal(mail.header.seq, 2);
    assert_int_equal(mail.parts, 1);
}

static void test_unknown_key(void **state)
{
    (void)state;
    struct sp_err err = {0};
    struct link stranger;
    void *monitor = NULL;
    link_open(&stranger, &port, "stranger", NULL, NULL, false);
    assert_int_equal(sp_curve_watch(port.context, stranger.socket, &monitor, &err), SP_OK);
    link_say(&stranger, SP_MSG_PING);
    enum sp_status status = SP_OK;
    for (int i = 0; i < 50 && status != SP_E_AUTH; i++) {
        zmq_pollitem_t item = {monitor, 0, ZMQ_POLLIN, 0};
        assert_int_equal(zmq_poll(&item, 1, 5000), 1);
        status = sp_curve_event(monitor, &err);
    }
    assert_int_equal(status, SP_E_AUTH);
    assert_false(link_hear(&stranger, &mail, 50));
    zmq_close(monitor);
    link_close(&stranger);
    link_hello(&cam, &mail, "A1");
}

static void test_role_confusion(void **state)
{
    (void)state;
    struct link spy;
    link_open(&spy, &port, "spy", "capture", "\"*\"", true); /* a capture key at the back */
    link_ready(&spy, NULL, 8);
    link_expect_reason(&spy, &mail, SP_MSG_REFUSED, SP_REASON_NOT_AUTHORISED);
    link_close(&spy);
    link_open(&spy, &port, "stray", "worker", "", false); /* a worker key at the front */
    link_say(&spy, SP_MSG_PING);
    link_expect_reason(&spy, &mail, SP_MSG_REFUSED, SP_REASON_NOT_AUTHORISED);
    link_close(&spy);
    link_ready(&cam, NULL, 8); /* READY at the front */
    link_expect_reason(&cam, &mail, SP_MSG_REFUSED, SP_REASON_NOT_AUTHORISED);
    uint8_t forged[] = "not a certificate";
    struct sp_header ready = {.type = SP_MSG_READY, .cert = forged, .cert_length = sizeof forged, .credit = 4};
    link_send(&worker, &ready, NULL, 0);
    link_expect_reason(&worker, &mail, SP_MSG_REFUSED, SP_REASON_NOT_AUTHORISED);
    struct link fake = worker; /* certified, but by another authority */
    struct port other = port;
    sp_key_generate(&other.authority, SP_KEY_SIGN, "somebody");
    fake.port = &other;
    link_ready(&fake, NULL, 4);
    link_expect_reason(&worker, &mail, SP_MSG_REFUSED, SP_REASON_NOT_AUTHORISED);
}

static void test_hostile_bytes(void **state)
{
    (void)state;
    static uint8_t bytes[6000];
    uint8_t ping[SP_HEADER_MAX_BYTES];
    size_t length;
    struct sp_header header = {.type = SP_MSG_PING};
    assert_int_equal(sp_message_encode(ping, &length, &header, NULL), SP_OK);
    assert_memory_equal(ping, "\x82\xa1v\x01\xa1t\x06", 7);
    link_hello(&cam, &mail, "A1");
    link_send_bytes(&cam, "\x82\xa1v\x02\xa1t\x06", 7);
    link_expect_reason(&cam, &mail, SP_MSG_REFUSED, SP_REASON_BAD_VERSION);
    link_send_bytes(&cam, "\x82\xa1v\x01\xa1t\x7f", 7);
    link_expect_reason(&cam, &mail, SP_MSG_REFUSED, SP_REASON_UNKNOWN_MESSAGE);
    memset(bytes, 0x91, sizeof bytes); /* nested arrays; and longer than any header */
    const size_t lengths[] = {0, 1, 7, 600, 4096, 6000};
    for (int i = 0; i < 6; i++) {
        link_send_bytes(&cam, bytes, lengths[i]);
        link_expect_reason(&cam, &mail, SP_MSG_REFUSED, SP_REASON_BAD_MESSAGE);
    }
    for (int i = 0; i < 5; i++) /* PING with parts that do not belong to it */
        zmq_send(cam.socket, ping, length, ZMQ_SNDMORE);
    zmq_send(cam.socket, ping, length, 0);
    link_expect_reason(&cam, &mail, SP_MSG_REFUSED, SP_REASON_BAD_MESSAGE);
    struct sp_header frame = link_frame(&cam, 1, 1);
    link_send(&cam, &frame, NULL, 0); /* a FRAME without payload */
    link_expect_reason(&cam, &mail, SP_MSG_ANSWER, SP_REASON_BAD_MESSAGE);
    uint32_t seed = 1;
    for (int i = 0; i < 500; i++) { /* noise at the back, each refused */
        size_t size = 1 + i % 60;
        for (size_t k = 0; k < size; k++)
            bytes[k] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
        link_send_bytes(&worker, bytes, size);
        link_expect_reason(&worker, &mail, SP_MSG_REFUSED, SP_REASON_BAD_MESSAGE);
    }
    link_say(&cam, SP_MSG_PING); /* and it lives */
    link_expect(&cam, &mail, SP_MSG_PONG);
}

static void test_revoked(void **state)
{
    (void)state;
    link_hello(&cam, &mail, "A1");
    link_ready(&worker, &mail, 1);
    port_revoke(&port, "cam");
    link_expect_reason(&cam, &mail, SP_MSG_REFUSED, SP_REASON_REVOKED); /* told at once, on the open connection */
    struct sp_header frame = link_frame(&cam, 1, 1);
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect_reason(&cam, &mail, SP_MSG_REFUSED, SP_REASON_REVOKED);
    assert_false(link_hear(&worker, &mail, 50));
    port_revoke(&port, "worker");
    link_expect_reason(&worker, &mail, SP_MSG_REFUSED, SP_REASON_REVOKED);
}

static void test_worker_killed(void **state)
{
    (void)state;
    link_open(&worker2, &port, "worker2", "worker", "", true);
    link_hello(&cam, &mail, "A1");
    link_ready(&worker, &mail, 2);
    for (uint32_t seq = 1; seq <= 2; seq++) {
        struct sp_header frame = link_frame(&cam, 1, seq);
        link_send(&cam, &frame, payload, sizeof payload);
        link_expect(&worker, &mail, SP_MSG_JOB);
    }
    link_ready(&worker2, &mail, 4);
    uint64_t killed = sp_clock_mono_ns();
    link_close(&worker); /* as a kill -9 does: the connection goes */
    for (uint32_t seq = 1; seq <= 2; seq++) {
        link_expect(&worker2, &mail, SP_MSG_JOB);
        assert_int_equal(mail.header.attempt, 2);
        assert_memory_equal(mail.more[1], payload, sizeof payload);
        assert_true(sp_clock_mono_ns() - killed < 2000 * SP_NS_PER_MS);
        link_result(&worker2, mail.header.job, SP_ANSWER_UNDECIDED, sealed, sizeof sealed);
        link_expect(&cam, &mail, SP_MSG_ANSWER);
        assert_int_equal(mail.header.answer, SP_ANSWER_UNDECIDED);
    }
    assert_false(link_hear(&cam, &mail, 50)); /* exactly one answer each */
}

static void test_worker_silent(void **state)
{
    (void)state;
    link_open(&worker2, &port, "worker2", "worker", "", true);
    link_hello(&cam, &mail, "A1");
    link_ready(&worker, &mail, 1);
    struct sp_header frame = link_frame(&cam, 1, 1);
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect(&worker, &mail, SP_MSG_JOB);
    uint64_t job = mail.header.job;
    link_ready(&worker2, &mail, 1);
    uint64_t deadline = sp_clock_mono_ns() + 5000 * SP_NS_PER_MS;
    do { /* worker is stopped: connected, but silent. The client is not. */
        link_say(&cam, SP_MSG_PING);
        assert_true(sp_clock_mono_ns() < deadline);
    } while (!link_hear(&worker2, &mail, 50));
    assert_int_equal(mail.header.type, SP_MSG_JOB);
    assert_int_equal(mail.header.attempt, 2);
    link_result(&worker, job, SP_ANSWER_DECIDED, "late", 4); /* wakes up too late */
    link_expect_reason(&worker, &mail, SP_MSG_REFUSED, SP_REASON_NOT_GREETED);
    link_result(&worker2, job, SP_ANSWER_DECIDED, sealed, sizeof sealed);
    do
        assert_true(link_hear(&cam, &mail, 5000));
    while (mail.header.type == SP_MSG_PONG);
    assert_int_equal(mail.header.type, SP_MSG_ANSWER);
    assert_memory_equal(mail.more[0], sealed, sizeof sealed);
}

static void test_window_and_busy(void **state)
{
    (void)state;
    link_hello(&cam, &mail, "A1");
    for (uint32_t seq = 1; seq <= 3; seq++) {
        struct sp_header frame = link_frame(&cam, 1, seq);
        link_send(&cam, &frame, payload, sizeof payload);
    }
    link_expect_reason(&cam, &mail, SP_MSG_ANSWER, SP_REASON_WINDOW_FULL);
    assert_int_equal(mail.header.answer, SP_ANSWER_BUSY);
    assert_int_equal(mail.header.seq, 3);
    struct sp_header frame = link_frame(&cam, 2, 1);
    memset(frame.session, 0, sizeof frame.session);
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect_reason(&cam, &mail, SP_MSG_ANSWER, SP_REASON_STALE_SESSION);
    frame = link_frame(&cam, 2, 1);
    frame.sender[0] ^= 1;
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect_reason(&cam, &mail, SP_MSG_ANSWER, SP_REASON_SENDER_MISMATCH);
    frame = link_frame(&cam, 2, 1);
    snprintf(frame.lane, sizeof frame.lane, "B9");
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect_reason(&cam, &mail, SP_MSG_ANSWER, SP_REASON_NOT_YOUR_LANE);
    assert_non_null(strstr(mail.header.text, "B9"));
}

static void test_budget_without_worker(void **state)
{
    (void)state;
    link_hello(&cam, &mail, "A1");
    struct sp_header frame = link_frame(&cam, 1, 1);
    frame.budget_ms = 120;
    uint64_t sent = sp_clock_mono_ns();
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect_reason(&cam, &mail, SP_MSG_ANSWER, SP_REASON_NO_WORKER);
    assert_int_equal(mail.header.answer, SP_ANSWER_EXPIRED);
    assert_in_range((sp_clock_mono_ns() - sent) / SP_NS_PER_MS, 119, 1000);
}

static void test_too_old_and_too_large(void **state)
{
    (void)state;
    link_hello(&cam, &mail, "A1");
    assert_int_equal(mail.header.max_payload, 100000);
    static uint8_t large[700000];
    struct sp_header frame = link_frame(&cam, 1, 1);
    link_send(&cam, &frame, large, 100001);
    link_expect_reason(&cam, &mail, SP_MSG_ANSWER, SP_REASON_PAYLOAD_TOO_LARGE);
    assert_false(link_hear(&cam, &mail, 420));
    link_send(&cam, &frame, payload, sizeof payload); /* at_ms 0, more than 400 ms after WELCOME */
    link_expect_reason(&cam, &mail, SP_MSG_ANSWER, SP_REASON_TOO_OLD);
    link_send(&cam, &frame, large, sizeof large); /* far too large: the connection is cut, and no more than that */
    link_open(&cam2, &port, "cam2", "capture", "A1", false);
    link_hello(&cam2, &mail, "A1");
}

static void test_newer_session(void **state)
{
    (void)state;
    link_hello(&cam, &mail, "A1");
    link_reopen(&cam2, &cam);
    link_hello(&cam2, &mail, "A1");
    link_expect_reason(&cam, &mail, SP_MSG_REFUSED, SP_REASON_STALE_SESSION);
    struct sp_header frame = link_frame(&cam, 1, 1); /* a recorded frame on a later session */
    link_send(&cam2, &frame, payload, sizeof payload);
    link_expect_reason(&cam2, &mail, SP_MSG_ANSWER, SP_REASON_STALE_SESSION);
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect_reason(&cam, &mail, SP_MSG_REFUSED, SP_REASON_NOT_GREETED);
}

static void test_client_comes_back(void **state)
{
    (void)state;
    link_hello(&cam, &mail, "A1");
    link_ready(&worker, &mail, 4);
    struct sp_header frame = link_frame(&cam, 1, 1);
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect(&worker, &mail, SP_MSG_JOB);
    uint64_t job = mail.header.job;
    link_close(&cam);
    link_reopen(&cam2, &cam);
    link_hello(&cam2, &mail, "A1");
    frame = link_frame(&cam2, 1, 1);
    link_send(&cam2, &frame, "sealed anew", 11);
    link_say(&cam2, SP_MSG_PING); /* so that the FRAME is known to be in */
    link_expect(&cam2, &mail, SP_MSG_PONG);
    link_result(&worker, job, SP_ANSWER_DECIDED, "for the old session", 19);
    link_expect(&worker, &mail, SP_MSG_JOB); /* once more, with the newer copy */
    assert_int_equal(mail.header.job, job);
    assert_memory_equal(mail.more[1], "sealed anew", 11);
    link_result(&worker, job, SP_ANSWER_DECIDED, sealed, sizeof sealed);
    link_expect(&cam2, &mail, SP_MSG_ANSWER);
    assert_memory_equal(mail.more[0], sealed, sizeof sealed);
}

static void test_draining(void **state)
{
    (void)state;
    link_hello(&cam, &mail, "A1");
    link_ready(&worker, &mail, 4);
    struct sp_header frame = link_frame(&cam, 1, 1);
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect(&worker, &mail, SP_MSG_JOB);
    uint64_t job = mail.header.job;
    kill(port.pid, SIGTERM);
    bool draining = false;
    for (uint32_t seq = 2; !draining && seq < 1000; seq++) { /* the signal arrives when it arrives */
        frame = link_frame(&cam, 1, seq);
        link_send(&cam, &frame, payload, sizeof payload);
        link_expect(&cam, &mail, SP_MSG_ANSWER);
        draining = mail.header.reason == SP_REASON_DRAINING;
        if (!draining)
            assert_int_equal(mail.header.reason, SP_REASON_WINDOW_FULL);
    }
    assert_true(draining);
    link_result(&worker, job, SP_ANSWER_DECIDED, sealed, sizeof sealed);
    link_expect_reason(&cam, &mail, SP_MSG_ANSWER, 0);
    assert_int_equal(mail.header.seq, 1);
    link_expect(&cam, &mail, SP_MSG_BYE);
    link_expect(&worker, &mail, SP_MSG_BYE);
    assert_int_equal(port_wait(&port), 0);
    char ready[160];
    snprintf(ready, sizeof ready, "%s/ready", port.directory);
    assert_int_not_equal(access(ready, F_OK), 0);
}

/* One HTTP answer of the metrics endpoint. */
static void fetch(const char *path, char *ret_text, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strchr(port.metrics, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0), length;
    size_t total = 0;
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path);
    while (total + 1 < size && (length = (int)read(fd, ret_text + total, size - 1 - total)) > 0)
        total += (size_t)length;
    ret_text[total] = '\0';
    close(fd);
}

static void test_metrics(void **state)
{
    (void)state;
    static char text[60000];
    link_hello(&cam, &mail, "A1");
    link_ready(&worker, &mail, 4);
    struct sp_header frame = link_frame(&cam, 1, 1);
    link_send(&cam, &frame, payload, sizeof payload);
    link_expect(&worker, &mail, SP_MSG_JOB);
    link_result(&worker, mail.header.job, SP_ANSWER_DECIDED, sealed, sizeof sealed);
    link_expect(&cam, &mail, SP_MSG_ANSWER);
    const char *wanted = "sallyport_answers_total{answer=\"decided\",reason=\"none\"} 1\n";
    uint64_t deadline = sp_clock_mono_ns() + 5000 * SP_NS_PER_MS;
    do {
        assert_true(sp_clock_mono_ns() < deadline);
        link_hear(&cam, &mail, 50);
        fetch("/metrics", text, sizeof text);
    } while (!strstr(text, wanted));
    assert_non_null(strstr(text, "sallyport_frames_received_total 1\n"));
    assert_non_null(strstr(text, "sallyport_workers 1\n"));
    assert_non_null(strstr(text, "sallyport_queue_depth{class=\"lane\"} 0\n"));
    assert_non_null(strstr(text, "sallyport_broker_answer_seconds_bucket{le=\"+Inf\"} 1\n"));
    fetch("/readyz", text, sizeof text);
    assert_non_null(strstr(text, " 200 "));
}

static int run(const char *more)
{
    char command[1200];
    snprintf(command, sizeof command, "%s/sallyport-broker %s >/dev/null 2>&1", getenv("SALLYPORT_BIN"), more);
    int state = system(command);
    return state == -1 ? -1 : state >> 8;
}

static void test_configurations(void **state)
{
    (void)state;
    char arguments[800];
    snprintf(arguments, sizeof arguments, "--config %s/deploy/broker.yaml --check-config",
             getenv("SALLYPORT_SOURCE"));
    assert_int_equal(run(arguments), 0);
    assert_int_equal(run("--check-config"), 2); /* the keys are required */
    const char *keys =
        "--set keys.curve=%s/broker.curve --set keys.peers=%s/peers --set keys.authority=%s/authority.pub "
        "--set keys.fleet_cert=%s/fleet.cert --set broker.front=%s";
    const char *d = port.directory;
    snprintf(arguments, sizeof arguments, keys, d, d, d, d, port.front); /* the address is taken */
    assert_int_equal(run(arguments), 3);
    char other[128];
    snprintf(other, sizeof other, "%s/broker.curve", d);
    assert_int_equal(chmod(other, 0644), 0); /* a secret that others can read */
    assert_int_equal(run(arguments), 4);
}

int main(void)
{
    static const char *small[] = {"limits.payload_bytes=100000", "time.max_age_ms=400", NULL};
    static const char *narrow[] = {"limits.window=1", NULL};
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_welcome_and_greet),
        T(test_frame_job_result_answer),
        T(test_unknown_key),
        T(test_role_confusion),
        T(test_hostile_bytes),
        T(test_revoked),
        T(test_worker_killed),
        T(test_worker_silent),
        T(test_window_and_busy),
        T(test_budget_without_worker),
        cmocka_unit_test_prestate_setup_teardown(test_too_old_and_too_large, setup, teardown, small),
        T(test_newer_session),
        T(test_client_comes_back),
        cmocka_unit_test_prestate_setup_teardown(test_draining, setup, teardown, narrow),
        T(test_metrics),
        T(test_configurations),
    };
    if (!getenv("SALLYPORT_BIN") || !getenv("SALLYPORT_SOURCE")) {
        puts("skipped: run by ctest, which sets SALLYPORT_BIN and SALLYPORT_SOURCE");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
