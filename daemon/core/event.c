#include "core/event.h"
#include "core/names.h"

static const char *const event_type_names[] = {
    [EVENT_DAEMON_STARTED] = "daemon_started",   [EVENT_DAEMON_STOPPED] = "daemon_stopped",
    [EVENT_PRESS_RECEIVED] = "press_received",   [EVENT_PRESS_REFUSED] = "press_refused",
    [EVENT_DEADLINE_PASSED] = "deadline_passed", [EVENT_DELIVERY_RESULT] = "delivery_result",
    [EVENT_ACKNOWLEDGED] = "acknowledged",       [EVENT_COMING] = "coming",
    [EVENT_ON_SCENE] = "on_scene",               [EVENT_CLOSED] = "closed",
    [EVENT_NOTE_ADDED] = "note_added",           [EVENT_TROUBLE_RAISED] = "trouble_raised",
    [EVENT_TROUBLE_CLEARED] = "trouble_cleared", [EVENT_CONF_LOADED] = "conf_loaded",
    [EVENT_JOURNAL_GAP] = "journal_gap",         [EVENT_SIGNED_IN] = "signed_in",
    [EVENT_SIGNED_OUT] = "signed_out",           [EVENT_SIGN_IN_REFUSED] = "sign_in_refused",
    [EVENT_ACTION_REFUSED] = "action_refused",
};
static const char *const oddity_names[] = {"not_json",    "empty",       "too_long",   "unknown_kind",
                                           "no_identity", "bad_field",   "extra_field", "clock_skew",
                                           "retained",    "counter_back", "qos0",       "duplicate_key"};
static const char *const refusal_names[] = {
    [REFUSAL_NONE] = "none",
    [REFUSAL_UNKNOWN_DEVICE] = "unknown_device",
    [REFUSAL_NO_SIGNATURE] = "no_signature",
    [REFUSAL_BAD_SIGNATURE] = "bad_signature",
    [REFUSAL_REPLAYED] = "replayed",
    [REFUSAL_STALE_RETAINED] = "stale_retained",
    [REFUSAL_DEVICE_DISABLED] = "device_disabled",
    [REFUSAL_NOTHING_TO_CANCEL] = "nothing_to_cancel",
};
static const char *const outcome_names[] = {[OUTCOME_RECEIVED] = "received",
                                            [OUTCOME_UNCONFIRMED] = "unconfirmed",
                                            [OUTCOME_REFUSED] = "refused",
                                            [OUTCOME_FAILED] = "failed"};
static const char *const disposition_names[] = {
    [DISPOSITION_REAL] = "real", [DISPOSITION_FALSE] = "false", [DISPOSITION_ACCIDENTAL] = "accidental",
    [DISPOSITION_TEST] = "test", [DISPOSITION_DRILL] = "drill", [DISPOSITION_DUPLICATE] = "duplicate"};
static const char *const deadline_names[] = {[DEADLINE_ANSWER] = "answer",
                                             [DEADLINE_COMING] = "coming",
                                             [DEADLINE_TEST] = "test",
                                             [DEADLINE_FORGET] = "forget"};
static const char *const access_names[] = {
    [ACCESS_ASKED] = "asked",       [ACCESS_EVERYWHERE] = "everywhere", [ACCESS_EXPIRED] = "expired",
    [ACCESS_RENEWED] = "renewed",   [ACCESS_CROWDED] = "crowded",       [ACCESS_REMOVED] = "removed",
    [ACCESS_WRONG] = "wrong",       [ACCESS_TOO_SOON] = "too_soon",     [ACCESS_FOREIGN] = "foreign",
    [ACCESS_ROLE] = "role",         [ACCESS_SITE] = "site",
};
static const char *const trouble_names[] = {
    [TROUBLE_BROKER] = "broker",
    [TROUBLE_BROKER_SESSION] = "broker_session",
    [TROUBLE_BROKER_DROPS] = "broker_drops",
    [TROUBLE_SUBSCRIPTION] = "subscription",
    [TROUBLE_ENDPOINT] = "endpoint",
    [TROUBLE_ENDPOINT_ANSWER] = "endpoint_answer",
    [TROUBLE_DEVICE_SILENT] = "device_silent",
    [TROUBLE_DEVICE_OFFLINE] = "device_offline",
    [TROUBLE_BATTERY] = "battery",
    [TROUBLE_DEVICE_SUSPECT] = "device_suspect",
    [TROUBLE_DISK] = "disk",
    [TROUBLE_JOURNAL] = "journal",
    [TROUBLE_CLOCK] = "clock",
    [TROUBLE_PLAN_EXHAUSTED] = "plan_exhausted",
    [TROUBLE_CONF] = "conf",
    [TROUBLE_CAPACITY] = "capacity",
};

NAMES_DEFINE(event_type, enum event_type, event_type_names, EVENT_TYPE_COUNT)
NAMES_DEFINE(refusal, enum refusal, refusal_names, REFUSAL_COUNT)
NAMES_DEFINE(delivery_outcome, enum delivery_outcome, outcome_names, OUTCOME_COUNT)
NAMES_DEFINE(disposition, enum disposition, disposition_names, DISPOSITION_COUNT)
NAMES_DEFINE(deadline_kind, enum deadline_kind, deadline_names, DEADLINE_COUNT)
NAMES_DEFINE(access_reason, enum access_reason, access_names, ACCESS_REASON_COUNT)
NAMES_DEFINE(trouble_code, enum trouble_code, trouble_names, TROUBLE_CODE_COUNT)

bool trouble_is_of_device(enum trouble_code code)
{
    return code == TROUBLE_DEVICE_SILENT || code == TROUBLE_DEVICE_OFFLINE || code == TROUBLE_BATTERY ||
           code == TROUBLE_DEVICE_SUSPECT;
}

const char *oddity_str(unsigned bit_index)
{
    return bit_index < ODD_COUNT ? oddity_names[bit_index] : "?";
}
