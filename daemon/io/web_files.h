/* web_files.h - the files of a page, read once into a table: exact path → bytes.
 *
 * Promises: a request looks up the table and nothing else: no path is ever joined, no file opened, so nothing
 * that is not in the table can be asked for. Files are plain ones (no links followed), of a type that a page
 * is made of, whose names are A-Z a-z 0-9 _ . -; what else lies in the folder is passed over. `X.gz` beside
 * `X` is `X`, compressed. Does not: watch the folder. A reload makes a new table.
 *
 *     char error[256];
 *     struct web_files *files = web_files_load("/usr/share/tocsin/desk", error);
 *     const struct web_file *file = web_files_find(files, "/index.html");
 *     web_files_destroy(files);
 */
#ifndef TOCSIN_WEB_FILES_H
#define TOCSIN_WEB_FILES_H

#include <stdbool.h>
#include <stddef.h>

#define WEB_FILES_BYTES (16u << 20) /* of all together: the page of today has one */
#define WEB_FILES 512               /* how many */

struct web_file {
    char *path; /* "/assets/index-3f2a.js" */
    const char *type;
    char *bytes, *packed; /* packed: gzip; NULL = there is none */
    size_t size, packed_size;
    char tag[48]; /* the ETag, with its quotation marks */
};

struct web_files;

/* NULL: `error` says why, or is "" when there is no such folder. */
struct web_files *web_files_load(const char *folder, char error[256]);
void web_files_destroy(struct web_files *);                                        /* NULL is fine */
size_t web_files_count(const struct web_files *);                                  /* NULL: 0 */
const struct web_file *web_files_find(const struct web_files *, const char *path); /* NULL: there is none */

#endif
