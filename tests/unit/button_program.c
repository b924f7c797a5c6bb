/* tocsin-button against a real mosquitto; this test plays the daemon. */
#include "broker.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct broker broker;

struct program {
    pid_t pid;
    int in;
    FILE *out;
};

static void program_path(char path[512])
{
    ssize_t size = readlink("/proc/self/exe", path, 400);
    assert_true(size > 0);
    path[size] = '\0';
    strcpy(strrchr(path, '/'), "/../../clients/button/tocsin-button");
}

static struct program start_program(const char *const *more)
{
    char path[512], address[32];
    int in[2], out[2];
    program_path(path);
    snprintf(address, sizeof address, "127.0.0.1:%u", broker.port);
    const char *arguments[24] = {path, "--broker", address, "--site", "s", "--device", "d", "--json"};
    for (size_t i = 0; more[i]; i++)
        arguments[8 + i] = more[i];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], 0);
        dup2(out[1], 1);
        execv(path, (char *const *)arguments);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    return (struct program){pid, in[1], fdopen(out[0], "r")};
}

/* Reads lines until one has both texts. */
static void await_line(struct program *p, const char *first, const char *second, char line[1024])
{
    while (fgets(line, 1024, p->out))
        if (strstr(line, first) && strstr(line, second))
            return;
    fail_msg("the program ended without %s %s", first, second);
}

