#include "scene.h"

struct world w;
struct actor cam, cam2, desk, worker, worker2;

int scene_setup(void **state)
{
    (void)state;
    world_begin(&w, NULL);
    cam = actor_make(1, SP_ROLE_CAPTURE, "A1");
    cam2 = actor_make(2, SP_ROLE_CAPTURE, "*");
    desk = actor_make(3, SP_ROLE_OPS, NULL);
    worker = actor_make(11, SP_ROLE_WORKER, NULL);
    worker2 = actor_make(12, SP_ROLE_WORKER, NULL);
    return 0;
}

int scene_teardown(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

void greet_all(void)
{
    say_hello(&w, &cam, "A1");
    say_hello(&w, &cam2, "B2");
    say_hello(&w, &desk, NULL);
    say_ready(&w, &worker, 2);
}
