#include "cli/member.h"
#include "cli/terminal.h"
#include "codec/text.h"
#include "codec/time_text.h"
#include <stdlib.h>
#include <string.h>

const char *member_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

int64_t member_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

int64_t member_time(const json_t *object, const char *name)
{
    const char *text = member_text(object, name);
    int64_t at_ms = 0;
    return time_of_text(text, strlen(text), &at_ms) ? at_ms : 0;
}

bool member_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

const char *member_place(const json_t *object, const char *name)
{
    const json_t *place = json_object_get(object, name);
    const char *called = member_text(place, "name");
    return *called ? called : member_text(place, "id");
}

json_t *member_path(const char *path)
{
    size_t capacity = 3 * strlen(path) + 1; /* U+FFFD for each byte */
    char *shown = malloc(capacity);
    if (!shown)
        return NULL;
    text_clean(shown, capacity, path, strlen(path));
    json_t *text = json_string(shown);
    free(shown);
    return text;
}

void member_say(const json_t *value)
{
    char *json = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    char *safe = json ? terminal_safe_json(json, strlen(json)) : NULL;
    if (safe)
        say_json(safe, strlen(safe));
    free(json);
    free(safe);
}
