#include "conf/table.h"
#include "limits.h"

#define AT(structure, member) .offset = offsetof(struct structure, member)
#define MANY(structure, member, count)                                                                       \
    AT(structure, member), .count_offset = offsetof(struct structure, count)
#define ROWS(structure) .size = sizeof(struct structure), .rows = (const struct conf_row[])

static const char *role_name(unsigned value)
{
    return value < ROLE_COUNT ? role_str((enum role)value) : NULL;
}

static const char *kind_name(unsigned value)
{
    return value < KIND_COUNT ? kind_str((enum kind)value) : NULL;
}

static const char *confirm_name(unsigned value)
{
    static const char *const names[] = {[CONF_CONFIRM_STATUS] = "status", [CONF_CONFIRM_ECHO] = "echo"};
    return value < sizeof names / sizeof *names ? names[value] : NULL;
}

static const char *network_name(unsigned value)
{
    static const char *const names[] = {
        [CONF_NETWORK_USUAL] = "usual", [CONF_NETWORK_PUBLIC] = "public", [CONF_NETWORK_ANY] = "any"};
    return value < sizeof names / sizeof *names ? names[value] : NULL;
}

static const char *puback_name(unsigned value)
{
    static const char *const names[] = {
        [CONF_PUBACK_AT_ONCE] = "at_once", [CONF_PUBACK_AFTER_COMMIT] = "after_commit"};
    return value < sizeof names / sizeof *names ? names[value] : NULL;
}

static const char *log_level_name(unsigned value)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    return value < sizeof names / sizeof *names ? names[value] : NULL;
}

static const struct conf_table table_daemon = {
    .title = "the daemon",
    .help = "The daemon itself. A reload takes over record_wait_ms, gather_ms, stale_press_s, disk_free_mb, http_desk_folder "
            "and, for tests that begin then, test_close_s. All else counts from the next start; http_listen and its certificate, "
            "while they cannot be served, from the next attempt, 5 s later.",
    ROWS(conf_daemon){
        {"name", CONF_TEXT, AT(conf_daemon, name), .required = true, .minimum = 1, .maximum = 100,
         .help = "Who speaks in webhooks and checkpoints: the name of the journal's key, such as "
                 "tocsin.example.edu. No spaces, no plus sign. Changing it begins a new name for the same "
                 "journal."},
        {"state_dir", CONF_FOLDER, AT(conf_daemon, state_dir), .fallback = "/var/lib/tocsin",
         .help = "The folder of the journal, its lock and its checkpoint. On a local disk."},
        {"journal_key_file", CONF_SECRET_FILE, AT(conf_daemon, journal_key_file), .required = true,
         .hint = "tocsin keygen journal FILE --name NAME",
         .help = "The secret key that signs the checkpoints: one line, tocsin-journal-key-v1 and the base64 "
                 "of 64 bytes."},
        {"http_listen", CONF_TEXT, AT(conf_daemon, http_listen), .fallback = "127.0.0.1:8080", .minimum = 1,
         .maximum = 100,
         .help = "Numeric address and port of the API and the desk's page: 127.0.0.1:8080 or [::1]:8080. "
                 "Port 0 takes any free one, written to http.port in state_dir. Beyond loopback use TLS: "
                 "bearer tokens pass here."},
        {"http_tls_certificate_file", CONF_FILE, AT(conf_daemon, http_tls_certificate_file),
         .help = "PEM certificate chain of the API; with http_tls_key_file or not at all."},
        {"http_tls_key_file", CONF_SECRET_FILE, AT(conf_daemon, http_tls_key_file),
         .help = "PEM secret key of that certificate."},
        {"http_desk_folder", CONF_FOLDER, AT(conf_daemon, http_desk_folder), .fallback = TOCSIN_DESK_FOLDER,
         .help = "The folder of the desk's page, as it was built; read at the start and at each reload. Without "
                 "it the API works all the same."},
        {"log_level", CONF_WORD, AT(conf_daemon, log_level), .fallback = "info", .name = log_level_name,
         .help = "The least important line that is logged."},
        {"record_wait_ms", CONF_NUMBER, AT(conf_daemon, record_wait_ms), .fallback = "50", .minimum = 1,
         .maximum = 2000, .unit = "ms",
         .help = "When the journal has not committed a press within this time, the first dispatch goes out "
                 "all the same, marked recorded: false."},
        {"gather_ms", CONF_NUMBER, AT(conf_daemon, gather_ms), .fallback = "100", .minimum = 0,
         .maximum = 1000, .unit = "ms",
         .help = "How long followers of an alarm's first press wait for company. The first press never "
                 "waits."},
        {"test_close_s", CONF_NUMBER, AT(conf_daemon, test_close_s), .fallback = "60", .minimum = 5,
         .maximum = 3600, .unit = "s", .help = "A test alarm closes itself after this time."},
        {"stale_press_s", CONF_NUMBER, AT(conf_daemon, stale_press_s), .fallback = "300", .minimum = 10,
         .maximum = 86400, .unit = "s", .help = "A retained press that is older goes to the desk only."},
        {"disk_free_mb", CONF_NUMBER, AT(conf_daemon, disk_free_mb), .fallback = "64", .minimum = 1,
         .maximum = 1048576, .unit = "mb",
         .help = "Less free space in state_dir than this many megabytes is trouble."},
        {0}}};

