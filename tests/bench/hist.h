/*
 * hist: times by their frequency, to within 1.6 %, in a fixed table: nothing is kept of a single
 * one.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

#define HIST_BITS  6
#define HIST_STEPS (1 << HIST_BITS) /* cells for each power of two */
#define HIST_CELLS ((64 - HIST_BITS + 1) * HIST_STEPS)

struct hist {
    uint64_t cells[HIST_CELLS];
    uint64_t count;
    uint64_t max; /* ns */
};

void hist_clear(struct hist *h);
void hist_add(struct hist *h, uint64_t ns);
/* The time, in ms, that the given share of all do not exceed; 0 when there are none. */
double hist_ms(const struct hist *h, double share);

#endif
