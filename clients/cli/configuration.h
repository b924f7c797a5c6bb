/* configuration.h - the daemon's configuration, as simulate and press need it. */
#ifndef TOCSIN_CLI_CONFIGURATION_H
#define TOCSIN_CLI_CONFIGURATION_H

#include "cli/command.h"
#include "cli/story.h"
#include "conf/conf.h"

struct conf *configuration_load(const char *file); /* NULL: each problem was said */
/* The device that --site and --device name; NULL: complained, and said which there are. */
const struct conf_device *configuration_device(const struct invocation *, const struct conf *,
                                               const struct conf_site **site);
void configuration_names(const struct conf *, struct story *);

#endif
