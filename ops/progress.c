#include "ops/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/clock.h"

#define WIDTH   32
#define BAR_NS  (100 * SP_NS_PER_MS)
#define LINE_NS (2000 * SP_NS_PER_MS)

void sp_progress_start(struct sp_progress_bar *bar)
{
    *bar = (struct sp_progress_bar){.terminal = isatty(STDERR_FILENO) == 1, .shown_ns = sp_clock_mono_ns()};
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
    bar->what = what;
    if (bar->terminal && (fresh || done == total || now - bar->shown_ns >= BAR_NS)) {
        draw(bar, what, done, total);
        bar->shown_ns = now;
    } else if (!bar->terminal && now - bar->shown_ns >= LINE_NS) {
        fprintf(stderr, "%s: %d/%d\n", what, done, total);
        bar->shown_ns = now;
    }
}

void sp_progress_end(struct sp_progress_bar *bar)
{
    if (bar->drawn)
        fprintf(stderr, "\r%*s\r", WIDTH + 48, "");
    bar->drawn = false;
}
