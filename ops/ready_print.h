/* How `sallyport manifest ready` shows what it found: a board of one journey, a line of a table, JSON. */
#ifndef SALLYPORT_OPS_READY_PRINT_H
#define SALLYPORT_OPS_READY_PRINT_H

#include "ops/ready_gather.h"

void sp_ready_print_board(const struct sp_ready_gather *gather, const struct sp_ready_found *found, bool names);
void sp_ready_print_head(void);
void sp_ready_print_line(const struct sp_ready_found *found);
/* One line. */
void sp_ready_print_json(const struct sp_ready_gather *gather, const struct sp_ready_found *found, bool names);

#endif
