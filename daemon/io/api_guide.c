/* What a desk needs to find a site and get in: address, access, people, maps, places on them, cameras. */
#include "io/api_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ITEM_ROOM 16384      /* bytes one zone, contact, camera or map may take at most */
#define IMAGE_MAX (8u << 20) /* bytes of a map's image */
#define IMAGES_AT_ONCE 2     /* so many threads of the pool a disk can hold that does not answer */
#define IMAGES_WAITING 1024  /* a city's desks, when a school presses */
#define IMAGE_HEADERS                                                                                        \
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; sandbox\n"                      \
    "Cache-Control: private, max-age=300"

static void optional(struct json_out *o, const char *key, const char *text)
{
    if (text)
        json_text(o, key, text);
}

static void put_cameras(struct api_out *out, const struct conf_camera *cameras, size_t count)
{
    struct json_out *o = &out->o;
    json_open(o, "cameras", '[');
    for (size_t i = 0; i < count; i++) {
        api_out_room(out, ITEM_ROOM);
        json_open(o, NULL, '{');
        json_text(o, "name", cameras[i].name);
        json_text(o, "url", cameras[i].url);
        json_close(o, '}');
    }
    json_close(o, ']');
}

static void put_contacts(struct api_out *out, const struct conf_site *s)
{
    struct json_out *o = &out->o;
    json_open(o, "contacts", '[');
    for (size_t i = 0; i < s->contact_count; i++) {
        api_out_room(out, ITEM_ROOM);
        json_open(o, NULL, '{');
        json_text(o, "name", s->contacts[i].name);
        json_text(o, "phone", s->contacts[i].phone);
        json_close(o, '}');
    }
    json_close(o, ']');
}

static void put_maps(struct api_out *out, const struct conf_site *s)
{
    struct json_out *o = &out->o;
    json_open(o, "maps", '[');
    for (size_t i = 0; i < s->map_count; i++) {
        char image[LIMIT_ID * 2 + 20];
        snprintf(image, sizeof image, "/api/v1/maps/%s/%s", s->id, s->maps[i].id);
        api_out_room(out, ITEM_ROOM);
        json_open(o, NULL, '{');
        json_text(o, "id", s->maps[i].id);
        json_text(o, "name", s->maps[i].name);
        json_text(o, "image", image);
        json_close(o, '}');
    }
    json_close(o, ']');
}

static void put_zones(struct api_out *out, const struct conf_site *s)
{
    struct json_out *o = &out->o;
    json_open(o, "zones", '[');
    for (size_t i = 0; i < s->zone_count; i++) {
        const struct conf_zone *z = &s->zones[i];
        api_out_room(out, ITEM_ROOM);
        json_open(o, NULL, '{');
        json_text(o, "id", z->id);
        json_text(o, "name", z->name);
        if (z->map) {
            json_text(o, "map", z->map);
            json_decimal(o, "x", z->x, 3);
            json_decimal(o, "y", z->y, 3);
        }
        put_cameras(out, z->cameras, z->camera_count);
        json_close(o, '}');
    }
    api_out_room(out, 64);
    json_close(o, ']');
}

void api_put_guide(struct api_out *out, const char *key, const struct api *api, const struct conf_site *s)
{
    struct json_out *o = &out->o;
    api_out_room(out, ITEM_ROOM);
    json_open(o, key, '{');
    json_text(o, "id", s->id);
    json_text(o, "name", s->name);
    optional(o, "address", s->address);
    if (s->has_position) {
        json_decimal(o, "latitude", s->latitude, 7);
        json_decimal(o, "longitude", s->longitude, 7);
    }
    optional(o, "access", s->access);
    json_text(o, "time_zone", s->time_zone);
    json_text(o, "plan", s->plan_id);
    put_contacts(out, s);
    put_maps(out, s);
    put_cameras(out, s->cameras, s->camera_count);
    put_zones(out, s);
    json_close(o, '}');
}

