/* Tests of ws_upgrade: RFC 6455, section 4.2. */
#include "push-daemon/ws_upgrade.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define HEAD_BYTES 1024

#define KEY      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION  "Sec-WebSocket-Version: 13\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: confab.v1\r\n"
#define UPGRADE  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define REST     KEY VERSION PROTOCOL
#define GET      "GET /ws HTTP/1.1\r\nHost: a\r\n"

static enum ws_upgrade check(const char *lines)
{
    char text[HEAD_BYTES];
    struct http1_head head;
    size_t scanned = 0;
    int n = snprintf(text, sizeof text, "%s\r\n", lines);

    assert_in_range(n, 1, sizeof text - 1);
    if (http1_parse((struct slice){text, (size_t)n}, &scanned, &head) != CONFAB_OK) {
        fail_msg("no head: %s", text);
    }
    return ws_upgrade_check(&head);
}

static void test_tells_handshakes(void **state)
{
    static const struct {
        const char *head;
        enum ws_upgrade result;
    } rows[] = {
        {GET UPGRADE REST, WS_UPGRADE_GOOD},
        {GET REST UPGRADE, WS_UPGRADE_GOOD},
        {GET "upgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\n" REST, WS_UPGRADE_GOOD},
        {GET "Upgrade: websocket\r\nConnection: keep-alive\r\nConnection: Upgrade\r\n" REST,
         WS_UPGRADE_GOOD},
        {GET "Upgrade: h2c/1, websocket\r\nConnection: ,close ,\tUPGRADE,\r\n" REST,
         WS_UPGRADE_GOOD},
        {GET UPGRADE KEY VERSION "Sec-WebSocket-Protocol: chat, confab.v1\r\n", WS_UPGRADE_GOOD},
        {GET UPGRADE KEY VERSION "Sec-WebSocket-Protocol: chat\r\n" PROTOCOL, WS_UPGRADE_GOOD},
        {GET UPGRADE REST "Sec-WebSocket-Extensions: permessage-deflate; a=\"b, c\"\r\n"
                          "Sec-WebSocket-Extensions: x\r\n",
         WS_UPGRADE_GOOD},

        {GET, WS_UPGRADE_NONE},
        {GET "Upgrade: websocket\r\n" REST, WS_UPGRADE_NONE},
        {GET "Connection: Upgrade\r\n" REST, WS_UPGRADE_NONE},
        {GET "Upgrade: websocket\r\nConnection: close\r\n" REST, WS_UPGRADE_NONE},
        {GET "Upgrade: websocket/13\r\nConnection: Upgrade\r\n" REST, WS_UPGRADE_NONE},
        {GET "Upgrade: websockets\r\nConnection: Upgrade\r\n" REST, WS_UPGRADE_NONE},
        {GET "Upgrade:\r\nConnection:\r\n" REST, WS_UPGRADE_NONE},
        {"GET /ws HTTP/1.0\r\nHost: a\r\n" UPGRADE REST, WS_UPGRADE_NONE},
        {"HEAD /ws HTTP/1.1\r\nHost: a\r\n" UPGRADE REST, WS_UPGRADE_NONE},
        {"POST /ws HTTP/1.1\r\nHost: a\r\n" UPGRADE REST, WS_UPGRADE_NONE},

        {GET UPGRADE KEY PROTOCOL, WS_UPGRADE_OTHER_VERSION},
        {GET UPGRADE KEY PROTOCOL "Sec-WebSocket-Version: 8\r\n", WS_UPGRADE_OTHER_VERSION},
        {GET UPGRADE KEY PROTOCOL "Sec-WebSocket-Version: 13, 8\r\n", WS_UPGRADE_OTHER_VERSION},
        {GET UPGRADE KEY PROTOCOL "Sec-WebSocket-Version: 013\r\n", WS_UPGRADE_OTHER_VERSION},

        {GET UPGRADE VERSION PROTOCOL, WS_UPGRADE_BAD},
        {GET UPGRADE VERSION PROTOCOL "Sec-WebSocket-Key:\r\n", WS_UPGRADE_BAD},
        {GET UPGRADE VERSION PROTOCOL "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n",
         WS_UPGRADE_BAD},
        {GET UPGRADE VERSION PROTOCOL "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n",
         WS_UPGRADE_BAD},
        {GET UPGRADE VERSION PROTOCOL "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ===\r\n",
         WS_UPGRADE_BAD},
        {GET UPGRADE VERSION PROTOCOL "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=A\r\n",
         WS_UPGRADE_BAD},
        {GET UPGRADE VERSION PROTOCOL "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTE=\r\n",
         WS_UPGRADE_BAD},
        {GET UPGRADE VERSION PROTOCOL "Sec-WebSocket-Key: dGhlIHNh XBsZSBub25jZQ==\r\n",
         WS_UPGRADE_BAD},
        {GET UPGRADE VERSION PROTOCOL "Sec-WebSocket-Key: dGhlIHNh-_BsZSBub25jZQ==\r\n",
         WS_UPGRADE_BAD},
        {GET UPGRADE KEY VERSION, WS_UPGRADE_BAD},
        {GET UPGRADE KEY VERSION "Sec-WebSocket-Protocol: CONFAB.V1\r\n", WS_UPGRADE_BAD},
        {GET UPGRADE KEY VERSION "Sec-WebSocket-Protocol: confab.v2, chat\r\n", WS_UPGRADE_BAD},
        {GET UPGRADE REST "Content-Length: 1\r\n", WS_UPGRADE_BAD},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum ws_upgrade result = check(rows[i].head);

        if (result != rows[i].result) {
            fail_msg("%d instead of %d: %s", (int)result, (int)rows[i].result, rows[i].head);
        }
    }
}

static void test_proves_that_it_understood(void **state)
{
    char accept[WS_UPGRADE_ACCEPT_BYTES + 1];

    (void)state;
    assert_true(ws_upgrade_accept(slice_of("dGhlIHNhbXBsZSBub25jZQ=="), accept));
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tells_handshakes),
        cmocka_unit_test(test_proves_that_it_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
