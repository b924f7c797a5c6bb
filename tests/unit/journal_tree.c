/* The tree against the well-known vectors of the Certificate Transparency reference tests, and against a
 * naive recursion written straight from RFC 6962 section 2.1. */
#include "journal/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#define N 270 /* leaves of the exhaustive tests: past a complete subtree of 256 */

static unsigned char leaves[N][TREE_HASH];

static void assert_hex(const unsigned char hash[TREE_HASH], const char *expected) {
    char hex[2 * TREE_HASH + 1];
    sodium_bin2hex(hex, sizeof hex, hash, TREE_HASH);
    assert_string_equal(hex, expected);
}

static void naive_root(uint64_t from, uint64_t n, unsigned char out[TREE_HASH]) {
    if (n == 1) {
        memcpy(out, leaves[from], TREE_HASH);
        return;
    }
    uint64_t k = 1;
    while (k * 2 < n)
        k *= 2;
    unsigned char both[65] = {1};
    naive_root(from, k, both + 1);
    naive_root(from + k, n - k, both + 33);
    crypto_hash_sha256(out, both, sizeof both);
}

static bool hash_of(void *ctx, unsigned level, uint64_t index, unsigned char out[TREE_HASH]) {
    if (((index + 1) << level) > N)
        return false;
    naive_root(index << level, 1ULL << level, out);
    return true;
}

static int setup(void **state) {
    for (unsigned i = 0; i < N; i++)
        tree_leaf(leaves[i], &i, sizeof i);
    return sodium_init() < 0;
}

