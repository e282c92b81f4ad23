/*
 * unit: what every cmocka test of Confab includes.
 */
#ifndef CONFAB_TESTS_UNIT_H
#define CONFAB_TESTS_UNIT_H

/* cmocka.h wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
