/* Settings: what a worker is told, by one option table. */
#ifndef SALLYPORT_WORKERS_SETTINGS_H
#define SALLYPORT_WORKERS_SETTINGS_H

#include "common/option.h"

struct sp_worker_settings {
    char name[SP_OPTION_TEXT];
    char brokers[SP_OPTION_TEXT], broker_key[SP_OPTION_TEXT];
    char key_curve[SP_OPTION_TEXT], key_fleet[SP_OPTION_TEXT], key_sign[SP_OPTION_TEXT], key_cert[SP_OPTION_TEXT],
        key_recorder[SP_OPTION_TEXT];
    char pack[SP_OPTION_TEXT];
    int backend; /* enum sp_backend */
    int wgmma;   /* 1: on */
    int64_t device, engine_threads;
    char cache_dir[SP_OPTION_TEXT];
    int64_t decode_threads, analyse_threads, max_batch, batch_delay_us, credit, stuck_ms, sessions, want_budget_ms;
    char durable_address[SP_OPTION_TEXT], durable_user[SP_OPTION_TEXT], durable_password[SP_OPTION_TEXT];
    int64_t durable_timeout_ms;
    char galleries_address[SP_OPTION_TEXT], galleries_user[SP_OPTION_TEXT], galleries_password[SP_OPTION_TEXT];
    int64_t galleries_timeout_ms, galleries_retry_ms, max_hot, max_hot_mib;
    int64_t partitions, final_ttl_ms, abandon_after_ms, alarm_length, replicas, replica_wait_ms;
    int64_t image_min_side, image_max_side, image_max_pixels, image_max_bytes;
    double min_enrol_eye_px, min_probe_eye_px;
    int64_t min_sharpness, min_exposure, min_pose;
    char metrics_address[SP_OPTION_TEXT], ready_file[SP_OPTION_TEXT];
    int log_level; /* enum sp_log_level */
    bool log_json;
};

/* The table; ends with name == NULL. Static storage. */
const struct sp_option *sp_worker_options(void);

#endif
