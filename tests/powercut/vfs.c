#include "vfs.h"

#include "limits.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct handle {
    sqlite3_file base; /* first: a sqlite3_file * is a struct handle * */
    struct disk_file *file;
    char path[DISK_PATH];
    int lock;
    unsigned shm_shared, shm_exclusive; /* one bit a lock */
    int persist_log;
    bool sync_folder; /* with the first sync: the file may be new */
    struct handle *next;
};

static struct disk *disk;
static struct handle *handles;
static struct dice dice = {20261124}; /* names, salts, and what a disk has after a failure, are the same in each run */

static int close_handle(sqlite3_file *base)
{
    struct handle *h = (struct handle *)base;
    for (struct handle **at = &handles; *at; at = &(*at)->next)
        if (*at == h) {
            *at = h->next;
            break;
        }
    return SQLITE_OK;
}

static int read_file(sqlite3_file *base, void *out, int size, sqlite3_int64 at)
{
    struct handle *h = (struct handle *)base;
    size_t count = disk_read(h->file, out, (size_t)size, (size_t)at);
    memset((char *)out + count, 0, (size_t)size - count);
    return count == (size_t)size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int write_file(sqlite3_file *base, const void *bytes, int size, sqlite3_int64 at)
{
    struct handle *h = (struct handle *)base;
    return disk_write(disk, h->file, bytes, (size_t)size, (size_t)at) ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

static int truncate_file(sqlite3_file *base, sqlite3_int64 size)
{
    disk_truncate(disk, ((struct handle *)base)->file, (size_t)size);
    return SQLITE_OK;
}

static int sync_file(sqlite3_file *base, int flags)
{
    struct handle *h = (struct handle *)base;
    if (!disk_sync(disk, h->file))
        return SQLITE_IOERR_FSYNC;
    if (h->sync_folder)
        disk_sync_folder(disk);
    h->sync_folder = false;
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((struct handle *)base)->file->size;
    return SQLITE_OK;
}

/* The highest lock that another connection holds on the file. */
static int others_lock(const struct handle *h)
{
    int highest = SQLITE_LOCK_NONE;
    for (const struct handle *o = handles; o; o = o->next)
        if (o != h && o->file == h->file && o->lock > highest)
            highest = o->lock;
    return highest;
}

static int lock_file(sqlite3_file *base, int wanted)
{
    struct handle *h = (struct handle *)base;
    int others = others_lock(h);
    if (h->lock >= wanted)
        return SQLITE_OK;
    if (wanted == SQLITE_LOCK_SHARED ? others >= SQLITE_LOCK_PENDING : others >= SQLITE_LOCK_RESERVED)
        return SQLITE_BUSY;
    if (wanted == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
        h->lock = SQLITE_LOCK_PENDING;
        return SQLITE_BUSY;
    }
    h->lock = wanted;
    return SQLITE_OK;
}

static int unlock_file(sqlite3_file *base, int wanted)
{
    struct handle *h = (struct handle *)base;
    if (h->lock > wanted)
        h->lock = wanted;
    return SQLITE_OK;
}

static int check_reserved(sqlite3_file *base, int *out)
{
    struct handle *h = (struct handle *)base;
    *out = h->lock >= SQLITE_LOCK_RESERVED || others_lock(h) >= SQLITE_LOCK_RESERVED;
    return SQLITE_OK;
}

static int control_file(sqlite3_file *base, int what, void *value)
{
    struct handle *h = (struct handle *)base;
    if (what != SQLITE_FCNTL_PERSIST_WAL)
        return SQLITE_NOTFOUND;
    if (*(int *)value >= 0)
        h->persist_log = *(int *)value != 0;
    *(int *)value = h->persist_log;
    return SQLITE_OK;
}

static int sector_size(sqlite3_file *base)
{
    return 4096;
}

static int characteristics(sqlite3_file *base)
{
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int map_shm(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
    struct disk_file *f = ((struct handle *)base)->file;
    *out = NULL;
    if (region >= DISK_SHM)
        return SQLITE_NOMEM;
    if (!f->shm[region] && extend)
        f->shm[region] = calloc(1, (size_t)size);
    *out = f->shm[region];
    return extend && !*out ? SQLITE_NOMEM : SQLITE_OK;
}

static int lock_shm(sqlite3_file *base, int first, int count, int flags)
{
    struct handle *h = (struct handle *)base;
    unsigned mask = ((1u << count) - 1) << first;
    if (flags & SQLITE_SHM_UNLOCK) {
        h->shm_shared &= ~mask;
        h->shm_exclusive &= ~mask;
        return SQLITE_OK;
    }
    for (const struct handle *o = handles; o; o = o->next)
        if (o != h && o->file == h->file &&
            (o->shm_exclusive | (flags & SQLITE_SHM_EXCLUSIVE ? o->shm_shared : 0)) & mask)
            return SQLITE_BUSY;
    *(flags & SQLITE_SHM_EXCLUSIVE ? &h->shm_exclusive : &h->shm_shared) |= mask;
    return SQLITE_OK;
}

static void barrier_shm(sqlite3_file *base)
{
    __sync_synchronize();
}

/* The last one to go takes the memory with it, whether told to or not: the next to come begins with zeros. */
static int unmap_shm(sqlite3_file *base, int remove)
{
    struct handle *h = (struct handle *)base;
    h->shm_shared = h->shm_exclusive = 0;
    for (const struct handle *o = handles; o; o = o->next)
        if (o != h && o->file == h->file)
            return SQLITE_OK;
    for (size_t r = 0; r < DISK_SHM; r++) {
        free(h->file->shm[r]);
        h->file->shm[r] = NULL;
    }
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = close_handle,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_reserved,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = map_shm,
    .xShmLock = lock_shm,
    .xShmBarrier = barrier_shm,
    .xShmUnmap = unmap_shm,
};

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out_flags)
{
    struct handle *h = (struct handle *)base;
    struct stat real;
    *h = (struct handle){0};
    if (!path) /* a temporary file: the daemon keeps such things in memory */
        return SQLITE_CANTOPEN;
    h->file = disk_find(disk, path);
    if (!h->file && (flags & SQLITE_OPEN_CREATE || stat(path, &real) == 0))
        h->file = disk_create(disk, path);
    if (!h->file)
        return SQLITE_CANTOPEN;
    h->base.pMethods = &methods;
    strcpy(h->path, path);
    h->sync_folder = flags & SQLITE_OPEN_CREATE &&
                     flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL);
    h->next = handles;
    handles = h;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    if (!disk_remove(disk, path))
        return SQLITE_IOERR_DELETE_NOENT;
    if (sync_folder)
        disk_sync_folder(disk);
    return SQLITE_OK;
}

static int access_file(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    struct disk_file *f = disk_find(disk, path);
    *out = f && (flags != SQLITE_ACCESS_EXISTS || f->size > 0);
    return SQLITE_OK;
}

static int full_path(sqlite3_vfs *vfs, const char *path, int room, char *out)
{
    if (path[0] != '/' || strlen(path) >= DISK_PATH || strlen(path) >= (size_t)room)
        return SQLITE_CANTOPEN;
    strcpy(out, path);
    return SQLITE_OK;
}

static int randomness(sqlite3_vfs *vfs, int size, char *out)
{
    for (int i = 0; i < size; i++)
        out[i] = (char)dice_throw(&dice);
    return size;
}

static int sleep_us(sqlite3_vfs *vfs, int us)
{
    return us; /* whoever holds a lock here will not give it back meanwhile */
}

static int time_ms(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    *out = 212661072000000; /* of no consequence; SQLite counts from noon of the year -4713 */
    return SQLITE_OK;
}

static int last_error(sqlite3_vfs *vfs, int size, char *out)
{
    return 0;
}

/* In place of the daemon's, which asks the kernel. */
bool __wrap_sqlite_file_refresh(const char *path, char error[LIMIT_TEXT]);
bool __wrap_sqlite_file_refresh(const char *path, char error[LIMIT_TEXT])
{
    struct disk_file *f = disk_find(disk, path);
    bool good = !f || disk_refresh(disk, f, &dice);
    if (!good)
        snprintf(error, LIMIT_TEXT, "the log's sync failed");
    return good;
}

void vfs_install(struct disk *d)
{
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(struct handle),
        .mxPathname = DISK_PATH - 1,
        .zName = "powercut",
        .xOpen = open_file,
        .xDelete = delete_file,
        .xAccess = access_file,
        .xFullPathname = full_path,
        .xRandomness = randomness,
        .xSleep = sleep_us,
        .xGetLastError = last_error,
        .xCurrentTimeInt64 = time_ms,
    };
    disk = d;
    sqlite3_vfs_register(&vfs, 1);
}

void vfs_forget_connections(void)
{
    handles = NULL;
}
