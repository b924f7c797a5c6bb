#include "io/web_internal.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128        /* connections waiting to be accepted: a city's desks reconnecting at once */
#define FILE_MAX (1 << 20) /* bytes of a certificate chain or key */

/* "address:port" in two. */
static bool split(const char *text, char host[64], char port[8])
{
    const char *colon = strrchr(text, ':');
    if (!colon || strlen(colon + 1) == 0 || strlen(colon + 1) > 5)
        return false;
    size_t size = (size_t)(colon - text);
    if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
        text++;
        size -= 2;
    } else if (memchr(text, ':', size)) {
        return false; /* an IPv6 address without brackets */
    }
    if (size >= 64)
        return false;
    snprintf(host, 64, "%.*s", (int)size, text);
    if (size == 0)
        strcpy(host, "127.0.0.1");
    strcpy(port, colon + 1);
    return strspn(port, "0123456789") == strlen(port) && atoi(port) <= 65535;
}

static struct addrinfo *address_of(const char *text, char error[256])
{
    char host[64], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found = NULL;
    if (!split(text, host, port) || getaddrinfo(host, port, &hints, &found) != 0) {
        snprintf(
            error, 256,
            "cannot listen on \"%s\": an address and a port are needed, as in 127.0.0.1:8080 or [::1]:8080",
            text);
        return NULL;
    }
    return found;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0)
        return 0;
    if (bound.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&bound)->sin6_port);
    return ntohs(((struct sockaddr_in *)&bound)->sin_port);
}

int web_listen(const char *text, unsigned *port, char error[256])
{
    struct addrinfo *address = address_of(text, error);
    if (!address)
        return -1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        snprintf(error, 256, "cannot listen on %s: %s%s", text, strerror(errno),
                 errno == EADDRINUSE ? "; another program, perhaps a second tocsind, has this port" : "");
        if (fd >= 0)
            close(fd);
        fd = -1;
    } else {
        *port = port_of(fd);
    }
    freeaddrinfo(address);
    return fd;
}

char *web_read_file(const char *path, char error[256])
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(FILE_MAX) : NULL;
    size_t size = text ? fread(text, 1, FILE_MAX, file) : 0;
    bool ok = text && !ferror(file) && size > 0 && size < FILE_MAX;
    if (!ok)
        snprintf(error, 256, "cannot read %s: %s", path,
                 !file || (text && ferror(file)) ? strerror(errno)
                 : size                          ? "it is larger than 1 MiB"
                                                 : "it is empty");
    if (file)
        fclose(file);
    if (!ok) {
        free(text);
        return NULL;
    }
    text[size] = 0;
    return text;
}
