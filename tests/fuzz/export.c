/* export.c - the record as an outsider gets it (proto/journal.md, "An export"), read by
 * journal_verify_export().
 *
 * Checked: an honest export is good; with the fuzzer's bytes spliced into any of its files it is good only
 * while its lines are the same, and otherwise a sentence says what is wrong, and of a changed line its
 * number; and when somebody who has the key seals arbitrary lines, the answer is that of a second, plainer
 * reading of them. */
#include "journal/journal_verify.h"
#include "journal/tree.h"
#include "scratch.h"

#define LINES 7

struct text {
    char bytes[16384];
    size_t size;
};

static unsigned char public_key[32], secret_key[64];
static char public_text[NOTE_KEY_TEXT];
static struct text honest[4];
static const char *const names[4] = {"journal.ndjson", "leaves.txt", "checkpoint.txt", "journal.pub"};
enum { JOURNAL, LEAVES, CHECKPOINT, PUBLIC };

static void seal(const struct tree_frontier *f, struct text *out)
{
    struct note_checkpoint c = {.origin = "tocsin.test", .size = f->size};
    tree_root(f, c.root);
    out->size = note_sign(&c, secret_key, out->bytes);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const unsigned char seed[32] = "fuzz";
    struct tree_frontier f = {0};
    unsigned char leaf[TREE_HASH];
    struct text *journal = &honest[JOURNAL], *leaves = &honest[LEAVES];
    scratch_make();
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    note_key_text("tocsin.test", public_key, public_text);
    for (unsigned seq = 1; seq <= LINES; seq++) {
        char *line = journal->bytes + journal->size;
        int size = sprintf(
            line, "{\"seq\":%u,\"at\":\"2026-11-23T08:00:00.000Z\",\"clock\":%u,\"type\":\"journal_gap\"}\n",
            seq, seq * 10);
        journal->size += (size_t)size;
        tree_leaf(leaf, line, (size_t)size - 1);
        tree_add(&f, leaf, NULL, NULL);
        sodium_bin2hex(leaves->bytes + leaves->size, 2 * TREE_HASH + 1, leaf, TREE_HASH);
        leaves->size += 2 * TREE_HASH;
        leaves->bytes[leaves->size++] = '\n';
    }
    seal(&f, &honest[CHECKPOINT]);
    honest[PUBLIC].size =
        (size_t)snprintf(honest[PUBLIC].bytes, sizeof honest[PUBLIC].bytes, "%s\n", public_text);
    for (unsigned i = 0; i < 4; i++)
        scratch_write(names[i], honest[i].bytes, honest[i].size);
    struct journal_verify_report r;
    must(journal_verify_export(scratch, &(struct journal_verify_options){.public_key = NULL}, &r), "%s",
         r.text);
    return 0;
}

static bool verify(const struct journal_verify_options *o, struct journal_verify_report *r)
{
    bool good = journal_verify_export(scratch, o, r);
    must(good == r->good && r->text[0] && memchr(r->text, '\0', sizeof r->text),
         "a report without a finding");
    return good;
}

static void splice(const struct text *from, const uint8_t *bytes, size_t size, size_t at, size_t cut,
                   struct text *out)
{
    at %= from->size + 1;
    cut %= from->size - at + 1;
    size = size < 4096 ? size : 4096;
    memcpy(out->bytes, from->bytes, at);
    memcpy(out->bytes + at, bytes, size);
    memcpy(out->bytes + at + size, from->bytes + at + cut, from->size - at - cut);
    out->size = from->size - cut + size;
}

/* The number of the first line of `edited` that is not that of the honest journal; 0 = there is none. The
 * last line needs no newline. */
static uint64_t first_difference(const struct text *edited)
{
    const struct text *own = &honest[JOURNAL];
    uint64_t seq = 1;
    for (size_t i = 0; i < own->size || i < edited->size; i++) {
        if (i == edited->size && own->bytes[i] == '\n')
            return i + 1 == own->size ? 0 : seq + 1;
        if (i >= own->size || i >= edited->size || own->bytes[i] != edited->bytes[i])
            return seq;
        seq += own->bytes[i] == '\n';
    }
    return 0;
}

static void check_edited(const uint8_t *data, size_t size)
{
    static struct text edited;
    struct journal_verify_report r;
    unsigned which = fuzz_take(data, &size) % 4;
    bool own_key = fuzz_take(data, &size) % 2;
    size_t at = fuzz_take_number(data, &size, 2), cut = fuzz_take_number(data, &size, 2) % 300;
    splice(&honest[which], data, size, at, cut, &edited);
    scratch_write(names[which], edited.bytes, edited.size);
    bool good = verify(&(struct journal_verify_options){.public_key = own_key ? public_text : NULL}, &r);
    uint64_t different = which == JOURNAL ? first_difference(&edited) : 0;
    must(!(good && different), "entry %llu was changed, and: %s", (unsigned long long)different, r.text);
    must(!good || (r.checked == LINES && r.size == LINES && r.signed_by_key == own_key), "good, and: %s", r.text);
    if (which == JOURNAL)
        must(good == !different && r.first_bad == different, "entry %llu was changed, and %llu is named: %s",
             (unsigned long long)different, (unsigned long long)r.first_bad, r.text);
    scratch_write(names[which], honest[which].bytes, honest[which].size);
}

static bool plain_line(const char *line, size_t size, uint64_t seq)
{
    char start[40];
    int length = snprintf(start, sizeof start, "{\"seq\":%llu,", (unsigned long long)seq);
    return size <= LIMIT_LINE && size >= (size_t)length && memcmp(line, start, (size_t)length) == 0;
}

/* Lines as they come, sealed by who has the key. */
static void check_sealed(const char *lines, size_t size)
{
    struct tree_frontier f = {0};
    struct journal_verify_report r;
    struct text checkpoint;
    uint64_t bad = 0;
    for (const char *at = lines, *end = lines + size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);
        unsigned char leaf[TREE_HASH];
        tree_leaf(leaf, at, length);
        tree_add(&f, leaf, NULL, NULL);
        if (!bad && !plain_line(at, length, f.size))
            bad = f.size;
        at += length + 1;
    }
    seal(&f, &checkpoint);
    scratch_write(names[JOURNAL], lines, size);
    scratch_write(names[CHECKPOINT], checkpoint.bytes, checkpoint.size);
    bool good = verify(&(struct journal_verify_options){.public_key = public_text}, &r);
    must(good == !bad && r.first_bad == bad, "entry %llu is bad, and %llu is named: %s",
         (unsigned long long)bad, (unsigned long long)r.first_bad, r.text);
    scratch_write(names[JOURNAL], honest[JOURNAL].bytes, honest[JOURNAL].size);
    scratch_write(names[CHECKPOINT], honest[CHECKPOINT].bytes, honest[CHECKPOINT].size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_edited(data, size);
    check_sealed((const char *)data, size);
    return 0;
}
