/*
 * hist: see hist.h.
 */
#include "hist.h"

#include <string.h>

#define NS_PER_MS 1e6

void hist_clear(struct hist *h)
{
    memset(h, 0, sizeof *h);
}

/* Up to 2 × HIST_STEPS each value has a cell; above, each power of two has HIST_STEPS of them. */
static unsigned cell_of(uint64_t ns)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(ns | 1);
    unsigned shift = bits > HIST_BITS + 1 ? bits - HIST_BITS - 1 : 0;

    return shift * HIST_STEPS + (unsigned)(ns >> shift);
}

static double middle_of(unsigned cell)
{
    unsigned shift = cell < 2 * HIST_STEPS ? 0 : cell / HIST_STEPS - 1;

    return ((double)(cell - shift * HIST_STEPS) + 0.5) * (double)((uint64_t)1 << shift);
}

void hist_add(struct hist *h, uint64_t ns)
{
    h->cells[cell_of(ns)]++;
    h->count++;
    if (ns > h->max) {
        h->max = ns;
    }
}

double hist_ms(const struct hist *h, double share)
{
    uint64_t below = 0, wanted = (uint64_t)((double)h->count * share);

    if (wanted >= h->count) {
        return (double)h->max / NS_PER_MS;
    }
    for (unsigned i = 0; i < HIST_CELLS; i++) {
        below += h->cells[i];
        if (below > wanted) {
            return middle_of(i) / NS_PER_MS;
        }
    }
    return 0;
}
