/* The sweep's thread: a pass now and then, off the jobs' way. */
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "workers/pipeline_part.h"
#include "workers/sweep.h"

enum { SHORTEST_MS = 200, LONGEST_MS = 5000 };

void *sp_stage_sweep(void *argument)
{
    struct stage *stage = argument;
    struct sp_pipeline *pipeline = stage->pipeline;
    char holder[SP_NAME_MAX + 16];
    int64_t pause_ms = pipeline->config.ledger.abandon_after_ms / 4;
    pause_ms = pause_ms < SHORTEST_MS ? SHORTEST_MS : pause_ms > LONGEST_MS ? LONGEST_MS : pause_ms;
    snprintf(holder, sizeof holder, "%.47s/%ld", pipeline->config.name, (long)getpid());
    struct sp_sweep_config config = {.ledger = stage->ledger,
                                     .signer = pipeline->config.signer,
                                     .partitions = pipeline->config.ledger.partitions,
                                     .holder = holder,
                                     .lease_ms = 3 * pause_ms};
    while (sp_pipeline_rest(pipeline, pause_ms)) {
        struct sp_err err = {0};
        int closed = 0;
        enum sp_status status = sp_sweep_pass(&config, sp_clock_wall_ms(), &closed, &err);
        if (status != SP_OK && status != SP_E_UNAVAILABLE)
            sp_pipeline_note(pipeline, SP_LOG_ERROR, "WRK-SWEEP", "%s", err.text);
        if (closed)
            sp_pipeline_note(pipeline, SP_LOG_INFO, "WRK-ABANDONED", "closed %d encounters that nobody ended",
                             closed);
        sp_meter_abandoned(pipeline->config.meter, closed);
    }
    return NULL;
}
