/* The button signs what the daemon checks: two implementations, one contract (proto/mqtt.md). */
#include "button/button_sodium.h"
#include "button_rig.h"
#include "codec/press_json.h"
#include <unistd.h>

static struct button_key key;

static bool rig_hmac(void *ctx, const void *bytes, size_t size, unsigned char out[32])
{
    return button_hmac(&key, bytes, size, out);
}

static void test_daemon_accepts_every_press(void **state)
{
    static const char *const kinds[] = {"",        "panic",     "attack", "fire",
                                        "medical", "intrusion", "cancel", "new_kind"};
    static const int64_t times[] = {0, 1795420800123};
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (unsigned mode = 0; mode < BUTTON_MODE_COUNT; mode++)
            for (unsigned t = 0; t < 2; t++) {
                struct rig *r = rig_new();
                struct button_options options = rig_options(r);
                struct press_fields fields;
                options.hmac = rig_hmac;
                for (unsigned i = 0; i < sizeof key.bytes; i++)
                    key.bytes[i] = (unsigned char)(i * 7 + k);
                r->wall_ms = times[t];
                button_init(&r->button, &options, r->now_ms);
                rig_link(r, true);
                uint64_t n = rig_press(r, kinds[k], (enum button_mode)mode);
                press_decode(r->sent[0].payload, strlen(r->sent[0].payload), &fields);
                assert_true(fields.has_signature);
                assert_int_equal(fields.n, n);
                assert_int_equal(fields.oddities & ~(uint32_t)ODD_UNKNOWN_KIND, 0);
                assert_true(press_signature_ok(key.bytes, "school-1", "room-204", &fields));
                assert_false(press_signature_ok(key.bytes, "school-1", "room-205", &fields));
                fields.n++;
                assert_false(press_signature_ok(key.bytes, "school-1", "room-204", &fields));
                free(r);
            }
}

static bool no_hmac(void *ctx, const void *bytes, size_t size, unsigned char out[32])
{
    return false;
}

static void test_press_goes_out_though_signing_fails(void **state)
{
    struct rig *r = rig_new();
    struct button_options options = rig_options(r);
    options.hmac = no_hmac;
    button_init(&r->button, &options, r->now_ms);
    rig_link(r, true);
    rig_press(r, "panic", BUTTON_REAL);
    assert_int_equal(r->sent_count, 1);
    assert_null(strstr(r->sent[0].payload, "sig"));
    free(r);
}

static void test_key_files(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", true},
        {"room-204 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n", true},
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n", false}, /* 31 bytes */
        {"", false},
        {"not base64\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[] = "/tmp/tocsin-key-XXXXXX";
        struct button_key read_key = {{0}};
        int fd = mkstemp(path);
        assert_int_equal(write(fd, cases[i].text, strlen(cases[i].text)), strlen(cases[i].text));
        close(fd);
        assert_int_equal(button_key_read(&read_key, path), cases[i].good);
        if (cases[i].good)
            assert_int_equal(read_key.bytes[31], 31);
        unlink(path);
    }
    assert_false(button_key_read(&key, "/nonexistent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_daemon_accepts_every_press),
        cmocka_unit_test(test_press_goes_out_though_signing_fails),
        cmocka_unit_test(test_key_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
