#include "io/dispatch_answer.h"
#include "codec/text.h"
#include "codec/webhook.h"
#include <stdio.h>
#include <string.h>

static const struct {
    unsigned status;
    const char *words;
} status_words[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

/* What is wrong, and who can mend it. A status that is not here is the endpoint's own passing trouble. */
static const struct {
    unsigned first, last;
    const char *advice;
} configuration_faults[] = {
    {300, 399, "redirects are never followed: put the final address into the endpoint's url"},
    {401, 401, "it does not accept who we are: check secret_file and certificate_file"},
    {403, 403, "it does not let us in: check secret_file and certificate_file, and our permission there"},
    {404, 404, "nothing is there: check the path in the endpoint's url"},
    {405, 405, "it takes no POST: check the path in the endpoint's url"},
    {408, 408, NULL},
    {410, 410, "this address was given up: ask for the new one"},
    {425, 425, NULL},
    {429, 429, NULL},
    {400, 499, "it does not take our message: ask its operator to accept proto/webhook.md"},
};

static void status_text(char out[LIMIT_TEXT], unsigned status)
{
    for (size_t i = 0; i < sizeof status_words / sizeof status_words[0]; i++)
        if (status_words[i].status == status) {
            snprintf(out, LIMIT_TEXT, "answered %u %s", status, status_words[i].words);
            return;
        }
    snprintf(out, LIMIT_TEXT, "answered %u", status);
}

static const char *configuration_advice(unsigned status)
{
    for (size_t i = 0; i < sizeof configuration_faults / sizeof configuration_faults[0]; i++)
        if (status >= configuration_faults[i].first && status <= configuration_faults[i].last)
            return configuration_faults[i].advice;
    return NULL;
}

static void append(char out[LIMIT_TEXT], const char *before, const char *text)
{
    size_t size = strlen(out);
    size += (size_t)snprintf(out + size, LIMIT_TEXT - size, "%s", before);
    if (size < LIMIT_TEXT)
        text_clean(out + size, LIMIT_TEXT - size, text, strlen(text));
}

static void judge_refusal(const struct webhook_answer *said, struct dispatch_judgement *out)
{
    out->outcome = OUTCOME_REFUSED;
    out->pace = PACE_SLOW;
    if (said->reason[0])
        append(out->text, " and refuses: ", said->reason);
    else
        append(out->text, " and refuses without a reason", "");
}

static void judge_success(const struct webhook_answer *said, enum conf_confirm confirm, const char *echo,
                          struct dispatch_judgement *out)
{
    if (confirm == CONF_CONFIRM_ECHO && echo[0] && !said->echo) {
        out->outcome = OUTCOME_UNCONFIRMED;
        append(out->text, ", but did not name the alarm: {\"alarm\":\"…\"} is agreed", "");
        return;
    }
    out->outcome = OUTCOME_RECEIVED;
    if (said->acknowledged) {
        snprintf(out->acknowledged_by, sizeof out->acknowledged_by, "%s", said->acknowledged_by);
        append(out->text, ", acknowledged by ", said->acknowledged_by);
    }
}

void dispatch_judge(const struct http_answer *answer, enum conf_confirm confirm, const char *echo,
                    struct dispatch_judgement *out)
{
    *out = (struct dispatch_judgement){.outcome = OUTCOME_FAILED, .pace = PACE_SCHEDULE};
    if (answer->fault) {
        out->silent = true;
        append(out->text, answer->fault, "");
        return;
    }
    out->http_status = (uint16_t)answer->status;
    out->retry_after_s = answer->retry_after_s;
    status_text(out->text, answer->status);
    bool success = answer->status >= 200 && answer->status <= 299;
    struct webhook_answer said = {.echo = false};
    if ((success || (answer->status >= 400 && answer->status <= 499)) && answer->body_size > 0)
        webhook_answer_decode(answer->body, answer->body_size, echo, &said);
    if (said.refused) {
        judge_refusal(&said, out);
    } else if (success) {
        judge_success(&said, confirm, echo, out);
    } else if (configuration_advice(answer->status)) {
        out->pace = PACE_SLOW;
        append(out->text, "; ", configuration_advice(answer->status));
    }
}
