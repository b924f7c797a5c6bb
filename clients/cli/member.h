/* member.h - members of the daemon's JSON answers; what is missing or of another type is empty, never a
 * crash. */
#ifndef TOCSIN_CLI_MEMBER_H
#define TOCSIN_CLI_MEMBER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

const char *member_text(const json_t *object, const char *name); /* "" = none */
int64_t member_number(const json_t *object, const char *name);   /* 0 = none */
int64_t member_time(const json_t *object, const char *name);     /* wall ms, 0 = none */
bool member_true(const json_t *object, const char *name);
/* Its name, else its id: of {"id":…,"name":…} under `name`. */
const char *member_place(const json_t *object, const char *name);
/* A path, or a word of the command line, which need not be UTF-8, as a text that JSON can hold. */
json_t *member_path(const char *path);
/* Prints it for --json. */
void member_say(const json_t *value);

#endif
