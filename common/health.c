/* The HTTP endpoint of sp_metrics: /metrics, /livez, /readyz. Its declarations stand in common/metrics.h. */
#include "common/metrics.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

struct sp_health {
    struct MHD_Daemon *daemon;
    struct sp_metrics *metrics;
    bool (*ready)(void *context);
    void *context;
};

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned code, const char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result serve(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                             const char *version, const char *data, size_t *data_size, void **state)
{
    (void)version, (void)data, (void)data_size, (void)state;
    struct sp_health *health = context;
    if (strcmp(method, "GET") != 0)
        return reply(connection, 405, "GET only\n");
    if (strcmp(url, "/livez") == 0)
        return reply(connection, 200, "alive\n");
    if (strcmp(url, "/readyz") == 0)
        return health->ready(health->context) ? reply(connection, 200, "ready\n")
                                              : reply(connection, 503, "not ready\n");
    if (strcmp(url, "/metrics") != 0)
        return reply(connection, 404, "try /metrics, /livez or /readyz\n");
    char *text = sp_metrics_text(health->metrics);
    enum MHD_Result result = text ? reply(connection, 200, text) : MHD_NO;
    free(text);
    return result;
}

static enum sp_status parse_address(struct sockaddr_in *ret, const char *address, struct sp_err *err)
{
    char host[64];
    const char *colon = strrchr(address, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    if (!colon || (size_t)(colon - address) >= sizeof host || *end || port < 1 || port > 65535)
        return sp_fail(err, SP_E_INVALID, "metrics.address %s: write it as 127.0.0.1:9464", address);
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = 0;
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &ret->sin_addr) != 1)
        return sp_fail(err, SP_E_INVALID, "metrics.address %s: '%s' is not an IPv4 address", address, host);
    return SP_OK;
}

enum sp_status sp_health_new(struct sp_health **ret_health, struct sp_metrics *metrics, const char *address,
                             bool (*ready)(void *context), void *context, struct sp_err *err)
{
    *ret_health = NULL;
    if (!*address)
        return SP_OK;
    struct sockaddr_in socket_address;
    enum sp_status status = parse_address(&socket_address, address, err);
    if (status != SP_OK)
        return status;
    struct sp_health *health = calloc(1, sizeof *health);
    if (!health)
        return sp_fail(err, SP_E_NOMEM, "no memory for the health endpoint");
    *health = (struct sp_health){.metrics = metrics, .ready = ready, .context = context};
    health->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, serve, health,
                                      MHD_OPTION_SOCK_ADDR, &socket_address, MHD_OPTION_CONNECTION_LIMIT, 16u,
                                      MHD_OPTION_CONNECTION_TIMEOUT, 5u, MHD_OPTION_END);
    if (!health->daemon) {
        free(health);
        return sp_fail(err, SP_E_IO, "metrics.address %s: cannot listen there; is it taken?", address);
    }
    *ret_health = health;
    return SP_OK;
}

void sp_health_free(struct sp_health **health)
{
    if (!*health)
        return;
    MHD_stop_daemon((*health)->daemon);
    free(*health);
    *health = NULL;
}
