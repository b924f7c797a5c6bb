/* Where a test's files lie: in a new folder of TMPDIR, or of /tmp. */
#ifndef TOCSIN_TEMPORARY_H
#define TOCSIN_TEMPORARY_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static inline void temporary_folder(char *out, size_t size, const char *name)
{
    const char *base = getenv("TMPDIR");
    int length = snprintf(out, size, "%s/%s-XXXXXX", base ? base : "/tmp", name);
    char *made = length > 0 && (size_t)length < size ? mkdtemp(out) : NULL;
    assert(made);
}

#endif