/* A login's keys beside its client_id; `in`: the member of the structure that has them, with its dot. */
#define LOGIN_ROWS(structure, in)                                                                            \
    {"username", CONF_TEXT, AT(structure, in username), .minimum = 1, .maximum = 255,                        \
     .help = "User name at the broker."},                                                                    \
    {"password_file", CONF_SECRET_FILE, AT(structure, in password_file),                                     \
     .help = "File whose first line is the password at the broker."},                                        \
    {"certificate_file", CONF_FILE, AT(structure, in certificate_file),                                      \
     .help = "PEM certificate of ours; with key_file or not at all."},                                       \
    {"key_file", CONF_SECRET_FILE, AT(structure, in key_file), .help = "PEM secret key of our certificate."}

#define LOGIN_CLIENT_ID                                                                                      \
    {"client_id", CONF_ID, AT(conf_login, client_id), .required = true,                                      \
     .help = "Its name at the broker, another than the one above. Where the broker makes the certificate's " \
             "name the client id, write that name."}

static const struct conf_table table_supervision = {
    .title = "the supervision connection",
    .help = "A second connection to the same broker, over which heartbeats and last wills come, so that a press "
            "never stands behind them in a queue. Address, port, ca_file and times are those above. Its access "
            "rights need be no more than to read heartbeats and last wills, and to read and write the loop-back of "
            "its client_id. Without this mapping one connection hears everything.",
    ROWS(conf_login){
        LOGIN_CLIENT_ID,
        LOGIN_ROWS(conf_login, ),
        {0}}};

static const struct conf_table table_receipts = {
    .title = "the receipts' connection",
    .help = "A connection to the same broker over which the receipts \"recorded\" and \"refused\" go out, so that in a storm "
            "they do not wait until its last press is in. Address, port, ca_file and times are those above. Its access "
            "rights need be no more than to write receipts, and to read its own: "
            "tocsin/v1/daemon/{client_id}/receipt. Without this mapping, and while this connection fails, they go out "
            "over the connection of the presses.",
    ROWS(conf_login){
        LOGIN_CLIENT_ID,
        LOGIN_ROWS(conf_login, ),
        {0}}};

static const struct conf_table table_broker = {
    .title = "the broker",
    .help = "The MQTT broker that the buttons speak to. All of it counts from the next start.",
    ROWS(conf_broker){
        {"address", CONF_TEXT, AT(conf_broker, address), .fallback = "127.0.0.1", .minimum = 1,
         .maximum = 253,
         .help = "Numeric address or host name. Prefer a numeric one: name servers fail too."},
        {"port", CONF_NUMBER, AT(conf_broker, port), .fallback = "1883", .minimum = 1,
         .maximum = 65535, .help = "TCP port; 8883 is usual with TLS."},
        {"client_id", CONF_ID, AT(conf_broker, login.client_id), .fallback = "tocsin",
         .help = "Under this name the broker keeps our session while we are away. Two daemons "
                 "at one broker need two."},
        {"ca_file", CONF_FILE, AT(conf_broker, ca_file),
         .help = "PEM certificate of the authority that issued the broker's certificate. With "
                 "it the connection is TLS."},
        LOGIN_ROWS(conf_broker, login.),
        {"keep_alive_s", CONF_NUMBER, AT(conf_broker, keep_alive_s), .fallback = "10",
         .minimum = 2, .maximum = 60, .unit = "s",
         .help = "MQTT keep-alive: a dead connection is seen after one and a half of these."},
        {"loopback_s", CONF_NUMBER, AT(conf_broker, loopback_s), .fallback = "5", .minimum = 1,
         .maximum = 6, .unit = "s",
         .help = "Time between messages that we send ourselves through the broker. Three lost "
                 "are trouble; so that this is seen within 20 s, at most 6."},
        {"supervision", CONF_MAPPING, AT(conf_broker, supervision), .table = &table_supervision,
         .help = "Heartbeats over a connection of their own."},
        {"receipts", CONF_MAPPING, AT(conf_broker, receipts), .table = &table_receipts,
         .help = "Receipts over a connection of their own."},
        {0}}};

