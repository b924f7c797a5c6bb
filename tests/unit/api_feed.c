/* The feed without gap or double, who hears what, and the journal as it can be checked by an outsider. */
#include "api_rig.h"
#include "journal/note.h"
#include "journal/tree.h"

/* --- The feed. */

struct heard {
    uint64_t ids[8192];
    size_t count, without_id;
    uint64_t last_id; /* also of blocks without data */
    size_t foreign;   /* lines that name the site this listener must not hear of */
};

/* An event without an id comes again when it is recorded; one with an id never does. */
static void hear_event(struct heard *h, uint64_t id, const char *data)
{
    uint64_t seq = strtoull(data + strlen("data: {\"seq\":"), NULL, 10);
    assert_true(id == 0 || id == seq);
    assert_true(seq > h->last_id || id == h->last_id);
    h->without_id += id == 0;
    if (h->count == 0 || seq > h->ids[h->count - 1])
        h->ids[h->count++] = seq;
}

static void hear(struct heard *h, const char *text, const char *must_not)
{
    uint64_t id = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        size_t size = strcspn(line, "\n");
        if (size == 0) {
            h->last_id = id ? id : h->last_id;
            id = 0;
        }
        if (strncmp(line, "id: ", 4) == 0)
            id = strtoull(line + 4, NULL, 10);
        if (strncmp(line, "data: ", 6) != 0)
            continue;
        hear_event(h, id, line);
        char *found = must_not ? memmem(line, size, must_not, strlen(must_not)) : NULL;
        h->foreign += found != NULL;
        if (!line[size])
            break;
    }
}

/* Listens until the answer ends by itself (true) or nothing comes for a while. */
static bool listen_from(struct rig *r, const char *who, uint64_t after, struct heard *h, const char *must_not)
{
    char extra[64];
    snprintf(extra, sizeof extra, "Last-Event-ID: %llu", (unsigned long long)after);
    struct answer a = rig_ask(r, "GET", "/api/v1/feed", who, NULL, NULL, extra, 1500);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.headers, "text/event-stream"));
    hear(h, a.body, must_not);
    bool ended = a.code == CURLE_OK;
    answer_free(&a);
    return ended;
}

static void presses_of_both_schools(struct rig *r, void *argument)
{
    unsigned *next = argument;
    for (unsigned i = 0; i < 100; i++, ++*next) {
        struct rig_press one = {*next % 2 ? "school-1/b1" : "school-2/b1", *next, "panic"};
        rig_do_press(r, &one);
    }
}

static void committed(struct rig *r, void *argument)
{
    *(uint64_t *)argument = engine_journal(r->engine).committed_seq;
}

static void test_resume(void **state)
{
    struct rig *r = rig_start();
    struct rig_look look = {.place = "school-1/b1"};
    unsigned next = 1;
    for (int i = 0; i < 20; i++) { /* more than what is kept for a resume: the journal has to be read */
        rig_call(r, presses_of_both_schools, &next);
        rig_settle(r, &look);
    }
    uint64_t head = 0;
    rig_call(r, committed, &head);
    assert_true(head > 2000);

    static struct heard all;
    memset(&all, 0, sizeof all);
    unsigned answers = 1;
    while (listen_from(r, "desk", all.last_id, &all, NULL))
        answers++;
    assert_true(answers > 2); /* it came in pieces */
    assert_int_equal(all.count, head);
    for (size_t i = 0; i < all.count; i++)
        assert_int_equal(all.ids[i], i + 1);

    static struct heard some;
    memset(&some, 0, sizeof some);
    while (listen_from(r, "guard-1", some.last_id, &some, "\"site\":\"school-2\""))
        continue;
    assert_int_equal(some.foreign, 0);
    assert_true(some.count >= 1000 && some.count < head - 900);
    assert_int_equal(some.last_id, head);

    memset(&some, 0, sizeof some); /* lately: from memory */
    assert_false(listen_from(r, "desk", head - 10, &some, NULL));
    assert_int_equal(some.count, 10);
    assert_int_equal(some.ids[0], head - 9);
    memset(&some, 0, sizeof some); /* an id from the future: from now on */
    assert_false(listen_from(r, "desk", head + 1000, &some, NULL));
    assert_int_equal(some.count, 0);
    assert_int_equal(some.last_id, head);
    rig_stop(r);
}

