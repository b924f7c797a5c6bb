#include "conf/copy.h"
#include "memory.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char heading[] = "tocsin-configuration-v1 ";
#define HEADING_SIZE (sizeof heading - 1 + 2 * crypto_hash_sha256_BYTES + 1) /* with its newline */

static const struct {
    const char *name;
    const struct conf_table *table;
} tables[] = {{"main", &conf_table_main}, {"sites", &conf_table_sites_file}, {"accounts", &conf_table_accounts_file}};
#define TABLES (sizeof tables / sizeof *tables)

struct conf_copy {
    char *text;
    size_t size;
};

static const char *table_name(const struct conf_table *table)
{
    size_t i = 0;
    while (tables[i].table != table)
        i++;
    return tables[i].name;
}

static void make_heading(const char *rest, size_t size, char out[HEADING_SIZE + 1])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)rest, size);
    strcpy(out, heading);
    sodium_bin2hex(out + sizeof heading - 1, 2 * sizeof hash + 1, hash, sizeof hash);
    strcat(out, "\n");
}

struct conf_copy *copy_make(const struct source *sources, uint32_t count)
{
    struct conf_copy *copy = memory_zeroed(1, sizeof *copy);
    char first[HEADING_SIZE + 1];
    FILE *out = open_memstream(&copy->text, &copy->size);
    if (!out)
        memory_end();
    fprintf(out, "%*s%u\n", (int)HEADING_SIZE, "", count);
    for (uint32_t i = 0; i < count; i++) {
        const struct source *s = &sources[i];
        fprintf(out, "%s %zu %zu\n%s\n", table_name(s->table), strlen(s->path), s->size, s->path);
        fwrite(s->text, 1, s->size, out);
        putc('\n', out);
    }
    bool whole = !ferror(out);
    if (fclose(out) != 0 || !whole)
        memory_end();
    make_heading(copy->text + HEADING_SIZE, copy->size - HEADING_SIZE, first);
    memcpy(copy->text, first, HEADING_SIZE);
    return copy;
}

void conf_copy_destroy(struct conf_copy *copy)
{
    if (!copy)
        return;
    free(copy->text);
    free(copy);
}

/* -- to the disk
 * ------------------------------------------------------------------------------------------------------ */

static bool write_all(int file, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(file, text, size);
        if (n < 0 && errno != EINTR)
            return false;
        text += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return fsync(file) == 0;
}

static bool sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int opened = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool good = opened >= 0 && fsync(opened) == 0;
    if (opened >= 0)
        close(opened);
    free(folder);
    return good;
}

bool conf_copy_write(const struct conf_copy *copy, const char *path, char error[LIMIT_TEXT])
{
    char *fresh;
    if (asprintf(&fresh, "%s.new", path) < 0)
        memory_end();
    errno = EFBIG;
    int file = copy->size > SOURCE_MAX ? -1 : open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = file >= 0 && write_all(file, copy->text, copy->size);
    good = (file < 0 || close(file) == 0) && good;
    good = good && rename(fresh, path) == 0 && sync_folder_of(path);
    if (!good)
        snprintf(error, LIMIT_TEXT, "cannot be written (%s)", strerror(errno));
    if (!good && file >= 0)
        unlink(fresh);
    free(fresh);
    return good;
}

/* -- from the disk
 * ---------------------------------------------------------------------------------------------------- */

/* Each moves *at behind what it takes. Not sscanf(): it looks for the end of the whole text each time. */

static const struct conf_table *take_table(const char **at)
{
    for (size_t i = 0; i < TABLES; i++) {
        size_t size = strlen(tables[i].name);
        if (strncmp(*at, tables[i].name, size) != 0 || (*at)[size] != ' ')
            continue;
        *at += size + 1;
        return tables[i].table;
    }
    return NULL;
}

static bool take_number(const char **at, char behind, size_t *out)
{
    char *end;
    *out = strtoul(*at, &end, 10);
    bool good = end > *at && *end == behind;
    *at = end + good;
    return good;
}

static bool take_source(const char **at, const char *end, struct arena *arena, struct source *out)
{
    size_t name_size, size;
    out->table = take_table(at);
    if (!out->table || !take_number(at, ' ', &name_size) || !take_number(at, '\n', &size))
        return false;
    const char *name = *at;
    size_t left = (size_t)(end - name);
    if (name_size >= left || size >= left || name_size + size + 2 > left)
        return false;
    out->path = arena_text(arena, name, name_size);
    out->size = size;
    out->text = memory_take(size + 1);
    memcpy(out->text, name + name_size + 1, size);
    out->text[size] = '\0';
    *at = name + name_size + size + 2;
    return true;
}

static bool take_sources(const char *rest, const char *end, struct arena *arena, struct source **sources, uint32_t *count)
{
    const char *at = rest;
    size_t files;
    if (!take_number(&at, '\n', &files) || files == 0 || files > (size_t)(end - rest))
        return false;
    *sources = arena_take(arena, files * sizeof **sources);
    for (*count = 0; *count < files; ++*count)
        if (!take_source(&at, end, arena, &(*sources)[*count]))
            return false;
    return at == end && (*sources)[0].table == &conf_table_main;
}

bool copy_sources(const char *path, const char *file, struct arena *arena, struct source **sources, uint32_t *count,
                  struct problems *problems)
{
    struct source whole = {.path = arena_text(arena, path, strlen(path))};
    char first[HEADING_SIZE + 1];
    const char *why = source_open(&whole);
    bool good = false;
    if (why) {
        problem_line(problems, path, 0, "", "cannot be read (%s)", why);
    } else {
        const char *rest = whole.text + HEADING_SIZE, *end = whole.text + whole.size;
        if (whole.size > HEADING_SIZE)
            make_heading(rest, (size_t)(end - rest), first);
        good = whole.size > HEADING_SIZE && memcmp(first, whole.text, HEADING_SIZE) == 0 &&
               take_sources(rest, end, arena, sources, count);
        if (!good)
            problem_line(problems, path, 0, "", "is no whole copy of a configuration, and is not used");
        else if (strcmp((*sources)[0].path, file) != 0)
            problem_line(problems, path, 0, "", "is a copy of %s, and is not used for another", (*sources)[0].path);
    }
    source_forget(&whole);
    return problems->count == 0;
}