/* The site of the path, or NULL: answered. */
static const struct conf_site *site_of(struct api_call *c)
{
    const struct conf_site *s = conf_site(c->conf, c->ids[0]);
    if (s && api_sees(c->account, s->id))
        return s;
    if (s)
        api_refused_site(c);
    api_problem(c->request, &(struct api_problem){.type = API_NOT_FOUND},
                "There is no such site, or this account does not see it.");
    return NULL;
}

void api_guide(struct api_call *c)
{
    const struct conf_site *s = site_of(c);
    if (!s)
        return;
    struct api_out out;
    api_out_begin(&out, ITEM_ROOM);
    api_put_guide(&out, NULL, c->api, s);
    api_out_answer(&out, c->request);
}

/* --- Images are read on the pool, a few at a time: they may lie on another machine, and when that does not answer, who
 * signs in or looks at an alarm still needs the pool. */

struct image {
    uv_work_t work;
    struct image *next; /* that waits */
    struct api *api;
    struct web_request *request;
    const char *type;
    char *bytes;
    size_t size;
    char path[];
};

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {{".png", "image/png"},
                                           {".jpg", "image/jpeg"},
                                           {".jpeg", "image/jpeg"},
                                           {".webp", "image/webp"},
                                           {".svg", "image/svg+xml"}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* On the pool. */
static void read_image(uv_work_t *work)
{
    struct image *i = work->data;
    struct stat status;
    int file = open(i->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= IMAGE_MAX)
        i->bytes = malloc((size_t)status.st_size + 1);
    ssize_t got = 1;
    while (i->bytes && i->size < (size_t)status.st_size && got > 0) {
        got = read(file, i->bytes + i->size, (size_t)status.st_size - i->size);
        i->size += got > 0 ? (size_t)got : 0;
    }
    close(file);
}

static void read_images(struct api *api);

static void image_read(uv_work_t *work, int status)
{
    struct image *i = work->data;
    struct api *api = i->api;
    api->images.under_way--;
    read_images(api);
    if (i->bytes && i->size > 0) {
        web_answer_take(i->request, 200, i->type, IMAGE_HEADERS, i->bytes, i->size);
    } else {
        free(i->bytes);
        api_busy(i->request, "The image cannot be read now; its file is gone, empty, or larger than 8 MiB.");
    }
    free(i);
    api_release(api);
}

static void read_images(struct api *api)
{
    struct api_images *images = &api->images;
    while (images->first && images->under_way < IMAGES_AT_ONCE) {
        struct image *i = images->first;
        images->first = i->next;
        images->waiting--;
        images->under_way++;
        uv_queue_work(api->options.loop, &i->work, read_image, image_read);
    }
}

static void image_wait(struct image *i)
{
    struct api_images *images = &i->api->images;
    *(images->first ? &images->last->next : &images->first) = i;
    images->last = i;
    images->waiting++;
    api_hold(i->api);
    read_images(i->api);
}

void api_map(struct api_call *c)
{
    const struct conf_site *s = site_of(c);
    const struct conf_map *map = NULL;
    if (!s)
        return;
    for (size_t i = 0; i < s->map_count; i++)
        if (strcmp(s->maps[i].id, c->ids[1]) == 0)
            map = &s->maps[i];
    if (!map) {
        api_problem(c->request, &(struct api_problem){.type = API_NOT_FOUND}, "The site has no such map.");
        return;
    }
    size_t size = strlen(map->image_file) + 1;
    struct image *i = c->api->images.waiting < IMAGES_WAITING ? calloc(1, sizeof *i + size) : NULL;
    if (!i) {
        api_busy(c->request, "Too many images wait to be read, or there is no memory for one; try again later.");
        return;
    }
    memcpy(i->path, map->image_file, size);
    i->type = type_of(i->path);
    i->api = c->api;
    i->request = c->request;
    i->work.data = i;
    image_wait(i);
}
