/* The analysing stage alone: jobs that came too late are answered, and teach the batcher nothing about costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "workers/pipeline_part.h"

enum { JOBS = 3 };

static bool ready(void *context)
{
    (void)context;
    return true;
}

static struct sp_queue *queue_new(void)
{
    struct sp_queue *queue = NULL;
    assert_int_equal(sp_queue_new(&queue, &(struct sp_queue_config){.capacity = JOBS}, NULL), SP_OK);
    return queue;
}

static void test_late_frames_cost_nothing(void **state)
{
    struct sp_pipeline *pipeline = calloc(1, sizeof *pipeline);
    struct sp_job *jobs = calloc(JOBS, sizeof *jobs);
    struct sp_engine_config config = {.backend = SP_BACKEND_REF};
    (void)state;
    assert_true(pipeline && jobs);
    struct sp_pipeline_config *given = &pipeline->config;
    struct stage *stage = &pipeline->stages[STAGE_ANALYSE][0];
    struct sp_queue *queue = queue_new();
    assert_int_equal(sp_engine_open(&given->engine, &config, NULL), SP_OK);
    assert_int_equal(sp_meter_new(&given->meter, "", ready, NULL, NULL), SP_OK);
    given->results = queue_new();
    given->max_batch = 8;
    stage->pipeline = pipeline;
    pipeline->queues[STAGE_ANALYSE] = queue;
    for (int i = 0; i < JOBS; i++) {
        jobs[i].kind = SP_MSG_FRAME;
        jobs[i].deadline_ns = 1;
        assert_true(sp_queue_push(queue, &jobs[i]));
    }
    sp_queue_close(queue);
    sp_stage_analyse(stage);
    assert_int_equal(sp_queue_count(given->results), JOBS);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(jobs[i].answer, SP_ANSWER_EXPIRED);
    assert_true(stage->batcher.ended_ns > 0); /* it was a batch, */
    for (int i = 0; i < SP_BATCHER_SIZES; i++)
        assert_int_equal(stage->batcher.cost_ns[i], 0); /* of no frame */
    sp_queue_free(&queue);
    sp_queue_free(&given->results);
    sp_meter_free(&given->meter);
    sp_engine_free(&given->engine);
    free(jobs);
    free(pipeline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_late_frames_cost_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
