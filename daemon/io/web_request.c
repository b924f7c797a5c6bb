/* What a request says of itself. A suspended connection is the loop's, so its headers may be read there. */
#include "io/web_internal.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

const char *web_query(const struct web_request *r, const char *name)
{
    for (size_t i = 0; i < r->query_count; i++)
        if (strcmp(r->query[i].name, name) == 0)
            return r->query[i].value;
    return NULL;
}

static const char *value_of(const struct web_request *r, enum MHD_ValueKind kind, const char *name)
{
    const struct web_exchange *x = r->internal;
    return MHD_lookup_connection_value(x->connection, kind, name);
}

const char *web_header(const struct web_request *r, const char *name)
{
    return value_of(r, MHD_HEADER_KIND, name);
}

const char *web_cookie(const struct web_request *r, const char *name)
{
    return value_of(r, MHD_COOKIE_KIND, name);
}

void web_address(const struct web_request *r, char out[WEB_ADDRESS])
{
    const struct web_exchange *x = r->internal;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info ? info->client_addr : NULL;
    const void *address = NULL;
    int family = from ? from->sa_family : AF_UNSPEC;
    out[0] = '\0';
    if (family == AF_INET) {
        address = &((const struct sockaddr_in *)from)->sin_addr;
    } else if (family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)from)->sin6_addr;
        bool four = IN6_IS_ADDR_V4MAPPED(six);
        address = four ? (const void *)&six->s6_addr[12] : six;
        family = four ? AF_INET : AF_INET6;
    }
    if (address)
        inet_ntop(family, address, out, WEB_ADDRESS);
}
