#include "journal/tree.h"

#include <assert.h>
#include <nettle/sha2.h>
#include <string.h>

/* SHA-256 of the prefix and both parts, one behind the other. */
static void digest(unsigned char out[TREE_HASH], unsigned char prefix, const void *one, size_t one_size,
                   const void *other, size_t other_size)
{
    struct sha256_ctx state;
    sha256_init(&state);
    sha256_update(&state, 1, &prefix);
    sha256_update(&state, one_size, one);
    sha256_update(&state, other_size, other);
    sha256_digest(&state, TREE_HASH, out);
}

void tree_leaf(unsigned char out[TREE_HASH], const void *data, size_t size)
{
    digest(out, 0x00, data, size, "", 0);
}

void tree_node(unsigned char out[TREE_HASH], const unsigned char left[TREE_HASH],
               const unsigned char right[TREE_HASH])
{
    digest(out, 0x01, left, TREE_HASH, right, TREE_HASH);
}

void tree_add(struct tree_frontier *f, const unsigned char leaf[TREE_HASH], tree_complete_fn *complete,
              void *ctx)
{
    assert(f->size < UINT64_MAX);
    unsigned char hash[TREE_HASH];
    memcpy(hash, leaf, TREE_HASH);
    unsigned level = 0;
    for (; f->size >> level & 1; level++) {
        tree_node(hash, f->hashes[level], hash);
        if (complete)
            complete(ctx, level + 1, f->size >> (level + 1), hash);
    }
    memcpy(f->hashes[level], hash, TREE_HASH);
    f->size++;
}

void tree_root(const struct tree_frontier *f, unsigned char out[TREE_HASH])
{
    if (f->size == 0) {
        struct sha256_ctx nothing;
        sha256_init(&nothing);
        sha256_digest(&nothing, TREE_HASH, out);
        return;
    }
    bool started = false;
    for (unsigned level = 0; level < TREE_LEVELS; level++) {
        if (!(f->size >> level & 1))
            continue;
        if (started)
            tree_node(out, f->hashes[level], out);
        else
            memcpy(out, f->hashes[level], TREE_HASH);
        started = true;
    }
}

bool tree_frontier_equal(const struct tree_frontier *a, const struct tree_frontier *b)
{
    if (a->size != b->size)
        return false;
    for (unsigned level = 0; level < TREE_LEVELS; level++)
        if ((a->size >> level & 1) && memcmp(a->hashes[level], b->hashes[level], TREE_HASH) != 0)
            return false;
    return true;
}

size_t tree_frontier_pack(const struct tree_frontier *f, unsigned char out[TREE_FRONTIER_BYTES])
{
    size_t used = 0;
    for (unsigned level = TREE_LEVELS; level-- > 0;) {
        if (!(f->size >> level & 1))
            continue;
        memcpy(out + used, f->hashes[level], TREE_HASH);
        used += TREE_HASH;
    }
    return used;
}

bool tree_frontier_unpack(struct tree_frontier *f, uint64_t size, const void *bytes, size_t byte_count)
{
    *f = (struct tree_frontier){.size = size};
    if (byte_count != (size_t)__builtin_popcountll(size) * TREE_HASH)
        return false;
    const unsigned char *next = bytes;
    for (unsigned level = TREE_LEVELS; level-- > 0;) {
        if (!(size >> level & 1))
            continue;
        memcpy(f->hashes[level], next, TREE_HASH);
        next += TREE_HASH;
    }
    return true;
}

/* Where the hashes for a proof come from, and whether they all came. */
struct source {
    tree_hash_fn *hash;
    void *ctx;
};

/* k of RFC 6962: the largest power of two smaller than n, n > 1. */
static uint64_t split(uint64_t n)
{
    return 1ULL << (63 - __builtin_clzll(n - 1));
}

/* MTH of `n` leaves from `from`, which is a multiple of the power of two ≥ n wherever n is a power of two
 * itself. */
static bool subtree_root(const struct source *s, uint64_t from, uint64_t n, unsigned char out[TREE_HASH])
{
    if ((n & (n - 1)) == 0) {
        unsigned level = (unsigned)__builtin_ctzll(n);
        return s->hash(s->ctx, level, from >> level, out);
    }
    uint64_t k = split(n);
    unsigned char left[TREE_HASH], right[TREE_HASH];
    if (!subtree_root(s, from, k, left) || !subtree_root(s, from + k, n - k, right))
        return false;
    tree_node(out, left, right);
    return true;
}

