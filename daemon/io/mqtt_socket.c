#include "io/mqtt_internal.h"
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const void *_Atomic connecting;

bool socket_turn_take(const void *owner)
{
    const void *nobody = NULL;
    return atomic_compare_exchange_strong(&connecting, &nobody, owner);
}

void socket_turn_give(const void *owner)
{
    atomic_compare_exchange_strong(&connecting, &owner, NULL);
}

static bool leads_to(int fd, unsigned port)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
        return false;
    if (peer.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&peer)->sin_port) == port;
    return peer.ss_family == AF_INET6 && ntohs(((struct sockaddr_in6 *)&peer)->sin6_port) == port;
}

/* Paho keeps its descriptor to itself and sets no option on it. We need it for two things: TCP_NODELAY (a
 * receipt written behind a PUBACK otherwise waits for the broker's delayed ACK, 40 ms), and to end a
 * connection without acknowledging what was received on it. The one that was just connected is the one
 * without TCP_NODELAY: no other connection to the broker is coming about meanwhile. */
int socket_find(unsigned port)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return -1;
    int found = -1;
    for (struct dirent *entry; found < 0 && (entry = readdir(dir));) {
        int fd = atoi(entry->d_name), on = 0;
        socklen_t size = sizeof on;
        if (entry->d_name[0] == '.' || !leads_to(fd, port) ||
            getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size) != 0 || on)
            continue;
        on = 1;
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0)
            found = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    closedir(dir);
    return found;
}

void socket_linger(struct mqtt *m, int socket, uint64_t until_ms)
{
    char unheard[4096];
    uint64_t now_ms = mqtt_now_ms();
    if (socket < 0 || now_ms >= until_ms)
        return;
    uv_mutex_unlock(&m->lock);
    shutdown(socket, SHUT_WR);
    for (ssize_t got = 1; got > 0 && now_ms < until_ms; now_ms = mqtt_now_ms()) {
        struct pollfd readable = {.fd = socket, .events = POLLIN};
        got = poll(&readable, 1, (int)(until_ms - now_ms)) > 0 ? recv(socket, unheard, sizeof unheard, MSG_DONTWAIT) : 0;
    }
    uv_mutex_lock(&m->lock);
}

void mqtt_socket_shut(struct mqtt *m)
{
    if (m->socket < 0)
        return;
    shutdown(m->socket, SHUT_RDWR);
    m->socket_shut = true;
    uv_cond_broadcast(&m->released);
}

void mqtt_socket_take(struct mqtt *m)
{
    mqtt_socket_forget(m);
    m->socket = socket_find(m->login.port);
    m->socket_shut = false;
}

void mqtt_socket_forget(struct mqtt *m)
{
    if (m->socket >= 0)
        close(m->socket);
    m->socket = -1;
}