struct listener {
    struct rig *r;
    const char *who;
    struct heard heard;
    uv_thread_t thread;
};

static void listen_live(void *ctx)
{
    struct listener *l = ctx;
    for (int i = 0; i < 3; i++)
        listen_from(l->r, l->who, l->heard.last_id, &l->heard,
                    strcmp(l->who, "guard-1") ? NULL : "\"site\":\"school-2\"");
}

/* Listeners that come and go while presses pour in: everything arrives once, in order. */
static void test_live(void **state)
{
    struct rig *r = rig_start();
    struct rig_look look = {.place = "school-1/b1"};
    static struct listener listeners[6];
    memset(listeners, 0, sizeof listeners);
    for (int i = 0; i < 6; i++) {
        listeners[i].r = r;
        listeners[i].who = i % 2 ? "guard-1" : "desk";
        uv_thread_create(&listeners[i].thread, listen_live, &listeners[i]);
    }
    unsigned next = 1;
    for (int i = 0; i < 10; i++) {
        rig_call(r, presses_of_both_schools, &next);
        rig_settle(r, &look);
    }
    uint64_t head = 0;
    rig_call(r, committed, &head);
    for (int i = 0; i < 6; i++) {
        struct heard *h = &listeners[i].heard;
        uv_thread_join(&listeners[i].thread);
        for (size_t k = 1; k < h->count; k++)
            assert_true(h->ids[k] > h->ids[k - 1]);
        assert_int_equal(h->foreign, 0);
        if (i % 2 == 0)
            assert_int_equal(h->count, head);
        else
            assert_true(h->count >= 500);
    }
    rig_stop(r);
}

/* --- The journal cannot be read. */

static bool alarms_unreadable, lines_unreadable;
static history_lines_fn *asked;

static void cannot_read(void *ctx, const struct history_lines *lines)
{
    asked(ctx, &(struct history_lines){.error = "the disk does not answer"});
}

void __real_history_alarm(struct history *h, const char *alarm, unsigned limit, history_lines_fn *fn, void *ctx);
void __wrap_history_alarm(struct history *h, const char *alarm, unsigned limit, history_lines_fn *fn, void *ctx);
void __wrap_history_alarm(struct history *h, const char *alarm, unsigned limit, history_lines_fn *fn, void *ctx)
{
    asked = fn;
    __real_history_alarm(h, alarm, limit, alarms_unreadable ? cannot_read : fn, ctx);
}

void __real_history_range(struct history *h, uint64_t from, unsigned limit, history_lines_fn *fn, void *ctx);
void __wrap_history_range(struct history *h, uint64_t from, unsigned limit, history_lines_fn *fn, void *ctx);
void __wrap_history_range(struct history *h, uint64_t from, unsigned limit, history_lines_fn *fn, void *ctx)
{
    asked = fn;
    __real_history_range(h, from, limit, lines_unreadable ? cannot_read : fn, ctx);
}

static void move_clock(struct rig *r, void *argument)
{
    r->ahead_ms += (intptr_t)argument;
    engine_tick(r->engine);
}

static void forget_places(struct rig *r, void *argument)
{
    api_conf_changed(r->api, NULL);
}

/* An alarm that has left the board: which school it was of is read from the journal. When that fails the feed has to be asked
 * for again; to withhold its events would leave a gap that nobody sees. */
static void test_no_gap_when_the_site_cannot_be_read(void **state)
{
    struct rig *r = rig_start();
    char alarm[LIMIT_ALARM_ID];
    struct rig_look look = {.place = "school-1/b2"};
    uint64_t pressed = 0;
    unsigned next = 1;
    rig_press(r, look.place, 1, "fire", alarm);
    rig_call(r, committed, &pressed);
    struct answer a = post(r, alarm, "close", "desk", "{\"disposition\":\"false\",\"seen_version\":1}");
    assert_int_equal(a.status, 200);
    answer_free(&a);
    rig_call(r, move_clock, (void *)(intptr_t)(2 * 3600 * 1000));
    rig_settle(r, &look);
    rig_call(r, move_clock, (void *)(intptr_t)(60 * 1000));
    for (int i = 0; i < 12; i++) { /* more than what is kept for a resume */
        rig_call(r, presses_of_both_schools, &next);
        rig_settle(r, &look);
    }
    rig_call(r, forget_places, NULL);

    char extra[64];
    snprintf(extra, sizeof extra, "Last-Event-ID: %llu", (unsigned long long)pressed);
    alarms_unreadable = true;
    a = rig_ask(r, "GET", "/api/v1/feed", "guard-1", NULL, NULL, extra, 5000);
    assert_int_equal(a.status, 503);
    answer_free(&a);
    alarms_unreadable = false;
    static struct heard some;
    memset(&some, 0, sizeof some);
    while (listen_from(r, "guard-1", some.last_id ? some.last_id : pressed, &some, NULL))
        continue;
    bool closing = false;
    for (size_t i = 0; i < some.count; i++)
        closing = closing || some.ids[i] == pressed + 1;
    assert_true(closing);
    rig_stop(r);
}

