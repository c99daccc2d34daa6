#include "workers/job.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

struct sp_job_pool {
    pthread_mutex_t lock;
    int count, out;
    struct sp_job **idle; /* count - out of them */
    struct sp_job *jobs;
    struct sp_faces *faces;
};

enum sp_status sp_job_pool_new(struct sp_job_pool **ret_pool, int count, struct sp_err *err)
{
    struct sp_job_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return sp_fail(err, SP_E_NOMEM, "job pool: out of memory");
    pthread_mutex_init(&pool->lock, NULL);
    pool->count = count;
    pool->idle = calloc((size_t)count, sizeof *pool->idle);
    pool->jobs = calloc((size_t)count, sizeof *pool->jobs);
    pool->faces = calloc((size_t)count, sizeof *pool->faces);
    if (!pool->idle || !pool->jobs || !pool->faces) {
        sp_job_pool_free(&pool);
        return sp_fail(err, SP_E_NOMEM, "job pool: out of memory for %d jobs", count);
    }
    for (int i = 0; i < count; i++) {
        pool->jobs[i].faces = &pool->faces[i];
        pool->idle[i] = &pool->jobs[i];
    }
    *ret_pool = pool;
    return SP_OK;
}

static void wipe(struct sp_job *job)
{
    struct sp_faces *faces = job->faces;
    sp_job_drop_image(job);
    free(job->sealed);
    sp_seal_wipe(faces, sizeof *faces);
    sp_seal_wipe(job, sizeof *job);
    job->faces = faces;
}

void sp_job_pool_free(struct sp_job_pool **pool)
{
    if (!pool || !*pool)
        return;
    for (int i = 0; (*pool)->jobs && (*pool)->faces && i < (*pool)->count; i++)
        if ((*pool)->jobs[i].faces)
            wipe(&(*pool)->jobs[i]);
    free((*pool)->idle);
    free((*pool)->jobs);
    free((*pool)->faces);
    pthread_mutex_destroy(&(*pool)->lock);
    free(*pool);
    *pool = NULL;
}

struct sp_job *sp_job_take(struct sp_job_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct sp_job *job = pool->out < pool->count ? pool->idle[pool->count - ++pool->out] : NULL;
    pthread_mutex_unlock(&pool->lock);
    return job;
}

void sp_job_give(struct sp_job_pool *pool, struct sp_job *job)
{
    wipe(job);
    pthread_mutex_lock(&pool->lock);
    pool->idle[pool->count - pool->out--] = job;
    pthread_mutex_unlock(&pool->lock);
}

int sp_job_pool_out(struct sp_job_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    int out = pool->out;
    pthread_mutex_unlock(&pool->lock);
    return out;
}

enum sp_status sp_job_fill(struct sp_job *job, const void *head, size_t head_length, const void *payload,
                           size_t payload_length, struct sp_err *err)
{
    if (head_length > sizeof job->head)
        return sp_fail(err, SP_E_LIMIT, "job: a header of %zu bytes is over the limit of %zu", head_length,
                       sizeof job->head);
    if (!(job->payload = malloc(payload_length ? payload_length : 1)))
        return sp_fail(err, SP_E_NOMEM, "job: out of memory for a payload of %zu bytes", payload_length);
    memcpy(job->head, head, head_length);
    job->head_length = head_length;
    if (payload_length)
        memcpy(job->payload, payload, payload_length);
    job->payload_length = payload_length;
    return SP_OK;
}

void sp_job_drop_image(struct sp_job *job)
{
    if (job->plain)
        sp_seal_wipe(job->plain, job->plain_length);
    free(job->plain);
    free(job->payload);
    sp_image_free(&job->image);
    job->plain = job->payload = NULL;
    job->plain_length = job->payload_length = job->encoded_length = 0;
    job->encoded = NULL;
}

bool sp_job_before(const void *a, const void *b)
{
    const struct sp_job *left = a, *right = b;
    if (left->header.job_class != right->header.job_class)
        return left->header.job_class < right->header.job_class;
    return left->deadline_ns < right->deadline_ns;
}

bool sp_job_expired(const struct sp_job *job, uint64_t now_ns)
{
    return now_ns >= job->deadline_ns;
}

uint64_t sp_job_give_up_ns(const struct sp_job *job)
{
    uint64_t spare = (job->deadline_ns - job->arrived_ns) / 5;
    return job->deadline_ns - (spare < 100 * SP_NS_PER_MS ? spare : 100 * SP_NS_PER_MS);
}
