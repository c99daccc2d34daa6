/* How far a long command is, on stderr: a bar on a terminal, a line every two seconds elsewhere. */
#ifndef SALLYPORT_OPS_PROGRESS_H
#define SALLYPORT_OPS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct sp_progress_bar {
    bool terminal;     /* stderr is one */
    bool drawn;        /* a bar stands in the line */
    const char *what;  /* of the last call */
    uint64_t shown_ns; /* monotonic, of the last drawing or line */
};

void sp_progress_start(struct sp_progress_bar *bar);
/* Cheap to call for every step. `what` is a static text. */
void sp_progress_show(struct sp_progress_bar *bar, const char *what, int done, int total);
/* Leave the terminal's line empty. */
void sp_progress_end(struct sp_progress_bar *bar);

#endif
