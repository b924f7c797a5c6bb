/* journal verify, export, prove, erase-note: the record, for those who do not want to believe. */
#include "cli/bundle.h"
#include "cli/member.h"
#include "cli/server.h"
#include "cli/terminal.h"
#include "codec/text.h"
#include "journal/journal_export.h"
#include "journal/journal_verify.h"
#include "journal/lock.h"
#include "journal/tree.h"
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void show_progress(void *ctx, uint64_t done, uint64_t total)
{
    terminal_progress(ctx, done, total);
}

static bool need(const struct invocation *inv, const char *name)
{
    if (invocation_given(inv, name))
        return true;
    complain_about(TEXT_USAGE_MISSING, {"name", name});
    remark_about(TEXT_USAGE_HINT, {"command", inv->command->name});
    return false;
}

/* False: complained. */
static bool find_file(const char *file, struct stat *status)
{
    if (stat(file, status) == 0)
        return true;
    complain_about(TEXT_CANNOT_READ, {"file", file}, {"why", strerror(errno)});
    return false;
}

/* A public key's text from its file. */
static bool read_key(const char *file, char key[NOTE_KEY_TEXT])
{
    char origin[NOTE_ORIGIN], error[LIMIT_TEXT];
    unsigned char bytes[32];
    FILE *in = fopen(file, "re");
    if (!in) {
        complain_about(TEXT_CANNOT_READ, {"file", file}, {"why", strerror(errno)});
        return false;
    }
    size_t size = fread(key, 1, NOTE_KEY_TEXT - 1, in);
    fclose(in);
    key[size] = '\0';
    key[strcspn(key, "\r\n")] = '\0';
    bool good = note_key_parse(key, origin, bytes, error);
    if (!good)
        complain("%s: %s", file, error);
    return good;
}

