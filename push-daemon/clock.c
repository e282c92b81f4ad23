/*
 * clock: see clock.h.
 */
#include "clock.h"

#include <stdlib.h>
#include <time.h>

int64_t clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_jitter(int64_t min, int64_t max)
{
    if (max <= min) {
        return min;
    }
    int64_t span = max - min;

    return min + arc4random_uniform(span < UINT32_MAX ? (uint32_t)span + 1 : UINT32_MAX);
}
