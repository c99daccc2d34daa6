/* Backends: which one an engine runs on, and why. */
#include "gpu/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gpu/backend.h"
#include "gpu/cuda.h"

struct sp_engine {
    const struct sp_backend_ops *backend;
    void *state; /* the backend's */
    char text[160];
    char fallback[320];
};

/* The table of a wanted backend, opened. */
static enum sp_status take(struct sp_engine *engine, const struct sp_backend_ops *backend,
                           const struct sp_engine_config *config, struct sp_err *err)
{
    engine->backend = backend;
    return backend->open(&engine->state, config, engine->text, sizeof engine->text, err);
}

static enum sp_status take_cuda(struct sp_engine *engine, const struct sp_engine_config *config, struct sp_err *err)
{
    const struct sp_backend_ops *backend = NULL;
    enum sp_status status = sp_cuda_load(&backend, err);
    return status ? status : take(engine, backend, config, err);
}

static enum sp_status choose(struct sp_engine *engine, const struct sp_engine_config *config, struct sp_err *err)
{
    struct sp_err reason = {0};
    switch (config->backend) {
    case SP_BACKEND_REF:
        return take(engine, &sp_backend_ref, config, err);
    case SP_BACKEND_CPU:
        return take(engine, &sp_backend_cpu, config, err);
    case SP_BACKEND_CUDA:
        return take_cuda(engine, config, err);
    default:
        break;
    }
    if (take_cuda(engine, config, &reason) == SP_OK)
        return SP_OK;
    snprintf(engine->fallback, sizeof engine->fallback, "%.*s", (int)sizeof engine->fallback - 1, reason.text);
    return take(engine, &sp_backend_cpu, config, err);
}

enum sp_status sp_engine_open(struct sp_engine **ret_engine, const struct sp_engine_config *config,
                              struct sp_err *err)
{
    struct sp_engine_config wanted = *config;
    if (wanted.threads <= 0)
        wanted.threads = 1;
    struct sp_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return sp_fail(err, SP_E_NOMEM, "no memory for an engine");
    enum sp_status status = choose(engine, &wanted, err);
    if (status)
        free(engine);
    else
        *ret_engine = engine;
    return status;
}

void sp_engine_free(struct sp_engine **engine)
{
    if (!*engine)
        return;
    (*engine)->backend->close((*engine)->state);
    free(*engine);
    *engine = NULL;
}

const char *sp_engine_describe(const struct sp_engine *engine)
{
    return engine->text;
}

const char *sp_engine_fallback_reason(const struct sp_engine *engine)
{
    return engine->fallback;
}

void sp_engine_note(const struct sp_engine *engine, char *ret_text, size_t size)
{
    if (engine->backend->note)
        engine->backend->note(engine->state, ret_text, size);
    else if (size)
        ret_text[0] = '\0';
}

const char *sp_engine_work_word(int work)
{
    static const char *const words[SP_WORK_COUNT] = {"find", "run", "cut", "match"};
    return work >= 0 && work < SP_WORK_COUNT ? words[work] : "?";
}

void sp_engine_spent(const struct sp_engine *engine, uint64_t ret_us[SP_WORK_COUNT])
{
    memset(ret_us, 0, SP_WORK_COUNT * sizeof *ret_us);
    if (engine->backend->spent)
        engine->backend->spent(engine->state, ret_us);
}

const struct sp_backend_ops *sp_engine_backend(const struct sp_engine *engine)
{
    return engine->backend;
}

void *sp_engine_state(const struct sp_engine *engine)
{
    return engine->state;
}
