#include "io/api_internal.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *title;
    unsigned status;
} problems[API_PROBLEM_COUNT] = {
    [API_BAD_REQUEST] = {"bad-request", "Bad request", 400},
    [API_UNAUTHORIZED] = {"unauthorized", "Who are you?", 401},
    [API_FORBIDDEN] = {"forbidden", "Not allowed", 403},
    [API_NOT_FOUND] = {"not-found", "Not found", 404},
    [API_METHOD] = {"method", "Method not allowed", 405},
    [API_ALREADY] = {"already", "Somebody was first", 409},
    [API_UNSEEN] = {"unseen", "Something new has come", 409},
    [API_IMPOSSIBLE] = {"impossible", "Not possible now", 409},
    [API_MEDIA_TYPE] = {"media-type", "Wrong media type", 415},
    [API_UNPROCESSABLE] = {"unprocessable", "Not a possible value", 422},
    [API_REFUSED] = {"refused", "Shown to the desk only", 409},
    [API_WRONG] = {"wrong", "Wrong account or password", 401},
    [API_TOO_SOON] = {"too-soon", "Too soon", 429},
    [API_FOREIGN] = {"foreign", "Not from this page", 403},
    [API_UNRECORDED] = {"unrecorded", "Not recorded", 503},
    [API_UNAVAILABLE] = {"unavailable", "Not available", 503},
};

void api_problem(struct web_request *r, const struct api_problem *p, const char *format, ...)
{
    char detail[512], type[64], body[4096], retry[40];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    snprintf(type, sizeof type, "urn:tocsin:%s", problems[p->type].name);
    struct json_out o;
    json_out_init(&o, body, sizeof body);
    json_open(&o, NULL, '{');
    json_text(&o, "type", type);
    json_text(&o, "title", problems[p->type].title);
    json_unsigned(&o, "status", problems[p->type].status);
    json_text(&o, "detail", detail);
    const char *const members[][2] = {
        {"field", p->field}, {"by", p->by}, {"state", p->state}, {"alarm", p->alarm}, {"refusal", p->refusal}};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i][1])
            json_text(&o, members[i][0], members[i][1]);
    if (p->version)
        json_unsigned(&o, "version", p->version);
    if (p->retry_after_s) {
        json_unsigned(&o, "retry_after_s", *p->retry_after_s);
        snprintf(retry, sizeof retry, "Retry-After: %u", *p->retry_after_s);
    }
    json_close(&o, '}');
    json_out_ok(&o);
    web_answer(r, problems[p->type].status, "application/problem+json", p->retry_after_s ? retry : p->headers, o.buffer,
               o.size);
}

void api_bad_query(struct api_call *c, const char *field, const char *what_would_be_right)
{
    api_problem(c->request, &(struct api_problem){.type = API_BAD_REQUEST, .field = field}, "%.48s: %s",
                field, what_would_be_right);
}

void api_busy(struct web_request *r, const char *why)
{
    api_problem(r, &(struct api_problem){.type = API_UNAVAILABLE}, "%s", why);
}

void api_out_begin(struct api_out *out, size_t room)
{
    char *buffer = malloc(room);
    *out = (struct api_out){.failed = !buffer, .o.full = !buffer};
    if (buffer)
        json_out_init(&out->o, buffer, room);
}

void api_out_room(struct api_out *out, size_t room)
{
    if (out->failed || out->o.capacity - out->o.size > room)
        return;
    size_t capacity =
        out->o.capacity * 2 > out->o.size + room + 1 ? out->o.capacity * 2 : out->o.size + room + 1;
    char *buffer = realloc(out->o.buffer, capacity);
    if (!buffer) {
        out->failed = out->o.full = true;
        return;
    }
    out->o.buffer = buffer;
    out->o.capacity = capacity;
}

void api_out_answer(struct api_out *out, struct web_request *r)
{
    api_out_answer_as(out, r, NULL);
}

void api_out_answer_as(struct api_out *out, struct web_request *r, const char *headers)
{
    if (out->failed || !json_out_ok(&out->o)) {
        api_out_free(out);
        api_busy(r, "The answer is larger than the daemon has memory for; ask for less with limit.");
        return;
    }
    char *fitting = realloc(out->o.buffer, out->o.size + 1);
    web_answer_take(r, 200, "application/json", headers, fitting ? fitting : out->o.buffer, out->o.size);
    out->o.buffer = NULL;
    api_out_free(out);
}

void api_out_free(struct api_out *out)
{
    free(out->o.buffer);
    *out = (struct api_out){.failed = true, .o.full = true};
}

bool api_query_number(struct api_call *c, const char *name, uint64_t min, uint64_t max, uint64_t *value)
{
    const char *text = web_query(c->request, name);
    if (!text)
        return true;
    size_t digits = strspn(text, "0123456789");
    uint64_t number = digits <= 18 ? strtoull(text, NULL, 10) : 0;
    if (digits > 0 && digits <= 18 && text[digits] == '\0' && number >= min && number <= max) {
        *value = number;
        return true;
    }
    char right[100];
    if (max == UINT64_MAX)
        snprintf(right, sizeof right, "a whole number from %" PRIu64 ", of at most 18 digits, is needed", min);
    else
        snprintf(right, sizeof right, "a whole number from %" PRIu64 " to %" PRIu64 " is needed", min, max);
    api_bad_query(c, name, right);
    return false;
}