static const struct conf_table table_endpoint = {
    .title = "an endpoint",
    .help = "A machine that is told of alarms: the police, the bureau, a guard's desk.",
    ROWS(conf_endpoint){
        {"id", CONF_ID, AT(conf_endpoint, id), .required = true,
         .help = "Its id, unique among the endpoints."},
        {"name", CONF_TEXT, AT(conf_endpoint, name), .required = true, .minimum = 1, .maximum = 200,
         .help = "What people call it."},
        {"role", CONF_CHOICE, AT(conf_endpoint, role), .required = true, .name = role_name,
         .maximum = ROLE_VIEWER, .help = "Whom it stands for. police, bureau and guard answer alarms."},
        {"urls", CONF_TEXTS, MANY(conf_endpoint, urls, url_count), .required = true, .minimum = 1,
         .maximum = 8,
         .help = "Where it is told. The first is used; the others are alternates, tried in parallel after 1 "
                 "s of silence."},
        {"secret_file", CONF_SECRET_FILE, AT(conf_endpoint, secret_file), .hint = "tocsin keygen webhook FILE",
         .help = "File of the webhook secrets, whsec_ and base64, one a line, lines with # are comments. "
                 "The first signs first; more than one is a rotation under way."},
        {"ca_file", CONF_FILE, AT(conf_endpoint, ca_file),
         .help = "PEM certificate of the only authority that may vouch for it; without one, the system's "
                 "are taken."},
        {"certificate_file", CONF_FILE, AT(conf_endpoint, certificate_file),
         .help = "PEM certificate that we show it; with key_file or not at all."},
        {"key_file", CONF_SECRET_FILE, AT(conf_endpoint, key_file),
         .help = "PEM secret key of that certificate."},
        {"crl_file", CONF_FILE, AT(conf_endpoint, crl_file),
         .help = "PEM list of revoked certificates; needs ca_file."},
        {"confirm", CONF_CHOICE, AT(conf_endpoint, confirm), .fallback = "status", .name = confirm_name,
         .maximum = CONF_CONFIRM_ECHO,
         .help = "What counts as received: status, any 2xx; echo, a 2xx whose body names the alarm's id. "
                 "Take echo wherever the endpoint can: a login page also answers 200."},
        {"network", CONF_CHOICE, AT(conf_endpoint, network), .fallback = "usual", .name = network_name,
         .maximum = CONF_NETWORK_ANY,
         .help = "Where the host's name may lead, so that a name server that lies does not have us tell this "
                 "machine or a neighbour: usual, public addresses and those of private networks, not this "
                 "machine (a numeric address or localhost in the url is taken as it stands); public, public "
                 "addresses only; any, everywhere."},
        {"drills", CONF_BOOL, AT(conf_endpoint, drills), .fallback = "false",
         .help = "Whether it is told of drills."},
        {"tests", CONF_BOOL, AT(conf_endpoint, tests), .fallback = "false",
         .help = "Whether it is told of test presses."},
        {"troubles", CONF_BOOL, AT(conf_endpoint, troubles), .fallback = "false",
         .help = "Whether it is told of parts that are not as they should be."},
        {"connect_timeout_ms", CONF_NUMBER, AT(conf_endpoint, connect_timeout_ms), .fallback = "2000",
         .minimum = 100, .maximum = 10000, .unit = "ms",
         .help = "How long a connection may take to come about, name and TLS included."},
        {"attempt_timeout_ms", CONF_NUMBER, AT(conf_endpoint, attempt_timeout_ms), .fallback = "5000",
         .minimum = 200, .maximum = 20000, .unit = "ms",
         .help = "How long a whole attempt may take, connection included."},
        {"probe_s", CONF_NUMBER, AT(conf_endpoint, probe_s), .fallback = "10", .minimum = 1, .maximum = 15,
         .unit = "s",
         .help = "Time between probes: supervision, and what keeps the connection warm. A dead endpoint "
                 "must be seen within 20 s, so at most 15; and a probe has no longer for its answer than what is "
                 "left of 19.5 s, even if attempt_timeout_ms is longer."},
        {"connections", CONF_NUMBER, AT(conf_endpoint, connections), .fallback = "4", .minimum = 1,
         .maximum = 64,
         .help = "How many tellings may be under way at once; one more, if it is the first word of an alarm, so that a "
                 "new alarm does not wait for those that have no answer yet."},
        {0}}};

