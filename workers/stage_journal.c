/* Journal: one thread writes what was judged; nothing leaves before the ledger has it. */
#include <poll.h>

#include "common/clock.h"
#include "workers/journal.h"
#include "workers/pipeline_part.h"

enum { BATCH = 32, FAST_US = 1000 };

static void done(void *context, struct sp_job *job)
{
    sp_pipeline_finish(context, job);
}

static void say_state(struct sp_pipeline *pipeline, const struct sp_journal *journal, bool *away, bool *alarmed,
                      const struct sp_ledger *ledger)
{
    bool now_away = sp_journal_pause_us(journal) > 0;
    if (now_away && !*away) {
        sp_meter_ledger_away(pipeline->config.meter);
        sp_pipeline_note(pipeline, SP_LOG_WARN, "WRK-LEDGER-AWAY", "the ledger at %s does not answer",
                         pipeline->config.durable.address);
    } else if (!now_away && *away) {
        sp_pipeline_note(pipeline, SP_LOG_INFO, "WRK-LEDGER-BACK", "the ledger answers again");
    }
    *away = now_away;
    bool long_stream = sp_ledger_longest(ledger) >= pipeline->config.ledger.alarm_length;
    if (long_stream && !*alarmed)
        sp_pipeline_note(pipeline, SP_LOG_WARN, "WRK-STREAM-LONG",
                         "a decision stream holds %llu entries: is the recorder running?",
                         (unsigned long long)sp_ledger_longest(ledger));
    *alarmed = long_stream;
}

void *sp_stage_journal(void *argument)
{
    struct stage *stage = argument;
    struct sp_pipeline *pipeline = stage->pipeline;
    struct sp_journal *journal = NULL;
    struct sp_journal_config config = {.ledger = stage->ledger,
                                       .signer = pipeline->config.signer,
                                       .capacity = pipeline->config.capacity,
                                       .done = done,
                                       .context = pipeline};
    struct sp_err err = {0};
    void *jobs[BATCH];
    bool away = false, alarmed = false;
    int waiting = 0;
    if (sp_journal_new(&journal, &config, &err) != SP_OK) {
        sp_pipeline_note(pipeline, SP_LOG_ERROR, "WRK-JOURNAL", "%s", err.text);
        sp_stage_begin(stage); /* never ends: the worker stops beating */
        return NULL;
    }
    for (;;) {
        int64_t pause_us = sp_journal_pause_us(journal) ? sp_journal_pause_us(journal) : FAST_US;
        int count = sp_queue_take(pipeline->queues[STAGE_JOURNAL], jobs, BATCH, waiting ? pause_us : -1, NULL);
        if (count < 0 && !waiting)
            break;
        if (count < 0) /* closing: the held jobs' budgets end it */
            poll(NULL, 0, (int)(pause_us / 1000));
        for (int i = 0; i < count; i++)
            sp_journal_add(journal, jobs[i]);
        sp_stage_begin(stage);
        uint64_t from_ns = sp_clock_mono_ns();
        waiting = sp_journal_run(journal);
        sp_meter_ledger(pipeline->config.meter, (double)(sp_clock_mono_ns() - from_ns) * 1e-9);
        say_state(pipeline, journal, &away, &alarmed, stage->ledger);
        sp_stage_end(stage);
    }
    sp_journal_free(&journal);
    return NULL;
}
