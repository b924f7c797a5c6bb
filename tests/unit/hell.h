/* hell.h - for tests: the endpoints from hell (tests/hell/endpoints.py) as a child process.
 *
 *     struct hell hell;
 *     hell_start(&hell);                       // with its bad certificates
 *     hell_url(&hell, url, "echo/police");     // a path; "@black-hole/x", "@tls:expired/ok": another door
 *     json_t *seen = hell_requests(&hell, "/echo/police");
 *     hell_end(&hell); */
#ifndef TOCSIN_TEST_HELL_H
#define TOCSIN_TEST_HELL_H

#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELL_URL 256

struct hell {
    pid_t pid;
    int life; /* its standard input: it ends when this is closed */
    char log[64];
    json_t *ports;
    const char *certificates;
};

static inline void hell_start(struct hell *hell)
{
    int in[2], out[2];
    char script[1024], line[4096];
    const char *source = getenv("TOCSIN_SOURCE");
    snprintf(script, sizeof script, "%s/tests/hell/endpoints.py", source ? source : ".");
    strcpy(hell->log, "/tmp/tocsin-hell-XXXXXX");
    int log = mkstemp(hell->log);
    int code = pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC);
    assert(log >= 0 && code == 0);
    close(log);
    hell->pid = fork();
    if (hell->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl("/usr/bin/python3", "python3", script, "--tls", "--log", hell->log, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    hell->life = in[1];
    FILE *said = fdopen(out[0], "r");
    hell->ports = fgets(line, sizeof line, said) ? json_loads(line, 0, NULL) : NULL;
    fclose(said);
    assert(hell->ports);
    hell->certificates = json_string_value(json_object_get(hell->ports, "certificates"));
}

static inline void hell_end(struct hell *hell)
{
    close(hell->life);
    waitpid(hell->pid, NULL, 0);
    unlink(hell->log);
    json_decref(hell->ports);
}

static inline void hell_url(const struct hell *hell, char url[HELL_URL], const char *path)
{
    char door[64] = "http";
    if (path[0] == '@') {
        size_t size = strcspn(path, "/");
        snprintf(door, sizeof door, "%.*s", (int)size - 1, path + 1);
        path += size + 1;
    }
    bool tls = strncmp(door, "tls:", 4) == 0;
    const json_t *port = tls ? json_object_get(json_object_get(hell->ports, "tls"), door + 4)
                             : json_object_get(hell->ports, door);
    assert(port);
    snprintf(url, HELL_URL, "%s:%d/%s", tls ? "https://localhost" : "http://127.0.0.1",
             (int)json_integer_value(port), path);
}

/* Every request to `path` so far, oldest first; the caller's. */
static inline json_t *hell_requests(const struct hell *hell, const char *path)
{
    json_t *out = json_array();
    FILE *log = fopen(hell->log, "r");
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, log) > 0) {
        json_t *entry = json_loads(line, 0, NULL);
        if (entry && strcmp(json_string_value(json_object_get(entry, "path")), path) == 0)
            json_array_append(out, entry);
        json_decref(entry);
    }
    free(line);
    fclose(log);
    return out;
}

#endif
