#include "fake_broker.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>
#include <cmocka.h>

#include "common/clock.h"
#include "common/curve.h"
#include "common/file.h"
#include "common/wire.h"

#define HELD_MAX 16

struct message {
    uint8_t route[256], header[SP_HEADER_MAX_BYTES], *payload;
    size_t route_length, header_length, payload_length;
};

struct fake_inside {
    void *context, *router;
    struct sp_peers *peers;
    struct sp_zap *zap;
    pthread_t thread;
    _Atomic bool stop;
    struct message held[HELD_MAX];
    int held_count;
    uint8_t first_key[SP_KEY_BYTES];
    bool has_first_key;
    uint8_t session[SP_SESSION_BYTES];
};

const struct fake_seen *fake_seen(const struct fake_broker *fake, int index)
{
    int count = fake->seen_count; /* what it covers was written before it grew */
    index = index < 0 ? count + index : index;
    if (index < 0 || index >= count)
        abort();
    return &fake->seen[index];
}

static void must(enum sp_status status, const struct sp_err *err)
{
    if (status != SP_OK) {
        fprintf(stderr, "fake broker: %s\n", err->text);
        abort();
    }
}

static void send_parts(struct fake_broker *f, const struct message *to, const void *header, size_t header_length,
                       const void *payload, size_t payload_length)
{
    zmq_send(f->inside->router, to->route, to->route_length, ZMQ_SNDMORE);
    zmq_send(f->inside->router, header, header_length, payload ? ZMQ_SNDMORE : 0);
    if (payload)
        zmq_send(f->inside->router, payload, payload_length, 0);
}

static void reply(struct fake_broker *f, const struct message *to, const struct sp_header *header,
                  const void *payload, size_t payload_length)
{
    struct sp_err err = {0};
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    size_t length;
    must(sp_message_encode(bytes, &length, header, &err), &err);
    send_parts(f, to, bytes, length, payload, payload_length);
}

static void issue(const struct fake_broker *f, const char *kind, int mode, uint8_t *ret, size_t *ret_length)
{
    struct sp_err err = {0};
    bool fleet = strcmp(kind, "fleet") == 0;
    struct sp_cert cert = {.not_after_ms = sp_clock_wall_ms() + 3600000};
    strcpy(cert.kind, mode == FORGE_FLEET_CERT ? "fleet" : kind);
    strcpy(cert.name, fleet ? "fleet" : "worker-1");
    memcpy(cert.key, fleet ? f->fleet.public_key : f->worker.public_key, 32);
    if (mode == FORGE_OLD_CERT)
        cert.not_after_ms = sp_clock_wall_ms() - 1000;
    bool other = mode == FORGE_AUTHORITY || (fleet && f->bad_fleet_cert);
    must(sp_cert_issue(ret, ret_length, &cert, other ? &f->other_authority : &f->authority, &err), &err);
}

static void welcome(struct fake_broker *f, const struct message *to)
{
    uint8_t cert[SP_CERT_MAX_BYTES];
    struct sp_header h = {.type = SP_MSG_WELCOME,
                          .window = f->window,
                          .max_age_ms = 5000,
                          .heartbeat_ms = f->heartbeat_ms,
                          .max_payload = f->max_payload,
                          .cert = cert};
    if (f->refuse_hello) {
        reply(f, to,
              &(struct sp_header){.type = SP_MSG_REFUSED, .reason = SP_REASON_NOT_YOUR_LANE, .text = "lane A1"},
              NULL, 0);
        return;
    }
    strcpy(h.broker, "fake");
    strcpy(h.terminal, "T1");
    sp_seal_random(f->inside->session, sizeof f->inside->session);
    memcpy(h.session, f->inside->session, sizeof h.session);
    issue(f, "fleet", FAKE_MATCH, cert, &h.cert_length);
    reply(f, to, &h, NULL, 0);
}

