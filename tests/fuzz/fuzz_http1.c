/*
 * Request heads, and what the daemon reads out of them. The first two bytes of an input say where
 * the rest is cut; a head is the same however it came, and all of it lies in what came.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/token.h"
#include "push-daemon/address.h"
#include "push-daemon/http1.h"
#include "push-daemon/ws_upgrade.h"

#define CUT_BYTES 2
#define SLICES    13 /* of a head */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int sockets[2]; /* as from a proxy, whose X-Forwarded-For counts */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    return token_init() ? 0 : -1;
}

/* A copy that ends where its memory ends; free with free(). */
static char *tight(const uint8_t *data, size_t n)
{
    char *copy = malloc(n + 1);

    assert(copy != NULL);
    memcpy(copy + 1, data, n);
    return copy;
}

static enum confab_err parse(const char *copy, size_t n, size_t *scanned, struct http1_head *head)
{
    return http1_parse((struct slice){copy + 1, n}, scanned, head);
}

static void list_slices(const struct http1_head *head, struct slice out[SLICES])
{
    const struct slice slices[] = {
        head->path,
        head->query,
        head->host,
        head->origin,
        head->authorization,
        head->cookie,
        head->last_event_id,
        head->content_length,
        head->transfer_encoding,
        head->websocket_key,
        head->websocket_version,
        head->forwarded_for,
        head->lines,
    };

    static_assert(sizeof slices == SLICES * sizeof *slices, "all of a head");
    memcpy(out, slices, sizeof slices);
}

/* They lie in the head, and can be text. */
static void check_slices(const struct http1_head *head, const char *start)
{
    struct slice slices[SLICES];

    list_slices(head, slices);
    assert(head->path.n > 0);
    for (size_t i = 0; i < SLICES; i++) {
        const struct slice s = slices[i];

        assert(s.n == 0 || (s.p >= start && s.p + s.n <= start + head->bytes));
        assert(s.n == 0 || memchr(s.p, '\0', s.n) == NULL);
    }
}

static void assert_same(const struct http1_head *a, const struct http1_head *b)
{
    struct slice of_a[SLICES], of_b[SLICES];

    list_slices(a, of_a);
    list_slices(b, of_b);
    for (size_t i = 0; i < SLICES; i++) {
        assert(slice_eq(of_a[i], of_b[i]) && (of_a[i].p == NULL) == (of_b[i].p == NULL));
    }
    assert(a->method == b->method && a->minor_version == b->minor_version &&
           a->has_body == b->has_body && a->bytes == b->bytes);
}

/* What conn_http does with a head. */
static void use(const struct http1_head *head)
{
    const struct cookie_site site = {head->host, "/chat"};
    struct slice found;
    char accept[WS_UPGRADE_ACCEPT_BYTES + 1];
    size_t len;

    if (http1_query_find(head->query, "last_event_id", &found)) {
        char *id = malloc(found.n + 1);

        assert(id != NULL);
        if (str_percent_decode(found, true, id, &len)) {
            assert(len <= found.n && strlen(id) == len);
        }
        free(id);
    }
    if (token_from_bearer(head->authorization, &found) ||
        token_from_cookie(head->cookie, &site, &found)) {
        struct token_hash hash;

        (void)token_hash(found, &hash);
    }
    (void)address_of_peer(sockets[0], head->forwarded_for, "");
    if (ws_upgrade_check(head) == WS_UPGRADE_GOOD) {
        assert(ws_upgrade_accept(head->websocket_key, accept));
        assert(strlen(accept) == WS_UPGRADE_ACCEPT_BYTES);
    }
}

/* A head that was taken is there with its last byte, not sooner, and does not need more. */
static void check_end(const uint8_t *data, const struct http1_head *head)
{
    struct http1_head other;
    size_t scanned = 0;
    char *copy = tight(data, head->bytes);

    assert(parse(copy, head->bytes - 1, &scanned, &other) == CONFAB_NEED_MORE);
    assert(parse(copy, head->bytes, &scanned, &other) == CONFAB_OK);
    assert_same(&other, head);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http1_head head, other;
    size_t scanned = 0;

    if (size < CUT_BYTES) {
        return 0;
    }
    size_t cut = (size_t)data[0] << 8 | data[1];

    data += CUT_BYTES;
    size -= CUT_BYTES;
    cut = size == 0 ? 0 : cut % size;

    char *first = tight(data, cut);
    char *whole = tight(data, size);
    size_t scanned_at_once = 0;
    enum confab_err at_once = parse(whole, size, &scanned_at_once, &head);
    enum confab_err early = parse(first, cut, &scanned, &other);

    assert(early == CONFAB_NEED_MORE || early == at_once);
    if (early == CONFAB_NEED_MORE) {
        assert(parse(whole, size, &scanned, &other) == at_once);
    }
    if (at_once == CONFAB_OK) {
        assert_same(&head, &other);
        check_slices(&head, whole + 1);
        check_end(data, &head);
        use(&head);
    }
    free(whole);
    free(first);
    return 0;
}