static const struct conf_table table_step = {
    .title = "a step",
    .help = "One rung of a plan.",
    ROWS(conf_step){
        {"answer_timeout_s", CONF_NUMBER, AT(conf_step, answer_timeout_s), .required = true,
         .minimum = 1, .maximum = 3600, .unit = "s",
         .help = "How long this step may take to acknowledge before the next is told too."},
        {"endpoints", CONF_TEXTS, MANY(conf_step, endpoints, endpoint_count), .required = true,
         .minimum = 1, .maximum = LIMIT_PLAN_ENDPOINTS,
         .help = "Ids of the endpoints that are told together in this step."},
        {0}}};

static const struct conf_table table_plan = {
    .title = "a plan",
    .help = "Who is told in which order, and how long each may take to answer. Earlier steps keep being "
            "told; the end of the plan repeats its last step and raises trouble. It is copied into an alarm "
            "when it opens: a change here never disturbs an open alarm.",
    ROWS(conf_plan){
        {"id", CONF_ID, AT(conf_plan, id), .required = true, .help = "Its id, unique among the plans."},
        {"steps", CONF_LIST, MANY(conf_plan, steps, step_count), .required = true, .minimum = 1,
         .maximum = LIMIT_STEPS, .table = &table_step, .help = "The rungs, first to last."},
        {"acks_needed", CONF_TEXTS, MANY(conf_plan, acks_needed, ack_count), .required = true, .minimum = 1,
         .maximum = 3,
         .help = "Roles (police, bureau, guard) that must all acknowledge before the plan stops going on. "
                 "Each must be the role of an endpoint of the plan."},
        {"coming_timeout_s", CONF_NUMBER, AT(conf_plan, coming_timeout_s), .fallback = "300", .minimum = 0,
         .maximum = 86400, .unit = "s",
         .help = "Acknowledged, but nobody said they are coming after this time: told again. 0 = never."},
        {0}}};

static const struct conf_table table_contact = {
    .title = "a contact",
    .help = "Whom the police can call at the site. Write offices, not pupils.",
    ROWS(conf_contact){
        {"name", CONF_TEXT, AT(conf_contact, name), .required = true, .minimum = 1,
         .maximum = 200, .help = "Who answers."},
        {"phone", CONF_TEXT, AT(conf_contact, phone), .required = true, .minimum = 1,
         .maximum = 40, .help = "Telephone number, in quotation marks."},
        {0}}};

static const struct conf_table table_camera = {
    .title = "a camera",
    .help = "A link that the desk offers to who may see the site; the page never loads it.",
    ROWS(conf_camera){
        {"name", CONF_TEXT, AT(conf_camera, name), .required = true, .minimum = 1, .maximum = 200,
         .help = "What it looks at."},
        {"url", CONF_TEXT, AT(conf_camera, url), .required = true, .minimum = 1, .maximum = 1000,
         .help = "Where it is: https, http, rtsps or rtsp."},
        {0}}};

static const struct conf_table table_map = {
    .title = "a map",
    .help = "A map or floor plan of the site, as an image.",
    ROWS(conf_map){
        {"id", CONF_ID, AT(conf_map, id), .required = true, .help = "Its id, unique within the site."},
        {"name", CONF_TEXT, AT(conf_map, name), .required = true, .minimum = 1, .maximum = 200,
         .help = "What it shows: the yard, the second floor."},
        {"image_file", CONF_FILE, AT(conf_map, image_file), .required = true,
         .help = "PNG, JPEG, WebP or SVG image, at most 8 MiB; read each time it is asked for."},
        {0}}};

