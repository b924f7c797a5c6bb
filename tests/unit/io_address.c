/* http_address: where the name of an endpoint may lead. */
#include "io/http_address.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PUBLIC, PRIVATE, NEVER };

static const struct {
    const char *address;
    int reach;
} addresses[] = {
    {"127.0.0.1", NEVER},
    {"127.255.255.255", NEVER},
    {"0.0.0.0", NEVER},
    {"0.1.2.3", NEVER},
    {"169.254.169.254", NEVER},
    {"224.0.0.1", NEVER},
    {"239.1.2.3", NEVER},
    {"240.0.0.1", NEVER},
    {"255.255.255.255", NEVER},
    {"10.0.0.1", PRIVATE},
    {"10.255.255.255", PRIVATE},
    {"172.16.0.1", PRIVATE},
    {"172.31.255.255", PRIVATE},
    {"192.168.1.1", PRIVATE},
    {"100.64.0.1", PRIVATE},
    {"100.127.255.255", PRIVATE},
    {"1.1.1.1", PUBLIC},
    {"9.255.255.255", PUBLIC},
    {"11.0.0.1", PUBLIC},
    {"126.255.255.255", PUBLIC},
    {"128.0.0.1", PUBLIC},
    {"172.15.255.255", PUBLIC},
    {"172.32.0.1", PUBLIC},
    {"192.167.1.1", PUBLIC},
    {"192.169.1.1", PUBLIC},
    {"100.63.255.255", PUBLIC},
    {"100.128.0.1", PUBLIC},
    {"169.253.1.1", PUBLIC},
    {"169.255.1.1", PUBLIC},
    {"223.255.255.255", PUBLIC},
    {"203.0.113.10", PUBLIC},
    {"::1", NEVER},
    {"::", NEVER},
    {"fe80::1", NEVER},
    {"febf::1", NEVER},
    {"ff02::1", NEVER},
    {"fc00::1", PRIVATE},
    {"fdff::1", PRIVATE},
    {"fec0::1", PRIVATE},
    {"2001:db8::1", PUBLIC},
    {"fbff::1", PUBLIC},
    {"::ffff:127.0.0.1", NEVER},
    {"::ffff:10.1.2.3", PRIVATE},
    {"::ffff:1.1.1.1", PUBLIC},
    {"::127.0.0.1", NEVER},
    {"::10.1.2.3", PRIVATE},
    {"64:ff9b::127.0.0.1", NEVER},
    {"64:ff9b::1.1.1.1", PUBLIC},
};

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage out = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        out.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        out.ss_family = AF_INET6;
    else
        fail_msg("%s is no address", text);
    return out;
}

static void is_refused(const char *text, enum conf_network network, bool stands_in_url, bool expected)
{
    struct sockaddr_storage address = address_of(text);
    const char *why = http_address_refused((struct sockaddr *)&address, network, stands_in_url);
    if ((why != NULL) != expected)
        fail_msg("%s with network %d%s: %s", text, network, stands_in_url ? ", in the url" : "",
                 why ? why : "taken");
}

static void test_each_network(void **state)
{
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        const char *text = addresses[i].address;
        is_refused(text, CONF_NETWORK_USUAL, false, addresses[i].reach == NEVER);
        is_refused(text, CONF_NETWORK_USUAL, true, false);
        is_refused(text, CONF_NETWORK_PUBLIC, false, addresses[i].reach != PUBLIC);
        is_refused(text, CONF_NETWORK_PUBLIC, true, addresses[i].reach != PUBLIC);
        is_refused(text, CONF_NETWORK_ANY, false, false);
    }
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_non_null(http_address_refused(&local, CONF_NETWORK_USUAL, false));
}

static void test_what_stands_in_a_url(void **state)
{
    static const char *const written[] = {"127.0.0.1:80",        "10.1.2.3:443", "[::1]:8080",
                                          "[fe80::1]:80",        "localhost:80", "LocalHost:80",
                                          "police.localhost:80", "127.0.0.1"};
    static const char *const names[] = {"police.example:443",
                                        "localhost.example:80",
                                        "mylocalhost:80",
                                        "127.0.0.1.example:80",
                                        "host:80",
                                        "127.1:80",
                                        "?",
                                        "",
                                        ":80"};
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        if (!http_address_is_written(written[i]))
            fail_msg("%s", written[i]);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (http_address_is_written(names[i]))
            fail_msg("%s", names[i]);
    char endless[400];
    memset(endless, '1', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_false(http_address_is_written(endless));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_network),
        cmocka_unit_test(test_what_stands_in_a_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
