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
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>
#include "common/clock.h"
#include "common/file.h"
#include "link.h"

#define PATIENCE_MS 10000

static void must(enum sp_status status, const struct sp_err *err)
{
    if (status != SP_OK)
        fail_msg("%s", err->text);
}

/* An address that nobody listens at. */
static void free_address(char *ret_text, size_t size, const char *before)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    snprintf(ret_text, size, "%s127.0.0.1:%d", before, ntohs(address.sin_port));
}

static void path_in(const struct port *port, char *ret_path, const char *name)
{
    snprintf(ret_path, 160, "%s/%s", port->directory, name);
}

static void make_keys(struct port *port)
{
    struct sp_err err = {0};
    char path[160];
    struct sp_cert cert = {.kind = "fleet", .name = "fleet", .not_after_ms = sp_clock_wall_ms() + 3600000};
    sp_key_generate(&port->self, SP_KEY_CURVE, "broker");
    sp_key_generate(&port->authority, SP_KEY_SIGN, "authority");
    sp_key_generate(&port->fleet, SP_KEY_BOX, "fleet");
    memcpy(cert.key, port->fleet.public_key, 32);
    must(sp_cert_issue(port->fleet_cert, &port->fleet_cert_length, &cert, &port->authority, &err), &err);
    path_in(port, path, "broker.curve");
    must(sp_key_save(&port->self, path, true, &err), &err);
    path_in(port, path, "authority.pub");
    must(sp_key_save(&port->authority, path, false, &err), &err);
    path_in(port, path, "fleet.cert");
    must(sp_file_write(path, port->fleet_cert, port->fleet_cert_length, 0644, &err), &err);
    path_in(port, path, "peers");
    assert_int_equal(mkdir(path, 0700), 0);
}

static void exec_broker(const struct port *port, const char *const *settings)
{
    char program[512], sets[9][700];
    char *arguments[64] = {program};
    int count = 1;
    snprintf(program, sizeof program, "%s/sallyport-broker", getenv("SALLYPORT_BIN"));
    const char *const own[][2] = {{"broker.front=", port->front},         {"broker.back=", port->back},
                                  {"metrics.address=", port->metrics},    {"keys.curve=%/broker.curve", NULL},
                                  {"keys.peers=%/peers", NULL},           {"keys.authority=%/authority.pub", NULL},
                                  {"keys.fleet_cert=%/fleet.cert", NULL}, {"ready_file=%/ready", NULL}};
    for (int i = 0; i < 8; i++) {
        const char *mark = strchr(own[i][0], '%');
        if (mark)
            snprintf(sets[i], sizeof sets[i], "--set=%.*s%s%s", (int)(mark - own[i][0]), own[i][0], port->directory,
                     mark + 1);
        else
            snprintf(sets[i], sizeof sets[i], "--set=%s%s", own[i][0], own[i][1]);
        arguments[count++] = sets[i];
    }
    arguments[count++] = "--set=time.heartbeat_ms=200";
    arguments[count++] = "--set=time.peers_ms=50";
    for (; settings && *settings; settings++) {
        arguments[count++] = "--set";
        arguments[count++] = (char *)*settings;
    }
    execv(program, arguments);
    perror(program);
    _exit(127);
}

void port_start(struct port *port, const char *const *settings)
{
    struct sp_err err = {0};
    char ready[160];
    memset(port, 0, sizeof *port);
    must(sp_seal_start(&err), &err);
    snprintf(port->directory, sizeof port->directory, "/tmp/sallyport-broker-XXXXXX");
    assert_non_null(mkdtemp(port->directory));
    free_address(port->front, sizeof port->front, "tcp://");
    free_address(port->back, sizeof port->back, "tcp://");
    free_address(port->metrics, sizeof port->metrics, "");
    make_keys(port);
    port->context = zmq_ctx_new();
    port->pid = fork();
    if (port->pid == 0)
        exec_broker(port, settings);
    path_in(port, ready, "ready");
    uint64_t deadline = sp_clock_mono_ns() + PATIENCE_MS * SP_NS_PER_MS;
    while (access(ready, F_OK) != 0) {
        if (sp_clock_mono_ns() > deadline || waitpid(port->pid, NULL, WNOHANG) != 0)
            fail_msg("the broker did not start");
        usleep(5000);
    }
}

