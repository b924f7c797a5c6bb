/* call_faults.h - what our own calls to SQLite and to the C library answer when they fail: each place that
 * calls them is met twice, the first time that it is reached and the second. For tests linked with the flags
 * of `wrapped` in meson.build.
 *
 * The real function is not called: nothing of what it was asked to do has happened.
 */
#ifndef CALL_FAULTS_H
#define CALL_FAULTS_H

#include "sqlite_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PLACES 4096 /* a power of two, many more than there are */
#define MEETINGS 2  /* of a place: loops are left at their start and later */

static struct {
    pthread_mutex_t mutex;
    uintptr_t places[PLACES];
    unsigned met[PLACES];
    uint64_t room_mb; /* no more than that is free on the disk; 0 = what is */
} calls = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Of this thread's last call to SQLite; SQLITE_OK = it was really made. */
static _Thread_local int calls_code;
static _Thread_local sqlite3_stmt *calls_statement;

static inline void calls_forget(void)
{
    memset(calls.places, 0, sizeof calls.places);
    memset(calls.met, 0, sizeof calls.met);
}

static bool calls_fail(const void *place, const void *what)
{
    uintptr_t key = ((uintptr_t)place * 31 + (uintptr_t)what) | 1;
    pthread_mutex_lock(&calls.mutex);
    size_t i = key * 2654435761u % PLACES;
    while (calls.places[i] && calls.places[i] != key)
        i = (i + 1) % PLACES;
    calls.places[i] = key;
    bool known = ++calls.met[i] > MEETINGS;
    bool now = known ? faults.at && faults.stay && faults.count >= faults.at : faults_now();
    pthread_mutex_unlock(&calls.mutex);
    return now;
}

/* One of those that a call can answer, in turn. */
static int calls_sqlite(const void *place, const void *what)
{
    static const int answers[] = {SQLITE_IOERR_FSYNC, SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_INTERRUPT,
                                  SQLITE_NOMEM};
    bool fails = faults.kind == FAULTS_SQLITE && calls_fail(place, what);
    calls_code = fails ? answers[(faults.at + faults.stay) % (sizeof answers / sizeof *answers)] : SQLITE_OK;
    return calls_code;
}

static bool calls_system(const void *place, FILE *f)
{
    if (faults.kind != FAULTS_SYSTEM || !calls_fail(place, NULL))
        return false;
    if (f)
        f->_flags |= _IO_ERR_SEEN; /* ferror() */
    errno = EIO;
    return true;
}

#define PLACE __builtin_return_address(0)

/* WRAPPED(name, (parameters), (arguments), what the call is about): answers the code of the fault. */
#define WRAPPED(name, parameters, arguments, what)                                                           \
    int __real_##name parameters;                                                                            \
    int __wrap_##name parameters;                                                                            \
    int __wrap_##name parameters                                                                             \
    {                                                                                                        \
        int code = calls_sqlite(PLACE, what);                                                                \
        return code != SQLITE_OK ? code : __real_##name arguments;                                           \
    }

WRAPPED(sqlite3_exec,
        (sqlite3 * db, const char *sql, int (*fn)(void *, int, char **, char **), void *ctx, char **error),
        (db, sql, fn, ctx, error), sql)
WRAPPED(sqlite3_prepare_v2, (sqlite3 * db, const char *sql, int size, sqlite3_stmt **out, const char **tail),
        (db, sql, size, out, tail), NULL)
WRAPPED(sqlite3_prepare_v3,
        (sqlite3 * db, const char *sql, int size, unsigned flags, sqlite3_stmt **out, const char **tail),
        (db, sql, size, flags, out, tail), sql)
WRAPPED(sqlite3_wal_checkpoint_v2, (sqlite3 * db, const char *name, int mode, int *frames, int *done),
        (db, name, mode, frames, done), NULL)
WRAPPED(sqlite3_create_function_v2,
        (sqlite3 * db, const char *name, int count, int flags, void *ctx,
         void (*call)(sqlite3_context *, int, sqlite3_value **),
         void (*step)(sqlite3_context *, int, sqlite3_value **), void (*final)(sqlite3_context *),
         void (*destroy)(void *)),
        (db, name, count, flags, ctx, call, step, final, destroy), NULL)
WRAPPED(sqlite3_bind_value, (sqlite3_stmt * s, int at, const sqlite3_value *value), (s, at, value), NULL)

