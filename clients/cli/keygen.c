/* keygen journal, device, webhook, token. */
#include "cli/command.h"
#include "cli/member.h"
#include "cli/terminal.h"
#include "conf/secrets.h"
#include "core/id.h"
#include <sodium.h>
#include <string.h>

static int failed(const char *file, const char *error)
{
    complain("%s: %s", file, error);
    return RESULT_NOT_SO;
}

/* {"name":"value",…} or the values on lines of their own. */
static void say_values(bool json, const struct text_value *values)
{
    json_t *answer = json_object();
    for (; values->name; values++)
        if (json)
            json_object_set_new(answer, values->name, member_path(values->value));
        else
            say_text(TONE_PLAIN, values->value);
    if (json)
        member_say(answer);
    json_decref(answer);
}

int command_keygen_journal(const struct invocation *inv)
{
    const char *file = inv->arguments[0], *name = invocation_value(inv, "name");
    char error[LIMIT_TEXT], public_file[4096];
    if (!name) {
        complain_about(TEXT_USAGE_MISSING, {"name", "name"});
        remark_about(TEXT_USAGE_HINT, {"command", inv->command->name});
        return RESULT_USAGE;
    }
    if (!secret_journal_name(name)) {
        complain_about(TEXT_USAGE_ORIGIN, {"value", name});
        return RESULT_USAGE;
    }
    if (!secret_new_journal_key(file, name, error))
        return failed(file, error);
    snprintf(public_file, sizeof public_file, "%s.pub", file);
    if (inv->json)
        say_values(true,
                   (struct text_value[]){{"key_file", file}, {"public_key_file", public_file}, {NULL, NULL}});
    else
        say_about(TONE_GOOD, TEXT_KEY_JOURNAL, {"file", file}, {"public", public_file});
    return RESULT_OK;
}

int command_keygen_device(const struct invocation *inv)
{
    const char *device = invocation_value(inv, "device");
    char key[SECRET_TEXT], line[SECRET_TEXT + LIMIT_ID + 2];
    if (device && !id_valid(device)) {
        complain_about(TEXT_USAGE_ID, {"value", device});
        return RESULT_USAGE;
    }
    secret_make_device_key(key);
    snprintf(line, sizeof line, "%s%s%s", device ? device : "", device ? " " : "", key);
    if (inv->json)
        say_values(true,
                   (struct text_value[]){{"key", key}, {device ? "device" : NULL, device}, {NULL, NULL}});
    else
        say_text(TONE_PLAIN, line);
    sodium_memzero(key, sizeof key);
    sodium_memzero(line, sizeof line);
    return RESULT_OK;
}

int command_keygen_webhook(const struct invocation *inv)
{
    char secret[SECRET_TEXT], error[LIMIT_TEXT];
    int result = RESULT_OK;
    secret_make_webhook(secret);
    if (inv->argument_count == 0) {
        say_values(inv->json, (struct text_value[]){{"secret", secret}, {NULL, NULL}});
    } else {
        strcat(secret, "\n");
        if (!secret_file_write(inv->arguments[0], secret, 0600, error))
            result = failed(inv->arguments[0], error);
        else if (inv->json)
            say_values(true, (struct text_value[]){{"secret_file", inv->arguments[0]}, {NULL, NULL}});
        else
            say_about(TONE_GOOD, TEXT_KEY_WRITTEN, {"file", inv->arguments[0]});
    }
    sodium_memzero(secret, sizeof secret);
    return result;
}

int command_keygen_token(const struct invocation *inv)
{
    char token[SECRET_TEXT], hash[SECRET_TEXT], error[LIMIT_TEXT];
    int result = RESULT_OK;
    secret_make_token(token);
    secret_token_hash(token, hash);
    if (inv->argument_count == 0) {
        say_values(inv->json, (struct text_value[]){{"token", token}, {"hash", hash}, {NULL, NULL}});
    } else {
        strcat(token, "\n");
        if (!secret_file_write(inv->arguments[0], token, 0600, error))
            result = failed(inv->arguments[0], error);
        else
            say_values(inv->json, (struct text_value[]){{"hash", hash}, {NULL, NULL}});
        if (result == RESULT_OK && !inv->json)
            remark_about(TEXT_KEY_WRITTEN, {"file", inv->arguments[0]});
    }
    sodium_memzero(token, sizeof token);
    return result;
}