static const struct conf_table table_zone = {
    .title = "a zone",
    .help = "A place in the site.",
    ROWS(conf_zone){
        {"id", CONF_ID, AT(conf_zone, id), .required = true, .help = "Its id, unique within the site."},
        {"name", CONF_TEXT, AT(conf_zone, name), .required = true, .minimum = 1, .maximum = 200,
         .help = "What the police are told: building, floor, room."},
        {"map", CONF_TEXT, AT(conf_zone, map), .minimum = 1, .maximum = LIMIT_ID - 1,
         .help = "Id of the map it is on; with x and y."},
        {"x", CONF_REAL, AT(conf_zone, x), .minimum = 0, .maximum = 100,
         .help = "Where on the map: percent of the image's width from its left edge."},
        {"y", CONF_REAL, AT(conf_zone, y), .minimum = 0, .maximum = 100,
         .help = "Percent of the image's height from its top edge."},
        {"cameras", CONF_LIST, MANY(conf_zone, cameras, camera_count), .maximum = 32,
         .table = &table_camera, .help = "The cameras that see it."},
        {0}}};

static const struct conf_table table_device = {
    .title = "a device",
    .help = "A button, panel or gateway.",
    ROWS(conf_device){
        {"id", CONF_ID, AT(conf_device, id), .required = true,
         .help = "Its id, unique within the site; part of its topics. Its certificate names it SITE/DEVICE, in at most 64 "
                 "characters: with longer ids it can have none."},
        {"zone", CONF_TEXT, AT(conf_device, zone), .minimum = 1, .maximum = LIMIT_ID - 1,
         .help = "Id of the zone it stands in."},
        {"kind", CONF_CHOICE, AT(conf_device, kind), .fallback = "panic", .name = kind_name,
         .minimum = KIND_INTRUSION, .maximum = KIND_ATTACK,
         .help = "What a press means that does not say its kind."},
        {"puback", CONF_CHOICE, AT(conf_device, puback), .fallback = "at_once",
         .name = puback_name, .maximum = CONF_PUBACK_AFTER_COMMIT,
         .help = "When the broker is told that a press was taken: at_once, for devices that "
                 "wait for a receipt; after_commit, for devices that cannot. A journal in trouble makes "
                 "no press wait: then it is when the press was told."},
        {"silent_after_s", CONF_NUMBER, AT(conf_device, silent_after_s), .fallback = "20",
         .minimum = 0, .maximum = 86400, .unit = "s",
         .help = "Trouble when nothing was heard of it for so long, of a broker that was there. 0 = not "
                 "supervised."},
        {"disabled", CONF_BOOL, AT(conf_device, disabled), .fallback = "false",
         .help = "true: lost or stolen. Its presses are shown to the desk and open nothing."},
        {0}}};

static const struct conf_table table_site = {
    .title = "a site",
    .help = "A school.",
    ROWS(conf_site){
        {"id", CONF_ID, AT(conf_site, id), .required = true,
         .help = "Its id, unique among all sites; part of its topics."},
        {"name", CONF_TEXT, AT(conf_site, name), .required = true, .minimum = 1, .maximum = 200,
         .help = "What people call it."},
        {"address", CONF_TEXT, AT(conf_site, address), .minimum = 1, .maximum = 255,
         .help = "Where the police drive to."},
        {"latitude", CONF_REAL, AT(conf_site, latitude), .minimum = -90, .maximum = 90,
         .help = "Degrees north, WGS 84 (not GCJ-02); with longitude or not at all."},
        {"longitude", CONF_REAL, AT(conf_site, longitude), .minimum = -180, .maximum = 180,
         .help = "Degrees east, WGS 84."},
        {"access", CONF_TEXT, AT(conf_site, access), .minimum = 1, .maximum = 1000,
         .help = "How to get in: which gate, where to drive, who opens. The desk shows it; endpoints are not "
                 "told. Write no codes."},
        {"time_zone", CONF_TEXT, AT(conf_site, time_zone), .fallback = "Asia/Shanghai", .minimum = 1,
         .maximum = 60, .help = "Its time zone, an IANA name; the desk shows times in it."},
        {"maps", CONF_LIST, MANY(conf_site, maps, map_count), .maximum = 32, .table = &table_map,
         .help = "Its maps and floor plans."},
        {"cameras", CONF_LIST, MANY(conf_site, cameras, camera_count), .maximum = 64,
         .table = &table_camera, .help = "Cameras of the site as a whole."},
        {"plan", CONF_TEXT, AT(conf_site, plan_id), .fallback = "default", .minimum = 1,
         .maximum = LIMIT_ID - 1,
         .help = "Id of its plan."},
        {"keys_file", CONF_SECRET_FILE, AT(conf_site, keys_file),
         .hint = "tocsin keygen device --device DEVICE >> FILE",
         .help = "File of the keys of devices that sign their presses: lines of device id and base64 of 32 "
                 "bytes; lines with # are comments. A device that has a key is believed only with a good "
                 "signature."},
        {"contacts", CONF_LIST, MANY(conf_site, contacts, contact_count), .maximum = 16,
         .table = &table_contact, .help = "Whom to call there."},
        {"zones", CONF_LIST, MANY(conf_site, zones, zone_count), .maximum = LIMIT_DEVICES,
         .table = &table_zone, .help = "Its places."},
        {"devices", CONF_LIST, MANY(conf_site, devices, device_count), .maximum = LIMIT_DEVICES,
         .table = &table_device, .help = "Its buttons."},
        {0}}};