static bool decode_hash(const char *text, unsigned char hash[32])
{
    size_t size = 0;
    return sodium_base642bin(hash, 32, text, strlen(text), NULL, &size, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           size == 32;
}

/* SIZE:ROOT as it stands in a webhook's journal member. */
static bool read_witness(const struct invocation *inv, struct journal_verify_options *o)
{
    const char *value = invocation_value(inv, "witness");
    char *end = NULL;
    if (!value)
        return true;
    errno = 0;
    long long size = strtoll(value, &end, 10);
    o->witness_size = (uint64_t)size;
    if (errno == 0 && end != value && *end == ':' && size > 0 && decode_hash(end + 1, o->witness_root))
        return true;
    complain_about(TEXT_USAGE_WITNESS, {"value", value});
    return false;
}

/* `alarm`: of a bundle, otherwise NULL. */
static void say_report(const struct journal_verify_report *r, const char *root, const char *alarm)
{
    char size[24], seq[24], count[24];
    snprintf(count, sizeof count, "%" PRIu64, r->checked);
    snprintf(size, sizeof size, "%" PRIu64, r->size);
    snprintf(seq, sizeof seq, "%" PRIu64, r->first_bad);
    if (r->unread) {
        complain("%s", r->text);
        return;
    }
    if (!r->good) {
        say_about(TONE_ALARM, r->first_bad ? TEXT_JOURNAL_BAD_AT : TEXT_JOURNAL_BAD, {"seq", seq},
                  {"why", r->text});
        return;
    }
    if (alarm)
        say_about(TONE_GOOD, TEXT_BUNDLE_GOOD, {"count", count}, {"alarm", alarm}, {"root", root});
    else
        say_about(TONE_GOOD, TEXT_JOURNAL_GOOD, {"size", size}, {"root", root});
    say_text(TONE_PLAIN, r->text);
    if (alarm)
        say_text(TONE_PLAIN, text(TEXT_BUNDLE_CLAIM));
    if (r->signed_by_key)
        say_text(TONE_PLAIN, text(TEXT_JOURNAL_CLAIM));
    else
        remark("%s", text(TEXT_JOURNAL_UNSIGNED));
}

/* The origin is what the checkpoint says it is, perhaps no text at all: JSON has to be. */
static void say_report_json(const struct journal_verify_report *r, const char *root)
{
    char origin[NOTE_ORIGIN], finding[LIMIT_TEXT];
    text_clean(origin, sizeof origin, r->origin, strlen(r->origin));
    text_clean(finding, sizeof finding, r->text, strlen(r->text));
    json_t *answer = json_pack("{s:b, s:b, s:b, s:I, s:I, s:s, s:s, s:s}", "good", r->good, "unread", r->unread,
                               "signed_by_key", r->signed_by_key, "checked", (json_int_t)r->checked, "size",
                               (json_int_t)r->size, "root", root, "origin", origin, "text", finding);
    if (r->first_bad)
        json_object_set_new(answer, "first_bad", json_integer((json_int_t)r->first_bad));
    member_say(answer);
    json_decref(answer);
}

int command_journal_verify(const struct invocation *inv)
{
    const char *path = inv->arguments[0], *key_file = invocation_value(inv, "key");
    char key[NOTE_KEY_TEXT], root[48], alarm[LIMIT_ALARM_ID];
    struct journal_verify_options o = {.progress = show_progress, .ctx = (void *)text(TEXT_VERIFYING)};
    struct journal_verify_report report = {0};
    struct stat status;
    if (!read_witness(inv, &o))
        return RESULT_USAGE;
    if (key_file && !read_key(key_file, key))
        return RESULT_UNREACHABLE;
    o.public_key = key_file ? key : NULL;
    if (!find_file(path, &status))
        return RESULT_UNREACHABLE;
    bool bundle = S_ISREG(status.st_mode) && !bundle_is_database(path);
    bool good = bundle                    ? bundle_verify(path, &o, &report, alarm)
                : S_ISDIR(status.st_mode) ? journal_verify_export(path, &o, &report)
                                          : journal_verify_database(path, &o, &report);
    terminal_progress_end();
    sodium_bin2base64(root, sizeof root, report.root, sizeof report.root, sodium_base64_VARIANT_ORIGINAL);
    if (inv->json)
        say_report_json(&report, root);
    else
        say_report(&report, root, bundle ? alarm : NULL);
    return good ? RESULT_OK : report.unread ? RESULT_UNREACHABLE : RESULT_NOT_SO;
}

struct exporting {
    uint64_t total;
};

static void show_exporting(void *ctx, uint64_t done, uint64_t total)
{
    struct exporting *e = ctx;
    e->total = total;
    terminal_progress(text(TEXT_EXPORTING), done, total);
}

int command_journal_export(const struct invocation *inv)
{
    const char *folder = inv->arguments[0];
    char key[NOTE_KEY_TEXT], error[LIMIT_TEXT];
    struct exporting e = {0};
    struct stat status;
    bool unread;
    if (!need(inv, "journal") || !need(inv, "key"))
        return RESULT_USAGE;
    if (!find_file(invocation_value(inv, "journal"), &status) || !read_key(invocation_value(inv, "key"), key))
        return RESULT_UNREACHABLE;
    bool good = journal_export(invocation_value(inv, "journal"), key, folder, show_exporting, &e, &unread, error);
    terminal_progress_end();
    if (!good) {
        complain("%s", error);
        return unread ? RESULT_UNREACHABLE : RESULT_NOT_SO;
    }
    if (inv->json) {
        json_t *answer = json_pack("{s:o}", "folder", member_path(folder));
        member_say(answer);
        json_decref(answer);
    } else {
        say_about(TONE_GOOD, TEXT_EXPORTED, {"folder", folder});
    }
    return RESULT_OK;
}

static bool read_seq(const char *text, uint64_t *seq)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *seq = (uint64_t)number;
    if (errno == 0 && end != text && *end == '\0' && number >= 1)
        return true;
    complain_about(TEXT_USAGE_SEQ, {"value", text});
    return false;
}

/* The proof as the daemon gave it: does it hold for this line under this checkpoint? */
static bool proof_holds(const json_t *proof, const char *line, size_t line_size, uint64_t seq,
                        const struct note_checkpoint *checkpoint)
{
    unsigned char leaf[TREE_HASH];
    struct tree_proof path = {0};
    size_t i;
    const json_t *hash;
    tree_leaf(leaf, line, line_size);
    json_array_foreach(json_object_get(proof, "path"), i, hash)
    {
        const char *text = json_string_value(hash);
        if (!text || path.count >= TREE_LEVELS || !decode_hash(text, path.path[path.count++]))
            return false;
    }
    return tree_check_inclusion(leaf, seq - 1, checkpoint->size, &path, checkpoint->root);
}

/* The entry's line, the checkpoint and the proof under it. */
struct evidence {
    char *line, *checkpoint_text;
    size_t line_size, checkpoint_size;
    struct note_checkpoint checkpoint;
    json_t *proof;
};

