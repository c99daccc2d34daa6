#include "workers/settings.h"

#define AT(field) offsetof(struct sp_worker_settings, field)
#define TEXT(name, field, fallback, help)                                                                          \
    {                                                                                                              \
        name, SP_OPTION_TEXT_FIELD, AT(field), NULL, 0, 0, NULL, fallback, help                                    \
    }
#define NUMBER(name, field, unit, min, max, fallback, help)                                                        \
    {                                                                                                              \
        name, SP_OPTION_INT, AT(field), unit, min, max, NULL, fallback, help                                       \
    }
#define REAL(name, field, unit, min, max, fallback, help)                                                          \
    {                                                                                                              \
        name, SP_OPTION_DOUBLE, AT(field), unit, min, max, NULL, fallback, help                                    \
    }
#define CHOICE(name, field, choices, fallback, help)                                                               \
    {                                                                                                              \
        name, SP_OPTION_CHOICE, AT(field), NULL, 0, 0, choices, fallback, help                                     \
    }

static const struct sp_option table[] = {
    TEXT("worker.name", name, "worker-1", "this worker's name, as in its certificate"),
    TEXT("brokers", brokers, "tcp://127.0.0.1:7701", "back addresses of the brokers, with commas between them"),
    TEXT("broker.key", broker_key, NULL,
         "public CURVE key file of the brokers: one for all, or one each with commas"),
    TEXT("keys.curve", key_curve, NULL, "this worker's secret CURVE key file"),
    TEXT("keys.fleet", key_fleet, NULL, "the fleet's secret box key file: opens frames and galleries"),
    TEXT("keys.sign", key_sign, NULL, "this worker's secret signing key file"),
    TEXT("keys.cert", key_cert, NULL, "the certificate of that signing key"),
    TEXT("keys.recorder", key_recorder, NULL, "the recorder's public box key file: decisions are sealed to it"),
    TEXT("pack.directory", pack, NULL, "the model pack's directory"),
    CHOICE("engine.backend", backend, "auto|cpu|ref|cuda", "auto",
           "compute backend; auto: the best that works here"),
    NUMBER("engine.device", device, NULL, 0, 63, "0", "cuda: device number"),
    NUMBER("engine.threads", engine_threads, NULL, 1, 256, "1", "cpu: compute threads of one net"),
    CHOICE("engine.wgmma", wgmma, "off|on", "off",
           "cuda: may Hopper's own matrix products be chosen (compute capability 9.0)"),
    TEXT("engine.cache_dir", cache_dir, "",
         "cuda: folder where measured choices of kernels are kept; empty: measured at every start"),
    NUMBER("pipeline.decode_threads", decode_threads, NULL, 1, 64, "1", "threads that decode images"),
    NUMBER("pipeline.analyse_threads", analyse_threads, NULL, 1, 64, "1",
           "threads that run the nets, each with nets of its own"),
    NUMBER("pipeline.max_batch", max_batch, NULL, 1, 64, "8", "frames analysed together"),
    NUMBER("pipeline.batch_delay_us", batch_delay_us, "us", 0, 100000, "500",
           "longest wait of a batch for frames that are being decoded, under load"),
    NUMBER("pipeline.credit", credit, NULL, 1, 256, "16", "jobs held at once, per broker"),
    NUMBER("pipeline.stuck_ms", stuck_ms, "ms", 100, 600000, "10000",
           "a stage busy with one batch for longer is stuck: no more beats"),
    NUMBER("pipeline.sessions", sessions, NULL, 1, 65536, "4096", "session keys remembered"),
    NUMBER("pipeline.want_budget_ms", want_budget_ms, "ms", 100, 600000, "60000",
           "budget of the re-enrolments this worker asks for"),
    TEXT("durable.address", durable_address, "tcp://127.0.0.1:6379",
         "the durable Redis (ledger, manifests): unix:/path or tcp://host:port"),
    TEXT("durable.user", durable_user, "worker", "its ACL user"),
    TEXT("durable.password_file", durable_password, "", "file with that user's password; empty: none"),
    NUMBER("durable.timeout_ms", durable_timeout_ms, "ms", 10, 60000, "500", "to connect, and per command"),
    TEXT("galleries.address", galleries_address, "tcp://127.0.0.1:6380",
         "the Redis with the templates: unix:/path or tcp://host:port"),
    TEXT("galleries.user", galleries_user, "worker", "its ACL user"),
    TEXT("galleries.password_file", galleries_password, "", "file with that user's password; empty: none"),
    NUMBER("galleries.timeout_ms", galleries_timeout_ms, "ms", 10, 60000, "500", "to connect, and per command"),
    NUMBER("galleries.retry_ms", galleries_retry_ms, "ms", 10, 600000, "1000",
           "a gallery that failed to load or is incomplete is not loaded again for that long"),
    NUMBER("galleries.max_hot", max_hot, NULL, 1, 65536, "256", "manifests in memory"),
    NUMBER("galleries.max_hot_mib", max_hot_mib, "MiB", 1, 1048576, "1024", "memory for them"),
    NUMBER("ledger.partitions", partitions, NULL, 1, 64, "8", "the same in every process of a site"),
    NUMBER("ledger.final_ttl_ms", final_ttl_ms, "ms", 1000, 86400000, "600000",
           "how long finals are kept; at least twice the brokers' time.max_age_ms"),
    NUMBER("ledger.abandon_after_ms", abandon_after_ms, "ms", 100, 86400000, "30000",
           "an open encounter is abandoned so long after its last message"),
    NUMBER("ledger.alarm_length", alarm_length, NULL, 1, 1e12, "500000",
           "decision stream entries that raise an alarm"),
    NUMBER("ledger.replicas", replicas, NULL, 0, 16, "0", "replicas that must have a decision before it is said"),
    NUMBER("ledger.replica_wait_ms", replica_wait_ms, "ms", 1, 60000, "200", "how long to wait for them"),
    NUMBER("image.min_side_px", image_min_side, "px", 16, 8192, "16", "smallest width and height"),
    NUMBER("image.max_side_px", image_max_side, "px", 16, 16384, "8192", "largest width and height"),
    NUMBER("image.max_pixels", image_max_pixels, "px", 256, 268435456, "40000000", "most pixels"),
    NUMBER("image.max_bytes", image_max_bytes, "bytes", 64, 16777216, "16777216", "largest encoded image"),
    REAL("quality.min_enrol_eye_px", min_enrol_eye_px, "px", 0, 1000, "24",
         "inter-eye distance below which a portrait is too_far"),
    REAL("quality.min_probe_eye_px", min_probe_eye_px, "px", 0, 1000, "20",
         "inter-eye distance below which a frame is too_far"),
    NUMBER("quality.min_sharpness", min_sharpness, NULL, 0, 100, "10", "below: blurred"),
    NUMBER("quality.min_exposure", min_exposure, NULL, 0, 100, "10", "below: too_dark or too_bright"),
    NUMBER("quality.min_pose", min_pose, NULL, 0, 100, "10", "below: turned"),
    TEXT("metrics.address", metrics_address, "",
         "HTTP /metrics, /livez and /readyz, e.g. 127.0.0.1:9465; empty: off"),
    TEXT("ready_file", ready_file, "", "made when the worker is up, removed when it ends; empty: none"),
    CHOICE("log.level", log_level, "debug|info|warn|error", "info", "lines below are dropped"),
    {"log.json", SP_OPTION_BOOL, AT(log_json), NULL, 0, 0, NULL, "no", "one JSON object per line"},
    {0},
};

const struct sp_option *sp_worker_options(void)
{
    return table;
}
