/* What streams order, for test_races.cpp: C, as gpu/cuda_device.h is. */
#include <stdlib.h>
#include "gpu/cuda_device.h"
#include "tests/ops/emulate/plain_device.h"

void two_streams(bool right);
void host_and_stream(bool right);

struct world {
    struct sp_cuda *cuda;
    struct sp_cuda_stream *streams[2];
    struct sp_cuda_event *event;
    void *device;
    char host[2][64];
};

static void open_world(struct world *world)
{
    struct sp_err err;
    *world = (struct world){0};
    plain_device_new(&world->cuda, &(struct plain_device_config){6, 99 << 10, 1 << 20});
    if (sp_cuda_memory_new(&world->device, world->cuda, 64, &err) ||
        sp_cuda_event_new(&world->event, world->cuda, false, &err) ||
        sp_cuda_stream_new(&world->streams[0], world->cuda, &err) ||
        sp_cuda_stream_new(&world->streams[1], world->cuda, &err))
        abort();
}

static void close_world(struct world *world)
{
    sp_cuda_stream_free(&world->streams[0]);
    sp_cuda_stream_free(&world->streams[1]);
    sp_cuda_event_free(&world->event);
    sp_cuda_memory_free(world->cuda, &world->device);
    sp_cuda_close(&world->cuda);
}

/* One stream writes what another reads: only an event in between orders them. */
void two_streams(bool right)
{
    struct world world;
    struct sp_err err;
    open_world(&world);
    sp_cuda_copy_in(world.streams[0], world.device, world.host[0], 64, &err);
    sp_cuda_event_record(world.event, world.streams[0], &err);
    if (right)
        sp_cuda_event_hold(world.streams[1], world.event, &err);
    sp_cuda_copy_out(world.streams[1], world.host[1], world.device, 64, &err);
    sp_cuda_wait(world.streams[0], &err);
    sp_cuda_wait(world.streams[1], &err);
    close_world(&world);
}

/* The host writes again what a stream has still to read. */
void host_and_stream(bool right)
{
    struct world world;
    struct sp_err err;
    open_world(&world);
    sp_cuda_copy_in(world.streams[0], world.device, world.host[0], 64, &err);
    if (right)
        sp_cuda_wait(world.streams[0], &err);
    world.host[0][7] = 1;
    close_world(&world);
}
