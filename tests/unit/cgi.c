/*
 * cgi: stdin, stdout and environment of this process become those of a CGI program.
 */
#include "cgi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#define BODY_PIECES 16

/* A descriptor to read the body from, which comes in pieces: no read gives more than one. */
static int body_source(struct slice body)
{
    int fds[2];
    size_t piece = body.n / BODY_PIECES + 1;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    for (size_t at = 0; at < body.n; at += piece) {
        size_t n = body.n - at < piece ? body.n - at : piece;

        assert_int_equal(write(fds[1], body.p + at, n), (ssize_t)n);
    }
    close(fds[1]);
    return fds[0];
}

void cgi_begin(struct cgi *c, const char *const *env, struct slice body)
{
    int source = body_source(body);
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
    assert_true(dup2(source, STDIN_FILENO) >= 0);
    close(source);
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