static const struct {
    const char *bytes;
    size_t size;
    const char *root; /* of the leaves up to and with this one */
} vectors[] = {
    {"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
    {"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
    {"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
    {"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
    {"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
    {"\x40\x41\x42\x43", 4, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
    {"\x50\x51\x52\x53\x54\x55\x56\x57", 8,
     "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
    {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
     "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
};

static bool vector_hash(void *ctx, unsigned level, uint64_t index, unsigned char out[TREE_HASH]) {
    if (level == 0) {
        tree_leaf(out, vectors[index].bytes, vectors[index].size);
        return true;
    }
    unsigned char left[TREE_HASH], right[TREE_HASH];
    vector_hash(ctx, level - 1, 2 * index, left);
    vector_hash(ctx, level - 1, 2 * index + 1, right);
    tree_node(out, left, right);
    return true;
}

static void test_known_roots(void **state) {
    struct tree_frontier f = {0};
    unsigned char root[TREE_HASH], leaf[TREE_HASH];
    tree_root(&f, root);
    assert_hex(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        tree_leaf(leaf, vectors[i].bytes, vectors[i].size);
        tree_add(&f, leaf, NULL, NULL);
        tree_root(&f, root);
        assert_hex(root, vectors[i].root);
    }
}

static void test_known_proofs(void **state) {
    static const struct {
        bool consistency;
        uint64_t first, size; /* inclusion: index from 0 */
        const char *path[4];
    } proofs[] = {
        {false, 0, 1, {NULL}},
        {false,
         0,
         8,
         {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
        {false,
         5,
         8,
         {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
          "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
        {false, 2, 3, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
        {false,
         1,
         5,
         {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
        {true, 1, 1, {NULL}},
        {true,
         1,
         8,
         {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
        {true,
         6,
         8,
         {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
          "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
        {true,
         2,
         5,
         {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
    };
    for (size_t i = 0; i < sizeof proofs / sizeof proofs[0]; i++) {
        struct tree_proof p;
        if (proofs[i].consistency)
            assert_true(tree_consistency(&p, proofs[i].first, proofs[i].size, vector_hash, NULL));
        else
            assert_true(tree_inclusion(&p, proofs[i].first, proofs[i].size, vector_hash, NULL));
        size_t count = 0;
        for (; count < 4 && proofs[i].path[count]; count++)
            assert_hex(p.path[count], proofs[i].path[count]);
        assert_int_equal(p.count, count);
    }
}

static void test_frontier_is_naive_recursion(void **state) {
    struct tree_frontier f = {0}, at, back;
    unsigned char packed[TREE_FRONTIER_BYTES], root[TREE_HASH], naive[TREE_HASH];
    for (uint64_t n = 1; n <= N; n++) {
        tree_add(&f, leaves[n - 1], NULL, NULL);
        tree_root(&f, root);
        naive_root(0, n, naive);
        assert_memory_equal(root, naive, TREE_HASH);
        assert_true(tree_frontier_at(&at, n, hash_of, NULL));
        assert_true(tree_frontier_equal(&f, &at));
        size_t size = tree_frontier_pack(&f, packed);
        assert_true(tree_frontier_unpack(&back, n, packed, size));
        assert_true(tree_frontier_equal(&f, &back));
        assert_false(tree_frontier_unpack(&back, n, packed, size - 1));
    }
    at.hashes[1][5] ^= 1; /* 270 = 100001110b uses level 1 */
    assert_false(tree_frontier_equal(&f, &at));
}

struct completed {
    unsigned count;
    bool good;
};

static void on_complete(void *ctx, unsigned level, uint64_t index, const unsigned char hash[TREE_HASH]) {
    struct completed *c = ctx;
    unsigned char naive[TREE_HASH];
    naive_root(index << level, 1ULL << level, naive);
    c->good = c->good && memcmp(naive, hash, TREE_HASH) == 0;
    c->count++;
}

static void test_completed_subtrees_are_told(void **state) {
    struct tree_frontier f = {0};
    struct completed c = {.good = true};
    for (unsigned i = 0; i < N; i++)
        tree_add(&f, leaves[i], on_complete, &c);
    assert_true(c.good);
    assert_int_equal(c.count, N - __builtin_popcount(N)); /* inner nodes of a perfect forest */
}

static void test_every_proof_is_accepted_and_no_bent_one(void **state) {
    unsigned char root[TREE_HASH], old_root[TREE_HASH];
    struct tree_proof p;
    for (uint64_t n = 1; n <= 40; n++) {
        naive_root(0, n, root);
        for (uint64_t i = 0; i < n; i++) {
            assert_true(tree_inclusion(&p, i, n, hash_of, NULL));
            assert_true(tree_check_inclusion(leaves[i], i, n, &p, root));
            assert_false(tree_check_inclusion(leaves[i + 1], i, n, &p, root));
            assert_false(tree_check_inclusion(leaves[i], i + n, n, &p, root));
            for (size_t k = 0; k < p.count; k++) {
                p.path[k][7] ^= 4;
                assert_false(tree_check_inclusion(leaves[i], i, n, &p, root));
                p.path[k][7] ^= 4;
            }
            p.count++;
            assert_false(tree_check_inclusion(leaves[i], i, n, &p, root));
        }
        for (uint64_t m = 1; m <= n; m++) {
            naive_root(0, m, old_root);
            assert_true(tree_consistency(&p, m, n, hash_of, NULL));
            assert_true(tree_check_consistency(m, old_root, n, root, &p));
            for (size_t k = 0; k < p.count; k++) {
                p.path[k][0] ^= 128;
                assert_false(tree_check_consistency(m, old_root, n, root, &p));
                p.path[k][0] ^= 128;
            }
            old_root[0] ^= 1;
            assert_false(tree_check_consistency(m, old_root, n, root, &p));
        }
    }
    assert_false(tree_inclusion(&p, 40, 40, hash_of, NULL));
    assert_false(tree_consistency(&p, 41, 40, hash_of, NULL));
    assert_false(tree_inclusion(&p, 3, N + 1, hash_of, NULL)); /* a hash is missing */
}

static bool no_hash(void *ctx, unsigned level, uint64_t index, unsigned char out[TREE_HASH]) {
    return false;
}

/* What a liar could send, or a damaged file hold, that is not even of the form of a proof. */
static void test_impossible_proofs_are_refused(void **state) {
    struct tree_proof proof = {0}, long_proof = {.count = 60};
    struct tree_frontier f;
    unsigned char empty[TREE_HASH], root[TREE_HASH], other[TREE_HASH] = {1};
    tree_root(&(struct tree_frontier){0}, empty);
    naive_root(0, 5, root);
    assert_false(tree_frontier_at(&f, 5, no_hash, NULL));
    assert_false(tree_inclusion(&proof, 5, 5, hash_of, NULL));
    assert_false(tree_consistency(&proof, 5, 4, hash_of, NULL));
    assert_true(tree_consistency(&proof, 0, 4, hash_of, NULL));
    assert_int_equal(proof.count, 0);
    assert_true(tree_check_consistency(0, empty, 5, root, &proof));
    assert_false(tree_check_consistency(0, other, 5, root, &proof));
    assert_false(tree_check_consistency(0, empty, 5, root, &long_proof));
    assert_false(tree_check_consistency(6, root, 5, root, &proof));
    assert_true(tree_check_consistency(5, root, 5, root, &proof));
    assert_false(tree_check_consistency(5, root, 5, other, &proof));
    assert_false(tree_check_consistency(5, root, 5, root, &long_proof));
    assert_false(tree_check_consistency(3, root, 5, root, &proof));
    for (uint64_t old = 1; old < 5; old++)
        assert_false(tree_check_consistency(old, root, 5, root, &long_proof));
    for (uint64_t index = 0; index < 6; index++) {
        assert_false(tree_check_inclusion(leaves[0], index, 5, &long_proof, root));
        assert_false(tree_check_inclusion(leaves[0], index, 5, &proof, root));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_roots),
        cmocka_unit_test(test_impossible_proofs_are_refused),
        cmocka_unit_test(test_known_proofs),
        cmocka_unit_test(test_frontier_is_naive_recursion),
        cmocka_unit_test(test_completed_subtrees_are_told),
        cmocka_unit_test(test_every_proof_is_accepted_and_no_bent_one),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