static const struct conf_table table_account = {
    .title = "an account",
    .help = "A person or program that may use the API.",
    ROWS(conf_account){
        {"id", CONF_ID, AT(conf_account, id), .required = true,
         .help = "Its id, unique among the accounts; the journal names it."},
        {"name", CONF_TEXT, AT(conf_account, name), .required = true, .minimum = 1,
         .maximum = 200, .help = "What people call it."},
        {"role", CONF_CHOICE, AT(conf_account, role), .required = true, .name = role_name,
         .maximum = ROLE_VIEWER,
         .help = "police (a duty officer), bureau and guard (a school's own people, with sites) answer "
                 "alarms; admin sees everything, and may answer and close, too; viewer sees (without "
                 "sites it is an auditor: it reads the journal)."},
        {"token_hashes", CONF_TEXTS, MANY(conf_account, token_hashes, token_hash_count), .minimum = 1,
         .maximum = 8,
         .help = "For programs: \"sha256:\" and the hexadecimal SHA-256 of its bearer token, as tocsin "
                 "keygen token prints it. Several = rotation under way."},
        {"password_file", CONF_SECRET_FILE, AT(conf_account, password_file),
         .hint = "tocsin account add NAME --role ROLE",
         .help = "For people at the desk's page: file whose one line is the argon2id hash of the password, "
                 "as tocsin account writes it. A reload with another hash signs the account out."},
        {"sites", CONF_TEXTS, MANY(conf_account, sites, site_count), .minimum = 1,
         .maximum = LIMIT_DEVICES,
         .help = "Ids of the sites it may see and answer. Without the key: all."},
        {"device", CONF_TEXT, AT(conf_account, device), .minimum = 3, .maximum = 2 * LIMIT_ID,
         .help = "SITE/DEVICE: it may press, through the desk's page or the API, as this device of a site that it "
                 "sees; a teacher's phone. The device stands among its site's devices, belongs to this account "
                 "alone, has no key, and is never called silent: between presses a phone says nothing."},
        {0}}};

#define ACCOUNTS_ROW                                                                                         \
    {                                                                                                        \
        "accounts", CONF_LIST, MANY(conf_root, accounts, account_count),                                     \
            .maximum = 4096, .table = &table_account,                                                        \
            .help = "Who may use the API and the desk. They may also stand in the files of accounts.d, "     \
                    "where tocsin account add puts them; one at least is needed."                            \
    }
#define SITES_ROW                                                                                            \
    {                                                                                                        \
        "sites", CONF_LIST, MANY(conf_root, sites, site_count),                                              \
            .maximum = LIMIT_DEVICES, .table = &table_site,                                                  \
            .help = "The schools. They may also stand in the files of sites.d."                              \
    }

const struct conf_table conf_table_main = {
    .title = "the main file",
    .help = "",
    ROWS(conf_root){
        {"daemon", CONF_MAPPING, AT(conf_root, daemon), .required = true, .table = &table_daemon,
         .help = "The daemon itself."},
        {"broker", CONF_MAPPING, AT(conf_root, broker), .required = true, .table = &table_broker,
         .help = "The MQTT broker."},
        {"endpoints", CONF_LIST, MANY(conf_root, endpoints, endpoint_count), .required = true,
         .minimum = 1, .maximum = 4096, .table = &table_endpoint,
         .help = "The machines that are told."},
        {"plans", CONF_LIST, MANY(conf_root, plans, plan_count), .required = true, .minimum = 1,
         .maximum = 4096, .table = &table_plan, .help = "The plans."},
         SITES_ROW,
         ACCOUNTS_ROW,
        {0}}};

const struct conf_table conf_table_sites_file = {
    .title = "a file of sites.d", .help = "", ROWS(conf_root){SITES_ROW, {0}}};

const struct conf_table conf_table_accounts_file = {
    .title = "a file of accounts.d", .help = "", ROWS(conf_root){ACCOUNTS_ROW, {0}}};