/* --- What is not recorded (yet). */

static void mend_disk(struct rig *r, void *argument)
{
    const struct store *healthy = argument;
    r->store->append = healthy->append;
    r->store->open = healthy->open;
}

/* Until the daemon has applied the press: the journal will not have it. */
static void press_unrecorded(struct rig *r, const char *place, unsigned n)
{
    struct rig_press press = {place, n, "panic"};
    struct rig_look look = {.place = press.place};
    rig_call(r, rig_do_press, &press);
    for (int i = 0; i < 5000 && !look.alarm[0]; i++) {
        rig_call(r, rig_do_look, &look);
        usleep(1000);
    }
    assert_true(look.alarm[0]);
}

/* Its number can be another event's after a crash: who resumes by it would miss that one. */
static void test_no_id_before_the_record(void **state)
{
    struct rig *r = rig_start();
    struct rig_look look = {.place = "school-1/b1"};
    struct store healthy = *r->store;
    static struct heard first, second;
    static struct listener live;
    uint64_t head = 0, mended = 0;
    rig_settle(r, &look);
    rig_call(r, committed, &head);
    rig_call(r, rig_kill_disk, NULL);
    press_unrecorded(r, "school-1/b1", 1);
    memset(&first, 0, sizeof first);
    assert_false(listen_from(r, "desk", head, &first, NULL));
    assert_true(first.count > 0 && first.without_id == first.count);
    assert_int_equal(first.last_id, head);

    memset(&live, 0, sizeof live);
    live.r = r;
    live.who = "desk";
    uv_thread_create(&live.thread, listen_live, &live);
    rig_call(r, mend_disk, &healthy);
    rig_settle(r, &look);
    uv_thread_join(&live.thread);
    rig_call(r, committed, &mended);
    assert_true(mended > head);
    assert_int_equal(live.heard.last_id, mended);

    memset(&second, 0, sizeof second);
    assert_false(listen_from(r, "desk", first.last_id, &second, NULL));
    assert_int_equal(second.count, mended - head);
    assert_int_equal(second.without_id, 0);
    assert_int_equal(second.last_id, mended);
    rig_stop(r);
}

/* Without a record and without a journal to read, a desk that was cut off comes back all the same. */
static void test_a_feed_does_not_die_with_the_disk(void **state)
{
    struct rig *r = rig_start();
    struct rig_look look = {.place = "school-1/b1"};
    uint64_t head = 0;
    unsigned next = 1;
    rig_settle(r, &look);
    rig_call(r, committed, &head);
    rig_call(r, rig_kill_disk, NULL);
    press_unrecorded(r, "school-1/b3", 1);
    for (int i = 0; i < 12; i++) /* more than what is kept for a resume */
        rig_call(r, presses_of_both_schools, &next);
    lines_unreadable = true;
    static struct heard all, some;
    memset(&all, 0, sizeof all);
    memset(&some, 0, sizeof some);
    while (listen_from(r, "desk", all.last_id ? all.last_id : head, &all, NULL))
        continue;
    assert_true(all.count > 1000);
    while (listen_from(r, "guard-1", some.last_id ? some.last_id : head, &some, "\"site\":\"school-2\""))
        continue;
    assert_true(some.count > 500 && some.foreign == 0);
    lines_unreadable = false;
    rig_stop(r);
}

/* --- The journal. */

static void decode(const json_t *text, unsigned char hash[32])
{
    size_t size = 0;
    assert_int_equal(sodium_base642bin(hash, 32, json_string_value(text), json_string_length(text), NULL,
                                       &size, NULL, sodium_base64_VARIANT_ORIGINAL),
                     0);
    assert_int_equal(size, 32);
}