static int end_program(struct program *p)
{
    int status;
    if (p->in >= 0)
        close(p->in);
    while (fgetc(p->out) != EOF)
        ;
    fclose(p->out);
    waitpid(p->pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void command(struct program *p, const char *text)
{
    assert_int_equal(write(p->in, text, strlen(text)), strlen(text));
}

static void answer(int peer, const char *press, const char *stage)
{
    char identity[256], text[512];
    const char *end = strstr(strstr(press, "\"n\":"), ",");
    if (!end)
        end = strchr(press, '}');
    snprintf(identity, sizeof identity, "%.*s", (int)(end - press), press);
    snprintf(text, sizeof text, "%s,\"stage\":\"%s\",\"alarm\":\"a1\",\"at\":\"2026-11-23T08:00:00.000Z\"}", identity,
             stage);
    peer_publish(peer, "tocsin/v1/s/d/receipt", text, 0, false);
}

static void await_message(int peer, const char *leaf, char payload[1024])
{
    char topic[256], expected[64];
    snprintf(expected, sizeof expected, "tocsin/v1/s/d/%s", leaf);
    do
        assert_true(peer_read(peer, topic, payload, 15000));
    while (strcmp(topic, expected) != 0);
}

static int listen_as_daemon(void)
{
    int peer = peer_connect(&broker, "daemon");
    peer_subscribe(peer, "tocsin/v1/+/+/+");
    return peer;
}

static void test_once(void **state)
{
    char press[1024], line[1024];
    int listening = listen_as_daemon(), speaking = peer_connect(&broker, "speaker");
    struct program p =
        start_program((const char *const[]){"--once", "--kind", "fire", "--until", "coming", NULL});
    await_message(listening, "press", press);
    assert_non_null(strstr(press, "\"kind\":\"fire\""));
    await_line(&p, "\"pressed\"", "\"kind\":\"fire\"", line);
    answer(speaking, press, "recorded");
    await_line(&p, "\"receipt\"", "\"recorded\"", line);
    assert_non_null(strstr(line, "\"alarm\":\"a1\""));
    await_line(&p, "\"state\"", "\"received\"", line);
    answer(speaking, press, "coming");
    await_line(&p, "\"state\"", "\"help is coming\"", line);
    assert_int_equal(end_program(&p), 0);
    await_message(listening, "offline", press); /* it said goodbye */
    close(listening);
    close(speaking);
}

static void test_once_refused_and_timeout(void **state)
{
    char press[1024];
    int listening = listen_as_daemon(), speaking = peer_connect(&broker, "speaker");
    struct program p = start_program((const char *const[]){"--once", NULL});
    await_message(listening, "press", press);
    answer(speaking, press, "refused");
    assert_int_equal(end_program(&p), 1);
    p = start_program((const char *const[]){"--once", "--kind", "cancel", NULL}); /* when there is nothing to cancel */
    await_message(listening, "press", press);
    answer(speaking, press, "refused");
    assert_int_equal(end_program(&p), 1);
    p = start_program((const char *const[]){"--once", "--timeout", "1", NULL});
    assert_int_equal(end_program(&p), 3);
    p = start_program((const char *const[]){"--until", "never", NULL});
    assert_int_equal(end_program(&p), 2);
    p = start_program((const char *const[]){"--kind", "fier", NULL});
    assert_int_equal(end_program(&p), 2);
    p = start_program((const char *const[]){"--broker", "::1", NULL}); /* not port 1 of something */
    assert_int_equal(end_program(&p), 2);
    p = start_program((const char *const[]){"--sign-key", "/nonexistent", NULL});
    assert_int_equal(end_program(&p), 4);
    close(listening);
    close(speaking);
}

/* Started by a program that has closed its own. What it prints may not reach the broker. */
static void test_without_descriptors(void **state)
{
    char topic[256], press[1024], path[512], address[32];
    int status, listening = listen_as_daemon(), speaking = peer_connect(&broker, "speaker");
    program_path(path);
    snprintf(address, sizeof address, "127.0.0.1:%u", broker.port);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(0);
        close(1);
        execl(path, path, "--broker", address, "--site", "s", "--device", "d", "--json", "--once", (char *)NULL);
        _exit(127);
    }
    do {
        assert_true(peer_read(listening, topic, press, 15000));
        assert_null(strstr(topic, "/offline")); /* thrown out for what it wrote */
    } while (!strstr(topic, "/press"));
    answer(speaking, press, "closed");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(listening);
    close(speaking);
}

static void test_commands(void **state)
{
    char press[1024], line[1024];
    int listening = listen_as_daemon(), speaking = peer_connect(&broker, "speaker");
    struct program p = start_program((const char *const[]){NULL});
    await_line(&p, "\"link\"", "true", line);
    command(&p, "battery 40\npress panic\n");
    await_message(listening, "press", press);
    assert_non_null(strstr(press, "\"kind\":\"panic\""));
    assert_non_null(strstr(press, "\"battery\":40"));
    answer(speaking, press, "recorded");
    await_line(&p, "\"state\"", "received", line);
    command(&p, "press FIRE\n");
    await_message(listening, "press", press);
    assert_non_null(strstr(press, "\"kind\":\"fire\""));
    answer(speaking, press, "recorded");
    command(&p, "press \"a\"\n"); /* whatever it is called */
    await_message(listening, "press", press);
    await_line(&p, "\"pressed\"", "\"kind\":\"\\\"a\\\"\"", line);
    answer(speaking, press, "recorded");
    command(&p, "nonsense\n");
    await_line(&p, "unknown_command", "", line);
    command(&p, "test\n");
    await_message(listening, "press", press);
    assert_non_null(strstr(press, "\"test\":true"));
    answer(speaking, press, "recorded");
    command(&p, "cancel\n");
    await_message(listening, "press", press);
    assert_non_null(strstr(press, "\"kind\":\"cancel\""));
    close(p.in); /* nothing more to say: it ends when this one has its receipt */
    p.in = -1;
    answer(speaking, press, "recorded");
    assert_int_equal(end_program(&p), 0);
    close(listening);
    close(speaking);
}

/* Pressed while there is no broker, killed, started again: the press arrives, the same one. */
static void test_press_survives(void **state)
{
    char press[1024], line[1024], store[64], epoch[64];
    snprintf(store, sizeof store, "%s/record", broker.dir);
    broker_end(&broker, SIGTERM);
    struct program p = start_program((const char *const[]){"--store", store, NULL});
    command(&p, "press attack\n");
    await_line(&p, "\"pressed\"", "attack", line);
    snprintf(epoch, sizeof epoch, "%.30s", strstr(line, "\"epoch\""));
    kill(p.pid, SIGKILL);
    end_program(&p);
    broker_start(&broker, "");
    int listening = listen_as_daemon(), speaking = peer_connect(&broker, "speaker");
    p = start_program((const char *const[]){"--store", store, NULL});
    await_message(listening, "press", press);
    assert_non_null(strstr(press, "attack"));
    *strchr(strchr(epoch, ':'), ',') = '\0';
    assert_non_null(strstr(press, epoch));
    answer(speaking, press, "recorded");
    await_line(&p, "\"state\"", "received", line);
    kill(p.pid, SIGKILL); /* and now the broker says it for us */
    await_message(listening, "offline", press);
    end_program(&p);
    unlink(store);
    close(listening);
    close(speaking);
}

/* What is said of its alarm while it has no connection waits for it at the broker. */
static void test_what_was_said_meanwhile_is_heard(void **state)
{
    char press[1024], line[1024], text[512];
    int listening = listen_as_daemon(), speaking = peer_connect(&broker, "speaker");
    struct program p = start_program((const char *const[]){NULL});
    await_line(&p, "\"link\"", "true", line);
    command(&p, "press\n");
    await_message(listening, "press", press);
    answer(speaking, press, "recorded");
    await_line(&p, "\"state\"", "received", line);
    close(listening);
    close(speaking);
    kill(p.pid, SIGSTOP); /* it sees nothing of what follows */
    broker_end(&broker, SIGTERM);
    broker_start(&broker, "");
    speaking = peer_connect(&broker, "speaker");
    snprintf(text, sizeof text, "%.*s,\"stage\":\"coming\",\"alarm\":\"a1\"}", (int)(strstr(press, ",\"at\"") - press), press);
    peer_publish(speaking, "tocsin/v1/s/d/receipt", text, 1, false);
    kill(p.pid, SIGCONT);
    await_line(&p, "\"link\"", "false", line);
    await_line(&p, "\"state\"", "help is coming", line);
    command(&p, "quit\n");
    assert_int_equal(end_program(&p), 0);
    close(speaking);
}

/* Its alarm was closed, and nobody says so: the site's retained state does, also to who was away. */
static void test_the_site_says_that_it_is_over(void **state)
{
    static const char quiet[] = "{\"site\":\"s\",\"at\":\"2026-11-23T09:00:00.000Z\",\"alarms\":[]}";
    static const char before[] = "{\"site\":\"s\",\"at\":\"2026-11-23T07:00:00.000Z\",\"alarms\":[]}";
    char press[1024], line[1024];
    int listening = listen_as_daemon(), speaking = peer_connect(&broker, "speaker");
    peer_publish(speaking, "tocsin/v1/s/state", before, 1, true);
    struct program p = start_program((const char *const[]){NULL});
    await_line(&p, "\"link\"", "true", line);
    command(&p, "press\n");
    await_message(listening, "press", press);
    answer(speaking, press, "coming");
    await_line(&p, "\"state\"", "help is coming", line);
    close(speaking);
    kill(p.pid, SIGSTOP); /* it is away */
    broker_end(&broker, SIGTERM);
    broker_start(&broker, "");
    speaking = peer_connect(&broker, "speaker");
    peer_publish(speaking, "tocsin/v1/s/state", quiet, 1, true);
    kill(p.pid, SIGCONT);
    await_line(&p, "\"receipt\"", "\"closed\"", line);
    await_line(&p, "\"state\"", "idle", line);
    command(&p, "quit\n");
    assert_int_equal(end_program(&p), 0);
    close(listening);
    close(speaking);
}

/* A button that hears no receipt says so, lets a press out, and hears again when the access list is mended. */
static void test_deaf(void **state)
{
    char press[1024], line[1024], file[64];
    broker_forbid_to_subscribe(&broker, file,
                               "\"anonymousGroup\":\"all\",\"groups\":[{\"groupname\":\"all\",\"roles\":[{\"rolename\":"
                               "\"admin\"}]}],\"roles\":[{\"rolename\":\"admin\",\"acls\":[{\"acltype\":"
                               "\"publishClientSend\",\"topic\":\"$CONTROL/#\",\"allow\":true}]}]");
    struct program p = start_program((const char *const[]){NULL});
    await_line(&p, "\"link\"", "does not let us hear our receipts: Not authorized", line);
    assert_non_null(strstr(line, "\"up\":true"));
    int admin = peer_connect(&broker, "admin");
    peer_publish(admin, "$CONTROL/dynamic-security/v1",
                 "{\"commands\":[{\"command\":\"setDefaultACLAccess\","
                 "\"acls\":[{\"acltype\":\"subscribe\",\"allow\":true}]}]}",
                 1, false);
    await_line(&p, "\"link\"", "\"up\":true,\"text\":\"\"", line);
    int listening = listen_as_daemon();
    command(&p, "press\n");
    await_message(listening, "press", press);
    answer(admin, press, "recorded");
    await_line(&p, "\"state\"", "received", line);
    command(&p, "quit\n");
    assert_int_equal(end_program(&p), 0);
    unlink(file);
    close(listening);
    close(admin);
}

/* Nobody reads what it prints, so it reads nothing either; the end of its connection is not lost among the receipts. */
static void test_a_flood_of_receipts_hides_no_lost_connection(void **state)
{
    char press[1024], line[1024];
    int listening = listen_as_daemon(), speaking = peer_connect(&broker, "speaker");
    struct program p = start_program((const char *const[]){NULL});
    await_line(&p, "\"link\"", "true", line);
    for (unsigned i = 0; i < 3000; i++)
        peer_publish(speaking, "tocsin/v1/s/d/receipt", "{\"epoch\":\"flood\",\"n\":1,\"stage\":\"recorded\"}", 0, false);
    peer_publish(speaking, "tocsin/v1/s/d/end", "", 0, false);
    await_message(listening, "end", press);
    broker_end(&broker, SIGTERM);
    broker_start(&broker, "");
    await_line(&p, "\"link\"", "false", line);
    await_line(&p, "\"link\"", "true", line);
    command(&p, "quit\n");
    assert_int_equal(end_program(&p), 0);
    close(listening);
    close(speaking);
}

static int start_broker(void **state)
{
    broker_start(&broker, "");
    return 0;
}

static int stop_broker(void **state)
{
    broker_clean(&broker);
    return 0;
}

int main(void)
{
    setenv("http_proxy", "http://127.0.0.1:9", 1); /* a school's proxy is no way to the broker */
#define with_broker(test) cmocka_unit_test_setup_teardown(test, start_broker, stop_broker)
    const struct CMUnitTest tests[] = {
        with_broker(test_once),
        with_broker(test_once_refused_and_timeout),
        with_broker(test_without_descriptors),
        with_broker(test_commands),
        with_broker(test_press_survives),
        with_broker(test_what_was_said_meanwhile_is_heard),
        with_broker(test_the_site_says_that_it_is_over),
        with_broker(test_deaf),
        with_broker(test_a_flood_of_receipts_hides_no_lost_connection),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