static void decide(const struct fake_broker *f, const struct sp_header *in, int mode, struct sp_answer_body *body)
{
    struct sp_err err = {0};
    bool match = mode != FAKE_UNDECIDED;
    struct sp_decision d = {.seq = in->seq,
                            .outcome = match ? SP_OUTCOME_MATCH : SP_OUTCOME_REFER,
                            .reason = match ? SP_REASON_NONE : SP_REASON_TOO_DARK,
                            .has_traveller = match,
                            .issued_ms = sp_clock_wall_ms(),
                            .assignment = 4,
                            .gallery_count = 1,
                            .threshold = 0.5,
                            .policy = "none",
                            .galleries = {{"air-1", 9}}};
    d.expires_ms = d.issued_ms + (mode == FORGE_AGE ? 1 : 30000);
    strcpy(d.lane, mode == FORGE_LANE ? "B2" : in->lane);
    if (match)
        strcpy(d.manifest, "air-1");
    memcpy(d.encounter, in->encounter, sizeof d.encounter);
    memcpy(d.sender, in->sender, sizeof d.sender);
    memset(d.traveller, match ? 0x77 : 0, sizeof d.traveller);
    d.encounter[0] ^= mode == FORGE_ENCOUNTER;
    d.sender[0] ^= mode == FORGE_SENDER;
    d.seq += mode == FORGE_SEQ;
    struct sp_signed_decision *s = &body->decisions[body->decision_count++];
    must(sp_decision_encode(s->bytes, &s->length, &d, &err), &err);
    if (mode == FORGE_DECISION)
        memcpy(s->bytes, "\x81\xa1v\x01", s->length = 4);
    sp_seal_sign(s->signature, SP_DECISION_CONTEXT, s->bytes, s->length, f->worker.secret);
    s->signature[5] ^= mode == FORGE_SIGNATURE;
    issue(f, "worker", mode, body->cert, &body->cert_length);
}

/* Open one message as a worker would. false: it does not open. */
static bool open_message(struct fake_broker *f, const struct message *m, const struct sp_header *in,
                         uint8_t key[SP_KEY_BYTES], struct fake_seen *seen)
{
    struct sp_wire_doc *doc = NULL;
    uint8_t *plain = malloc(m->payload_length + 1);
    size_t length = 0, image_length = 0;
    const uint8_t *image = NULL;
    bool opened = sp_seal_unwrap(key, in->wrapped_key, f->fleet.public_key, f->fleet.secret, NULL) == SP_OK &&
                  sp_seal_payload_open(plain, &length, m->payload, m->payload_length, m->header, m->header_length,
                                       key, SP_TO_WORKER, NULL) == SP_OK &&
                  sp_wire_parse(&doc, plain, length, &sp_wire_payload_limits, NULL) == SP_OK;
    if (opened && sp_wire_get_view(sp_wire_root(doc), "image", 1u << 24, &image, &image_length, NULL) == SP_OK) {
        seen->image_length = image_length;
        memcpy(seen->image, image, image_length < sizeof seen->image ? image_length : sizeof seen->image);
    }
    sp_wire_free(&doc);
    free(plain);
    return opened;
}

