/*
 * gateway: FastCGI by libfcgi, CGI by stdin, stdout and the environment.
 */
#include "gateway.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

/* A request must be read, and its answer taken, within this. Servers that buffer need
 * milliseconds; mod_proxy_fcgi passes slow uploads through, and would pin a worker with each. */
#define GATEWAY_IO_S 20

struct gateway {
    bool is_cgi;
    bool cgi_done;        /* plain CGI: its request was handed out */
    bool cgi_read_failed; /* plain CGI: reading stdin failed */
    FCGX_Request fcgi;    /* embedded; libfcgi owns what it points to */
};

/* Its only purpose is to make a blocked read or write fail with EINTR. */
static void on_alarm(int signo)
{
    (void)signo;
}

/* Interrupts every read and write from GATEWAY_IO_S on, each second again, since one that comes
 * between two system calls has no effect. */
static void io_limit_start(void)
{
    const struct itimerval limit = {.it_value.tv_sec = GATEWAY_IO_S, .it_interval.tv_sec = 1};

    setitimer(ITIMER_REAL, &limit, NULL);
}

static void io_limit_stop(void)
{
    const struct itimerval none = {.it_value.tv_sec = 0};

    setitimer(ITIMER_REAL, &none, NULL);
}

bool gateway_present(void)
{
    return !FCGX_IsCGI() || getenv("GATEWAY_INTERFACE") != NULL;
}

struct gateway *gateway_new(void)
{
    const struct sigaction alarm_action = {.sa_handler = on_alarm};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct gateway *g = calloc(1, sizeof(*g));

    if (g == NULL) {
        return NULL;
    }
    g->is_cgi = FCGX_IsCGI() != 0;
    if (!g->is_cgi && (FCGX_Init() != 0 ||
                       FCGX_InitRequest(&g->fcgi, STDIN_FILENO, FCGI_FAIL_ACCEPT_ON_INTR) != 0)) {
        free(g);
        return NULL;
    }
    /* After libfcgi's start, which sets handlers of its own. */
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGALRM, &alarm_action, NULL);
    return g;
}

void gateway_free(struct gateway *g)
{
    if (g != NULL && !g->is_cgi) {
        FCGX_Free(&g->fcgi, 1);
    }
    free(g);
}

static enum gateway_event gateway_accept_cgi(struct gateway *g)
{
    if (g->cgi_done) {
        return GATEWAY_END;
    }
    g->cgi_done = true;
    io_limit_start();
    return GATEWAY_REQUEST;
}

/*
 * accept() must not block, since signals are let in only by ppoll: the listening socket may be
 * shared with other workers, one of which may take the connection that woke us all. The flag
 * belongs to the socket, so it is set before each wait: a web server that shares it may clear it.
 */
static enum gateway_event gateway_accept_fcgi(struct gateway *g, const sigset_t *wait_mask)
{
    struct pollfd listening = {.fd = STDIN_FILENO, .events = POLLIN};
    int flags = fcntl(STDIN_FILENO, F_GETFL);

    if (flags < 0 || fcntl(STDIN_FILENO, F_SETFL, flags | O_NONBLOCK) != 0) {
        return GATEWAY_FAILED;
    }
    for (;;) {
        if (ppoll(&listening, 1, NULL, wait_mask) < 0) {
            return errno == EINTR ? GATEWAY_INTERRUPTED : GATEWAY_FAILED;
        }
        if ((listening.revents & (POLLERR | POLLNVAL)) != 0) {
            errno = EBADF;
            return GATEWAY_FAILED;
        }
        io_limit_start();
        int result = FCGX_Accept_r(&g->fcgi);

        if (result == 0) {
            return GATEWAY_REQUEST;
        }
        io_limit_stop();
        if (result != -EAGAIN && result != -EWOULDBLOCK && result != -EINTR) {
            errno = -result;
            return GATEWAY_FAILED;
        }
    }
}

enum gateway_event gateway_accept(struct gateway *g, const sigset_t *wait_mask)
{
    return g->is_cgi ? gateway_accept_cgi(g) : gateway_accept_fcgi(g, wait_mask);
}

const char *gateway_variable(const struct gateway *g, const char *name)
{
    return g->is_cgi ? getenv(name) : FCGX_GetParam(name, g->fcgi.envp);
}

bool gateway_body_ends(const struct gateway *g)
{
    return !g->is_cgi;
}

static size_t gateway_read_cgi(struct gateway *g, unsigned char *out, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = read(STDIN_FILENO, out + done, size - done);

        if (n < 0) {
            g->cgi_read_failed = true;
        }
        if (n <= 0) {
            break;
        }
        done += (size_t)n;
    }
    return done;
}

size_t gateway_read(struct gateway *g, void *out, size_t size)
{
    if (g->is_cgi) {
        return gateway_read_cgi(g, out, size);
    }
    int n = FCGX_GetStr(out, (int)size, g->fcgi.in);

    return n > 0 ? (size_t)n : 0;
}

bool gateway_read_failed(const struct gateway *g)
{
    return g->is_cgi ? g->cgi_read_failed : FCGX_GetError(g->fcgi.in) != 0;
}

void gateway_settle(struct gateway *g)
{
    (void)g;
    io_limit_stop();
}

static void gateway_write_cgi(const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(STDOUT_FILENO, data, size);

        if (n < 0) {
            return;
        }
        data += n;
        size -= (size_t)n;
    }
}

void gateway_write(struct gateway *g, const void *data, size_t size)
{
    io_limit_start();
    if (g->is_cgi) {
        gateway_write_cgi(data, size);
    } else {
        FCGX_PutStr(data, (int)size, g->fcgi.out);
    }
    io_limit_stop();
}

void gateway_finish(struct gateway *g)
{
    if (g->is_cgi) {
        return;
    }
    io_limit_start();
    FCGX_Finish_r(&g->fcgi);
    /* A server may ask to keep the connection; each idle one would take a worker out of service.
     * Detached, it is closed without waiting for the peer; a closed one stays closed. */
    FCGX_Detach(&g->fcgi);
    FCGX_Free(&g->fcgi, 1);
    io_limit_stop();
}
