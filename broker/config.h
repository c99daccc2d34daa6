/* The broker's configuration: one option table, read by common/option.c. */
#ifndef SALLYPORT_BROKER_CONFIG_H
#define SALLYPORT_BROKER_CONFIG_H

#include "broker/broker.h"
#include "common/option.h"

struct broker_config {
    char name[SP_OPTION_TEXT], terminal[SP_OPTION_TEXT], front[SP_OPTION_TEXT], back[SP_OPTION_TEXT];
    int64_t io_threads;
    char curve[SP_OPTION_TEXT], peers[SP_OPTION_TEXT], authority[SP_OPTION_TEXT], fleet_cert[SP_OPTION_TEXT];
    int64_t clients, workers, jobs, queue_gate, queue_lane, queue_enrol, queue_bulk;
    int64_t held_bytes, payload_bytes, window, client_jobs, key_sessions, credit, enrol_credit, deliveries;
    int64_t heartbeat_ms, max_age_ms, max_budget_ms, grace_ms, stuck_ms, drain_ms, peers_ms;
    int log_level;
    bool log_json;
    char metrics_address[SP_OPTION_TEXT], ready_file[SP_OPTION_TEXT];
};

extern const struct sp_option broker_options[];

/* The limits of the pure step. hash_seed is the caller's. */
void broker_config_limits(struct broker_limits *ret_limits, const struct broker_config *config);

#endif