int port_wait(struct port *port)
{
    uint64_t deadline = sp_clock_mono_ns() + PATIENCE_MS * SP_NS_PER_MS;
    int state = 0;
    while (waitpid(port->pid, &state, WNOHANG) == 0) {
        if (sp_clock_mono_ns() > deadline) {
            kill(port->pid, SIGKILL);
            waitpid(port->pid, &state, 0);
            port->pid = 0;
            fail_msg("the broker did not end");
        }
        usleep(5000);
    }
    port->pid = 0;
    return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

int port_stop(struct port *port)
{
    int code = 0;
    if (port->pid > 0) {
        kill(port->pid, SIGTERM);
        code = port_wait(port);
    }
    zmq_ctx_term(port->context);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", port->directory);
    assert_int_equal(system(command), 0);
    return code;
}

void port_peer(const struct port *port, const char *name, const char *role, const uint8_t key[32],
               const char *lanes)
{
    struct sp_err err = {0};
    char path[160], hex[65], text[400];
    sp_seal_to_hex(hex, key, 32);
    int length =
        snprintf(text, sizeof text, "name: %s\nrole: %s\nkey: \"%s\"\nlanes: [%s]\n", name, role, hex, lanes);
    snprintf(path, sizeof path, "%s/peers/%s.yaml", port->directory, name);
    must(sp_file_write(path, text, (size_t)length, 0644, &err), &err);
}

void port_revoke(const struct port *port, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/peers/%s.yaml", port->directory, name);
    assert_int_equal(unlink(path), 0);
}

static void connect_link(struct link *link)
{
    struct sp_err err = {0};
    int linger = 0;
    link->socket = zmq_socket(link->port->context, ZMQ_DEALER);
    zmq_setsockopt(link->socket, ZMQ_LINGER, &linger, sizeof linger);
    must(sp_curve_client(link->socket, &link->key, link->port->self.public_key, &err), &err);
    assert_int_equal(zmq_connect(link->socket, link->worker ? link->port->back : link->port->front), 0);
}

/* Connect until the broker has seen the new peer: a refused socket does not try again by itself. */
static void connect_known(struct link *link)
{
    struct sp_err err = {0};
    uint64_t deadline = sp_clock_mono_ns() + PATIENCE_MS * SP_NS_PER_MS;
    enum sp_status status;
    do {
        void *monitor = NULL;
        connect_link(link);
        must(sp_curve_watch(link->port->context, link->socket, &monitor, &err), &err);
        do {
            zmq_pollitem_t item = {monitor, 0, ZMQ_POLLIN, 0};
            zmq_poll(&item, 1, 1000);
            status = sp_curve_event(monitor, &err);
        } while (status == SP_E_UNAVAILABLE && sp_clock_mono_ns() < deadline);
        zmq_socket_monitor(link->socket, NULL, 0);
        zmq_close(monitor);
        if (status != SP_OK)
            zmq_close(link->socket);
    } while (status != SP_OK && sp_clock_mono_ns() < deadline);
    assert_int_equal(status, SP_OK);
}

void link_open(struct link *link, const struct port *port, const char *name, const char *role, const char *lanes,
               bool to_back)
{
    *link = (struct link){.port = port, .worker = to_back};
    sp_key_generate(&link->key, SP_KEY_CURVE, name);
    sp_key_generate(&link->sign, SP_KEY_SIGN, name);
    if (role)
        port_peer(port, name, role, link->key.public_key, lanes);
    if (role)
        connect_known(link);
    else
        connect_link(link);
}

void link_reopen(struct link *link, const struct link *of)
{
    *link = *of;
    connect_link(link);
}

void link_close(struct link *link)
{
    zmq_close(link->socket);
    link->socket = NULL;
}

void link_send_bytes(struct link *link, const void *bytes, size_t length)
{
    assert_int_equal(zmq_send(link->socket, bytes, length, 0), (int)length);
}

void link_send(struct link *link, const struct sp_header *header, const void *payload, size_t length)
{
    struct sp_err err = {0};
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    size_t size;
    must(sp_message_encode(bytes, &size, header, &err), &err);
    assert_int_equal(zmq_send(link->socket, bytes, size, payload ? ZMQ_SNDMORE : 0), (int)size);
    if (payload)
        assert_int_equal(zmq_send(link->socket, payload, length, 0), (int)length);
}

void link_say(struct link *link, enum sp_message_type type)
{
    struct sp_header header = {.type = type, .credit = SP_CREDIT_NONE};
    link_send(link, &header, NULL, 0);
}

static void take_parts(struct link *link, struct mail *mail)
{
    struct sp_err err = {0};
    int more = 0;
    size_t size = sizeof more;
    int length = zmq_recv(link->socket, mail->bytes, sizeof mail->bytes, 0);
    assert_in_range(length, 1, (int)sizeof mail->bytes);
    must(sp_message_decode(&mail->header, mail->bytes, (size_t)length, &err), &err);
    for (mail->parts = 1; zmq_getsockopt(link->socket, ZMQ_RCVMORE, &more, &size) == 0 && more; mail->parts++) {
        assert_in_range(mail->parts, 1, 2);
        int part = mail->parts - 1;
        length = zmq_recv(link->socket, mail->more[part], sizeof mail->more[part], 0);
        assert_in_range(length, 0, (int)sizeof mail->more[part]);
        mail->more_length[part] = (size_t)length;
    }
}

bool link_hear(struct link *link, struct mail *mail, int ms)
{
    uint64_t deadline = sp_clock_mono_ns() + (uint64_t)ms * SP_NS_PER_MS;
    for (;;) {
        uint64_t now = sp_clock_mono_ns();
        zmq_pollitem_t item = {link->socket, 0, ZMQ_POLLIN, 0};
        if (now >= deadline || zmq_poll(&item, 1, (long)((deadline - now) / SP_NS_PER_MS) + 1) <= 0)
            return false;
        take_parts(link, mail);
        if (mail->header.type == SP_MSG_PING)
            link_say(link, SP_MSG_PONG);
        else if (mail->header.type == SP_MSG_BEAT)
            link_say(link, SP_MSG_BEAT);
        else
            return true;
    }
}

void link_expect(struct link *link, struct mail *mail, enum sp_message_type type)
{
    if (!link_hear(link, mail, 5000))
        fail_msg("nothing came, message %d was expected", (int)type);
    if (mail->header.type != type)
        fail_msg("message %d came (%s), %d was expected", (int)mail->header.type,
                 sp_reason_word(mail->header.reason), (int)type);
}

void link_expect_reason(struct link *link, struct mail *mail, enum sp_message_type type, int reason)
{
    link_expect(link, mail, type);
    assert_string_equal(sp_reason_word(mail->header.reason), sp_reason_word(reason));
}

void link_hello(struct link *link, struct mail *mail, const char *lane)
{
    struct sp_header header = {.type = SP_MSG_HELLO, .agent = "test"};
    if (lane) {
        header.lane_count = 1;
        snprintf(header.lanes[0], sizeof header.lanes[0], "%s", lane);
    }
    link_send(link, &header, NULL, 0);
    link_expect(link, mail, SP_MSG_WELCOME);
    memcpy(link->session, mail->header.session, sizeof link->session);
}

void link_ready(struct link *link, struct mail *mail, uint32_t credit)
{
    struct sp_err err = {0};
    uint8_t bytes[SP_CERT_MAX_BYTES];
    size_t length;
    struct sp_cert cert = {.kind = "worker", .name = "w", .not_after_ms = sp_clock_wall_ms() + 3600000};
    memcpy(cert.key, link->sign.public_key, 32);
    must(sp_cert_issue(bytes, &length, &cert, &link->port->authority, &err), &err);
    struct sp_header header = {.type = SP_MSG_READY,
                               .agent = "test",
                               .backend = "none",
                               .credit = credit,
                               .cert = bytes,
                               .cert_length = length};
    link_send(link, &header, NULL, 0);
    if (mail)
        link_expect(link, mail, SP_MSG_GREET);
}

struct sp_header link_frame(const struct link *link, int encounter, uint32_t seq)
{
    struct sp_header header = {
        .type = SP_MSG_FRAME, .seq = seq, .job_class = SP_CLASS_LANE, .budget_ms = 8000, .at_ms = 0, .lane = "A1"};
    memcpy(header.sender, link->key.public_key, 32);
    memcpy(header.session, link->session, sizeof header.session);
    memset(header.encounter, encounter, sizeof header.encounter);
    return header;
}

void link_result(struct link *link, uint64_t job, int answer, const void *payload, size_t length)
{
    struct sp_header header = {.type = SP_MSG_RESULT, .job = job, .answer = answer};
    link_send(link, &header, payload, length);
}
