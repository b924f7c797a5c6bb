#include "conf/secrets.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char journal_prefix[] = "tocsin-journal-key-v1 ";
static const char webhook_prefix[] = "whsec_";

#define PASSWORD_PASSES 3
#define PASSWORD_KIB (64 * 1024)

bool secret_owner_good(uid_t owner, uid_t us, uid_t daemon)
{
    return owner == us || owner == 0 || (us == 0 && owner == daemon);
}

static bool owner_good(uid_t owner)
{
    uid_t us = geteuid();
    const struct passwd *daemon = us == 0 && owner != 0 ? getpwnam(SECRET_DAEMON_USER) : NULL;
    return secret_owner_good(owner, us, daemon ? daemon->pw_uid : 0);
}

/* An open file that may be trusted, or -1. O_NONBLOCK: a pipe in a secret's place must not hang the daemon.
 */
static int secret_open(const char *path, struct stat *status, char error[LIMIT_TEXT])
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
        snprintf(error, LIMIT_TEXT, "cannot be read (%s)", strerror(errno));
        return -1;
    }
    if (fstat(file, status) != 0)
        snprintf(error, LIMIT_TEXT, "cannot be read (%s)", strerror(errno));
    else if (!S_ISREG(status->st_mode))
        snprintf(error, LIMIT_TEXT, "is no plain file; a secret stands in a file of its own");
    else if (!owner_good(status->st_uid) && geteuid() == 0)
        snprintf(error, LIMIT_TEXT,
                 "belongs to user %u, who could change it; it must be root's or user " SECRET_DAEMON_USER "'s: chown",
                 (unsigned)status->st_uid);
    else if (!owner_good(status->st_uid))
        snprintf(error, LIMIT_TEXT,
                 "belongs to user %u, who could change it; it must be ours (user %u) or root's: chown",
                 (unsigned)status->st_uid, (unsigned)geteuid());
    else if (status->st_mode & 077)
        snprintf(error, LIMIT_TEXT, "others may read or change it (mode %04o); do: chmod 600 %.120s",
                 (unsigned)status->st_mode & 07777, path);
    else
        return file;
    close(file);
    return -1;
}

bool secret_file_check(const char *path, char error[LIMIT_TEXT])
{
    struct stat status;
    int file = secret_open(path, &status, error);
    if (file < 0)
        return false;
    close(file);
    return true;
}

bool secret_file_read(const char *path, size_t limit, struct secret *s, char error[LIMIT_TEXT])
{
    struct stat status;
    int file = secret_open(path, &status, error);
    if (file < 0)
        return false;
    *s = (struct secret){0};
    if ((uint64_t)status.st_size > limit) {
        snprintf(error, LIMIT_TEXT, "is too large (%lld bytes); at most %zu", (long long)status.st_size,
                 limit);
        close(file);
        return false;
    }
    s->text = calloc(1, (size_t)status.st_size + 1);
    while (s->text && s->size < (size_t)status.st_size) {
        ssize_t n = read(file, s->text + s->size, (size_t)status.st_size - s->size);
        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            snprintf(error, LIMIT_TEXT, "cannot be read (%s)", strerror(errno));
            secret_finish(s);
            close(file);
            return false;
        }
        s->size += (size_t)n;
    }
    close(file);
    if (!s->text)
        snprintf(error, LIMIT_TEXT, "cannot be read (no memory)");
    return s->text != NULL;
}

void secret_finish(struct secret *s)
{
    if (s->text)
        sodium_memzero(s->text, s->size);
    free(s->text);
    *s = (struct secret){0};
}

static bool folder_sync(const char *path)
{
    char copy[4096];
    if (strlen(path) >= sizeof copy)
        return false;
    strcpy(copy, path);
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return false;
    bool done = fsync(folder) == 0;
    close(folder);
    return done;
}

