/* The ZAP handler (ZeroMQ RFC 27): one thread that answers the question "may this key come in?". */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include "common/curve.h"

#define ENDPOINT "inproc://zeromq.zap.01"
#define PART_MAX 256
#define Z85_TEXT 41
#define REFUSAL  "key not known: ask for it to be added to the peer table"

/* version, request id, domain, address, routing id, mechanism, credentials (CURVE: one) */
enum part {
    PART_VERSION,
    PART_REQUEST,
    PART_DOMAIN,
    PART_ADDRESS,
    PART_IDENTITY,
    PART_MECHANISM,
    PART_KEY,
    PART_COUNT
};

struct sp_zap {
    struct sp_peers *peers;
    void *questions; /* REP; the thread's own once it runs */
    void *stop_in;   /* PAIR, the thread's end */
    void *stop_out;  /* PAIR, the owner's end */
    pthread_t thread;
    bool running;
    atomic_uint_fast64_t refused;
};

struct request {
    uint8_t parts[PART_COUNT][PART_MAX];
    int lengths[PART_COUNT];
    int count; /* parts received, also those beyond PART_COUNT */
};

static bool receive_request(void *socket, struct request *request)
{
    int more = 1;
    size_t size = sizeof more;
    memset(request, 0, sizeof *request);
    for (; more; request->count++) {
        uint8_t ignored[PART_MAX];
        bool kept = request->count < PART_COUNT;
        int length = zmq_recv(socket, kept ? request->parts[request->count] : ignored, PART_MAX, 0);
        if (length < 0 || zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) != 0)
            return false;
        if (kept)
            request->lengths[request->count] = length; /* may be more than PART_MAX: then it matches nothing */
    }
    return true;
}

static bool part_is(const struct request *request, enum part part, const char *text)
{
    return request->lengths[part] == (int)strlen(text) && memcmp(request->parts[part], text, strlen(text)) == 0;
}

static void reply(void *socket, const struct request *request, const char *code, const char *text, const char *user)
{
    int id_length = request->lengths[PART_REQUEST] <= PART_MAX ? request->lengths[PART_REQUEST] : 0;
    zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(socket, request->parts[PART_REQUEST], (size_t)id_length, ZMQ_SNDMORE);
    zmq_send(socket, code, strlen(code), ZMQ_SNDMORE);
    zmq_send(socket, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(socket, user, strlen(user), ZMQ_SNDMORE);
    zmq_send(socket, "", 0, 0);
}

static void answer(struct sp_zap *zap)
{
    struct request request;
    char user[Z85_TEXT];
    if (!receive_request(zap->questions, &request))
        return;
    bool form = request.count == PART_COUNT && part_is(&request, PART_VERSION, "1.0") &&
                part_is(&request, PART_MECHANISM, "CURVE") && request.lengths[PART_KEY] == 32;
    if (form && sp_peers_find(zap->peers, request.parts[PART_KEY], NULL) &&
        zmq_z85_encode(user, request.parts[PART_KEY], 32)) {
        reply(zap->questions, &request, "200", "OK", user);
        return;
    }
    atomic_fetch_add(&zap->refused, 1);
    reply(zap->questions, &request, "400", form ? REFUSAL : "only CURVE is spoken here", "");
}

static void *run(void *context)
{
    struct sp_zap *zap = context;
    zmq_pollitem_t items[] = {{zap->questions, 0, ZMQ_POLLIN, 0}, {zap->stop_in, 0, ZMQ_POLLIN, 0}};
    for (;;) {
        if (zmq_poll(items, 2, -1) < 0 && zmq_errno() != EINTR)
            break; /* ETERM: the context ends */
        if (items[1].revents)
            break;
        if (items[0].revents)
            answer(zap);
    }
    return NULL;
}

static void close_socket(void **socket)
{
    if (*socket)
        zmq_close(*socket);
    *socket = NULL;
}

static void *open_socket(void *zmq_context, int type)
{
    int none = 0;
    void *socket = zmq_socket(zmq_context, type);
    if (socket)
        zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    return socket;
}

static enum sp_status open_sockets(struct sp_zap *zap, void *zmq_context, struct sp_err *err)
{
    char endpoint[64], digits[33];
    uint8_t random[16]; /* never a name that a closed socket still holds */
    sp_seal_random(random, sizeof random);
    sp_seal_to_hex(digits, random, sizeof random);
    snprintf(endpoint, sizeof endpoint, "inproc://zap-stop-%s", digits);
    zap->questions = open_socket(zmq_context, ZMQ_REP);
    zap->stop_in = open_socket(zmq_context, ZMQ_PAIR);
    zap->stop_out = open_socket(zmq_context, ZMQ_PAIR);
    if (!zap->questions || !zap->stop_in || !zap->stop_out || zmq_bind(zap->stop_in, endpoint) != 0 ||
        zmq_connect(zap->stop_out, endpoint) != 0)
        return sp_fail(err, SP_E_INTERNAL, "ZAP handler: no sockets: %s", zmq_strerror(zmq_errno()));
    if (zmq_bind(zap->questions, ENDPOINT) != 0)
        return sp_fail(err, SP_E_EXISTS, "ZAP handler: cannot bind %s: %s; only one may run in a ZeroMQ context",
                       ENDPOINT, zmq_strerror(zmq_errno()));
    return SP_OK;
}

enum sp_status sp_zap_new(struct sp_zap **ret_zap, void *zmq_context, struct sp_peers *peers, struct sp_err *err)
{
    sigset_t all, before;
    struct sp_zap *zap = calloc(1, sizeof *zap);
    if (!zap)
        return sp_fail(err, SP_E_NOMEM, "no memory for the ZAP handler");
    zap->peers = peers;
    enum sp_status status = open_sockets(zap, zmq_context, err);
    if (status != SP_OK)
        goto fail;
    /* Signals are the program's main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    zap->running = pthread_create(&zap->thread, NULL, run, zap) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!zap->running) {
        status = sp_fail(err, SP_E_NOMEM, "no thread for the ZAP handler");
        goto fail;
    }
    *ret_zap = zap;
    return SP_OK;
fail:
    sp_zap_free(&zap);
    return status;
}

void sp_zap_free(struct sp_zap **zap)
{
    if (!*zap)
        return;
    if ((*zap)->running) {
        zmq_send((*zap)->stop_out, "", 0, 0);
        pthread_join((*zap)->thread, NULL);
    }
    /* zmq_close frees the name only some time later; the next handler wants it now. */
    if ((*zap)->running)
        zmq_unbind((*zap)->questions, ENDPOINT);
    close_socket(&(*zap)->questions);
    close_socket(&(*zap)->stop_in);
    close_socket(&(*zap)->stop_out);
    free(*zap);
    *zap = NULL;
}

uint64_t sp_zap_refused(const struct sp_zap *zap)
{
    return atomic_load(&zap->refused);
}
