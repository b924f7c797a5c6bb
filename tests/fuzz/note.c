/* note.c - checkpoints, keys and proofs (proto/journal.md): what an outsider is given to check the record
 * with.
 *
 * Checked: what is not taken leaves a sentence; a checkpoint that was read and is signed again is read as the
 * same; a note that bears our signature says what we signed, whatever was done to its bytes; a key's text is
 * read as that key only; a proof is good exactly when it is the tree's own, whatever was done to it. */
#include "journal/note.h"
#include "fuzz.h"
#include "journal/tree.h"
#include <sodium.h>

#define LEAVES 40

static unsigned char public_key[32], secret_key[64], leaves[LEAVES][TREE_HASH];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const unsigned char seed[32] = "fuzz";
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    for (unsigned char i = 0; i < LEAVES; i++)
        tree_leaf(leaves[i], &i, 1);
    return 0;
}

static bool same(const struct note_checkpoint *a, const struct note_checkpoint *b)
{
    return strcmp(a->origin, b->origin) == 0 && a->size == b->size &&
           memcmp(a->root, b->root, sizeof a->root) == 0;
}

static void check_note(const char *text, size_t size)
{
    struct note_checkpoint c, again;
    char signed_text[NOTE_TEXT], error[LIMIT_TEXT] = "";
    bool read = note_parse(text, size, &c, error);
    if (!read) {
        must(error[0], "a checkpoint is not taken, and nobody says why");
        must(!note_verify(text, size, public_key, &again, error), "it cannot be read, and yet is signed");
        return;
    }
    size_t signed_size = note_sign(&c, secret_key, signed_text);
    must(note_verify(signed_text, signed_size, public_key, &again, error) && same(&c, &again),
         "what was read and signed is not read again: %s", signed_text);
    if (!note_verify(text, size, public_key, &again, error))
        must(error[0], "a signature is not good, and nobody says why");
}

/* A note of ours with bytes spliced in: signed by us it says what we said, but for further lines, which are
 * signed too and so not ours. */
static void check_edited_note(const uint8_t *bytes, size_t size, size_t at, size_t cut)
{
    struct note_checkpoint c = {.origin = "tocsin.test", .size = 4711, .root = {1, 2, 3}}, read;
    char text[NOTE_TEXT], error[LIMIT_TEXT], edited[NOTE_TEXT + 256];
    size_t whole = note_sign(&c, secret_key, text);
    at %= whole + 1;
    cut %= whole - at + 1;
    size = size < 256 ? size : 256;
    memcpy(edited, text, at);
    memcpy(edited + at, bytes, size);
    memcpy(edited + at + size, text + at + cut, whole - at - cut);
    if (note_verify(edited, whole - cut + size, public_key, &read, error))
        must(same(&read, &c), "a changed checkpoint is believed: %s %llu", read.origin,
             (unsigned long long)read.size);
}

static void check_key(const char *bytes, size_t size)
{
    char text[NOTE_KEY_TEXT + 8], again[NOTE_KEY_TEXT], origin[NOTE_ORIGIN], error[LIMIT_TEXT] = "";
    unsigned char key[32];
    size = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, bytes, size);
    text[size] = '\0';
    if (!note_key_parse(text, origin, key, error)) {
        must(error[0], "a key is not taken, and nobody says why");
        return;
    }
    note_key_text(origin, key, again);
    text[strcspn(text, "\r\n")] = '\0';
    /* the key id's hexadecimal digits may be written in capitals */
    must(strcasecmp(text, again) == 0 && strcmp(text + strlen(origin) + 9, again + strlen(origin) + 9) == 0,
         "\"%s\" was taken for \"%s\"", text, again);
}

static bool hash_of(void *ctx, unsigned level, uint64_t index, unsigned char out[TREE_HASH])
{
    unsigned char left[TREE_HASH], right[TREE_HASH];
    if (level == 0) {
        memcpy(out, leaves[index], TREE_HASH);
        return true;
    }
    hash_of(ctx, level - 1, 2 * index, left);
    hash_of(ctx, level - 1, 2 * index + 1, right);
    tree_node(out, left, right);
    return true;
}

