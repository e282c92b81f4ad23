/*
 * cgi: stdin, stdout and environment of this process become those of a CGI program.
 */
#include "cgi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

void cgi_begin(struct cgi *c, const char *const *env, struct slice body)
{
    int body_pipe[2];
    char name[] = "/tmp/confab-cgi-XXXXXX";
    sigset_t none;

    memset(c, 0, sizeof(*c));
    sigemptyset(&none);
    clearenv();
    for (; *env != NULL; env += 2) {
        assert_int_equal(setenv(env[0], env[1], 1), 0);
    }
    fflush(stdout);
    c->saved_in = dup(STDIN_FILENO);
    c->saved_out = dup(STDOUT_FILENO);
    c->answer_fd = mkstemp(name);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(pipe(body_pipe), 0);
    assert_int_equal(write(body_pipe[1], body.n == 0 ? "" : body.p, body.n), (ssize_t)body.n);
    close(body_pipe[1]);
    assert_true(dup2(body_pipe[0], STDIN_FILENO) >= 0);
    close(body_pipe[0]);
    assert_true(dup2(c->answer_fd, STDOUT_FILENO) >= 0);

    c->gateway = gateway_new();
    assert_non_null(c->gateway);
    assert_int_equal(gateway_accept(c->gateway, &none), GATEWAY_REQUEST);
}

void cgi_end(struct cgi *c)
{
    sigset_t none;

    sigemptyset(&none);
    gateway_finish(c->gateway);
    assert_int_equal(gateway_accept(c->gateway, &none), GATEWAY_END);
    gateway_free(c->gateway);
    dup2(c->saved_in, STDIN_FILENO);
    dup2(c->saved_out, STDOUT_FILENO);
    close(c->saved_in);
    close(c->saved_out);
    ssize_t n = pread(c->answer_fd, c->answer, sizeof(c->answer) - 1, 0);

    assert_true(n >= 0);
    c->answer[n] = '\0';
    close(c->answer_fd);
}