static void decode_path(const struct answer *a, struct tree_proof *proof)
{
    json_t *path = json_object_get(a->json, "path");
    proof->count = json_array_size(path);
    for (size_t i = 0; i < proof->count; i++)
        decode(json_array_get(path, i), proof->path[i]);
}

static void test_journal(void **state)
{
    struct rig *r = rig_start();
    struct rig_look look = {.place = "school-1/b1"};
    unsigned next = 1;
    rig_call(r, presses_of_both_schools, &next);
    rig_settle(r, &look);
    uint64_t head = 0;
    rig_call(r, committed, &head);

    /* Page by page, as the Link header says; each line is a leaf. */
    struct tree_frontier tree = {0};
    unsigned char leaves[512][32], old_root[32] = {0};
    char path[100] = "/api/v1/journal?limit=30";
    while (path[0]) {
        struct answer a = get(r, path, "desk");
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(a.headers, "application/x-ndjson"));
        for (char *line = a.body; *line; line += strlen(line) + 1) {
            line[strcspn(line, "\n")] = 0;
            tree_leaf(leaves[tree.size], line, strlen(line));
            tree_add(&tree, leaves[tree.size], NULL, NULL);
            if (tree.size == 50)
                tree_root(&tree, old_root);
        }
        char *link = strstr(a.headers, "Link: <");
        path[0] = 0;
        if (link)
            snprintf(path, sizeof path, "%.*s", (int)strcspn(link + 7, ">"), link + 7);
        answer_free(&a);
    }
    assert_int_equal(tree.size, head);

    struct answer a = get(r, "/api/v1/journal/checkpoint", "desk");
    struct note_checkpoint checkpoint;
    char error[LIMIT_TEXT];
    assert_non_null(strstr(a.headers, "text/plain"));
    assert_true(note_verify(a.body, a.size, r->conf->daemon.journal_key + 32, &checkpoint, error));
    assert_int_equal(checkpoint.size, head);
    unsigned char root[32], leaf[32];
    tree_root(&tree, root);
    assert_memory_equal(root, checkpoint.root, 32);
    answer_free(&a);

    struct tree_proof proof;
    static const unsigned seqs[] = {1, 2, 50, 101};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "/api/v1/journal/proof?seq=%u", seqs[i]);
        a = get(r, path, "desk");
        assert_int_equal(a.status, 200);
        assert_int_equal(json_integer_value(json_object_get(a.json, "size")), head);
        decode(json_object_get(a.json, "leaf"), leaf);
        assert_memory_equal(leaf, leaves[seqs[i] - 1], 32);
        decode_path(&a, &proof);
        assert_true(tree_check_inclusion(leaf, seqs[i] - 1, head, &proof, root));
        answer_free(&a);
    }
    a = get(r, "/api/v1/journal/consistency?old=50", "desk");
    assert_int_equal(a.status, 200);
    decode_path(&a, &proof);
    assert_true(tree_check_consistency(50, old_root, head, root, &proof));
    answer_free(&a);
    rig_stop(r);
}

static void test_refused(void **state)
{
    struct rig *r = rig_start();
    char alarm[LIMIT_ALARM_ID];
    rig_press(r, "school-1/stranger", 1, "panic", alarm);
    rig_press(r, "school-2/stranger", 1, "panic", alarm);
    rig_press(r, "school-1/stranger", 2, "panic", alarm);
    static const struct {
        const char *who;
        size_t count;
    } sees[] = {{"desk", 3}, {"guard-1", 2}, {"guard-2", 1}};
    for (size_t i = 0; i < 3; i++) {
        struct answer a = get(r, "/api/v1/refused", sees[i].who);
        assert_int_equal(json_array_size(json_object_get(a.json, "refused")), sees[i].count);
        assert_true(json_is_null(json_object_get(a.json, "next")));
        answer_free(&a);
    }
    struct answer a = get(r, "/api/v1/refused?limit=1", "guard-2");
    assert_int_equal(json_array_size(json_object_get(a.json, "refused")), 1);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(a.json, "refused"), 0), "refusal")),
        "unknown_device");
    answer_free(&a);
    rig_stop(r);
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_ALL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_live),
        cmocka_unit_test(test_no_gap_when_the_site_cannot_be_read),
        cmocka_unit_test(test_no_id_before_the_record),
        cmocka_unit_test(test_a_feed_does_not_die_with_the_disk),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
