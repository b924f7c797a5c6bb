/* sqlite_faults.h - SQLite on a disk and with memory that fail: each call to them is counted, and one of
 * them, or all from one on, does not work. Install before SQLite is used.
 *
 *     faults_install();
 *     faults_arm(FAULTS_DISK, 0, false);      // counts only
 *     …; uint64_t count = faults_end();
 *     faults_arm(FAULTS_DISK, 17, false);     // the 17th fails
 */
#ifndef SQLITE_FAULTS_H
#define SQLITE_FAULTS_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The last two are made by call_faults.h. */
enum faults_kind {
    FAULTS_NONE,
    FAULTS_DISK,
    FAULTS_FULL,
    FAULTS_MEMORY,
    FAULTS_SQLITE,
    FAULTS_SYSTEM,
    FAULTS_KINDS
};

static struct {
    enum faults_kind kind;
    uint64_t at; /* 0 = never */
    bool stay;   /* all later ones, too */
    _Atomic uint64_t count;
    sqlite3_vfs vfs, *real;
    sqlite3_mem_methods memory;
} faults;

static inline void faults_arm(enum faults_kind kind, uint64_t at, bool stay)
{
    faults.kind = kind;
    faults.at = at;
    faults.stay = stay;
    faults.count = 0;
}

/* Everything works again; how many calls there were. */
static inline uint64_t faults_end(void)
{
    faults.kind = FAULTS_NONE;
    return faults.count;
}

static bool faults_now(void)
{
    uint64_t count = ++faults.count;
    return faults.at && (count == faults.at || (faults.stay && count > faults.at));
}

static bool faults_disk(void)
{
    return (faults.kind == FAULTS_DISK || faults.kind == FAULTS_FULL) && faults_now();
}

/* A file: ours, and behind it the real one. */
struct faults_file {
    sqlite3_file file;
    sqlite3_file *real;
};

#define FAULTS_REAL(f) (((struct faults_file *)(f))->real)
#define FAULTS_CALL(f, method, ...) FAULTS_REAL(f)->pMethods->method(FAULTS_REAL(f), __VA_ARGS__)

static int faults_close(sqlite3_file *f)
{
    return FAULTS_REAL(f)->pMethods->xClose(FAULTS_REAL(f));
}

static int faults_read(sqlite3_file *f, void *out, int size, sqlite3_int64 at)
{
    return faults.kind == FAULTS_DISK && faults_now() ? SQLITE_IOERR_READ
                                                      : FAULTS_CALL(f, xRead, out, size, at);
}

static int faults_write(sqlite3_file *f, const void *bytes, int size, sqlite3_int64 at)
{
    if (faults_disk())
        return faults.kind == FAULTS_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    return FAULTS_CALL(f, xWrite, bytes, size, at);
}

static int faults_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return faults.kind == FAULTS_DISK && faults_now() ? SQLITE_IOERR_TRUNCATE
                                                      : FAULTS_CALL(f, xTruncate, size);
}

static int faults_sync(sqlite3_file *f, int flags)
{
    /* The power stays on here, so nothing need reach the disk (tests/powercut is for that). */
    return faults.kind == FAULTS_DISK && faults_now() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int faults_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return faults.kind == FAULTS_DISK && faults_now() ? SQLITE_IOERR_FSTAT : FAULTS_CALL(f, xFileSize, size);
}

static int faults_lock(sqlite3_file *f, int level)
{
    return FAULTS_CALL(f, xLock, level);
}

static int faults_unlock(sqlite3_file *f, int level)
{
    return FAULTS_CALL(f, xUnlock, level);
}

static int faults_reserved(sqlite3_file *f, int *is)
{
    return FAULTS_CALL(f, xCheckReservedLock, is);
}

static int faults_control(sqlite3_file *f, int what, void *value)
{
    return FAULTS_CALL(f, xFileControl, what, value);
}

static int faults_sector(sqlite3_file *f)
{
    return FAULTS_REAL(f)->pMethods->xSectorSize(FAULTS_REAL(f));
}

static int faults_device(sqlite3_file *f)
{
    return FAULTS_REAL(f)->pMethods->xDeviceCharacteristics(FAULTS_REAL(f));
}

static int faults_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return faults.kind == FAULTS_DISK && faults_now() ? SQLITE_IOERR_SHMMAP
                                                      : FAULTS_CALL(f, xShmMap, page, size, extend, out);
}

static int faults_shm_lock(sqlite3_file *f, int offset, int count, int flags)
{
    return FAULTS_CALL(f, xShmLock, offset, count, flags);
}

static void faults_shm_barrier(sqlite3_file *f)
{
    FAULTS_REAL(f)->pMethods->xShmBarrier(FAULTS_REAL(f));
}

static int faults_shm_unmap(sqlite3_file *f, int drop)
{
    return FAULTS_CALL(f, xShmUnmap, drop);
}

static const sqlite3_io_methods faults_methods = {
    .iVersion = 2,
    .xClose = faults_close,
    .xRead = faults_read,
    .xWrite = faults_write,
    .xTruncate = faults_truncate,
    .xSync = faults_sync,
    .xFileSize = faults_size,
    .xLock = faults_lock,
    .xUnlock = faults_unlock,
    .xCheckReservedLock = faults_reserved,
    .xFileControl = faults_control,
    .xSectorSize = faults_sector,
    .xDeviceCharacteristics = faults_device,
    .xShmMap = faults_shm_map,
    .xShmLock = faults_shm_lock,
    .xShmBarrier = faults_shm_barrier,
    .xShmUnmap = faults_shm_unmap,
};

static int faults_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    f->pMethods = NULL;
    if (faults.kind == FAULTS_DISK && faults_now())
        return SQLITE_CANTOPEN;
    FAULTS_REAL(f) = (sqlite3_file *)((struct faults_file *)f + 1);
    int code = faults.real->xOpen(faults.real, name, FAULTS_REAL(f), flags, out);
    if (code == SQLITE_OK)
        f->pMethods = &faults_methods;
    return code;
}

static void *faults_malloc(int size)
{
    return faults.kind == FAULTS_MEMORY && faults_now() ? NULL : faults.memory.xMalloc(size);
}

static void *faults_realloc(void *old, int size)
{
    return faults.kind == FAULTS_MEMORY && faults_now() ? NULL : faults.memory.xRealloc(old, size);
}

static inline void faults_install(void)
{
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0); /* small pieces come from the same place as all others */
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &faults.memory);
    sqlite3_mem_methods methods = faults.memory;
    methods.xMalloc = faults_malloc;
    methods.xRealloc = faults_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    faults.real = sqlite3_vfs_find(NULL);
    faults.vfs = *faults.real;
    faults.vfs.zName = "faults";
    faults.vfs.szOsFile = (int)sizeof(struct faults_file) + faults.real->szOsFile;
    faults.vfs.xOpen = faults_open;
    sqlite3_vfs_register(&faults.vfs, 1);
}

#endif
