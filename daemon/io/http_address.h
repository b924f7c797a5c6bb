/* http_address.h - whether a connection may go to an address: a name server that lies, or a name that somebody took over,
 * must not lead our tellings to this machine or to a neighbour.
 *
 *     usual    a name may lead to public addresses and those of private networks; one that stands in the url is taken
 *     public   only to public ones, and only a public one may stand in the url
 *     any      everywhere
 *
 * Private networks: RFC 1918, RFC 6598, RFC 4193. An IPv4 address that is wrapped into an IPv6 one (RFC 4291, 2.5.5;
 * RFC 6052) is what it is inside.
 */
#ifndef TOCSIN_HTTP_ADDRESS_H
#define TOCSIN_HTTP_ADDRESS_H

#include "conf/conf.h"
#include <stdbool.h>
#include <sys/socket.h>

/* NULL: it may; otherwise why not, to follow its text: "an address of this machine". */
const char *http_address_refused(const struct sockaddr *, enum conf_network, bool stands_in_url);

/* "127.0.0.1", "[::1]", "localhost" and names below it: who wrote them meant them. `place` is host:port. */
bool http_address_is_written(const char *place);

#endif
