/* mqtt_login.h - where the broker is and as whom we come: copied from the configuration, for both kinds of Paho's clients. */
#ifndef TOCSIN_MQTT_LOGIN_H
#define TOCSIN_MQTT_LOGIN_H

#include "conf/conf.h"

struct mqtt_login {
    char *uri, *client_id, *username, *password_file, *ca_file, *certificate_file, *key_file;
    char where[128]; /* "127.0.0.1:1883", for sentences */
    unsigned port, keep_alive_s, loopback_ms;
};

/* False: no memory; what was copied goes with mqtt_login_finish() all the same. */
bool mqtt_login_copy(struct mqtt_login *, const struct conf_broker *, const struct conf_login *);
void mqtt_login_finish(struct mqtt_login *);

/* Read anew for each connect, so that a changed password needs no restart; to be freed; NULL = none. */
char *mqtt_login_password(const struct mqtt_login *);

/* OpenSSL says "id:error:number:library:function:reason:file:line:"; the reason is for people. */
void mqtt_tls_reason(const char *text, size_t size, char *reason, size_t reason_size);

#endif
