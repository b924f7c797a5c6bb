#include "disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096 /* of the kernel */

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

static struct disk_name *name_of(struct disk *d, const char *path)
{
    for (size_t i = 0; i < DISK_NAMES; i++)
        if (strcmp(d->names[i].path, path) == 0)
            return &d->names[i];
    return NULL;
}

struct disk_file *disk_find(struct disk *d, const char *path)
{
    struct disk_name *n = name_of(d, path);
    return n ? n->file : NULL;
}

/* Touched as far as it is used. */
static unsigned char *reserve(size_t size)
{
    void *space =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert(space != MAP_FAILED);
    return space;
}

struct disk_file *disk_create(struct disk *d, const char *path)
{
    struct disk_name *n = name_of(d, path);
    if (!n)
        n = name_of(d, "");
    assert(n && !n->file && strlen(path) < DISK_PATH);
    strcpy(n->path, path);
    n->file = calloc(1, sizeof *n->file);
    assert(n->file);
    n->file->bytes = reserve(DISK_FILE_MOST);
    n->file->kept = reserve(DISK_KEPT_MOST);
    return n->file;
}

static void free_file(struct disk_file *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < DISK_SHM; i++)
        free(f->shm[i]);
    free(f->changes);
    munmap(f->kept, DISK_KEPT_MOST);
    munmap(f->bytes, DISK_FILE_MOST);
    free(f);
}

/* Somebody may still have it open: its memory stays until disk_finish() or until the name is synced. */
bool disk_remove(struct disk *d, const char *path)
{
    struct disk_name *n = name_of(d, path);
    if (!n || !n->file)
        return false;
    n->file = NULL;
    return true;
}

void disk_sync_folder(struct disk *d)
{
    for (size_t i = 0; i < DISK_NAMES; i++)
        d->names[i].durable = d->names[i].file;
}

/* `bytes` NULL: zeros. */
static void put_bytes(struct disk_file *f, size_t at, const unsigned char *bytes, size_t size)
{
    size_t end = at + size;
    assert(end <= DISK_FILE_MOST);
    if (bytes && size > 0) {
        memcpy(f->bytes + at, bytes, size);
        f->zero_from = end > f->zero_from ? end : f->zero_from;
    } else if (at < f->zero_from) {
        memset(f->bytes + at, 0, lesser(end, f->zero_from) - at);
        f->zero_from = end >= f->zero_from ? at : f->zero_from;
    }
}

/* What lies behind the end is zeros: files grow with them. */
static void set_size(struct disk_file *f, size_t size)
{
    if (size < f->size)
        put_bytes(f, size, NULL, f->size - size);
    f->size = size;
}

static const unsigned char *keep_bytes(struct disk_file *f, const unsigned char *bytes, size_t size)
{
    if (size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0))
        return NULL;
    unsigned char *to = f->kept + f->kept_size;
    f->kept_size += size;
    assert(f->kept_size <= DISK_KEPT_MOST);
    memcpy(to, bytes, size);
    return to;
}

static void forget_changes(struct disk_file *f)
{
    f->count = f->kept_size = 0;
}

static struct disk_change *add_change(struct disk_file *f)
{
    if (f->count == f->room) {
        f->room = f->room * 2 + 64;
        f->changes = realloc(f->changes, f->room * sizeof *f->changes);
        assert(f->changes);
    }
    f->changes[f->count] = (struct disk_change){0};
    return &f->changes[f->count++];
}

/* Of what stands there now. */
static struct disk_change *begin_change(struct disk_file *f, size_t at, size_t size)
{
    struct disk_change *c = add_change(f);
    c->at = at;
    c->size = size;
    c->before_size = at < f->zero_from ? lesser(size, f->zero_from - at) : 0;
    c->before = keep_bytes(f, f->bytes + at, c->before_size);
    return c;
}

size_t disk_read(const struct disk_file *f, void *out, size_t size, size_t at)
{
    size_t count = at < f->size ? lesser(size, f->size - at) : 0;
    if (count)
        memcpy(out, f->bytes + at, count);
    return count;
}

