#include "capture/run.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/file.h"

#define POLL_MAX_MS 100 /* keeps the session's heartbeat and looks at stop_fd */

/* An encounter in flight and the camera that feeds it. */
struct active {
    struct sp_encounter *encounter;
    char *const *paths;
    size_t count, next; /* images in all; the next one to offer */
    uint64_t due_ns;    /* not before this (rate) */
};

struct sp_run {
    struct sp_run_config config;
    const struct sp_source *source;
    struct sp_report *report;
    struct sp_client *client;
    struct active active[SP_RUN_CONCURRENCY_MAX]; /* in the order of their start */
    int active_count;
    size_t camera, image; /* what starts next */
    int round;
    bool stopping;
    uint64_t next_start_ns;
    size_t unreadable;
    struct sp_err trouble;
};

enum sp_status sp_run_new(struct sp_run **ret_run, const struct sp_run_config *config,
                          const struct sp_source *source, struct sp_report *report, struct sp_err *err)
{
    if (config->concurrency < 1 || config->concurrency > SP_RUN_CONCURRENCY_MAX)
        return sp_fail(err, SP_E_INVALID, "%d encounters in flight: 1 to %d", config->concurrency,
                       SP_RUN_CONCURRENCY_MAX);
    struct sp_run *run = calloc(1, sizeof *run);
    if (!run)
        return sp_fail(err, SP_E_NOMEM, "no memory for a run");
    run->config = *config;
    run->source = source;
    run->report = report;
    *ret_run = run;
    return SP_OK;
}

void sp_run_free(struct sp_run **run)
{
    if (!run || !*run)
        return;
    for (int i = 0; i < (*run)->active_count; i++)
        sp_encounter_free(&(*run)->active[i].encounter);
    free(*run);
    *run = NULL;
}

void sp_run_on_answer(void *run, const struct sp_client_answer *answer)
{
    struct sp_run *r = run;
    for (int i = 0; i < r->active_count; i++)
        if (sp_encounter_answer(r->active[i].encounter, answer))
            return;
}

static void on_line(void *user, const struct sp_encounter_line *line)
{
    struct sp_run *run = user;
    sp_report_line(run->report, line);
}

static bool more_to_start(const struct sp_run *run)
{
    return !run->stopping && run->round < run->config.repeat && run->source->count > 0;
}

/* The images of the next encounter, and past them. */
static void take_next(struct sp_run *run, struct active *a)
{
    const struct sp_source_camera *camera = &run->source->cameras[run->camera];
    a->paths = camera->paths + run->image;
    a->count = run->config.together ? camera->count : 1;
    run->image += a->count;
    if (run->image < camera->count)
        return;
    run->image = 0;
    if (++run->camera < run->source->count)
        return;
    run->camera = 0;
    run->round++;
}

/* Read the next image and offer it; one that cannot be read is left out, and the encounter goes on without it. */
static enum sp_status feed(struct sp_run *run, struct active *a, uint64_t now, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    struct sp_err inner = {0};
    const char *path = a->paths[a->next++];
    bool last = a->next == a->count;
    a->due_ns = run->config.rate > 0 ? now + (uint64_t)(1e9 / run->config.rate) : 0;
    if (sp_file_read(&bytes, &length, path, run->config.image_max, &inner) != SP_OK) {
        if (run->unreadable++ == 0)
            run->trouble = inner;
        return SP_OK;
    }
    struct sp_encounter_frame frame = {
        .image = bytes, .image_length = length, .captured_ms = sp_clock_wall_ms(), .last = last, .tag = path};
    enum sp_status status = sp_encounter_offer(a->encounter, &frame, err);
    free(bytes);
    return status;
}

static enum sp_status start(struct sp_run *run, uint64_t now, struct sp_err *err)
{
    const struct sp_run_config *c = &run->config;
    struct sp_encounter_config config = {.client = run->client,
                                         .lane = c->lane,
                                         .job_class = c->job_class,
                                         .budget_ms = c->budget_ms,
                                         .close_ms = c->close_ms,
                                         .close_reason = c->close_reason,
                                         .on_line = on_line,
                                         .user = run};
    struct active *a = &run->active[run->active_count];
    *a = (struct active){0};
    enum sp_status status = sp_encounter_new(&a->encounter, &config, err);
    if (status != SP_OK)
        return status;
    take_next(run, a);
    run->active_count++;
    run->next_start_ns = now + c->pace_ms * SP_NS_PER_MS;
    return SP_OK;
}

