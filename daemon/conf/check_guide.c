/* What a desk is shown of a site: links are links, places are on maps that are there. */
#include "conf/check.h"
#include <math.h>
#include <string.h>
#include <strings.h>

#define WRONG(c, where, ...) problem_at((c)->problems, where, __VA_ARGS__)

static void check_cameras(const struct check *c, const struct conf_camera *cameras, size_t count,
                          const struct where *at)
{
    static const char *const schemes[] = {"https://", "http://", "rtsps://", "rtsp://"};
    for (size_t i = 0; i < count; i++) {
        struct where where = where_key(where_entry(*at, "cameras", (uint32_t)i), "url");
        bool good = cameras[i].url == NULL; /* was told of */
        for (size_t k = 0; !good && k < sizeof schemes / sizeof *schemes; k++)
            good = strncmp(cameras[i].url, schemes[k], strlen(schemes[k])) == 0 &&
                   !strpbrk(cameras[i].url, " \"<>");
        if (!good)
            WRONG(c, &where,
                  "must be a link that begins with https://, http://, rtsps:// or rtsp://, without spaces");
    }
}

static const char *map_id(const void *site, size_t index)
{
    return ((const struct conf_site *)site)->maps[index].id;
}

static bool map_known(const struct conf_site *s, const char *id, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (s->maps[i].id && strcmp(s->maps[i].id, id) == 0)
            return true;
    return false;
}

static void check_maps(const struct check *c, const struct conf_site *s, const struct where *at)
{
    static const char *const kinds[] = {".png", ".jpg", ".jpeg", ".webp", ".svg"};
    for (size_t i = 0; i < s->map_count; i++) {
        struct where id = where_key(where_entry(*at, "maps", (uint32_t)i), "id"),
                     file = where_key(where_entry(*at, "maps", (uint32_t)i), "image_file");
        const char *path = s->maps[i].image_file, *dot = path && *path ? strrchr(path, '.') : NULL;
        bool good = !path || !*path;
        for (size_t k = 0; dot && k < sizeof kinds / sizeof *kinds; k++)
            good |= strcasecmp(dot, kinds[k]) == 0;
        if (!good)
            WRONG(c, &file, "must be an image whose name ends in .png, .jpg, .jpeg, .webp or .svg");
        if (s->maps[i].id && map_known(s, s->maps[i].id, i))
            WRONG(c, &id, "another map of the site has the id \"%s\" already; each needs its own",
                  s->maps[i].id);
    }
}

static void check_place(const struct check *c, const struct conf_site *s, const struct conf_zone *z,
                        const struct where *at)
{
    struct where map = where_key(*at, "map"), x = where_key(*at, isnan(z->x) ? "y" : "x");
    if (z->map && !map_known(s, z->map, s->map_count))
        WRONG(c, &map, "the site has no map %s%s", problem_quote(c->problems, z->map),
              problem_hint(c->problems, z->map, map_id, s, s->map_count,
                           "; define it under maps, or name another"));
    else if (z->map && (isnan(z->x) || isnan(z->y)))
        WRONG(c, &map, "is given without x and y; say where on the map it is");
    else if (!z->map && !(isnan(z->x) && isnan(z->y)))
        WRONG(c, &x, "is given without map; say on which map that is");
    check_cameras(c, z->cameras, z->camera_count, at);
}

void check_guide(const struct check *c, const struct conf_site *s, const struct where *at)
{
    struct where zone = where_key(*at, "time_zone");
    if (s->time_zone &&
        strspn(s->time_zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") !=
            strlen(s->time_zone))
        WRONG(c, &zone, "%s is no time zone; write an IANA name such as Asia/Shanghai",
              problem_quote(c->problems, s->time_zone));
    check_maps(c, s, at);
    check_cameras(c, s->cameras, s->camera_count, at);
    for (size_t i = 0; i < s->zone_count; i++) {
        struct where entry = where_entry(*at, "zones", (uint32_t)i);
        check_place(c, s, &s->zones[i], &entry);
    }
}