bool secret_file_write(const char *path, const char *text, unsigned mode, char error[LIMIT_TEXT])
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (file < 0) {
        snprintf(error, LIMIT_TEXT, "cannot be made (%s)%s", strerror(errno),
                 errno == EEXIST
                     ? "; a key is never overwritten: choose another name, or move the old file away"
                     : "");
        return false;
    }
    size_t size = strlen(text), done = 0;
    bool good = fchmod(file, mode) == 0; /* whatever the umask */
    while (good && done < size) {
        ssize_t n = write(file, text + done, size - done);
        if (n > 0)
            done += (size_t)n;
        else
            good = n < 0 && errno == EINTR;
    }
    good = good && fsync(file) == 0;
    good = close(file) == 0 && good;
    good = good && folder_sync(path);
    if (!good) {
        snprintf(error, LIMIT_TEXT, "cannot be written (%s)", strerror(errno));
        unlink(path);
    }
    return good;
}

bool secret_base64(const char *text, size_t text_size, unsigned char *out, size_t size)
{
    size_t got = 0;
    const char *end = NULL;
    return sodium_base642bin(out, size, text, text_size, NULL, &got, &end, sodium_base64_VARIANT_ORIGINAL) ==
               0 &&
           got == size && end == text + text_size;
}

bool secret_webhook(const char *text, size_t text_size, unsigned char out[SECRET_WEBHOOK_MAX], size_t *size)
{
    size_t prefix = sizeof webhook_prefix - 1;
    const char *end = NULL;
    if (text_size <= prefix || memcmp(text, webhook_prefix, prefix) != 0)
        return false;
    if (sodium_base642bin(out, SECRET_WEBHOOK_MAX, text + prefix, text_size - prefix, NULL, size, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    return end == text + text_size && *size >= SECRET_WEBHOOK_MIN;
}

bool secret_journal_key(const char *path, unsigned char key[SECRET_JOURNAL_KEY], char error[LIMIT_TEXT])
{
    struct secret s;
    if (!secret_file_read(path, SECRET_TEXT, &s, error))
        return false;
    size_t prefix = sizeof journal_prefix - 1, size = s.size;
    if (size && s.text[size - 1] == '\n')
        size--;
    bool good = size > prefix && memcmp(s.text, journal_prefix, prefix) == 0 &&
                secret_base64(s.text + prefix, size - prefix, key, SECRET_JOURNAL_KEY);
    if (good) { /* its second half must be the public key of its first */
        unsigned char public_key[crypto_sign_PUBLICKEYBYTES], secret_key[SECRET_JOURNAL_KEY];
        crypto_sign_seed_keypair(public_key, secret_key, key);
        good = sodium_memcmp(secret_key, key, SECRET_JOURNAL_KEY) == 0;
        sodium_memzero(secret_key, sizeof secret_key);
    }
    secret_finish(&s);
    if (!good) {
        sodium_memzero(key, SECRET_JOURNAL_KEY);
        snprintf(error, LIMIT_TEXT,
                 "is no journal key; it must be one line \"tocsin-journal-key-v1 BASE64\", as made by "
                 "`tocsin keygen journal FILE`");
    }
    return good;
}

bool secret_journal_name(const char *name)
{
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c <= ' ' || *c == '+' || *c == 0x7f)
            return false;
    return *name && strlen(name) < LIMIT_TEXT;
}

void secret_journal_vkey(const char *name, const unsigned char key[SECRET_JOURNAL_KEY], char out[SECRET_TEXT])
{
    /* C2SP signed-note: the key id is the start of SHA-256(name, newline, type 0x01, public key). */
    assert(secret_journal_name(name));
    unsigned char typed[1 + crypto_sign_PUBLICKEYBYTES] = {0x01}, hash[crypto_hash_sha256_BYTES];
    memcpy(typed + 1, key + crypto_sign_SEEDBYTES, crypto_sign_PUBLICKEYBYTES);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)name, strlen(name));
    crypto_hash_sha256_update(&state, (const unsigned char *)"\n", 1);
    crypto_hash_sha256_update(&state, typed, sizeof typed);
    crypto_hash_sha256_final(&state, hash);
    char text[sodium_base64_ENCODED_LEN(sizeof typed, sodium_base64_VARIANT_ORIGINAL)];
    sodium_bin2base64(text, sizeof text, typed, sizeof typed, sodium_base64_VARIANT_ORIGINAL);
    snprintf(out, SECRET_TEXT, "%s+%02x%02x%02x%02x+%s", name, hash[0], hash[1], hash[2], hash[3], text);
}

