/* json_in.h - reads JSON that came from outside, through jansson, within bounds. PURE.
 *
 * Promises: nothing nested deeper than LIMIT_JSON_DEPTH reaches the parser; what comes back is an object.
 * The caller checks the size and ends with json_decref().
 */
#ifndef TOCSIN_JSON_IN_H
#define TOCSIN_JSON_IN_H

#include "limits.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* NULL: no object, or too deep; `why` says which. `flags` are jansson's. */
json_t *json_in_object(const char *text, size_t size, size_t flags, json_error_t *why);

/* The text of a string without NUL inside; NULL when `value` is something else. */
const char *json_in_text(const json_t *value, size_t *size);

#endif
