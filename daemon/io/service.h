/* service.h - tells the service manager that the daemon is ready, alive, reloading, stopping (sd_notify(3)).
 *
 * Promises: the watchdog is fed from the loop at half of its time, so a stuck loop is restarted. Without a service
 * manager, or built without libsystemd, every call does nothing. */
#ifndef TOCSIN_SERVICE_H
#define TOCSIN_SERVICE_H

#include <uv.h>

struct service;

struct service *service_create(uv_loop_t *);
void service_ready(struct service *);
void service_reloading(struct service *);
void service_reloaded(struct service *);
void service_stopping(struct service *);
void service_destroy(struct service *);

#endif
