/* What a desk is told: which lanes are spoken for and which workers are there, sorted, a page at a time. Pure. */
#ifndef SALLYPORT_BROKER_TOLD_H
#define SALLYPORT_BROKER_TOLD_H

#include "broker/state.h"

/* The first rows behind `after` ("": from the first). false: nothing of the name `what` can be told. */
bool told_page(struct broker_page *ret_page, const struct broker *broker, const char *what, const char *after);

#endif
