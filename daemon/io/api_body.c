#include "codec/json_in.h"
#include "io/api_internal.h"
#include <string.h>

bool api_bad_field(struct api_call *c, enum api_problem_type type, const char *field, const char *right)
{
    api_problem(c->request, &(struct api_problem){.type = type, .field = field}, "%.48s: %s", field, right);
    return false;
}

static bool is_json(const char *content_type)
{
    static const char json[] = "application/json";
    return content_type && strncasecmp(content_type, json, sizeof json - 1) == 0 &&
           strchr("; \t", content_type[sizeof json - 1]) != NULL;
}

json_t *api_body(struct api_call *c)
{
    const struct web_request *r = c->request;
    if (r->body_size == 0)
        return json_object();
    if (!is_json(r->content_type)) {
        api_problem(c->request, &(struct api_problem){.type = API_MEDIA_TYPE},
                    "The body must be JSON and say so: Content-Type: application/json");
        return NULL;
    }
    json_error_t why;
    json_t *body = json_in_object(r->body, r->body_size, JSON_REJECT_DUPLICATES, &why);
    if (!body)
        api_problem(c->request, &(struct api_problem){.type = API_BAD_REQUEST, .field = "body"},
                    "The body is not a JSON object: %.200s", why.text);
    return body;
}
