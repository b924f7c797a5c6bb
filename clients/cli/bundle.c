#include "cli/bundle.h"
#include "journal/tree.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "tocsin-alarm-bundle-v1"
#define FILE_BYTES (64u << 20) /* a long alarm has 5,000 entries of 2 KiB with their proofs */

struct check {
    struct journal_verify_report *report;
    const char *alarm;
    struct note_checkpoint checkpoint;
    uint64_t last_seq;
};

/* Ends the check with a finding about one entry; 0 = about none. */
__attribute__((format(printf, 3, 4))) static bool bad(struct check *c, uint64_t seq, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->report->text, sizeof c->report->text, format, arguments);
    va_end(arguments);
    c->report->first_bad = seq;
    return false;
}

bool bundle_is_database(const char *file)
{
    char start[16] = "";
    FILE *in = fopen(file, "re");
    size_t size = in ? fread(start, 1, sizeof start, in) : 0;
    if (in)
        fclose(in);
    return size == sizeof start && memcmp(start, "SQLite format 3", sizeof start) == 0;
}

static json_t *read_whole(struct check *c, const char *file)
{
    FILE *in = fopen(file, "re");
    char *text = in ? malloc(FILE_BYTES) : NULL;
    json_error_t why = {.text = "", .line = 0};
    json_t *bundle = NULL;
    if (!text) {
        c->report->unread = true;
        bad(c, 0, "it cannot be read: %s", strerror(errno));
    } else {
        size_t size = fread(text, 1, FILE_BYTES, in);
        c->report->unread = ferror(in);
        bool whole = !c->report->unread && size < FILE_BYTES;
        bundle = whole ? json_loadb(text, size, JSON_REJECT_DUPLICATES, &why) : NULL;
        if (c->report->unread)
            bad(c, 0, "it cannot be read: %s", strerror(errno));
        else if (!bundle)
            bad(c, 0, "the file is cut off, or no bundle of an alarm: %.120s",
                size < FILE_BYTES ? why.text : "too large");
    }
    free(text);
    if (in)
        fclose(in);
    return bundle;
}

