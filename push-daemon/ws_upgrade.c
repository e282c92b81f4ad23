/*
 * ws_upgrade: see ws_upgrade.h.
 */
#include "ws_upgrade.h"

#include <assert.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#define KEY_BYTES  16
#define KEY_CHARS  24 /* in base64 */
#define SHA1_BYTES 20

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* section 1.3 */

static bool is_key(struct slice text)
{
    unsigned char key[KEY_BYTES];
    size_t len = 0;

    return sodium_base642bin(key, sizeof key, text.p, text.n, NULL, &len, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           len == sizeof key;
}

enum ws_upgrade ws_upgrade_check(const struct http1_head *head)
{
    /* A proxy that does not pass the upgrade on drops Connection's part of it; and HTTP/1.0 has
     * none (RFC 9110, section 7.8). */
    if (head->method != HTTP1_GET || head->minor_version < 1 ||
        !http1_list_has(head, "Upgrade", SLICE_LITERAL("websocket"), slice_eq_nocase) ||
        !http1_list_has(head, "Connection", SLICE_LITERAL("upgrade"), slice_eq_nocase)) {
        return WS_UPGRADE_NONE;
    }
    if (!slice_eq(head->websocket_version, SLICE_LITERAL(WS_UPGRADE_VERSION))) {
        return WS_UPGRADE_OTHER_VERSION;
    }
    if (head->has_body || !is_key(head->websocket_key) ||
        !http1_list_has(head, "Sec-WebSocket-Protocol", SLICE_LITERAL(WS_UPGRADE_SUBPROTOCOL),
                        slice_eq)) {
        return WS_UPGRADE_BAD;
    }
    return WS_UPGRADE_GOOD;
}

bool ws_upgrade_accept(struct slice key, char out[WS_UPGRADE_ACCEPT_BYTES + 1])
{
    char text[KEY_CHARS + sizeof guid - 1];
    unsigned char digest[SHA1_BYTES];

    assert(key.n == KEY_CHARS);
    memcpy(text, key.p, KEY_CHARS);
    memcpy(text + KEY_CHARS, guid, sizeof guid - 1);
    if (EVP_Digest(text, sizeof text, digest, NULL, EVP_sha1(), NULL) != 1) {
        return false;
    }
    sodium_bin2base64(out, WS_UPGRADE_ACCEPT_BYTES + 1, digest, sizeof digest,
                      sodium_base64_VARIANT_ORIGINAL);
    return true;
}