int __real_sqlite3_open_v2(const char *file, sqlite3 **out, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *file, sqlite3 **out, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *file, sqlite3 **out, int flags, const char *vfs)
{
    *out = NULL; /* as when there is no memory for it */
    int code = calls_sqlite(PLACE, NULL);
    return code != SQLITE_OK ? code : __real_sqlite3_open_v2(file, out, flags, vfs);
}

int __real_sqlite3_step(sqlite3_stmt *s);
int __wrap_sqlite3_step(sqlite3_stmt *s);
int __wrap_sqlite3_step(sqlite3_stmt *s)
{
    int code = calls_sqlite(PLACE, sqlite3_sql(s));
    calls_statement = code != SQLITE_OK ? s : NULL;
    return code != SQLITE_OK ? code : __real_sqlite3_step(s);
}

int __real_sqlite3_reset(sqlite3_stmt *s);
int __wrap_sqlite3_reset(sqlite3_stmt *s);
int __wrap_sqlite3_reset(sqlite3_stmt *s)
{
    int code = __real_sqlite3_reset(s);
    return calls_code != SQLITE_OK && s == calls_statement ? calls_code : code;
}

int __real_sqlite3_errcode(sqlite3 *db);
int __wrap_sqlite3_errcode(sqlite3 *db);
int __wrap_sqlite3_errcode(sqlite3 *db)
{
    return calls_code != SQLITE_OK ? calls_code : __real_sqlite3_errcode(db);
}

/* SYSTEM(type, name, (parameters), (arguments), the stream or NULL, what it answers when it fails) */
#define SYSTEM(type, name, parameters, arguments, stream, failed)                                            \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters                                                                            \
    {                                                                                                        \
        return calls_system(PLACE, stream) ? (failed) : __real_##name arguments;                             \
    }

SYSTEM(size_t, fwrite, (const void *from, size_t size, size_t count, FILE *f), (from, size, count, f), f, 0)
SYSTEM(int, putc, (int c, FILE *f), (c, f), f, EOF)
SYSTEM(int, fputs, (const char *text, FILE *f), (text, f), f, EOF)
SYSTEM(int, fflush, (FILE * f), (f), f, EOF)
SYSTEM(int, fsync, (int fd), (fd), NULL, -1)
SYSTEM(int, fdatasync, (int fd), (fd), NULL, -1)
SYSTEM(int, chmod, (const char *path, mode_t mode), (path, mode), NULL, -1)
SYSTEM(int, rename, (const char *from, const char *to), (from, to), NULL, -1)
SYSTEM(int, unlink, (const char *path), (path), NULL, -1)
SYSTEM(int, posix_fallocate64, (int fd, off_t at, off_t size), (fd, at, size), NULL, ENOSPC)
SYSTEM(FILE *, fopen64, (const char *path, const char *mode), (path, mode), NULL, NULL)
SYSTEM(char *, mkdtemp, (char *path), (path), NULL, NULL)
SYSTEM(int, flock, (int fd, int what), (fd, what), NULL, -1)
SYSTEM(int, ftruncate64, (int fd, off_t size), (fd, size), NULL, -1)
SYSTEM(ssize_t, pread64, (int fd, void *out, size_t size, off_t at), (fd, out, size, at), NULL, -1)
SYSTEM(ssize_t, pwrite64, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at), NULL, -1)
SYSTEM(int, open64, (const char *path, int flags, mode_t mode), (path, flags, mode), NULL, -1)

int __real_statvfs64(const char *path, struct statvfs *out);
int __wrap_statvfs64(const char *path, struct statvfs *out);
int __wrap_statvfs64(const char *path, struct statvfs *out)
{
    int code = calls_system(PLACE, NULL) ? -1 : __real_statvfs64(path, out);
    if (code == 0 && calls.room_mb && calls.room_mb < out->f_bavail * out->f_frsize >> 20)
        out->f_bavail = (calls.room_mb << 20) / out->f_frsize;
    return code;
}

int __real_fclose(FILE *f);
int __wrap_fclose(FILE *f);
int __wrap_fclose(FILE *f)
{
    bool fails = calls_system(PLACE, NULL);
    int code = __real_fclose(f); /* closed it is in any case */
    return fails ? EOF : code;
}

int __wrap_fprintf(FILE *f, const char *form, ...) __attribute__((format(printf, 2, 3)));
int __wrap_fprintf(FILE *f, const char *form, ...)
{
    if (calls_system(PLACE, f))
        return -1;
    va_list values;
    va_start(values, form);
    int size = vfprintf(f, form, values);
    va_end(values);
    return size;
}

#endif
