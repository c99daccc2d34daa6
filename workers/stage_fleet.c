/* Fleet: says what this worker holds, for the desk's boards. Off the jobs' way; a `galleries` that is away is the
 * other stages' to tell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "roster/fleet.h"
#include "workers/pipeline_part.h"

enum { LOOK_MS = 200 };

/* The lists in hand: what is hot now, and what was said last. */
struct saying {
    struct sp_fleet_gallery now[SP_FLEET_MAX_GALLERIES], said[SP_FLEET_MAX_GALLERIES];
    int count, said_count;
    uint64_t said_ns; /* 0: never */
};

static bool changed(const struct saying *s)
{
    return !s->said_ns || s->count != s->said_count ||
           memcmp(s->now, s->said, (size_t)s->count * sizeof s->now[0]) != 0;
}

static void say(struct stage *stage, struct saying *s)
{
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_fleet_report report = {.at_ms = sp_clock_wall_ms(), .gallery_count = s->count, .galleries = s->now};
    snprintf(report.worker, sizeof report.worker, "%s", pipeline->config.name);
    snprintf(report.backend, sizeof report.backend, "%s", sp_engine_describe(pipeline->config.engine));
    memcpy(report.pack, pipeline->config.pack->fingerprint, sizeof report.pack);
    if (sp_fleet_write(stage->galleries, &report, NULL) != SP_OK)
        return;
    memcpy(s->said, s->now, sizeof s->said);
    s->said_count = s->count;
    s->said_ns = sp_clock_mono_ns();
}

void *sp_stage_fleet(void *argument)
{
    struct stage *stage = argument;
    struct sp_pipeline *pipeline = stage->pipeline;
    struct saying *s = calloc(1, sizeof *s);
    if (!s) {
        sp_pipeline_note(pipeline, SP_LOG_ERROR, "WRK-FLEET", "out of memory: boards do not see this worker");
        return NULL;
    }
    do {
        s->count = sp_hot_list(pipeline->config.hot, s->now, SP_FLEET_MAX_GALLERIES);
        if (changed(s) || sp_clock_mono_ns() - s->said_ns >= SP_FLEET_REFRESH_MS * SP_NS_PER_MS)
            say(stage, s);
    } while (sp_pipeline_rest(pipeline, LOOK_MS));
    free(s);
    return NULL;
}
