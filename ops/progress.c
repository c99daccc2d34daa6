#include "ops/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/clock.h"

#define WIDTH    32
#define EVERY_NS (100 * SP_NS_PER_MS)

void sp_progress_start(struct sp_progress_bar *bar)
{
    *bar = (struct sp_progress_bar){.terminal = isatty(STDERR_FILENO) == 1};
}

static void draw(struct sp_progress_bar *bar, const char *what, int done, int total)
{
    char cells[WIDTH + 1];
    int filled = (int)((long long)WIDTH * done / total);
    memset(cells, '#', (size_t)filled);
    memset(cells + filled, '.', (size_t)(WIDTH - filled));
    cells[WIDTH] = 0;
    fprintf(stderr, "\r%-20s [%s] %d/%d ", what, cells, done, total);
    fflush(stderr);
    bar->drawn = true;
}

void sp_progress_show(struct sp_progress_bar *bar, const char *what, int done, int total)
{
    uint64_t now = sp_clock_mono_ns();
    bool fresh = bar->what != what;
    if (total < 1)
        return;
    if (fresh)
        bar->tenth = -1;
    bar->what = what;
    if (bar->terminal) {
        if (fresh || done == total || now - bar->shown_ns >= EVERY_NS) {
            draw(bar, what, done, total);
            bar->shown_ns = now;
        }
        return;
    }
    int tenth = (int)(10ll * done / total);
    if (tenth > bar->tenth && total >= 10 && tenth > 0)
        fprintf(stderr, "%s: %d/%d\n", what, done, total);
    bar->tenth = tenth > bar->tenth ? tenth : bar->tenth;
}

void sp_progress_end(struct sp_progress_bar *bar)
{
    if (bar->drawn)
        fprintf(stderr, "\r%*s\r", WIDTH + 48, "");
    bar->drawn = false;
}
