/* Signed notes: our own reader, a key of the C2SP specification's shape, and plain openssl must all agree. */
#include "journal/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

static unsigned char public_key[32], secret_key[64];
static struct note_checkpoint checkpoint = {.origin = "tocsin.example.edu/journal", .size = 4711};
static char text[NOTE_TEXT];
static size_t size;

static int setup(void **state)
{
    static const unsigned char seed[32] = {1, 2, 3};
    if (sodium_init() < 0)
        return 1;
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    memset(checkpoint.root, 0xA5, sizeof checkpoint.root);
    size = note_sign(&checkpoint, secret_key, text);
    return 0;
}

static void test_form(void **state)
{
    assert_int_equal(size, strlen(text));
    const char *start = "tocsin.example.edu/journal\n4711\npaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU=\n\n"
                        "\xe2\x80\x94 tocsin.example.edu/journal ";
    assert_memory_equal(text, start, strlen(start));
    assert_int_equal(text[size - 1], '\n');
}

static void test_signed_and_read_back(void **state)
{
    struct note_checkpoint out;
    char error[LIMIT_TEXT];
    assert_true(note_verify(text, size, public_key, &out, error));
    assert_string_equal(out.origin, checkpoint.origin);
    assert_int_equal(out.size, 4711);
    assert_memory_equal(out.root, checkpoint.root, 32);
}

static void test_every_flipped_bit_is_seen(void **state)
{
    struct note_checkpoint out;
    char error[LIMIT_TEXT], bent[NOTE_TEXT];
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(bent, text, size + 1);
            bent[i] ^= (char)(1 << bit);
            assert_false(note_verify(bent, size, public_key, &out, error));
            assert_true(strlen(error) > 20);
        }
    for (size_t cut = 0; cut < size; cut++)
        assert_false(note_verify(text, cut, public_key, &out, error));
}

static void test_another_key_is_refused_by_name(void **state)
{
    unsigned char other_public[32], other_secret[64];
    struct note_checkpoint out;
    char error[LIMIT_TEXT];
    crypto_sign_keypair(other_public, other_secret);
    assert_false(note_verify(text, size, other_public, &out, error));
    assert_non_null(strstr(error, "tocsin.example.edu/journal"));
}

static void test_cosignatures_are_passed_over(void **state)
{
    char cosigned[2 * NOTE_TEXT];
    struct note_checkpoint out;
    char error[LIMIT_TEXT];
    char *own = strstr(text, "\n\n") + 2;
    int n = snprintf(cosigned, sizeof cosigned, "%.*s\xe2\x80\x94 witness.example AAAAAAAA\n%s",
                     (int)(own - text), text, own);
    assert_true(note_verify(cosigned, (size_t)n, public_key, &out, error));
}

static void test_bad_forms_are_refused_with_a_sentence(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "a b\n1\n",
        "a\n",
        "a\nx\n",
        "a\n01\n",
        "a\n-1\n",
        "a\n99999999999999999999999\n",
        "a\n1\nAAAA\n\n",
        "a\n1\n????????????????????????????????????????????\n\n",
        "a\n1\npaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaU=\n", /* no empty line */
    };
    struct note_checkpoint out;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char error[LIMIT_TEXT] = "";
        assert_false(note_parse(bad[i], strlen(bad[i]), &out, error));
        assert_non_null(strstr(error, "the checkpoint"));
    }
    char lines[NOTE_ORIGIN + 10], error[LIMIT_TEXT] = "";
    memset(lines, 'a', sizeof lines);
    memcpy(lines + NOTE_ORIGIN, "\n1\n", 4);
    assert_false(note_origin_valid(lines));
    assert_false(note_parse(lines, NOTE_ORIGIN + 3, &out, error));
    assert_non_null(strstr(error, "first line"));
    assert_false(note_parse("a\0b\n1\n", 6, &out, error));
    assert_non_null(strstr(error, "not an origin"));
    assert_false(note_parse("a\n\n", 3, &out, error));
    assert_false(note_origin_valid(""));
    assert_false(note_origin_valid("a+b"));
    assert_false(note_origin_valid("a b"));
    assert_true(note_origin_valid("tocsin.example.edu"));
}

