/* The people of the step tests: two capture nodes, a desk and two workers around one broker in virtual time. */
#ifndef SALLYPORT_TESTS_BROKER_SCENE_H
#define SALLYPORT_TESTS_BROKER_SCENE_H

#include "harness.h"

extern struct world w;
extern struct actor cam, cam2, desk, worker, worker2;

int scene_setup(void **state);
int scene_teardown(void **state);
void greet_all(void);

#endif
