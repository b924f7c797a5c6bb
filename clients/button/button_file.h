/* button_file.h - the button's storage as a file, for anything with POSIX.
 *
 * Promises: after a power loss at any instruction the file holds what was written last, or what was written
 * before, whole: a new file beside it, fsync, rename, fsync of the folder.
 *
 *     struct button_file f = {.path = "/var/lib/tocsin-button/record"};
 *     options.save = button_file_save; options.load = button_file_load; options.ctx = &f; */
#ifndef TOCSIN_BUTTON_FILE_H
#define TOCSIN_BUTTON_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct button_file {
    const char *path;
    int error; /* errno of the last failure */
};

bool button_file_save(void *file, const void *bytes, size_t size);
bool button_file_load(void *file, void *bytes, size_t max, size_t *size);

#endif
