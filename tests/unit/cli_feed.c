/* Server-sent events in any pieces, and what a press on the command line sends and hears. */
#include "cli/feed.h"
#include "cli/press.h"
#include "codec/press_json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct heard {
    char text[4096];
    int left; /* events until the reading ends */
};

static bool hear(void *ctx, const char *data, size_t size)
{
    struct heard *h = ctx;
    strncat(h->text, data, size);
    strcat(h->text, "|");
    return --h->left != 0;
}

static void messages_come_in_any_pieces(void **state)
{
    static const struct {
        const char *stream, *heard, *id;
    } cases[] = {
        {"data: a\n\n", "a|", ""},
        {"data:a\n\ndata: b\n\n", "a|b|", ""},
        {"retry: 1000\nid: 41\n\nid: 42\nevent: closed\ndata: {\"seq\":42}\n\n: ping\n\n", "{\"seq\":42}|",
         "42"},
        {"id: 1\r\ndata: crlf\r\n\r\nid: 2\rdata: cr\r\r", "crlf|cr|", "2"},
        {"data: one\ndata: two\n\n", "one\ntwo|", ""},
        {"data\n\n", "|", ""},
        {"data: half", "", ""},
        {"id: 7\ndata: half\n", "", ""},        /* not ended: its id does not count either */
        {"id: 7; drop\ndata: x\n\n", "x|", ""}, /* an id that is no number is none */
        {"id: 123456789012345678901234567890123\ndata: x\n\n", "x|", ""},
        {"nonsense\n: comment\nunknown: field\ndata: y\n\n", "y|", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece <= 7; piece += 2) {
            struct heard h = {.left = -1};
            struct feed f;
            feed_init(&f, hear, &h);
            size_t size = strlen(cases[i].stream);
            for (size_t at = 0; at < size; at += piece)
                assert_true(feed_take(&f, cases[i].stream + at, piece < size - at ? piece : size - at));
            assert_string_equal(h.text, cases[i].heard);
            assert_string_equal(f.last_id, cases[i].id);
            feed_finish(&f);
        }
}

static void a_new_connection_forgets_what_was_half_there(void **state)
{
    struct heard h = {.left = -1};
    struct feed f;
    feed_init(&f, hear, &h);
    feed_take(&f, "id: 5\ndata: a\n\nid: 6\ndata: ha", 29);
    feed_restart(&f);
    assert_string_equal(f.last_id, "5");
    feed_take(&f, "id: 6\ndata: b\n\n", 15);
    assert_string_equal(h.text, "a|b|");
    assert_string_equal(f.last_id, "6");
    feed_finish(&f);
}

static void the_reader_may_end_it(void **state)
{
    struct heard h = {.left = 1};
    struct feed f;
    feed_init(&f, hear, &h);
    assert_false(feed_take(&f, "data: a\n\ndata: b\n\n", 18));
    assert_string_equal(h.text, "a|");
    feed_finish(&f);
}

static void a_message_without_end_is_passed_over(void **state)
{
    struct heard h = {.left = -1};
    struct feed f;
    char *flood = malloc(FEED_BYTES);
    memset(flood, 'x', FEED_BYTES);
    feed_init(&f, hear, &h);
    feed_take(&f, "data: ", 6);
    for (int i = 0; i < 3; i++)
        assert_true(feed_take(&f, flood, FEED_BYTES));
    assert_true(feed_take(&f, "\n\ndata: next\n\n", 14));
    assert_string_equal(h.text, "next|");
    feed_finish(&f);
    free(flood);
}

/* What the tool sends is what the daemon's own decoder takes for a press without oddity. */
static void a_press_is_one_for_the_daemon(void **state)
{
    unsigned char key[32];
    memset(key, 7, sizeof key);
    static const struct {
        const char *kind;
        enum mode mode;
        bool is_signed;
    } cases[] = {{NULL, MODE_TEST, false}, {"attack", MODE_REAL, true}, {"fire", MODE_DRILL, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct press_words words = {.site = "school-1",
                                    .device = "room-204",
                                    .epoch = "tocsin-tool",
                                    .n = 1795420800123,
                                    .kind = cases[i].kind,
                                    .mode = cases[i].mode,
                                    .at_ms = 1795420800123,
                                    .key = cases[i].is_signed ? key : NULL};
        char *payload = press_payload(&words);
        struct press_fields f;
        press_decode(payload, strlen(payload), &f);
        assert_int_equal(f.oddities, 0);
        assert_true(f.has_identity);
        assert_string_equal(f.epoch, words.epoch);
        assert_int_equal(f.n, words.n);
        assert_int_equal(f.mode, words.mode);
        assert_int_equal(f.claimed_ms, words.at_ms);
        assert_int_equal(f.has_kind, cases[i].kind != NULL);
        assert_int_equal(f.has_signature, cases[i].is_signed);
        if (cases[i].is_signed)
            assert_true(press_signature_ok(key, "school-1", "room-204", &f));
        free(payload);
    }
}

static void receipts_are_known_by_press_or_alarm(void **state)
{
    static const struct {
        const char *payload, *alarm;
        bool ours;
    } cases[] = {
        {"{\"epoch\":\"e\",\"n\":17,\"stage\":\"recorded\",\"alarm\":\"a3k5\"}", "", true},
        {"{\"epoch\":\"e\",\"n\":18,\"stage\":\"recorded\",\"alarm\":\"a3k5\"}", "", false},
        {"{\"epoch\":\"f\",\"n\":17,\"stage\":\"recorded\",\"alarm\":\"a3k5\"}", "", false},
        {"{\"epoch\":\"f\",\"n\":1,\"stage\":\"closed\",\"alarm\":\"a3k5\"}", "a3k5", true},
        {"{\"epoch\":\"e\",\"n\":17,\"stage\":\"refused\"}", "", true},
        {"{\"epoch\":\"e\",\"n\":17,\"stage\":\"a stage that is far too long\"}", "", false},
        {"{\"epoch\":17,\"n\":\"e\",\"stage\":[]}", "", false},
        {"", "", false},
        {"[]", "", false},
        {"garbage", "a3k5", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct receipt r;
        assert_int_equal(
            receipt_read(cases[i].payload, strlen(cases[i].payload), "e", 17, cases[i].alarm, &r),
            cases[i].ours);
    }
    assert_true(stage_rank("recorded") < stage_rank("delivered") &&
                stage_rank("coming") < stage_rank("closed"));
    assert_int_equal(stage_rank("refused"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_in_any_pieces),
        cmocka_unit_test(a_new_connection_forgets_what_was_half_there),
        cmocka_unit_test(the_reader_may_end_it),
        cmocka_unit_test(a_message_without_end_is_passed_over),
        cmocka_unit_test(a_press_is_one_for_the_daemon),
        cmocka_unit_test(receipts_are_known_by_press_or_alarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
