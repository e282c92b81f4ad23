/*
 * cgi: for a test, one request by plain CGI: its variables, its body on stdin, its answer from
 * stdout.
 */
#ifndef CONFAB_TESTS_UNIT_CGI_H
#define CONFAB_TESTS_UNIT_CGI_H

#include "common/str.h"
#include "fcgi-app/gateway.h"

struct cgi {
    struct gateway *gateway; /* owned; has accepted the request */
    int saved_in, saved_out; /* owned */
    char answer[65536];      /* after cgi_end, NUL-terminated */
    int answer_fd;           /* owned */
};

/* env: NAME, value, …, NULL. The body is buffered by the kernel, so it has at most 64 KB. */
void cgi_begin(struct cgi *c, const char *const *env, struct slice body);
/* Ends the request; the answer is in c->answer. */
void cgi_end(struct cgi *c);

#endif
