/* troubles, devices, endpoints: is everything as it should be? */
#include "cli/member.h"
#include "cli/server.h"
#include "cli/terminal.h"
#include "core/id.h"
#include <inttypes.h>
#include <string.h>

static void heads(struct columns *t, const enum text *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        columns_cell(t, TONE_QUIET, "%s", text(list[i]));
}
#define HEADS(T, ...)                                                                                        \
    heads(T, (const enum text[]){__VA_ARGS__}, sizeof((const enum text[]){__VA_ARGS__}) / sizeof(enum text))

/* Asks for `path` and shows its list `member`, or says `none`. */
static int show_list(const struct invocation *inv, const char *path, const char *member, enum text none,
                     void (*show)(const json_t *list))
{
    int result;
    struct server *s = server_open(inv, &result);
    if (!s)
        return result;
    json_t *answer = NULL;
    result = server_get(s, path, &answer);
    const json_t *list = json_object_get(answer, member);
    if (result == RESULT_OK && inv->json)
        member_say(answer);
    else if (result == RESULT_OK && json_array_size(list) == 0)
        say_text(TONE_GOOD, text(none));
    else if (result == RESULT_OK)
        show(list);
    json_decref(answer);
    server_close(s);
    return result;
}

static void show_troubles(const json_t *list)
{
    struct columns *t = columns_create(4);
    HEADS(t, TEXT_HEAD_SINCE, TEXT_HEAD_TROUBLE, TEXT_HEAD_PART, TEXT_HEAD_WHAT);
    size_t i;
    const json_t *trouble;
    json_array_foreach(list, i, trouble)
    {
        char since[TERMINAL_TIME];
        terminal_time(since, member_time(trouble, "at"));
        columns_cell(t, TONE_BAD, "%s", since);
        columns_cell(t, TONE_BAD, "%s", text_word("trouble", member_text(trouble, "code")));
        columns_cell(t, TONE_BAD, "%s", member_text(trouble, "part"));
        columns_cell(t, TONE_BAD, "%s", member_text(trouble, "text"));
    }
    columns_print_and_destroy(t);
}

int command_troubles(const struct invocation *inv)
{
    return show_list(inv, "/api/v1/troubles", "troubles", TEXT_NO_TROUBLES, show_troubles);
}

static void show_endpoints(const json_t *list)
{
    struct columns *t = columns_create(9);
    HEADS(t, TEXT_HEAD_ENDPOINT, TEXT_HEAD_NAME, TEXT_HEAD_ROLE, TEXT_HEAD_STATE, TEXT_HEAD_QUEUE,
          TEXT_HEAD_RECEIVED, TEXT_HEAD_FAILED, TEXT_HEAD_LAST_MS, TEXT_HEAD_WHY);
    size_t i;
    const json_t *e;
    json_array_foreach(list, i, e)
    {
        const char *state = member_text(e, "state");
        enum tone tone = strcmp(state, "up") == 0 ? TONE_PLAIN : TONE_BAD;
        columns_cell(t, tone, "%s", member_text(e, "id"));
        columns_cell(t, tone, "%s", member_text(e, "name"));
        columns_cell(t, tone, "%s", text_word("role", member_text(e, "role")));
        columns_cell(t, tone, "%s", text_word("endpoint", state));
        columns_cell(t, tone, "%" PRId64, member_number(e, "queued") + member_number(e, "under_way"));
        columns_cell(t, tone, "%" PRId64, member_number(e, "received"));
        columns_cell(t, tone, "%" PRId64, member_number(e, "failed"));
        columns_cell(t, tone, "%" PRId64, member_number(e, "last_ms"));
        columns_cell(t, tone, "%s", member_text(e, "text"));
    }
    columns_print_and_destroy(t);
}

int command_endpoints(const struct invocation *inv)
{
    return show_list(inv, "/api/v1/endpoints", "endpoints", TEXT_NO_ENDPOINTS, show_endpoints);
}

static const char *device_state(const json_t *d)
{
    return member_true(d, "disabled")  ? "disabled"
           : member_true(d, "offline") ? "offline"
           : member_true(d, "silent")  ? "silent"
           : member_true(d, "heard")   ? "ok"
                                       : "never";
}

/* Every page of devices in one list; with `bad` only those with something to say. */
static int fetch_devices(struct server *s, const char *site, bool bad, json_t *into)
{
    int64_t after = -1;
    int result;
    do {
        char path[256], from[40] = "";
        json_t *page;
        if (after >= 0)
            snprintf(from, sizeof from, "&after=%" PRId64, after);
        snprintf(path, sizeof path, "/api/v1/devices?limit=1000%s%s%.60s", from, site ? "&site=" : "",
                 site ? site : "");
        result = server_get(s, path, &page);
        size_t i;
        json_t *d;
        json_array_foreach(json_object_get(page, "devices"), i,
                           d) if (!bad || strcmp(device_state(d), "ok") != 0) json_array_append(into, d);
        json_t *next = json_object_get(page, "next");
        int64_t reached = json_is_integer(next) ? json_integer_value(next) : -1;
        after = reached > after ? reached : -1;
        json_decref(page);
    } while (result == RESULT_OK && after >= 0);
    return result;
}

static void show_devices(const json_t *list)
{
    struct columns *t = columns_create(6);
    HEADS(t, TEXT_HEAD_SITE, TEXT_HEAD_DEVICE, TEXT_HEAD_PLACE, TEXT_HEAD_STATE, TEXT_HEAD_HEARD,
          TEXT_HEAD_BATTERY);
    size_t i;
    const json_t *d;
    json_array_foreach(list, i, d)
    {
        const char *state = device_state(d);
        enum tone tone = strcmp(state, "ok") == 0 ? TONE_PLAIN : TONE_BAD;
        char heard[TERMINAL_TIME] = "-", battery[24] = "-";
        if (member_time(d, "heard_at"))
            terminal_time(heard, member_time(d, "heard_at"));
        if (json_is_integer(json_object_get(d, "battery")))
            snprintf(battery, sizeof battery, "%" PRId64 " %%", member_number(d, "battery"));
        columns_cell(t, tone, "%s", member_text(d, "site"));
        columns_cell(t, tone, "%s", member_text(d, "id"));
        columns_cell(t, tone, "%s", member_place(d, "zone"));
        columns_cell(t, tone, "%s", text_word("device", state));
        columns_cell(t, tone, "%s", heard);
        columns_cell(t, tone, "%s", battery);
    }
    columns_print_and_destroy(t);
}

int command_devices(const struct invocation *inv)
{
    int result;
    const char *site = invocation_value(inv, "site");
    if (site && !id_valid(site)) {
        complain_about(TEXT_USAGE_ID, {"value", site});
        return RESULT_USAGE;
    }
    struct server *s = server_open(inv, &result);
    if (!s)
        return result;
    json_t *list = json_array();
    result = fetch_devices(s, site, invocation_given(inv, "bad"), list);
    if (result == RESULT_OK && inv->json) {
        json_t *all = json_pack("{s:O}", "devices", list);
        member_say(all);
        json_decref(all);
    } else if (result == RESULT_OK && json_array_size(list) == 0) {
        say_text(TONE_GOOD, text(TEXT_NO_DEVICES));
    } else if (result == RESULT_OK) {
        show_devices(list);
    }
    json_decref(list);
    server_close(s);
    return result;
}
