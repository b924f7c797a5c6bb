#include "io/dispatch_parts.h"
#include "memory.h"
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void take_text(char *out, size_t capacity, const char *text)
{
    snprintf(out, capacity, "%s", text ? text : "");
}

/* Members are assigned one by one, into zeroed memory: settings are compared by their bytes. */
void settings_take(struct settings *out, const struct conf_endpoint *conf)
{
    assert(conf->url_count > 0);
    memset(out, 0, sizeof *out);
    out->url_count = conf->url_count < DISPATCH_ADDRESSES ? conf->url_count : DISPATCH_ADDRESSES;
    for (size_t i = 0; i < out->url_count; i++)
        take_text(out->urls[i], DISPATCH_URL, conf->urls[i]);
    out->secret_count = conf->secret_count < DISPATCH_SECRETS ? conf->secret_count : DISPATCH_SECRETS;
    for (size_t i = 0; i < out->secret_count; i++) {
        memcpy(out->secrets[i], conf->secrets[i], conf->secret_sizes[i]);
        out->secret_sizes[i] = conf->secret_sizes[i];
    }
    const char *files[DISPATCH_FILES] = {conf->ca_file, conf->certificate_file, conf->key_file,
                                         conf->crl_file};
    for (size_t i = 0; i < DISPATCH_FILES; i++)
        take_text(out->files[i], DISPATCH_FILE, files[i]);
    out->confirm = conf->confirm;
    out->network = conf->network;
    out->connect_timeout_ms = conf->connect_timeout_ms;
    out->attempt_timeout_ms = conf->attempt_timeout_ms;
    out->probe_s = conf->probe_s;
    out->connections = conf->connections ? conf->connections : 1;
    settings_look_at_files(out);
}

void settings_look_at_files(struct settings *settings)
{
    for (size_t i = 0; i < DISPATCH_FILES; i++) {
        struct stat facts;
        if (settings->files[i][0] == '\0' || stat(settings->files[i], &facts) != 0)
            settings->file_marks[i] = 0;
        else
            settings->file_marks[i] =
                ((uint64_t)facts.st_mtim.tv_sec * 1000000000u + (uint64_t)facts.st_mtim.tv_nsec) ^
                ((uint64_t)facts.st_ino << 20) ^ (uint64_t)facts.st_size;
    }
}

static void address_init(struct address *address, struct target *target, const char *url)
{
    address->target = target;
    address->url = url;
    http_client_place(url, address->place, sizeof address->place);
}

struct target *target_create(struct endpoint *endpoint, const struct settings *settings)
{
    struct target *target = memory_zeroed(1, sizeof *target);
    target->endpoint = endpoint;
    target->settings = *settings;
    target->refs = 1;
    for (size_t i = 0; i < settings->url_count; i++)
        address_init(&target->addresses[i], target, target->settings.urls[i]);
    return target;
}

struct target *target_hold(struct target *target)
{
    target->refs++;
    return target;
}

void target_release(struct target *target)
{
    assert(target->refs > 0);
    if (--target->refs > 0)
        return;
    if (target->client)
        http_client_retire(target->client);
    sodium_memzero(&target->settings, sizeof target->settings);
    free(target);
}

struct http_client *target_client(struct target *target)
{
    if (target->client && http_client_broken(target->client)) {
        http_client_retire(target->client);
        target->client = NULL;
    }
    if (target->client)
        return target->client;
    struct dispatch *dispatch = target->endpoint->dispatch;
    const struct settings *settings = &target->settings;
    struct http_client_options options = {
        .ca_file = settings->files[0],
        .certificate_file = settings->files[1],
        .key_file = settings->files[2],
        .crl_file = settings->files[3],
        .network = settings->network,
        .connect_timeout_ms = settings->connect_timeout_ms,
        .connections = settings->connections + DISPATCH_SPARE + (unsigned)settings->url_count,
        .closed = dispatch_closed_client,
        .ctx = dispatch,
    };
    target->client = http_client_create(dispatch->loop, &options);
    if (target->client)
        dispatch->clients++;
    return target->client;
}

void settings_free(struct settings *settings)
{
    if (settings)
        sodium_memzero(settings, sizeof *settings);
    free(settings);
}

/* What is known of an address is known of it under new settings as well. */
void target_inherit(struct target *target, const struct target *before)
{
    for (size_t i = 0; i < target->settings.url_count; i++)
        for (size_t k = 0; k < before->settings.url_count; k++) {
            struct address *address = &target->addresses[i];
            const struct address *old = &before->addresses[k];
            if (strcmp(address->url, old->url) != 0)
                continue;
            address->health = old->health;
            memcpy(address->text, old->text, sizeof address->text);
            memcpy(address->latest, old->latest, sizeof address->latest);
            memcpy(address->known_ip, old->known_ip, sizeof address->known_ip);
        }
}