static bool has_suffix(const struct disk *d, const struct disk_file *f, const char *suffix)
{
    for (size_t i = 0; i < DISK_NAMES; i++) {
        const struct disk_name *n = &d->names[i];
        size_t size = strlen(n->path), end = strlen(suffix);
        if (n->file == f && size >= end && strcmp(n->path + size - end, suffix) == 0)
            return true;
    }
    return false;
}

static bool fault_strikes(struct disk *d, const struct disk_file *f, int kind)
{
    if ((int)d->fault.kind != kind || !has_suffix(d, f, d->fault.suffix))
        return false;
    if (d->fault.after > 0) {
        d->fault.after--;
        return false;
    }
    d->fault.kind = FAULT_NONE;
    return true;
}

static void tell(struct disk *d, enum disk_moment moment)
{
    if (d->moment)
        d->moment(d->ctx, moment);
}

bool disk_write(struct disk *d, struct disk_file *f, const void *bytes, size_t size, size_t at)
{
    bool good = !fault_strikes(d, f, FAULT_WRITE);
    if (!good)
        size /= 2;
    if (size == 0)
        return good;
    struct disk_change *c = begin_change(f, at, size);
    if (c->before_size == size && memcmp(f->bytes + at, bytes, size) == 0) {
        c->after = c->before; /* a log that is written again */
    } else {
        c->after = keep_bytes(f, bytes, size);
        put_bytes(f, at, c->after, size);
    }
    f->size = at + size > f->size ? at + size : f->size;
    tell(d, DISK_BETWEEN);
    return good;
}

void disk_truncate(struct disk *d, struct disk_file *f, size_t size)
{
    if (size < f->size)
        begin_change(f, size, f->size - size)->truncate = true;
    set_size(f, size);
    tell(d, DISK_BETWEEN);
}

/* Whether a later change that is durable now has made it so, too: pages are written whole. */
static bool settled(const struct disk_file *f, size_t number)
{
    size_t page = f->changes[number].at / PAGE;
    for (size_t i = number; i < f->count; i++) {
        const struct disk_change *by = &f->changes[i];
        if (!by->left_behind && by->at / PAGE <= page &&
            (by->truncate || (by->at + by->size - 1) / PAGE >= page))
            return true;
    }
    return !f->changes[number].left_behind;
}

static void make_durable(struct disk_file *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++)
        if (!settled(f, i))
            f->changes[kept++] = f->changes[i];
    f->count = kept;
    f->durable_size = f->size;
    if (kept == 0)
        forget_changes(f);
}

/* What was written goes into pieces of one page each, as the kernel forgets them one by one. */
static void leave_behind(struct disk_file *f)
{
    struct disk_change *old = f->changes;
    size_t count = f->count;
    f->changes = NULL;
    f->count = f->room = 0;
    for (size_t i = 0; i < count; i++) {
        struct disk_change *c = &old[i];
        if (c->truncate || c->left_behind) {
            *add_change(f) = *c;
            continue;
        }
        for (size_t done = 0, size; done < c->size; done += size) {
            struct disk_change *piece = add_change(f);
            size = lesser(c->size - done, PAGE - (c->at + done) % PAGE);
            piece->at = c->at + done;
            piece->size = size;
            piece->left_behind = true;
            piece->before_size = done < c->before_size ? lesser(size, c->before_size - done) : 0;
            piece->before = c->before ? c->before + done : NULL;
            piece->after = c->after ? c->after + done : NULL;
        }
    }
    free(old);
}

bool disk_sync(struct disk *d, struct disk_file *f)
{
    d->syncs++;
    tell(d, DISK_BEFORE_SYNC);
    bool good = !fault_strikes(d, f, FAULT_SYNC);
    if (!good)
        leave_behind(f);
    else if (d->lie_about != d->syncs && d->lie_about != UINT64_MAX)
        make_durable(f);
    tell(d, DISK_AFTER_SYNC);
    return good;
}

/* The cut */

enum keep { KEEP_NOTHING, KEEP_ALL, KEEP_FIRST, KEEP_LAST, KEEP_SOME, TEAR_512, TEAR_4096, RUBBISH, KEEPS };