/* The example of c2sp.org/signed-note: its public key text must read, and give itself back. */
static void test_key_text(void **state)
{
    const char *known = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    char origin[NOTE_ORIGIN], again[NOTE_KEY_TEXT], error[LIMIT_TEXT], bent[NOTE_KEY_TEXT];
    unsigned char key[32];
    assert_true(note_key_parse(known, origin, key, error));
    assert_string_equal(origin, "PeterNeumann");
    note_key_text(origin, key, again);
    assert_string_equal(again, known);
    for (size_t i = 0; i < strlen(known); i++) {
        strcpy(bent, known);
        bent[i] = bent[i] == 'x' ? 'y' : 'x';
        assert_false(note_key_parse(bent, origin, key, error));
    }
    assert_false(note_key_parse("", origin, key, error));
    assert_false(note_key_parse("a+12345678", origin, key, error));
    static const char *const bad[] = {
        "a+12345678+",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "a+1234567x+AAAA",
        "a+c74f20a3+",
        "a+c74f20a3-ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "a+c74f20a3+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" /* another algorithm */};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(note_key_parse(bad[i], origin, key, error));
    char long_name[2 * NOTE_ORIGIN];
    memset(long_name, 'a', sizeof long_name);
    strcpy(long_name + NOTE_ORIGIN, strchr(known, '+'));
    assert_false(note_key_parse(long_name, origin, key, error));
}

/* The signed note of the same specification's Go reference. */
static void test_known_note(void **state)
{
    const char *known = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const char *body = "If you think cryptography is the answer to your problem,\nthen you don't know what "
                       "your problem is.\n";
    const char *signature =
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
    char origin[NOTE_ORIGIN], error[LIMIT_TEXT];
    unsigned char key[32], raw[68];
    size_t decoded;
    assert_true(note_key_parse(known, origin, key, error));
    assert_int_equal(sodium_base642bin(raw, sizeof raw, signature, strlen(signature), NULL, &decoded, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    assert_int_equal(decoded, 68);
    assert_memory_equal(raw, "\xc7\x4f\x20\xa3", 4);
    assert_int_equal(crypto_sign_verify_detached(raw + 4, (const unsigned char *)body, strlen(body), key), 0);
}

static void write_file(const char *folder, const char *name, const char *content)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(content, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Nothing of ours on this side: the key and the signature go to openssl. */
static int openssl_says(const char *folder, const char *note)
{
    char key[NOTE_KEY_TEXT], command[1200];
    note_key_text(checkpoint.origin, public_key, key);
    write_file(folder, "journal.pub", key);
    write_file(folder, "checkpoint.txt", note);
    snprintf(command, sizeof command,
             "cd '%s' && { printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'; "
             "cut -d+ -f3- journal.pub | base64 -d | tail -c 32; } | openssl pkey -pubin -inform DER -out "
             "key.pem 2>err && "
             "sed '/^$/,$d' checkpoint.txt > text && "
             "tail -n 1 checkpoint.txt | cut -d' ' -f3 | base64 -d | tail -c 64 > signature && "
             "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in text -sigfile signature > out 2>&1",
             folder);
    return system(command);
}

static void test_plain_openssl_agrees(void **state)
{
    char folder[] = "/tmp/tocsin-note-XXXXXX", bent[NOTE_TEXT], command[80];
    assert_non_null(mkdtemp(folder));
    assert_int_equal(openssl_says(folder, text), 0);
    memcpy(bent, text, sizeof bent);
    *strchr(bent, '7') = '8'; /* 4711 → 4811 */
    assert_int_not_equal(openssl_says(folder, bent), 0);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_signed_and_read_back),
        cmocka_unit_test(test_every_flipped_bit_is_seen),
        cmocka_unit_test(test_another_key_is_refused_by_name),
        cmocka_unit_test(test_cosignatures_are_passed_over),
        cmocka_unit_test(test_bad_forms_are_refused_with_a_sentence),
        cmocka_unit_test(test_key_text),
        cmocka_unit_test(test_known_note),
        cmocka_unit_test(test_plain_openssl_agrees),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
