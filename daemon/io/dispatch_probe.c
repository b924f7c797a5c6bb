#include "io/dispatch_parts.h"
#include <stdio.h>
#include <string.h>

/* What is known of all addresses, as one sentence about the endpoint; said when it changes. */
static void say(struct endpoint *endpoint)
{
    struct target *target = endpoint->target;
    const struct address *bad = NULL, *good = NULL;
    for (size_t i = 0; i < target->settings.url_count; i++) {
        const struct address *address = &target->addresses[i];
        if (address->health == HEALTH_UNKNOWN)
            return; /* its first probe is under way */
        if (address->health == HEALTH_GOOD && !good)
            good = address;
        else if (address->health != HEALTH_GOOD && !bad)
            bad = address;
    }
    enum standing standing = !bad ? STANDING_GOOD : good ? STANDING_PARTLY : STANDING_BAD;
    char text[LIMIT_TEXT];
    if (standing == STANDING_GOOD)
        snprintf(text, sizeof text, "%s: answers", endpoint->id);
    else if (standing == STANDING_PARTLY)
        snprintf(text, sizeof text, "%s: %.120s; tellings go to %.60s", endpoint->id, bad->text, good->place);
    else
        snprintf(text, sizeof text, "%s: %.200s", endpoint->id, bad->text);
    if (standing == endpoint->standing && strcmp(text, endpoint->text) == 0)
        return;
    endpoint->standing = standing;
    memcpy(endpoint->text, text, sizeof text);
    struct dispatch *dispatch = endpoint->dispatch;
    if (dispatch->options.on_endpoint && !dispatch->stopping)
        dispatch->options.on_endpoint(dispatch->options.ctx, endpoint->id, standing == STANDING_GOOD,
                                      endpoint->text);
}

/* Why a bad address is bad the probes say, which all have the same time; two reasons that take turns are not news each
 * time: another one counts when it comes twice in a row. */
static void note_reason(struct address *address, enum health before, bool probe, const char *judged)
{
    bool was_bad = before == HEALTH_SILENT || before == HEALTH_ANSWERS_BADLY;
    char reason[LIMIT_TEXT];
    if (was_bad && !probe)
        return;
    snprintf(reason, sizeof reason, "%s%.200s", address->health == HEALTH_SILENT ? "" : "the probe was ", judged);
    if (!was_bad || strcmp(reason, address->latest) == 0)
        memcpy(address->text, reason, sizeof reason);
    memcpy(address->latest, reason, sizeof reason);
}

/* It leaves tellings without an answer, and answers probes: dead all the same, as long as something waits that no other
 * address takes. That it is alive again a telling must show, which is tried once when the probes begin to be answered, and
 * then as it would be. */
static bool hangs(struct address *address, bool probe, const struct dispatch_judgement *judgement)
{
    struct endpoint *endpoint = address->target->endpoint;
    if (!probe)
        address->hangs = judgement->silent;
    if (probe == judgement->silent) /* a probe without an answer, or a telling with one: from then on it may be news again */
        address->asked_again = false;
    bool waits = endpoint->queued + endpoint->waiting_count + endpoint->under_way > 0;
    if (!probe || judgement->silent || !address->hangs || !waits || endpoint->standing != STANDING_BAD)
        return false;
    if (!address->asked_again)
        endpoint_recovered(endpoint);
    address->asked_again = true;
    return true;
}

/* The answer to one telling says little about the address (it may be about the message), the answer to a
 * probe does. No answer says the same whatever was sent. */
void probe_note(struct address *address, bool probe, const struct dispatch_judgement *judgement)
{
    struct endpoint *endpoint = address->target->endpoint;
    enum health before = address->health;
    if (hangs(address, probe, judgement))
        return;
    if (judgement->silent)
        address->health = HEALTH_SILENT;
    else if (judgement->outcome == OUTCOME_RECEIVED && (probe || before != HEALTH_ANSWERS_BADLY))
        address->health = HEALTH_GOOD;
    else if (probe)
        address->health = HEALTH_ANSWERS_BADLY;
    if (judgement->outcome == OUTCOME_RECEIVED)
        address->heard_ms = due_now_ms();
    if (judgement->silent || (probe && address->health != HEALTH_GOOD))
        note_reason(address, before, probe, judgement->text);
    if (endpoint->target != address->target || endpoint->removed)
        return; /* of settings that are no more */
    say(endpoint);
    if (address->health == HEALTH_GOOD && before != HEALTH_GOOD && before != HEALTH_UNKNOWN)
        endpoint_recovered(endpoint);
}

static void schedule(struct address *address, uint64_t at_ms)
{
    due_set(&address->target->endpoint->dispatch->dues, &address->probe_due, at_ms);
}

static void on_due(struct due *due)
{
    struct address *address = DISPATCH_OWNER(due, struct address, probe_due);
    uint64_t every_ms = address->target->settings.probe_s * 1000u, now_ms = due_now_ms();
    if (address->health == HEALTH_GOOD && now_ms < address->heard_ms + every_ms)
        schedule(address, address->heard_ms + every_ms); /* a telling was received meanwhile */
    else {
        schedule(address, now_ms + every_ms);
        if (!address->probe)
            round_start(address->target, NULL, address);
    }
}

void probe_ended(struct round *round)
{
    round->probed->probe = NULL;
}

void probe_begin(struct target *target)
{
    for (size_t i = 0; i < target->settings.url_count && target->settings.probe_s > 0; i++) {
        target->addresses[i].probe_due.ring = on_due;
        schedule(&target->addresses[i], due_now_ms());
    }
}

void probe_stop(struct target *target)
{
    for (size_t i = 0; i < target->settings.url_count; i++) {
        due_clear(&target->endpoint->dispatch->dues, &target->addresses[i].probe_due);
        if (target->addresses[i].probe)
            round_abort(target->addresses[i].probe);
    }
}
