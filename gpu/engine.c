/* Backends: which one an engine runs on, and why. */
#include "gpu/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include "gpu/backend.h"

struct sp_engine {
    const struct sp_backend_ops *backend;
    void *state; /* the backend's */
    char text[160];
    char fallback[320];
};

enum sp_status sp_engine_open(struct sp_engine **ret_engine, const struct sp_engine_config *config,
                              struct sp_err *err)
{
    static const char no_cuda[] = "cuda: this build has no CUDA backend";
    struct sp_engine_config wanted = *config;
    if (wanted.threads <= 0)
        wanted.threads = 1;
    if (wanted.backend == SP_BACKEND_CUDA)
        return sp_fail(err, SP_E_UNSUPPORTED, "%s; use backend cpu or auto", no_cuda);
    struct sp_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return sp_fail(err, SP_E_NOMEM, "no memory for an engine");
    if (wanted.backend == SP_BACKEND_AUTO)
        snprintf(engine->fallback, sizeof engine->fallback, "%s", no_cuda);
    engine->backend = wanted.backend == SP_BACKEND_REF ? &sp_backend_ref : &sp_backend_cpu;
    enum sp_status status = engine->backend->open(&engine->state, &wanted, engine->text, sizeof engine->text, err);
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

const struct sp_backend_ops *sp_engine_backend(const struct sp_engine *engine)
{
    return engine->backend;
}

void *sp_engine_state(const struct sp_engine *engine)
{
    return engine->state;
}