static void answer_sealed(struct fake_broker *f, const struct message *to, const struct sp_header *in, int mode,
                          const uint8_t session_key[SP_KEY_BYTES])
{
    struct sp_err err = {0};
    uint8_t ad[SP_ANSWER_AD_BYTES], *plain = NULL, key[SP_KEY_BYTES];
    size_t length;
    bool undecided = (mode == FAKE_UNDECIDED && in->type == SP_MSG_FRAME) || mode == FORGE_UNDECIDED;
    struct sp_header out = {.type = SP_MSG_ANSWER,
                            .seq = in->seq,
                            .answer = undecided ? SP_ANSWER_UNDECIDED : SP_ANSWER_DECIDED,
                            .reason = mode == FAKE_UNDECIDED ? SP_REASON_TOO_DARK : SP_REASON_NONE};
    struct sp_answer_body *body = calloc(1, sizeof *body);
    strcpy(out.lane, in->lane);
    memcpy(out.encounter, in->encounter, sizeof out.encounter);
    body->has_review = in->type == SP_MSG_REVIEW && mode != FORGE_NO_DECISION;
    body->review = (struct sp_review){
        .version = 7, .people = 5, .usable = 4, .threshold = 0.5, .margin = 0.02, .pair_count = 1, .count = 2};
    if (in->type != SP_MSG_REVIEW && (!undecided || mode == FORGE_UNDECIDED) && mode != FORGE_NO_DECISION)
        decide(f, in, mode, body);
    if (mode == FORGE_TWO_FACES)
        decide(f, in, mode, body);
    body->has_candidate = true;
    body->score = 0.75;
    body->margin = 0.125;
    memset(body->candidate, 0x77, sizeof body->candidate);
    body->timings_us[SP_TIMING_EMBED] = 1234;
    body->faces = 1;
    body->quality = 90;
    must(sp_answer_body_encode(&plain, &length, body, &err), &err);
    if (mode == FORGE_BODY)
        length = 1;
    memcpy(key, mode == FAKE_OLD_KEY ? f->inside->first_key : session_key, sizeof key);
    key[0] ^= mode == FORGE_KEY;
    uint8_t *payload = malloc(length + SP_PAYLOAD_OVERHEAD);
    sp_message_answer_ad(ad, out.encounter, out.seq, out.answer, out.reason);
    sp_seal_payload_close(payload, plain, length, ad, sizeof ad, key, SP_TO_CLIENT);
    if (mode == FORGE_REASON)
        out.reason = SP_REASON_BLURRED;
    if (mode == FAKE_STRANGE) {
        struct sp_header wrong = out;
        wrong.seq = 4000;
        reply(f, to, &wrong, payload, length + SP_PAYLOAD_OVERHEAD);
        wrong = out;
        strcpy(wrong.lane, "Z9");
        reply(f, to, &wrong, payload, length + SP_PAYLOAD_OVERHEAD);
        send_parts(f, to, "\x91\x91", 2, NULL, 0);
        send_parts(f, to, "", 0, "junk", 4);
        reply(f, to, &(struct sp_header){.type = SP_MSG_HELLO}, NULL, 0);
    }
    for (int i = 0; i < (mode == FAKE_TWICE ? 2 : 1); i++)
        reply(f, to, &out, mode == FORGE_NO_PAYLOAD ? NULL : payload, length + SP_PAYLOAD_OVERHEAD);
    free(payload);
    free(plain);
    free(body);
}

static void answer_bare(struct fake_broker *f, const struct message *to, const struct sp_header *in, int answer,
                        int reason)
{
    struct sp_header out = {.type = SP_MSG_ANSWER, .seq = in->seq, .answer = answer, .reason = reason};
    strcpy(out.lane, in->lane);
    memcpy(out.encounter, in->encounter, sizeof out.encounter);
    reply(f, to, &out, NULL, 0);
}

static void hold(struct fake_broker *f, const struct message *m)
{
    struct message *slot = &f->inside->held[f->inside->held_count++];
    if (f->inside->held_count > HELD_MAX)
        abort();
    *slot = *m;
    slot->payload = malloc(m->payload_length);
    memcpy(slot->payload, m->payload, m->payload_length);
}

static void on_work(struct fake_broker *f, const struct message *m, const struct sp_header *in)
{
    int mode = f->mode;
    uint8_t key[SP_KEY_BYTES] = {0};
    struct fake_seen seen = {.header = *in};
    seen.opened = open_message(f, m, in, key, &seen) && memcmp(in->session, f->inside->session, 16) == 0;
    if (!f->inside->has_first_key) {
        memcpy(f->inside->first_key, key, sizeof key);
        f->inside->has_first_key = true;
    }
    if (f->seen_count < FAKE_SEEN_MAX) {
        f->seen[f->seen_count] = seen;
        f->seen_count++;
    }
    *(in->type == SP_MSG_CLOSE ? &f->closes : &f->frames) += 1;
    if (mode == FAKE_BUSY)
        answer_bare(f, m, in, SP_ANSWER_BUSY, SP_REASON_QUEUE_FULL);
    else if (mode == FAKE_NOT_YOUR_LANE)
        answer_bare(f, m, in, SP_ANSWER_ERROR, SP_REASON_NOT_YOUR_LANE);
    else if (mode == FAKE_NO_WORKER)
        answer_bare(f, m, in, SP_ANSWER_EXPIRED, SP_REASON_NO_WORKER);
    else if (mode == FAKE_STALE)
        answer_bare(f, m, in, SP_ANSWER_ERROR, SP_REASON_GALLERY_STALE);
    else if (mode == FAKE_FORGET || mode == FAKE_REVOKE || mode == FAKE_REPLACE)
        reply(f, m,
              &(struct sp_header){.type = SP_MSG_REFUSED,
                                  .reason = mode == FAKE_FORGET   ? SP_REASON_NOT_GREETED
                                            : mode == FAKE_REVOKE ? SP_REASON_REVOKED
                                                                  : SP_REASON_STALE_SESSION},
              NULL, 0);
    else
        answer_sealed(f, m, in, mode, key);
}

