/* answer.c - an endpoint's answer (proto/webhook.md): the body, and what the daemon makes of it.
 *
 * Checked: every judgement has a sentence that may be shown, and is one that the contract knows: received
 * only for a 2xx, and only with the echo where it is agreed; acknowledged only when received, by an id; a
 * redirect and other faults of the configuration go slowly; and an answer that is made of what was understood
 * is understood the same. */
#include "codec/json_out.h"
#include "codec/webhook.h"
#include "fuzz.h"
#include "io/dispatch_answer.h"

#define ALARM "aqwsxedcrfvtgbyhnujmi" /* that of proto/examples/answer/echo.json */

static void check_understood(const char *body, size_t size, const struct webhook_answer *said)
{
    char text[2048];
    struct webhook_answer again;
    struct json_out o;
    json_out_init(&o, text, sizeof text);
    json_open(&o, NULL, '{');
    if (said->echo)
        json_text(&o, "alarm", ALARM);
    if (said->acknowledged) {
        json_open(&o, "ack", '{');
        json_text(&o, "by", said->acknowledged_by);
        json_close(&o, '}');
    }
    if (said->refused) {
        json_open(&o, "refuse", '{');
        json_text(&o, "reason", said->reason);
        json_close(&o, '}');
    }
    json_close(&o, '}');
    must(json_out_ok(&o), "what was understood does not fit");
    webhook_answer_decode(text, o.size, ALARM, &again);
    must(memcmp(said, &again, sizeof again) == 0, "understood differently: %s", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dispatch_judgement j;
    struct webhook_answer said;
    bool silent = fuzz_take(data, &size) == 1;
    unsigned options = fuzz_take(data, &size);
    unsigned status =
        options & 8 ? 200 + (options & 1) * 200 : (unsigned)fuzz_take_number(data, &size, 2) % 1000;
    enum conf_confirm confirm = options & 2 ? CONF_CONFIRM_ECHO : CONF_CONFIRM_STATUS;
    const char *body = (const char *)data, *echo = options & 4 ? "" : ALARM;

    webhook_answer_decode(body, size, ALARM, &said);
    fuzz_must_be_clean("reason", said.reason, sizeof said.reason);
    must(said.acknowledged == fuzz_is_id(said.acknowledged_by, sizeof said.acknowledged_by),
         "acknowledged by \"%s\"", said.acknowledged_by);
    must(said.refused == (said.reason[0] != '\0'), "refused because of \"%s\"", said.reason);
    must(!(said.refused && said.acknowledged), "refused and acknowledged");
    check_understood(body, size, &said);

    const struct http_answer answer = {.status = silent ? 0 : status,
                                       .fault = silent ? "connection refused" : NULL,
                                       .body = silent ? NULL : body,
                                       .body_size = silent ? 0 : size,
                                       .peer_ip = ""};
    dispatch_judge(&answer, confirm, echo, &j);
    bool success = !silent && status >= 200 && status <= 299;
    must(j.text[0], "a judgement without a sentence");
    fuzz_must_be_clean("text", j.text, sizeof j.text);
    must(j.outcome < OUTCOME_COUNT && j.silent == silent && j.http_status == (silent ? 0 : status),
         "a judgement");
    must(j.outcome != OUTCOME_RECEIVED || (success && !said.refused), "received with status %u", status);
    must(j.outcome != OUTCOME_RECEIVED || confirm == CONF_CONFIRM_STATUS || !echo[0] || said.echo,
         "received without the echo");
    must(j.outcome != OUTCOME_UNCONFIRMED || success, "unconfirmed with status %u", status);
    must(!success || j.outcome != OUTCOME_FAILED, "a 2xx has failed");
    must(!j.acknowledged_by[0] || (j.outcome == OUTCOME_RECEIVED && said.acknowledged), "acknowledged by %s",
         j.acknowledged_by);
    must(status / 100 != 3 || silent || j.pace == PACE_SLOW, "a redirect is tried again at once");
    return 0;
}
