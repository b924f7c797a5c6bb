#include "core/kind.h"
#include "core/names.h"

static const char *const kind_names[] = {
    [KIND_CANCEL] = "cancel", [KIND_INTRUSION] = "intrusion", [KIND_MEDICAL] = "medical", [KIND_GENERIC] = "generic",
    [KIND_PANIC] = "panic",   [KIND_FIRE] = "fire",           [KIND_ATTACK] = "attack",
};
static const char *const class_names[] = {
    [CLASS_SECURITY] = "security", [CLASS_FIRE] = "fire", [CLASS_MEDICAL] = "medical"};
static const char *const mode_names[] = {[MODE_REAL] = "real", [MODE_DRILL] = "drill", [MODE_TEST] = "test"};
static const char *const role_names[] = {[ROLE_POLICE] = "police", [ROLE_BUREAU] = "bureau", [ROLE_GUARD] = "guard",
                                         [ROLE_ADMIN] = "admin",   [ROLE_VIEWER] = "viewer"};

NAMES_DEFINE(kind, enum kind, kind_names, KIND_COUNT)
NAMES_DEFINE(alarm_class, enum alarm_class, class_names, CLASS_COUNT)
NAMES_DEFINE(mode, enum mode, mode_names, MODE_COUNT)
NAMES_DEFINE(role, enum role, role_names, ROLE_COUNT)

enum alarm_class kind_class(enum kind kind)
{
    switch (kind) {
    case KIND_FIRE:
        return CLASS_FIRE;
    case KIND_MEDICAL:
        return CLASS_MEDICAL;
    case KIND_CANCEL:
    case KIND_INTRUSION:
    case KIND_GENERIC:
    case KIND_PANIC:
    case KIND_ATTACK:
    case KIND_COUNT:
        break;
    }
    return CLASS_SECURITY;
}