static bool push(const struct source *s, struct tree_proof *p, uint64_t from, uint64_t n)
{
    assert(p->count < sizeof p->path / sizeof p->path[0]);
    return subtree_root(s, from, n, p->path[p->count++]);
}

bool tree_frontier_at(struct tree_frontier *out, uint64_t size, tree_hash_fn *hash, void *ctx)
{
    *out = (struct tree_frontier){.size = size};
    uint64_t from = 0;
    for (unsigned level = TREE_LEVELS; level-- > 0;) {
        if (!(size >> level & 1))
            continue;
        if (!hash(ctx, level, from >> level, out->hashes[level]))
            return false;
        from += 1ULL << level;
    }
    return true;
}

/* PATH() of RFC 6962, 2.1.1. */
static bool path(const struct source *s, struct tree_proof *p, uint64_t index, uint64_t from, uint64_t n)
{
    if (n == 1)
        return true;
    uint64_t k = split(n);
    if (index < k)
        return path(s, p, index, from, k) && push(s, p, from + k, n - k);
    return path(s, p, index - k, from + k, n - k) && push(s, p, from, k);
}

bool tree_inclusion(struct tree_proof *out, uint64_t index, uint64_t size, tree_hash_fn *hash, void *ctx)
{
    out->count = 0;
    return index < size && path(&(struct source){hash, ctx}, out, index, 0, size);
}

/* SUBPROOF() of RFC 6962, 2.1.2. `known`: the checker has this subtree's root already. */
static bool subproof(const struct source *s, struct tree_proof *p, uint64_t m, uint64_t from, uint64_t n,
                     bool known)
{
    if (m == n)
        return known || push(s, p, from, n);
    uint64_t k = split(n);
    if (m <= k)
        return subproof(s, p, m, from, k, known) && push(s, p, from + k, n - k);
    return subproof(s, p, m - k, from + k, n - k, false) && push(s, p, from, k);
}

bool tree_consistency(struct tree_proof *out, uint64_t old_size, uint64_t new_size, tree_hash_fn *hash,
                      void *ctx)
{
    out->count = 0;
    if (old_size > new_size)
        return false;
    if (old_size == 0) /* everything is consistent with nothing */
        return true;
    return subproof(&(struct source){hash, ctx}, out, old_size, 0, new_size, true);
}

bool tree_check_inclusion(const unsigned char leaf[TREE_HASH], uint64_t index, uint64_t size,
                          const struct tree_proof *proof, const unsigned char root[TREE_HASH])
{
    if (index >= size)
        return false;
    unsigned char r[TREE_HASH];
    memcpy(r, leaf, TREE_HASH);
    uint64_t fn = index, sn = size - 1;
    for (size_t i = 0; i < proof->count; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            tree_node(r, proof->path[i], r);
            while (fn != 0 && !(fn & 1)) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            tree_node(r, r, proof->path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && memcmp(r, root, TREE_HASH) == 0;
}

bool tree_check_consistency(uint64_t old_size, const unsigned char old_root[TREE_HASH], uint64_t new_size,
                            const unsigned char new_root[TREE_HASH], const struct tree_proof *proof)
{
    if (old_size > new_size)
        return false;
    if (old_size == new_size)
        return proof->count == 0 && memcmp(old_root, new_root, TREE_HASH) == 0;
    if (old_size == 0) {
        unsigned char empty[TREE_HASH];
        tree_root(&(struct tree_frontier){0}, empty);
        return proof->count == 0 && memcmp(old_root, empty, TREE_HASH) == 0;
    }
    bool whole = (old_size & (old_size - 1)) == 0; /* then the old root itself is where the path begins */
    if (!whole && proof->count == 0)
        return false;
    const unsigned char *first = whole ? old_root : proof->path[0];
    uint64_t fn = old_size - 1, sn = new_size - 1;
    for (; fn & 1; fn >>= 1)
        sn >>= 1;
    unsigned char fr[TREE_HASH], sr[TREE_HASH];
    memcpy(fr, first, TREE_HASH);
    memcpy(sr, first, TREE_HASH);
    for (size_t i = whole ? 0 : 1; i < proof->count; i++) {
        const unsigned char *c = proof->path[i];
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            tree_node(fr, c, fr);
            tree_node(sr, c, sr);
            for (; fn != 0 && !(fn & 1); fn >>= 1)
                sn >>= 1;
        } else {
            tree_node(sr, sr, c);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && memcmp(fr, old_root, TREE_HASH) == 0 && memcmp(sr, new_root, TREE_HASH) == 0;
}