static void root_of(uint64_t size, unsigned char out[TREE_HASH])
{
    struct tree_frontier f = {0};
    for (uint64_t i = 0; i < size; i++)
        tree_add(&f, leaves[i], NULL, NULL);
    tree_root(&f, out);
}

/* The tree's own proof, edited: hashes taken out, put in, swapped, changed in one bit. */
static void edit(struct tree_proof *p, const uint8_t *data, size_t *size)
{
    for (unsigned edits = fuzz_take(data, size) % 4; edits; edits--) {
        unsigned at = fuzz_take(data, size) % (TREE_LEVELS + 1);
        switch (fuzz_take(data, size) % 4) {
        case 0:
            p->count = at;
            break;
        case 1:
            p->path[at][fuzz_take(data, size) % TREE_HASH] ^=
                (unsigned char)(1u << fuzz_take(data, size) % 8);
            break;
        case 2:
            memcpy(p->path[at], leaves[fuzz_take(data, size) % LEAVES], TREE_HASH);
            break;
        case 3:
            hash_of(NULL, fuzz_take(data, size) % 4, fuzz_take(data, size) % 4, p->path[at]);
            break;
        }
    }
}

static bool proof_equal(const struct tree_proof *a, const struct tree_proof *b)
{
    return a->count == b->count && memcmp(a->path, b->path, a->count * TREE_HASH) == 0;
}

static void check_proofs(const uint8_t *data, size_t *size)
{
    uint64_t whole = 1 + fuzz_take(data, size) % LEAVES, one = fuzz_take(data, size) % (LEAVES + 1);
    uint64_t claimed = fuzz_take(data, size) % 4 ? one : fuzz_take(data, size) % (LEAVES + 1);
    unsigned char root[TREE_HASH], old_root[TREE_HASH];
    struct tree_proof own = {0}, edited;
    root_of(whole, root);

    bool can = tree_inclusion(&own, one, whole, hash_of, NULL);
    must(can == (one < whole), "a proof of leaf %u of %u", (unsigned)one, (unsigned)whole);
    edited = own;
    edit(&edited, data, size);
    if (one < LEAVES)
        must(tree_check_inclusion(leaves[one], claimed, whole, &edited, root) ==
                 (can && claimed == one && proof_equal(&own, &edited)),
             "leaf %u as %u of %u", (unsigned)one, (unsigned)claimed, (unsigned)whole);

    memset(&own, 0, sizeof own);
    can = tree_consistency(&own, one, whole, hash_of, NULL);
    must(can == (one <= whole), "a proof of %u in %u", (unsigned)one, (unsigned)whole);
    edited = own;
    edit(&edited, data, size);
    root_of(one, old_root);
    must(tree_check_consistency(one, old_root, whole, root, &edited) == (can && proof_equal(&own, &edited)),
         "%u leaves in %u", (unsigned)one, (unsigned)whole);
}

static void check_frontier(const uint8_t *bytes, size_t byte_count, uint64_t size)
{
    struct tree_frontier f, again;
    unsigned char packed[TREE_FRONTIER_BYTES], root[TREE_HASH];
    if (!tree_frontier_unpack(&f, size, bytes, byte_count))
        return;
    tree_root(&f, root);
    must(tree_frontier_pack(&f, packed) == byte_count && memcmp(packed, bytes, byte_count) == 0,
         "another frontier");
    must(tree_frontier_unpack(&again, size, packed, byte_count) && tree_frontier_equal(&f, &again),
         "frontier");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_note((const char *)data, size);
    check_key((const char *)data, size);
    check_frontier(data, size, (1ull << size / TREE_HASH) - 1);
    size_t at = fuzz_take(data, &size), cut = fuzz_take(data, &size);
    check_edited_note(data, size, at, cut);
    check_proofs(data, &size);
    return 0;
}
