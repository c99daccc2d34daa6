#include "broker/config.h"

#define AT(field) offsetof(struct broker_config, field)
#define TEXT(name, field, fallback, help)                                                                          \
    {                                                                                                              \
        name, SP_OPTION_TEXT_FIELD, AT(field), NULL, 0, 0, NULL, fallback, help                                    \
    }
#define NUMBER(name, field, unit, min, max, fallback, help)                                                        \
    {                                                                                                              \
        name, SP_OPTION_INT, AT(field), unit, min, max, NULL, fallback, help                                       \
    }

const struct sp_option broker_options[] = {
    TEXT("broker.name", name, "broker-1", "this broker's name, told to clients and workers"),
    TEXT("broker.terminal", terminal, "T1", "the terminal it serves, told to clients and workers"),
    TEXT("broker.front", front, "tcp://127.0.0.1:7700", "where clients connect"),
    TEXT("broker.back", back, "tcp://127.0.0.1:7701", "where workers connect"),
    NUMBER("broker.io_threads", io_threads, NULL, 1, 16, "1", "threads that encrypt and move bytes"),
    TEXT("keys.curve", curve, NULL, "this broker's secret CURVE key file"),
    TEXT("keys.peers", peers, NULL, "directory of the peer table; a file put in or taken out counts at once"),
    TEXT("keys.authority", authority, NULL, "the authority's public key file: who may certify workers"),
    TEXT("keys.fleet_cert", fleet_cert, NULL, "the fleet's certificate, passed on to clients"),
    NUMBER("limits.clients", clients, NULL, 1, 16384, "1024", "sessions at once"),
    NUMBER("limits.workers", workers, NULL, 1, 1024, "256", "workers at once"),
    NUMBER("limits.jobs", jobs, NULL, 1, 65536, "4096", "jobs in hand at once, waiting and at workers"),
    NUMBER("limits.queue_gate", queue_gate, NULL, 1, 65536, "1024", "waiting jobs of class gate"),
    NUMBER("limits.queue_lane", queue_lane, NULL, 1, 65536, "1024", "waiting jobs of class lane"),
    NUMBER("limits.queue_enrol", queue_enrol, NULL, 1, 65536, "1024", "waiting jobs of class enrol"),
    NUMBER("limits.queue_bulk", queue_bulk, NULL, 1, 65536, "1024", "waiting jobs of class bulk"),
    NUMBER("limits.held_bytes", held_bytes, "bytes", 1e6, 1e12, "1073741824", "payloads of all jobs in hand"),
    NUMBER("limits.payload_bytes", payload_bytes, "bytes", 1024, 268435456, "8388608", "one payload"),
    NUMBER("limits.window", window, NULL, 1, 16, "2", "unanswered frames per lane"),
    NUMBER("limits.client_jobs", client_jobs, NULL, 1, 65536, "512",
           "unanswered CLOSEs, ENROLs and REVIEWs per session"),
    NUMBER("limits.key_sessions", key_sessions, NULL, 1, 1024, "64", "sessions of one key, on different lanes"),
    NUMBER("limits.credit", credit, NULL, 1, 4096, "256", "jobs at one worker, whatever it offers"),
    NUMBER("limits.enrol_credit", enrol_credit, NULL, 1, 4096, "2",
           "enrolments at one worker: a frame waits behind no more of them"),
    NUMBER("limits.deliveries", deliveries, NULL, 1, 16, "3", "deliveries of one job before error worker_lost"),
    NUMBER("time.heartbeat_ms", heartbeat_ms, "ms", 10, 60000, "1000", "sign of life; three silent ones are death"),
    NUMBER("time.max_age_ms", max_age_ms, "ms", 100, 600000, "10000", "of a frame, from its capture"),
    NUMBER("time.max_budget_ms", max_budget_ms, "ms", 100, 600000, "120000", "longer budgets are cut to this"),
    NUMBER("time.grace_ms", grace_ms, "ms", 0, 60000, "500", "beyond its budget, for the worker's own answer"),
    NUMBER("time.stuck_ms", stuck_ms, "ms", 0, 600000, "30000", "how long a job given up costs its worker credit"),
    NUMBER("time.drain_ms", drain_ms, "ms", 0, 600000, "10000", "to finish jobs in hand after SIGTERM"),
    NUMBER("time.peers_ms", peers_ms, "ms", 10, 60000, "500", "between looks at the peer table"),
    {"log.level", SP_OPTION_CHOICE, AT(log_level), NULL, 0, 0, "debug|info|warn|error", "info",
     "lines below are dropped"},
    {"log.json", SP_OPTION_BOOL, AT(log_json), NULL, 0, 0, NULL, "no", "one JSON object per line"},
    TEXT("metrics.address", metrics_address, "",
         "HTTP /metrics, /livez and /readyz, e.g. 127.0.0.1:9464; empty: off"),
    TEXT("ready_file", ready_file, "", "made when the broker is up, removed when it ends; empty: none"),
    {NULL},
};

static uint64_t ns(int64_t ms)
{
    return (uint64_t)ms * 1000000u;
}

void broker_config_limits(struct broker_limits *ret, const struct broker_config *config)
{
    *ret = (struct broker_limits){
        .max_clients = (int)config->clients,
        .max_workers = (int)config->workers,
        .max_jobs = (int)config->jobs,
        .queue = {(int)config->queue_gate, (int)config->queue_lane, (int)config->queue_enrol,
                  (int)config->queue_bulk},
        .max_held_bytes = (uint64_t)config->held_bytes,
        .max_payload = (uint64_t)config->payload_bytes,
        .window = (uint32_t)config->window,
        .key_sessions = (uint32_t)config->key_sessions,
        .client_jobs = (uint32_t)config->client_jobs,
        .max_credit = (uint32_t)config->credit,
        .patient_credit = (uint32_t)config->enrol_credit,
        .max_deliveries = (uint32_t)config->deliveries,
        .max_budget_ns = ns(config->max_budget_ms),
        .max_age_ns = ns(config->max_age_ms),
        .heartbeat_ns = ns(config->heartbeat_ms),
        .client_lease_ns = ns(3 * config->heartbeat_ms),
        .lease_ns = ns(3 * config->heartbeat_ms),
        .grace_ns = ns(config->grace_ms),
        .stuck_ns = ns(config->stuck_ms),
    };
}
