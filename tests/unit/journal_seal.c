/* seal.h: a checkpoint's signature is made once, by whoever is there, and is the same whoever makes it. */
#include "journal/seal.h"
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define ROUNDS 3000

struct lab {
    unsigned char public_key[32], secret_key[64];
    struct seal seal;
    atomic_bool over;
    unsigned helped;
};

static int set_up(void **state)
{
    static struct lab l;
    memset(&l, 0, sizeof l);
    assert_true(sodium_init() >= 0);
    crypto_sign_keypair(l.public_key, l.secret_key);
    l.seal.origin = "test.example";
    l.seal.secret_key = l.secret_key;
    *state = &l;
    return 0;
}

static void ask(struct lab *l, uint64_t size)
{
    unsigned char root[32];
    memset(root, (int)size, sizeof root);
    seal_ask(&l->seal, size, root);
}

static void check(const struct lab *l, const char *note, uint64_t size)
{
    struct note_checkpoint c;
    char error[LIMIT_TEXT] = "";
    if (!note_verify(note, strlen(note), l->public_key, &c, error))
        fail_msg("%s", error);
    assert_int_equal(c.size, size);
    assert_int_equal(c.root[31], (unsigned char)size);
    assert_string_equal(c.origin, "test.example");
}

static void test_nobody_helps(void **state)
{
    struct lab *l = *state;
    ask(l, 7);
    check(l, seal_take(&l->seal), 7);
    check(l, seal_take(&l->seal), 7); /* the second try of a batch takes the same */
    seal_over(&l->seal);
    ask(l, 8);
    check(l, seal_take(&l->seal), 8);
}

static void test_somebody_helps(void **state)
{
    struct lab *l = *state;
    assert_false(seal_help(&l->seal)); /* not wanted yet: ask again */
    ask(l, 7);
    assert_true(seal_help(&l->seal));
    assert_true(seal_help(&l->seal)); /* nothing is left to be done */
    assert_int_equal(l->seal.state, SEAL_MADE);
    check(l, seal_take(&l->seal), 7);
    seal_over(&l->seal);
    assert_false(seal_help(&l->seal));
}

static void help(void *arg)
{
    struct lab *l = arg;
    while (!l->over)
        l->helped += seal_help(&l->seal);
}

static void test_both_at_once(void **state)
{
    struct lab *l = *state;
    uv_thread_t helper;
    assert_int_equal(uv_thread_create(&helper, help, l), 0);
    for (uint64_t size = 1; size <= ROUNDS; size++) {
        ask(l, size);
        if (size % 2)
            sched_yield(); /* the helper has more of a chance */
        check(l, seal_take(&l->seal), size);
        seal_over(&l->seal);
    }
    l->over = true;
    uv_thread_join(&helper);
    print_message("found something asked for or made %u times\n", l->helped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nobody_helps, set_up),
        cmocka_unit_test_setup(test_somebody_helps, set_up),
        cmocka_unit_test_setup(test_both_at_once, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