/* Is the window free for the first frame of another encounter? With a rate the camera does not ask. */
static bool room_to_start(const struct sp_run *run)
{
    return run->active_count < run->config.concurrency &&
           (run->active_count == 0 || run->config.rate > 0 ||
            sp_client_waiting(run->client, run->config.lane) < sp_client_window(run->client));
}

static void retire(struct sp_run *run, int i)
{
    struct active *a = &run->active[i];
    sp_report_encounter(run->report, sp_encounter_decided(a->encounter));
    sp_encounter_free(&a->encounter);
    run->active_count--;
    memmove(a, a + 1, (size_t)(run->active_count - i) * sizeof *a);
}

static enum sp_status advance(struct sp_run *run, struct active *a, uint64_t now, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    while (status == SP_OK && a->next < a->count && sp_encounter_is_open(a->encounter) && now >= a->due_ns &&
           (run->config.rate > 0 || sp_encounter_has_room(a->encounter)))
        status = feed(run, a, now, err);
    if (status == SP_OK && a->next == a->count)
        sp_encounter_finish(a->encounter);
    sp_encounter_tick(a->encounter, now);
    return status;
}

/* One round over everything in flight. */
static enum sp_status step(struct sp_run *run, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    uint64_t now = sp_clock_mono_ns();
    for (int i = 0; i < run->active_count && status == SP_OK;) {
        status = advance(run, &run->active[i], now, err);
        if (sp_encounter_over(run->active[i].encounter))
            retire(run, i);
        else
            i++;
    }
    while (status == SP_OK && more_to_start(run) && now >= run->next_start_ns && room_to_start(run)) {
        status = start(run, now, err);
        if (status == SP_OK)
            status = advance(run, &run->active[run->active_count - 1], now, err);
    }
    return status;
}

static int wait_ms(const struct sp_run *run)
{
    uint64_t now = sp_clock_mono_ns(), due = now + POLL_MAX_MS * SP_NS_PER_MS;
    if (more_to_start(run) && run->active_count < run->config.concurrency && run->next_start_ns > now &&
        run->next_start_ns < due)
        due = run->next_start_ns;
    for (int i = 0; i < run->active_count; i++) {
        const struct active *a = &run->active[i];
        uint64_t own = sp_encounter_due(a->encounter);
        if (sp_encounter_over(a->encounter))
            return 0;
        if (a->next < a->count && a->due_ns > 0 && a->due_ns < own)
            own = a->due_ns;
        due = own < due ? own : due;
    }
    return due > now ? (int)((due - now + SP_NS_PER_MS - 1) / SP_NS_PER_MS) : 0;
}

static bool asked_to_stop(const struct sp_run *run)
{
    struct pollfd item = {.fd = run->config.stop_fd, .events = POLLIN};
    return run->config.stop_fd >= 0 && poll(&item, 1, 0) > 0;
}

enum sp_status sp_run_all(struct sp_run *run, struct sp_client *client, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    run->client = client;
    while (status == SP_OK) {
        run->stopping = run->stopping || asked_to_stop(run);
        status = step(run, err);
        if (status != SP_OK || (run->active_count == 0 && !more_to_start(run)))
            break;
        status = sp_client_poll(client, wait_ms(run), err);
    }
    /* The client gave its last answers when it ended; what still stands open is over without a decision. */
    while (run->active_count > 0) {
        sp_encounter_tick(run->active[run->active_count - 1].encounter, UINT64_MAX);
        retire(run, run->active_count - 1);
    }
    return status;
}

size_t sp_run_unreadable(const struct sp_run *run)
{
    return run->unreadable;
}

const char *sp_run_trouble(const struct sp_run *run)
{
    return run->trouble.text;
}
