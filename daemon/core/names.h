/* names.h - the two functions every enum with names has, made from its table, which has a name for every value:
 *     const char *NAME_str(TYPE)                     "?" for a value that is none
 *     bool NAME_of(const char *text, TYPE *out)      false, and *out untouched, for an unknown text
 */
#ifndef TOCSIN_NAMES_H
#define TOCSIN_NAMES_H

#include <stdbool.h>
#include <string.h>

#define NAMES_DEFINE(NAME, TYPE, TABLE, COUNT)                                                                        \
    const char *NAME##_str(TYPE value)                                                                                \
    {                                                                                                                 \
        return (unsigned)value < (unsigned)(COUNT) ? TABLE[value] : "?";                                              \
    }                                                                                                                 \
    bool NAME##_of(const char *text, TYPE *out)                                                                       \
    {                                                                                                                 \
        for (int i = 0; i < (int)(COUNT); i++)                                                                        \
            if (strcmp(TABLE[i], text) == 0) {                                                                        \
                *out = (TYPE)i;                                                                                       \
                return true;                                                                                          \
            }                                                                                                         \
        return false;                                                                                                 \
    }

#endif