static bool decode(const json_t *value, unsigned char hash[TREE_HASH])
{
    const char *text = json_string_value(value);
    size_t size = 0;
    return text &&
           sodium_base642bin(hash, TREE_HASH, text, strlen(text), NULL, &size, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           size == TREE_HASH;
}

static bool check_checkpoint(struct check *c, const json_t *bundle, const char *key)
{
    struct journal_verify_report *r = c->report;
    const json_t *note = json_object_get(bundle, "checkpoint");
    char error[LIMIT_TEXT], origin[NOTE_ORIGIN];
    unsigned char public_key[32];
    const char *text = json_string_value(note);
    if (!text)
        return bad(c, 0, "the file has no checkpoint: nothing seals its entries");
    if (key && !note_key_parse(key, origin, public_key, error))
        return bad(c, 0, "%s", error);
    size_t size = json_string_length(note);
    bool good = key ? note_verify(text, size, public_key, &c->checkpoint, error)
                    : note_parse(text, size, &c->checkpoint, error);
    r->size = c->checkpoint.size;
    memcpy(r->root, c->checkpoint.root, sizeof r->root);
    memcpy(r->origin, c->checkpoint.origin, sizeof r->origin);
    if (!good)
        return bad(c, 0, "the checkpoint is not that of this key: %.180s", error);
    r->signed_by_key = key != NULL;
    return true;
}

static bool check_witness(struct check *c, const struct journal_verify_options *o)
{
    if (o->witness_size != 0 && o->witness_size != c->checkpoint.size)
        return bad(c, 0,
                   "it is sealed at %" PRIu64 " and cannot be compared with a witness of %" PRIu64
                   ": for that ask for an export of the whole journal",
                   c->checkpoint.size, o->witness_size);
    return o->witness_size == 0 || memcmp(o->witness_root, c->checkpoint.root, TREE_HASH) == 0 ||
           bad(c, 0, "the record is not the one that the witness was told of");
}

/* Is the line what it says it is: this number, this alarm? The first one is the press that opened it. */
static bool check_line(struct check *c, const char *line, size_t size, uint64_t seq)
{
    json_t *event = json_loadb(line, size, 0, NULL);
    const char *alarm = json_string_value(json_object_get(event, "alarm"));
    bool numbered = json_integer_value(json_object_get(event, "seq")) == (json_int_t)seq;
    bool about = alarm && strcmp(alarm, c->alarm) == 0;
    bool opens = c->last_seq != 0 || json_is_object(json_object_get(event, "plan"));
    json_decref(event);
    if (!numbered)
        return bad(c, seq, "entry %" PRIu64 " was changed or swapped: its line gives itself another number",
                   seq);
    if (!about)
        return bad(c, seq, "entry %" PRIu64 " is not about this alarm", seq);
    return opens ||
           bad(c, seq, "the beginning is missing: entry %" PRIu64 " is not the press that opened the alarm",
               seq);
}

static bool check_entry(struct check *c, const json_t *entry)
{
    const json_t *line = json_object_get(entry, "line"), *path = json_object_get(entry, "path"), *hash;
    uint64_t seq = (uint64_t)json_integer_value(json_object_get(entry, "seq"));
    unsigned char leaf[TREE_HASH], given[TREE_HASH];
    struct tree_proof proof = {0};
    size_t i;
    if (seq == 0 || !json_is_string(line) || !json_is_array(path))
        return bad(c, seq, "an entry after %" PRIu64 " lacks its number, line or path: the file is not whole",
                   c->last_seq);
    if (seq <= c->last_seq)
        return bad(c, seq, "entry %" PRIu64 " stands behind entry %" PRIu64 ": swapped, or there twice", seq,
                   c->last_seq);
    if (seq > c->checkpoint.size)
        return bad(c, seq, "entry %" PRIu64 " lies behind the %" PRIu64 " that the checkpoint seals", seq,
                   c->checkpoint.size);
    tree_leaf(leaf, json_string_value(line), json_string_length(line));
    if (!decode(json_object_get(entry, "leaf"), given) || memcmp(leaf, given, sizeof leaf) != 0)
        return bad(c, seq, "entry %" PRIu64 " was changed: it does not give the hash beside it", seq);
    json_array_foreach(
        path, i,
        hash) if (proof.count > TREE_LEVELS ||
                  !decode(hash, proof.path[proof.count++])) return bad(c, seq,
                                                                       "the path of entry %" PRIu64
                                                                       " is not one: the file is damaged",
                                                                       seq);
    if (!tree_check_inclusion(leaf, seq - 1, c->checkpoint.size, &proof, c->checkpoint.root))
        return bad(c, seq,
                   "entry %" PRIu64
                   " is not in the record that this checkpoint seals: it was changed together with its "
                   "hash, or the checkpoint is of another journal or moment",
                   seq);
    if (!check_line(c, json_string_value(line), json_string_length(line), seq))
        return false;
    c->last_seq = seq;
    c->report->checked++;
    return true;
}

static bool check_bundle(struct check *c, const json_t *bundle, const struct journal_verify_options *o)
{
    const char *format = json_string_value(json_object_get(bundle, "format"));
    const json_t *entries = json_object_get(bundle, "entries"), *entry;
    size_t i;
    if (!format || strcmp(format, FORMAT) != 0)
        return bad(c, 0, "it is no bundle of an alarm: its format is not " FORMAT);
    if (!check_checkpoint(c, bundle, o->public_key) || !check_witness(c, o))
        return false;
    if (!json_is_array(entries) || json_array_size(entries) == 0)
        return bad(c, 0, "the file has no entries");
    json_array_foreach(entries, i, entry) if (!check_entry(c, entry)) return false;
    json_int_t count = json_integer_value(json_object_get(bundle, "count"));
    return count == (json_int_t)i ||
           bad(c, 0,
               "the file says that it has %" PRId64 " entries, and has %zu: some were taken out or put in",
               (int64_t)count, i);
}

bool bundle_verify(const char *file, const struct journal_verify_options *o,
                   struct journal_verify_report *report, char alarm[LIMIT_ALARM_ID])
{
    *report = (struct journal_verify_report){0};
    struct check c = {.report = report, .alarm = alarm};
    json_t *bundle = read_whole(&c, file);
    const char *about = json_string_value(json_object_get(bundle, "alarm"));
    snprintf(alarm, LIMIT_ALARM_ID, "%s", about ? about : "");
    report->good = bundle && check_bundle(&c, bundle, o);
    if (report->good)
        snprintf(report->text, sizeof report->text,
                 "all %" PRIu64 " entries are in the record that was sealed at %" PRIu64 "%s",
                 report->checked, report->size,
                 o->public_key ? "" : "; who sealed it was not checked, no key was given");
    json_decref(bundle);
    return report->good;
}
