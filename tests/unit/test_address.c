/* Tests of address: what counts as one client, and whose word is taken for it. */
#include "push-daemon/address.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROXIES "127.0.0.1 ::1"

/* A connection from `from` to a listener on the loopback of its family. */
static int connection_from(int family, const char *from, int *client)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a = {.any.sa_family = (sa_family_t)family}, b = {.any.sa_family = (sa_family_t)family};
    socklen_t n = family == AF_INET ? sizeof a.v4 : sizeof a.v6;
    int listener = socket(family, SOCK_STREAM, 0);

    *client = socket(family, SOCK_STREAM, 0);
    if (family == AF_INET) {
        a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(inet_pton(family, from, &b.v4.sin_addr), 1);
    } else {
        a.v6.sin6_addr = in6addr_loopback;
        assert_int_equal(inet_pton(family, from, &b.v6.sin6_addr), 1);
    }
    assert_int_equal(bind(listener, &a.any, n), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, &a.any, &n), 0);
    assert_int_equal(bind(*client, &b.any, n), 0);
    assert_int_equal(connect(*client, &a.any, n), 0);
    int fd = accept(listener, NULL, NULL);

    assert_true(fd >= 0);
    close(listener);
    return fd;
}

/* What a unix socket says of a client whose proxy wrote that. */
static uint64_t of_forwarded(const char *forwarded_for)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    uint64_t address = address_of_peer(pair[0], slice_of(forwarded_for), "");

    close(pair[0]);
    close(pair[1]);
    return address;
}

static void test_the_last_hop_counts(void **state)
{
    (void)state;
    assert_int_equal(of_forwarded(""), ADDRESS_UNKNOWN);
    assert_int_equal(of_forwarded("nobody"), ADDRESS_UNKNOWN);
    assert_int_equal(of_forwarded("203.0.113.7, "), ADDRESS_UNKNOWN);
    assert_int_not_equal(of_forwarded("203.0.113.7"), ADDRESS_UNKNOWN);
    assert_int_equal(of_forwarded("6.6.6.6, 203.0.113.7"), of_forwarded("203.0.113.7"));
    assert_int_equal(of_forwarded("6.6.6.6,203.0.113.7"), of_forwarded("203.0.113.7"));
    assert_int_not_equal(of_forwarded("203.0.113.8"), of_forwarded("203.0.113.7"));
    assert_int_equal(of_forwarded("1234567890123456789012345678901234567890123456789"),
                     ADDRESS_UNKNOWN);
}

static void test_one_64_is_one_client(void **state)
{
    (void)state;
    assert_int_equal(of_forwarded("2001:db8:1:2::1"), of_forwarded("2001:db8:1:2:ffff::2"));
    assert_int_not_equal(of_forwarded("2001:db8:1:2::1"), of_forwarded("2001:db8:1:3::1"));
    assert_int_equal(of_forwarded("::ffff:203.0.113.7"), of_forwarded("203.0.113.7"));
    assert_int_not_equal(of_forwarded("::1"), ADDRESS_UNKNOWN);
}

static void test_only_a_proxy_is_believed(void **state)
{
    int client;

    (void)state;
    for (int family = 0; family < 2; family++) {
        int fd = connection_from(family == 0 ? AF_INET : AF_INET6,
                                 family == 0 ? "127.0.0.1" : "::1", &client);
        uint64_t own = address_of_peer(fd, slice_of("203.0.113.7"), "192.0.2.1");

        assert_int_equal(own, of_forwarded(family == 0 ? "127.0.0.1" : "::1"));
        assert_int_equal(address_of_peer(fd, slice_of("203.0.113.7"), PROXIES),
                         of_forwarded("203.0.113.7"));
        assert_int_equal(address_of_peer(fd, slice_of(""), PROXIES), ADDRESS_UNKNOWN);
        close(fd);
        close(client);
    }
}

static void test_counts_each_address(void **state)
{
    struct addresses a;

    (void)state;
    addresses_init(&a);
    for (int round = 0; round < 3; round++) {
        for (uint64_t address = 1; address < 100; address++) {
            assert_true(addresses_add(&a, address, 2));
            assert_true(addresses_add(&a, address, 2));
            assert_false(addresses_add(&a, address, 2));
        }
        for (uint64_t address = 1; address < 100; address++) {
            addresses_remove(&a, address);
            assert_true(addresses_add(&a, address, 2));
            addresses_remove(&a, address);
            addresses_remove(&a, address);
        }
    }
    addresses_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_hop_counts),
        cmocka_unit_test(test_one_64_is_one_client),
        cmocka_unit_test(test_only_a_proxy_is_believed),
        cmocka_unit_test(test_counts_each_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