static void undo(struct disk_file *f)
{
    size_t end = f->size;
    for (size_t i = f->count; i-- > 0;) {
        const struct disk_change *c = &f->changes[i];
        put_bytes(f, c->at, c->before, c->before_size);
        put_bytes(f, c->at + c->before_size, NULL, c->size - c->before_size);
        end = c->at + c->size > end ? c->at + c->size : end;
    }
    f->size = end;
    set_size(f, f->durable_size);
}

/* Some sectors of a change, all of them, or none. */
static void redo(struct disk_file *f, const struct disk_change *c, struct dice *dice, size_t sector,
                 uint32_t chance, bool rubbish, struct disk_damage *damage)
{
    if (c->truncate) {
        bool kept = dice_chance(dice, chance);
        damage->lost += !kept;
        if (kept && c->at < f->size)
            set_size(f, c->at);
        return;
    }
    size_t end = c->at + c->size, kept = 0;
    for (size_t at = c->at, to; at < end; at = to) {
        to = sector ? lesser(end, (at / sector + 1) * sector) : end;
        if (!dice_chance(dice, chance))
            continue;
        if (to > f->size)
            set_size(f, to);
        put_bytes(f, at, c->after ? c->after + (at - c->at) : NULL, to - at);
        kept += to - at;
        if (!rubbish || !dice_chance(dice, 1000))
            continue;
        for (size_t i = at; i < to; i++)
            put_bytes(f, i, &(unsigned char){(unsigned char)dice_throw(dice)}, 1);
        kept--; /* it is neither lost nor whole */
    }
    damage->lost += kept == 0;
    damage->torn += kept > 0 && kept < c->size;
}

static void cut_file(struct disk_file *f, struct dice *dice, struct disk_damage *damage)
{
    enum keep keep = dice_below(dice, KEEPS);
    size_t border = f->count ? dice_below(dice, (uint32_t)f->count) : 0;
    static const uint32_t chances[] = {500, 3000, 5000, 7000, 9500};
    uint32_t some = chances[dice_below(dice, 5)];
    size_t size = f->size;
    undo(f);
    for (size_t i = 0; i < f->count; i++) {
        uint32_t chance = keep == KEEP_NOTHING ? 0
                          : keep == KEEP_FIRST ? (i < border    ? 10000
                                                  : i == border ? some
                                                                : 0)
                          : keep == KEEP_LAST  ? (i > border    ? 10000
                                                  : i == border ? some
                                                                : 0)
                          : keep >= KEEP_SOME  ? some
                                               : 10000;
        size_t sector = keep == TEAR_512 || keep == RUBBISH || i == border ? 512
                        : keep == TEAR_4096                                ? 4096
                                                                           : 0;
        redo(f, &f->changes[i], dice, sector, chance, keep == RUBBISH, damage);
    }
    forget_changes(f);
    if (size > f->size && dice_chance(dice, 2000)) /* the new length is there, what was written is not */
        set_size(f, size);
    f->durable_size = f->size;
}

bool disk_refresh(struct disk *d, struct disk_file *f, struct dice *dice)
{
    struct disk_damage damage = {0};
    if (!disk_sync(d, f))
        return false;
    cut_file(f, dice, &damage);
    return true;
}

void disk_forget_shm(struct disk *d)
{
    for (size_t i = 0; i < DISK_NAMES; i++)
        for (size_t r = 0; d->names[i].file && r < DISK_SHM; r++) {
            free(d->names[i].file->shm[r]);
            d->names[i].file->shm[r] = NULL;
        }
}

struct disk_damage disk_cut(struct disk *d, struct dice *dice)
{
    struct disk_damage damage = {0};
    disk_forget_shm(d);
    for (size_t i = 0; i < DISK_NAMES; i++) {
        struct disk_name *n = &d->names[i];
        if (n->file != n->durable && dice_chance(dice, 5000)) {
            n->file = n->durable;
            damage.lost++;
        }
        n->durable = n->file;
        if (n->file)
            cut_file(n->file, dice, &damage);
    }
    return damage;
}

void disk_finish(struct disk *d)
{
    for (size_t i = 0; i < DISK_NAMES; i++) {
        if (d->names[i].durable != d->names[i].file)
            free_file(d->names[i].durable);
        free_file(d->names[i].file);
    }
    *d = (struct disk){0};
}
