/*
 * clock: the time that deadlines are counted in, and the chance that spreads them.
 */
#ifndef PUSH_CLOCK_H
#define PUSH_CLOCK_H

#include <stdint.h>

/* Milliseconds of a clock that only runs forward and is not set. */
int64_t clock_ms(void);

/* The same, finer: for how long something took. */
int64_t clock_us(void);

/* A random number from min to max, both included; min when max is not above it. */
int64_t clock_jitter(int64_t min, int64_t max);

#endif
