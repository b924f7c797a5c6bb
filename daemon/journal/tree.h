/* tree.h - the Merkle tree of RFC 6962 (SHA-256). PURE but for nettle's hash.
 *
 * Promises: tree_root() is MTH() of RFC 6962 section 2.1 over the leaves added so far, proofs are those
 * of 2.1.1 and 2.1.2, and each check accepts exactly the proofs made from a tree with that root. Does not:
 * keep the leaves. Adding needs the frontier only (the roots of the complete subtrees on the right edge, at
 * most 64); proofs ask the caller for the hash of a complete subtree.
 *
 * A complete subtree is named by its level and its index from the left: it covers the leaves
 * index·2^level … (index+1)·2^level − 1. A leaf is the subtree of level 0.
 *
 *     struct tree_frontier f = {0};
 *     unsigned char leaf[TREE_HASH], root[TREE_HASH];
 *     tree_leaf(leaf, line, size);
 *     tree_add(&f, leaf, NULL, NULL);
 *     tree_root(&f, root);
 */
#ifndef TOCSIN_TREE_H
#define TOCSIN_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_HASH 32   /* bytes of a hash */
#define TREE_LEVELS 64 /* a size is 64 bits wide */

struct tree_frontier {
    uint64_t size;                                /* leaves */
    unsigned char hashes[TREE_LEVELS][TREE_HASH]; /* by level; in use where the size has that bit */
};

struct tree_proof {
    size_t count;
    unsigned char path[TREE_LEVELS + 1][TREE_HASH];
};

void tree_leaf(unsigned char out[TREE_HASH], const void *data, size_t size); /* SHA-256(0x00 ‖ data) */
void tree_node(unsigned char out[TREE_HASH], const unsigned char left[TREE_HASH],
               const unsigned char right[TREE_HASH]); /* SHA-256(0x01 ‖ left ‖ right) */

/* `complete` (or NULL) hears of each subtree that this leaf completes, from level 1 up. */
typedef void tree_complete_fn(void *ctx, unsigned level, uint64_t index, const unsigned char hash[TREE_HASH]);
void tree_add(struct tree_frontier *, const unsigned char leaf[TREE_HASH], tree_complete_fn *complete,
              void *ctx);
void tree_root(const struct tree_frontier *, unsigned char out[TREE_HASH]); /* of no leaves: SHA-256("") */
bool tree_frontier_equal(const struct tree_frontier *, const struct tree_frontier *);

/* The hashes in use, highest level first, one after the other. Returns the bytes written, at most
 * TREE_FRONTIER_BYTES. */
#define TREE_FRONTIER_BYTES (TREE_LEVELS * TREE_HASH)
size_t tree_frontier_pack(const struct tree_frontier *, unsigned char out[TREE_FRONTIER_BYTES]);
bool tree_frontier_unpack(struct tree_frontier *, uint64_t size, const void *bytes, size_t byte_count);

/* Gives the hash of a complete subtree; false when it cannot be had. */
typedef bool tree_hash_fn(void *ctx, unsigned level, uint64_t index, unsigned char out[TREE_HASH]);

bool tree_frontier_at(struct tree_frontier *out, uint64_t size, tree_hash_fn *, void *ctx);
/* The proof that leaf `index` is in the tree of the first `size` leaves. False: index ≥ size, or a hash was
 * missing. */
bool tree_inclusion(struct tree_proof *out, uint64_t index, uint64_t size, tree_hash_fn *, void *ctx);
/* The proof that the first `old_size` leaves are a prefix of the first `new_size`. False: old > new, or
 * missing. */
bool tree_consistency(struct tree_proof *out, uint64_t old_size, uint64_t new_size, tree_hash_fn *,
                      void *ctx);

/* RFC 9162 sections 2.1.3.2 and 2.1.4.2. */
bool tree_check_inclusion(const unsigned char leaf[TREE_HASH], uint64_t index, uint64_t size,
                          const struct tree_proof *, const unsigned char root[TREE_HASH]);
bool tree_check_consistency(uint64_t old_size, const unsigned char old_root[TREE_HASH], uint64_t new_size,
                            const unsigned char new_root[TREE_HASH], const struct tree_proof *);

#endif
