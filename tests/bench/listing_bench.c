/* How fast lists are read: MB/s and travellers/s of a generated list, beside what the machine copies. Rates are by
 * the median of processor time, which others on the machine hardly change; the median of wall time stands beside
 * it.
 *
 * usage: listing_bench [--travellers N] [--rounds N] [FILE]     with a FILE that one is read instead of a generated
 * one
 *
 * A format is a row of `formats`: a maker of its text and a reader. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/file.h"
#include "listing/paxlst.h"
#include "listing/paxlst_write.h"

#define NOW_MS 1795651200000 /* 2026-11-26 */

static double now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* A passenger list as the sample has it, with `count` travellers. The caller frees it. */
static char *make_paxlst(int count, size_t *ret_length)
{
    size_t size = 1024 + (size_t)count * 512, length = 0;
    char *text = malloc(size);
    if (!text)
        return NULL;
    length += (size_t)snprintf(text, size,
                               "UNA:+.? '\nUNB+UNOA:4+EXAMPLEAIR:ZZ+BORDERHUB:ZZ+261204:1500+1++APIS'\n"
                               "UNH+1+PAXLST:D:05B:UN:IATA+ZX0417/261204/1820+01:F'\nBGM+745'\nRFF+TN:T1:::1'\n"
                               "NAD+MS+++EXAMPLE AIR OPS DESK'\nTDT+20+ZX417+++ZX'\nLOC+125+JFK'\n"
                               "DTM+189:2612041820:201'\nLOC+87+LIS'\nDTM+232:2612050610:201'\n");
    for (int i = 0; i < count; i++)
        length += (size_t)snprintf(
            text + length, size - length,
            "NAD+FL+++%sSAMPLE%05d:TEST:N'\nATT+2++%s'\nDTM+329:%02d%02d%02d'\nGEI+4+173'\nLOC+22+JFK'\nLOC+178+"
            "JFK'\n"
            "LOC+179+LIS'\nLOC+174+UTO'\nNAT+2+UTO'\nRFF+AVF:Q%05d'\nRFF+ABO:ZX417-%05d'\nRFF+SEA:%dC'\n"
            "DOC+P:110:111+X%08d'\nDTM+36:310630'\nLOC+91+UTO'\n",
            i % 20 ? "" : "O?'", i, i % 2 ? "F" : "M", 50 + i % 50, 1 + i % 12, 1 + i % 28, i / 3, i, i % 60 + 1,
            i);
    length +=
        (size_t)snprintf(text + length, size - length, "CNT+42:%d'\nUNT+%d+1'\nUNZ+1+1'\n", count, 11 + 15 * count);
    *ret_length = length;
    return text;
}

/* Travellers, -1: it is not read. */
static int read_paxlst(const char *text, size_t length)
{
    const struct sp_paxlst_options options = {.now_ms = NOW_MS};
    struct sp_listing **listings = NULL;
    struct sp_err err = {0};
    int count = 0, travellers = 0;
    if (sp_paxlst_parse(&listings, &count, "bench.edi", text, length, &options, &err) != SP_OK) {
        fprintf(stderr, "listing_bench: %s\n", err.text);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        travellers += listings[i]->traveller_count;
        if (listings[i]->deviation_count > 0)
            fprintf(stderr, "listing_bench: %d deviations, the first: %s\n", listings[i]->deviation_count,
                    listings[i]->deviations[0].text);
    }
    sp_paxlst_free(&listings, count);
    return travellers;
}

static int copy(const char *text, size_t length)
{
    static char *place;
    static size_t size;
    if (size < length) {
        free(place);
        place = malloc(length);
        size = place ? length : 0;
    }
    if (!place)
        return -1;
    memcpy(place, text, length);
    __asm__ volatile("" : : "r"(place) : "memory"); /* whatever an optimizer thinks of a copy that nobody reads */
    return 0;
}

static const struct format {
    const char *name;
    char *(*make)(int travellers, size_t *ret_length);
    int (*read)(const char *text, size_t length);
} formats[] = {
    {"paxlst", make_paxlst, read_paxlst},
};

static int measure(const char *name, int (*read)(const char *text, size_t length), const char *text, size_t length,
                   int rounds)
{
    double *wall = calloc((size_t)rounds, sizeof *wall), *cpu = calloc((size_t)rounds, sizeof *cpu);
    int travellers = wall && cpu ? 0 : -1;
    for (int i = -2; i < rounds && travellers >= 0; i++) { /* two to warm up */
        double wall_start = now_ms(CLOCK_MONOTONIC), cpu_start = now_ms(CLOCK_THREAD_CPUTIME_ID);
        travellers = read(text, length);
        if (i >= 0) {
            cpu[i] = now_ms(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
            wall[i] = now_ms(CLOCK_MONOTONIC) - wall_start;
        }
    }
    if (travellers >= 0) {
        qsort(wall, (size_t)rounds, sizeof *wall, ascending);
        qsort(cpu, (size_t)rounds, sizeof *cpu, ascending);
        double median = cpu[rounds / 2];
        printf("%-8s %8.2f MB  cpu min %8.3f  median %8.3f ms  (wall %8.3f)  %9.1f MB/s", name,
               (double)length / 1e6, cpu[0], median, wall[rounds / 2], (double)length / 1e3 / median);
        if (travellers > 0)
            printf("  %9.0f travellers/s", travellers / median * 1e3);
        printf("\n");
    }
    free(wall);
    free(cpu);
    return travellers < 0;
}

int main(int argc, char **argv)
{
    int travellers = 5000, rounds = 51, failed = 0;
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--travellers") == 0 && i + 1 < argc)
            travellers = (int)strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            rounds = (int)strtol(argv[++i], NULL, 10);
        else
            path = argv[i];
    }
    if (travellers < 1 || travellers > SP_LISTING_MAX_TRAVELLERS || rounds < 1 || rounds > 100000) {
        fprintf(stderr, "usage: listing_bench [--travellers 1..%d] [--rounds N] [FILE]\n",
                SP_LISTING_MAX_TRAVELLERS);
        return 2;
    }
    for (size_t i = 0; i < sizeof formats / sizeof formats[0] && !failed; i++) {
        char *text = NULL;
        size_t length = 0;
        struct sp_err err = {0};
        if (!path)
            text = formats[i].make(travellers, &length);
        else if (sp_file_read((uint8_t **)&text, &length, path, SP_LISTING_MAX_BYTES, &err) != SP_OK)
            fprintf(stderr, "listing_bench: %s\n", err.text);
        failed = !text || measure(formats[i].name, formats[i].read, text, length, rounds) ||
                 measure("memcpy", copy, text, length, rounds);
        free(text);
    }
    return failed;
}