/* Three rows on two pages, behind the cursor that the first one's last row makes. */
static void tell(struct fake_broker *f, const struct message *m, const struct sp_header *in)
{
    static struct sp_header page;
    bool lanes = strcmp(in->what, SP_ASK_LANES) == 0, first = in->after[0] == '\0';
    const char *cursor = lanes ? "A2/cam-2" : "A2";
    if (f->mode == FAKE_NOT_YOUR_LANE) {
        reply(f, m, &(struct sp_header){.type = SP_MSG_REFUSED, .reason = SP_REASON_NOT_AUTHORISED}, NULL, 0);
        return;
    }
    page = (struct sp_header){.type = SP_MSG_TELL, .more = first};
    memcpy(page.what, in->what, sizeof page.what);
    if (first) {
        page.told_count = 2;
        page.told[0] = (struct sp_told){.name = "A1", .peer = "cam-1", .backend = "cpu", .quiet_ms = 7};
        page.told[1] = (struct sp_told){.name = "A2", .peer = "cam-2", .backend = "cpu", .quiet_ms = 8};
    } else if (strcmp(in->after, cursor) == 0) {
        page.told_count = 1;
        page.told[0] = (struct sp_told){.name = "B1", .peer = "cam-3", .backend = "cuda", .credit = 5};
    }
    reply(f, m, &page, NULL, 0);
}

static void on_message(struct fake_broker *f, const struct message *m)
{
    struct sp_header in;
    struct sp_err err = {0};
    must(sp_message_decode(&in, m->header, m->header_length, &err), &err);
    f->hellos += in.type == SP_MSG_HELLO;
    f->pings += in.type == SP_MSG_PING;
    f->byes += in.type == SP_MSG_BYE;
    if (f->mode == FAKE_SILENT)
        return;
    switch ((int)in.type) {
    case SP_MSG_HELLO:
        welcome(f, m);
        break;
    case SP_MSG_PING:
        reply(f, m, &(struct sp_header){.type = SP_MSG_PONG}, NULL, 0);
        break;
    case SP_MSG_ASK:
        tell(f, m, &in);
        break;
    case SP_MSG_REVIEW:
    case SP_MSG_FRAME:
    case SP_MSG_CLOSE:
        if (f->mode == FAKE_HOLD)
            hold(f, m);
        else
            on_work(f, m, &in);
    }
}

static bool receive(struct fake_broker *f, struct message *m, zmq_msg_t *payload)
{
    void *router = f->inside->router;
    int more = 0;
    size_t size = sizeof more;
    int length = zmq_recv(router, m->route, sizeof m->route, ZMQ_DONTWAIT);
    if (length < 0)
        return false;
    m->route_length = (size_t)length;
    m->header_length = (size_t)zmq_recv(router, m->header, sizeof m->header, 0);
    m->payload = NULL;
    m->payload_length = 0;
    zmq_getsockopt(router, ZMQ_RCVMORE, &more, &size);
    if (more) {
        zmq_msg_recv(payload, router, 0);
        m->payload = zmq_msg_data(payload);
        m->payload_length = zmq_msg_size(payload);
    }
    return true;
}