static int gather_evidence(struct server *s, uint64_t seq, struct evidence *e)
{
    char path[96], error[LIMIT_TEXT];
    snprintf(path, sizeof path, "/api/v1/journal?from=%" PRIu64 "&limit=1", seq);
    int result = server_get_text(s, path, &e->line, &e->line_size);
    if (result == RESULT_OK)
        result = server_get_text(s, "/api/v1/journal/checkpoint", &e->checkpoint_text, &e->checkpoint_size);
    if (result != RESULT_OK)
        return result;
    if (e->line_size > 0 && e->line[e->line_size - 1] == '\n')
        e->line[--e->line_size] = '\0';
    if (!note_parse(e->checkpoint_text, e->checkpoint_size, &e->checkpoint, error)) {
        complain_about(TEXT_ANSWER_BAD, {"url", server_url(s)}, {"why", error});
        return RESULT_UNREACHABLE;
    }
    snprintf(path, sizeof path, "/api/v1/journal/proof?seq=%" PRIu64 "&size=%" PRIu64, seq,
             e->checkpoint.size);
    return server_get(s, path, &e->proof);
}

static void say_proof(const struct invocation *inv, const char *given, const struct evidence *e, bool good)
{
    char size[24];
    snprintf(size, sizeof size, "%" PRIu64, e->checkpoint.size);
    if (inv->json) {
        json_t *answer = json_pack("{s:b, s:s, s:s, s:O}", "good", good, "line", e->line, "checkpoint",
                                   e->checkpoint_text, "proof", e->proof);
        member_say(answer);
        json_decref(answer);
        return;
    }
    say_text(TONE_PLAIN, e->line);
    if (good)
        say_about(TONE_GOOD, TEXT_PROOF_GOOD, {"seq", given}, {"size", size});
    else
        say_about(TONE_ALARM, TEXT_PROOF_BAD, {"seq", given});
}

static int prove_online(const struct invocation *inv, uint64_t seq)
{
    int result;
    struct evidence e = {0};
    struct server *s = server_open(inv, &result);
    if (!s)
        return result;
    result = gather_evidence(s, seq, &e);
    if (result == RESULT_OK) {
        bool good = proof_holds(e.proof, e.line, e.line_size, seq, &e.checkpoint);
        say_proof(inv, inv->arguments[0], &e, good);
        result = good ? RESULT_OK : RESULT_NOT_SO;
    }
    json_decref(e.proof);
    free(e.line);
    free(e.checkpoint_text);
    server_close(s);
    return result;
}

int command_journal_prove(const struct invocation *inv)
{
    uint64_t seq;
    char error[LIMIT_TEXT];
    struct stat status;
    bool unread;
    const char *database = invocation_value(inv, "journal");
    if (!read_seq(inv->arguments[0], &seq))
        return RESULT_USAGE;
    if (!database)
        return prove_online(inv, seq);
    if (!find_file(database, &status))
        return RESULT_UNREACHABLE;
    char *proof = journal_prove(database, seq, &unread, error);
    if (!proof) {
        complain("%s", error);
        return unread ? RESULT_UNREACHABLE : RESULT_NOT_SO;
    }
    char *rest = proof;
    json_t *answer = inv->json ? json_pack("{s:I, s:s}", "seq", (json_int_t)seq, "proof", proof) : NULL;
    if (answer)
        member_say(answer);
    for (char *line; !answer && (line = strsep(&rest, "\n")) && (rest || *line);)
        say_text(TONE_PLAIN, line);
    json_decref(answer);
    free(proof);
    return RESULT_OK;
}

/* From now on root is the user to whom the journal belongs: a lock or a log of root's beside it would keep the daemon
 * from recording. */
static bool become_owner(const struct stat *journal)
{
    return geteuid() != 0 || (setegid(journal->st_gid) == 0 && seteuid(journal->st_uid) == 0);
}

/* A daemon that runs would lose the race for its own record: it must be stopped, which its lock tells. */
int command_journal_erase_note(const struct invocation *inv)
{
    uint64_t seq;
    char error[LIMIT_TEXT], *lock_file = NULL;
    struct stat status;
    if (!need(inv, "journal") || !read_seq(inv->arguments[0], &seq))
        return RESULT_USAGE;
    const char *database = invocation_value(inv, "journal"), *slash = strrchr(database, '/');
    if (!find_file(database, &status) || !become_owner(&status) ||
        asprintf(&lock_file, "%.*stocsind.lock", slash ? (int)(slash - database + 1) : 0, database) < 0)
        return RESULT_UNREACHABLE;
    int lock = lock_take(lock_file, error);
    bool good = lock >= 0 && journal_export_erase_note(database, seq, error);
    int result = good                ? RESULT_OK
                 : lock == LOCK_HELD ? RESULT_CONFLICT
                 : lock == LOCK_NONE ? RESULT_UNREACHABLE
                                     : RESULT_NOT_SO;
    if (!good)
        complain("%s", error);
    else if (inv->json)
        say_json("{\"erased\":true}", strlen("{\"erased\":true}"));
    else
        say_about(TONE_GOOD, TEXT_NOTE_ERASED, {"seq", inv->arguments[0]});
    lock_release(lock);
    free(lock_file);
    return result;
}
