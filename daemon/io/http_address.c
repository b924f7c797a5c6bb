#include "io/http_address.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

/* All addresses are looked at as IPv6; those of IPv4 as ::ffff:a.b.c.d. The first row that fits counts. */
#define V4(a, b)                                                                                             \
    {                                                                                                        \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b                                                       \
    }
#define HERE "an address of this machine"
#define NEAR "an address of this cable only"
#define MANY "no address of a single machine"
#define PRIVATE "an address of a private network"

static const struct {
    unsigned char prefix[16];
    unsigned bits;
    const char *what;
    bool usual; /* an intranet's */
} networks[] = {
    {V4(127, 0), 96 + 8, HERE, false},
    {V4(0, 0), 96 + 8, HERE, false},
    {V4(169, 254), 96 + 16, NEAR, false},
    {V4(224, 0), 96 + 3, MANY, false}, /* 224.0.0.0 and all above it */
    {V4(10, 0), 96 + 8, PRIVATE, true},
    {V4(172, 16), 96 + 12, PRIVATE, true},
    {V4(192, 168), 96 + 16, PRIVATE, true},
    {V4(100, 64), 96 + 10, PRIVATE, true},
    {{0}, 127, HERE, false}, /* :: and ::1 */
    {{0xfe, 0x80}, 10, NEAR, false},
    {{0xfe, 0xc0}, 10, PRIVATE, true}, /* RFC 3879: once the same as fc00::/7 */
    {{0xfc}, 7, PRIVATE, true},
    {{0xff}, 8, MANY, false},
};

static bool begins_with(const unsigned char *address, const unsigned char *prefix, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(address, prefix, whole) == 0 &&
           (rest == 0 || (address[whole] ^ prefix[whole]) >> (8 - rest) == 0);
}

static void unwrap(unsigned char out[16], const struct sockaddr *address)
{
    static const unsigned char mapped[14] = V4(0, 0), compatible[12] = {0},
                               translated[12] = {0, 0x64, 0xff, 0x9b};
    if (address->sa_family == AF_INET) {
        memcpy(out, mapped, 12);
        memcpy(out + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return;
    }
    memcpy(out, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    bool is_here = memcmp(out, compatible, 12) == 0 && out[12] == 0 && out[13] == 0 && out[14] == 0;
    if (memcmp(out, translated, 12) == 0 || (memcmp(out, compatible, 12) == 0 && !is_here))
        memcpy(out, mapped, 12);
}

const char *http_address_refused(const struct sockaddr *address, enum conf_network network,
                                 bool stands_in_url)
{
    unsigned char bytes[16];
    if (network == CONF_NETWORK_ANY || (network == CONF_NETWORK_USUAL && stands_in_url))
        return NULL;
    if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
        return MANY;
    unwrap(bytes, address);
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        if (begins_with(bytes, networks[i].prefix, networks[i].bits))
            return network == CONF_NETWORK_USUAL && networks[i].usual ? NULL : networks[i].what;
    return NULL;
}

bool http_address_is_written(const char *place)
{
    static const char local[] = "localhost";
    char host[256];
    unsigned char bytes[16];
    const char *colon = strrchr(place, ':');
    size_t size = colon ? (size_t)(colon - place) : strlen(place);
    if (size == 0 || size >= sizeof host)
        return false;
    memcpy(host, place, size);
    host[size] = '\0';
    if (host[0] == '[')
        return true; /* the url's syntax has nothing else there */
    const char *end = size > strlen(local) ? host + size - strlen(local) : host;
    bool is_local = strcasecmp(end, local) == 0 && (end == host || end[-1] == '.');
    return is_local || inet_pton(AF_INET, host, bytes) == 1;
}