static void *serve(void *argument)
{
    struct fake_broker *f = argument;
    struct message *m = calloc(1, sizeof *m);
    zmq_msg_t payload;
    zmq_msg_init(&payload);
    while (!f->inside->stop) {
        zmq_pollitem_t item = {.socket = f->inside->router, .events = ZMQ_POLLIN};
        zmq_poll(&item, 1, 5);
        while (receive(f, m, &payload))
            on_message(f, m);
        if (f->mode == FAKE_HOLD || f->mode == FAKE_SILENT)
            continue;
        for (int i = 0; i < f->inside->held_count; i++) {
            on_message(f, &f->inside->held[i]);
            free(f->inside->held[i].payload);
        }
        f->inside->held_count = 0;
    }
    for (int i = 0; i < f->inside->held_count; i++)
        free(f->inside->held[i].payload);
    zmq_msg_close(&payload);
    free(m);
    return NULL;
}

static void write_peer(struct fake_broker *f)
{
    struct sp_err err = {0};
    char path[128], text[256], hex[65];
    sp_seal_to_hex(hex, f->client.public_key, 32);
    snprintf(path, sizeof path, "%s/peers", f->folder);
    if (mkdir(path, 0700) != 0)
        abort();
    snprintf(path, sizeof path, "%s/peers/client.yaml", f->folder);
    int length = snprintf(text, sizeof text, "name: client\nrole: capture\nkey: %s\nlanes:\n  - \"*\"\n", hex);
    must(sp_file_write(path, text, (size_t)length, 0600, &err), &err);
}

void fake_broker_start(struct fake_broker *fake, uint32_t window, uint32_t heartbeat_ms)
{
    struct sp_err err = {0};
    char path[128];
    memset(fake, 0, sizeof *fake);
    fake->window = window;
    fake->heartbeat_ms = heartbeat_ms;
    fake->max_payload = 1 << 20;
    struct fake_inside *in = fake->inside = calloc(1, sizeof *in);
    must(sp_seal_start(&err), &err);
    strcpy(fake->folder, "/tmp/sp-fake-XXXXXX");
    if (!in || !mkdtemp(fake->folder))
        abort();
    snprintf(fake->address, sizeof fake->address, "ipc://%s/front", fake->folder);
    sp_key_generate(&fake->curve, SP_KEY_CURVE, "broker");
    sp_key_generate(&fake->client, SP_KEY_CURVE, "client");
    sp_key_generate(&fake->fleet, SP_KEY_BOX, "fleet");
    sp_key_generate(&fake->authority, SP_KEY_SIGN, "authority");
    sp_key_generate(&fake->other_authority, SP_KEY_SIGN, "authority");
    sp_key_generate(&fake->worker, SP_KEY_SIGN, "worker-1");
    write_peer(fake);
    snprintf(path, sizeof path, "%s/peers", fake->folder);
    must(sp_peers_new(&in->peers, path, &err), &err);
    in->context = zmq_ctx_new();
    must(sp_zap_new(&in->zap, in->context, in->peers, &err), &err);
    in->router = zmq_socket(in->context, ZMQ_ROUTER);
    must(sp_curve_server(in->router, &fake->curve, &err), &err);
    zmq_setsockopt(in->router, ZMQ_LINGER, &(int){0}, sizeof(int));
    if (zmq_bind(in->router, fake->address) != 0 || pthread_create(&in->thread, NULL, serve, fake) != 0)
        abort();
}

void fake_broker_stop(struct fake_broker *fake)
{
    char path[128];
    struct fake_inside *in = fake->inside;
    in->stop = true;
    pthread_join(in->thread, NULL);
    zmq_close(in->router);
    sp_zap_free(&in->zap);
    zmq_ctx_term(in->context);
    sp_peers_free(&in->peers);
    snprintf(path, sizeof path, "%s/peers/client.yaml", fake->folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/peers", fake->folder);
    rmdir(path);
    snprintf(path, sizeof path, "%s/front", fake->folder);
    unlink(path);
    rmdir(fake->folder);
    free(in);
    fake->inside = NULL;
}
