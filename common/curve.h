/* Socket security: CURVE on every socket, and who the other side is.
 *
 * The server's ZAP handler (one per process and ZeroMQ context, inproc://zeromq.zap.01) accepts only keys of the peer
 * table and gives every message the User-Id = the peer's public key in Z85; the application looks that up in the live
 * table for each message, so that a key revoked later is refused on its open connection too. */
#ifndef SALLYPORT_COMMON_CURVE_H
#define SALLYPORT_COMMON_CURVE_H

#include "common/key.h"

enum sp_role { SP_ROLE_NONE, SP_ROLE_CAPTURE, SP_ROLE_WORKER, SP_ROLE_OPS };
const char *sp_role_name(enum sp_role role); /* "capture", "worker", "ops" */

#define SP_PEER_MAX_LANES 64

/* One peer: file PEERS_DIR/NAME.yaml = {name, role, key: 64 hex digits, lanes: [names or "*"]}. */
struct sp_peer {
    char name[SP_NAME_MAX];
    enum sp_role role;
    uint8_t key[32]; /* CURVE public key */
    int lane_count;
    char lanes[SP_PEER_MAX_LANES][SP_NAME_MAX]; /* "*" = all lanes of this broker */
};

/* The live table of a directory; thread-safe: readers get copies. At most 4096 peers. */
struct sp_peers;
enum sp_status sp_peers_new(struct sp_peers **ret_peers, const char *directory, struct sp_err *err);
void sp_peers_free(struct sp_peers **peers);
/* Re-read when the directory changed (cheap stat check). A damaged file is skipped and named in err with
 * SP_E_FORMAT, once, also if it was found by sp_peers_new or sp_peers_find; the others stand. A directory that cannot be
 * read leaves the table as it is. *ret_changed: since the last call; may be NULL. */
enum sp_status sp_peers_refresh(struct sp_peers *peers, bool *ret_changed, struct sp_err *err);
/* false if the key is unknown (or revoked since). Looks at the directory itself, at most once a second. ret_peer may be
 * NULL. */
bool sp_peers_find(struct sp_peers *peers, const uint8_t key[32], struct sp_peer *ret_peer);
/* One peer's file from memory; source is for messages. */
enum sp_status sp_peer_parse(struct sp_peer *ret_peer, const char *source, const void *bytes, size_t length,
                             struct sp_err *err);
bool sp_peer_may_use_lane(const struct sp_peer *peer, const char *lane);

/* The ZAP handler thread. refused_keys counts refusals (may be read any time). */
struct sp_zap;
enum sp_status sp_zap_new(struct sp_zap **ret_zap, void *zmq_context, struct sp_peers *peers, struct sp_err *err);
void sp_zap_free(struct sp_zap **zap); /* before zmq_ctx_term */
uint64_t sp_zap_refused(const struct sp_zap *zap);

/* Set a socket up before bind/connect: server side with its own secret; client side also with the server's public. */
enum sp_status sp_curve_server(void *socket, const struct sp_key_file *self, struct sp_err *err);
enum sp_status sp_curve_client(void *socket, const struct sp_key_file *self, const uint8_t server_public[32],
                               struct sp_err *err);
/* The peer's key of a received message (zmq_msg_t *), from its User-Id. SP_E_AUTH where there is none. */
enum sp_status sp_curve_sender(void *zmq_message, uint8_t ret_key[32], struct sp_err *err);

/* Watch a client socket for a refused key or an unreachable server: poll the returned PAIR socket; sp_curve_event turns
 * one event into a sentence for people and a status (SP_E_AUTH: refused; SP_E_UNAVAILABLE: retrying; SP_OK: connected;
 * SP_E_CLOSED: the socket is closed; SP_E_NOTFOUND: no event waits; never blocks). After SP_E_AUTH libzmq does not try
 * again: zmq_disconnect and zmq_connect when it is time to. */
enum sp_status sp_curve_watch(void *zmq_context, void *socket, void **ret_monitor, struct sp_err *err);
enum sp_status sp_curve_event(void *monitor, struct sp_err *err);
/* Stop watching and close the monitor; before the socket is closed, and never by zmq_close(monitor) alone: libzmq's I/O
 * thread, and every socket with it, would wait for a reader for ever. Accepts a NULL monitor. */
void sp_curve_unwatch(void *socket, void **monitor);

#endif
