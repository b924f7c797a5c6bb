/* kind.h - what a press can say: kind, class, mode; and who answers: role.
 *
 * Promises: an unknown kind is KIND_GENERIC, which alarms like a panic.
 *
 *     enum kind k = KIND_GENERIC;
 *     kind_of("fire", &k);                        // true, KIND_FIRE
 *     kind_class(k);                              // CLASS_FIRE
 */
#ifndef TOCSIN_KIND_H
#define TOCSIN_KIND_H

#include <stdbool.h>
#include <stddef.h>

/* In rising gravity. A graver kind raises an open alarm of its class. */
enum kind {
    KIND_CANCEL, /* a person's word to the desk; opens nothing, closes nothing */
    KIND_INTRUSION,
    KIND_MEDICAL,
    KIND_GENERIC, /* the text was not known: treated like a panic */
    KIND_PANIC,
    KIND_FIRE,
    KIND_ATTACK, /* weapon, violence in the building */
    KIND_COUNT
};

/* Presses of one site and one class are one case. */
enum alarm_class { CLASS_SECURITY, CLASS_FIRE, CLASS_MEDICAL, CLASS_COUNT };

/* Real, drill and test are three worlds that never join. */
enum mode { MODE_REAL, MODE_DRILL, MODE_TEST, MODE_COUNT };

/* Who an endpoint or an account stands for. The first three answer alarms. */
enum role { ROLE_POLICE, ROLE_BUREAU, ROLE_GUARD, ROLE_ADMIN, ROLE_VIEWER, ROLE_COUNT };

bool kind_of(const char *text, enum kind *out); /* false: unknown; an intake then takes KIND_GENERIC */
const char *kind_str(enum kind);
enum alarm_class kind_class(enum kind);
const char *alarm_class_str(enum alarm_class);
const char *mode_str(enum mode);
const char *role_str(enum role);
bool alarm_class_of(const char *text, enum alarm_class *out);
bool mode_of(const char *text, enum mode *out);
bool role_of(const char *text, enum role *out);

#endif
