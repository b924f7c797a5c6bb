#include "codec/json_in.h"
#include <stdio.h>
#include <string.h>

/* Counts brackets outside of strings, as far as the text is JSON; what is not, the parser finds. */
static bool too_deep(const char *text, size_t size)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > LIMIT_JSON_DEPTH)
            return true;
    }
    return false;
}

static void set_why(json_error_t *why, const char *text, enum json_error_code code)
{
    memset(why, 0, sizeof *why);
    snprintf(why->text, sizeof why->text - 1, "%s", text);
    why->text[sizeof why->text - 1] = (char)code; /* where json_error_code() looks */
}

json_t *json_in_object(const char *text, size_t size, size_t flags, json_error_t *why)
{
    if (too_deep(text, size)) {
        set_why(why, "nested too deeply", json_error_stack_overflow);
        return NULL;
    }
    json_t *value = json_loadb(text, size, flags, why);
    if (value && !json_is_object(value)) {
        json_decref(value);
        set_why(why, "not an object", json_error_wrong_type);
        return NULL;
    }
    return value;
}

const char *json_in_text(const json_t *value, size_t *size)
{
    const char *text = json_string_value(value);
    if (!text)
        return NULL;
    *size = json_string_length(value);
    return strlen(text) == *size ? text : NULL;
}