/* `prefix` and the base64 of 32 random bytes. */
static void make_random(char out[SECRET_TEXT], const char *prefix, int variant)
{
    unsigned char bytes[32];
    randombytes_buf(bytes, sizeof bytes);
    size_t size = strlen(prefix);
    memcpy(out, prefix, size);
    sodium_bin2base64(out + size, SECRET_TEXT - size, bytes, sizeof bytes, variant);
    sodium_memzero(bytes, sizeof bytes);
}

void secret_make_device_key(char out[SECRET_TEXT])
{
    make_random(out, "", sodium_base64_VARIANT_ORIGINAL);
}

void secret_make_webhook(char out[SECRET_TEXT])
{
    make_random(out, webhook_prefix, sodium_base64_VARIANT_ORIGINAL);
}

void secret_make_token(char out[SECRET_TEXT])
{
    make_random(out, "tk_", sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void secret_token_hash(const char *token, char out[SECRET_TEXT])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)token, strlen(token));
    strcpy(out, "sha256:");
    sodium_bin2hex(out + strlen(out), 2 * sizeof hash + 1, hash, sizeof hash);
}

bool secret_password_hash(const char *password, char out[SECRET_TEXT])
{
    memset(out, 0, SECRET_TEXT);
    return crypto_pwhash_str(out, password, strlen(password), PASSWORD_PASSES, (size_t)PASSWORD_KIB * 1024) == 0;
}

bool secret_password_matches(const char *hash, const char *password, size_t size)
{
    return crypto_pwhash_str_verify(hash, password, size) == 0;
}

bool secret_password_hash_valid(const char *text)
{
    unsigned version, kib, passes, lanes;
    return strlen(text) < crypto_pwhash_STRBYTES &&
           crypto_pwhash_str_needs_rehash(text, PASSWORD_PASSES, (size_t)PASSWORD_KIB * 1024) >= 0 &&
           sscanf(text, "$argon2id$v=%u$m=%u,t=%u,p=%u$", &version, &kib, &passes, &lanes) == 4 &&
           kib <= 4 * PASSWORD_KIB && passes <= 4 * PASSWORD_PASSES && lanes == 1;
}

bool secret_new_journal_key(const char *path, const char *name, char error[LIMIT_TEXT])
{
    char public_path[4096], line[SECRET_TEXT], vkey[SECRET_TEXT];
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES], key[SECRET_JOURNAL_KEY];
    if (!secret_journal_name(name)) {
        snprintf(error, LIMIT_TEXT,
                 "the journal's name must have no space and no \"+\", such as tocsin.example.edu");
        return false;
    }
    if ((size_t)snprintf(public_path, sizeof public_path, "%s.pub", path) >= sizeof public_path) {
        snprintf(error, LIMIT_TEXT, "its name is too long");
        return false;
    }
    crypto_sign_keypair(public_key, key);
    size_t size = sizeof journal_prefix - 1;
    memcpy(line, journal_prefix, size);
    sodium_bin2base64(line + size, sizeof line - size, key, sizeof key, sodium_base64_VARIANT_ORIGINAL);
    strcat(line, "\n");
    secret_journal_vkey(name, key, vkey);
    strcat(vkey, "\n");
    bool good = secret_file_write(path, line, 0600, error);
    if (good && !secret_file_write(public_path, vkey, 0644, error)) {
        unlink(path); /* a key without its public half is of no use */
        good = false;
    }
    sodium_memzero(key, sizeof key);
    sodium_memzero(line, sizeof line);
    return good;
}
