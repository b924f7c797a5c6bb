/* copy.h - all files of a configuration that loaded, in one file: so that a start with a broken one has the last good one.
 *
 * The first line is "tocsin-configuration-v1 " and the SHA-256 of all that follows, in hex; the second how many files there
 * are. Then, file by file: a line "<table> <bytes of the name> <bytes of the text>", the name, a newline, the text, a
 * newline. No secret is in it, only the names of the files of secrets.
 */
#ifndef TOCSIN_COPY_H
#define TOCSIN_COPY_H

#include "conf/source.h"

struct conf_copy *copy_make(const struct source *sources, uint32_t count);

/* The sources of the copy in `path`, with their texts, as if they had been read where `file` (its main file) and the
 * others stood. False: `problems` say why not. */
bool copy_sources(const char *path, const char *file, struct arena *, struct source **sources, uint32_t *count,
                  struct problems *);

#endif
