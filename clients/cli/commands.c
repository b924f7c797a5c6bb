/* The commands of the tool, in the order of the manual. */
#include "cli/command.h"
#include "conf/secrets.h"

#define KINDS "panic|attack|fire|medical|intrusion|generic|cancel"
#define ROLES "duty|bureau|school|administrator|auditor|police|guard|admin|viewer"
#define DISPOSITIONS "real|false|accidental|test|drill|duplicate"
/* clang-format off */
#define OPTION(NAME, LETTER, ARGUMENT, ENGLISH, CHINESE) {NAME, LETTER, ARGUMENT, {{ENGLISH, CHINESE}}}
#define END {.name = NULL}
#define ACCOUNT_OPTIONS                                                                                      \
    OPTION("password-file", 0, "FILE", "its first line is the password; - is standard input; otherwise it is asked for twice", \
           "首行为密码的文件；- 为标准输入；默认在终端询问两次"),                                             \
    OPTION("config", 'c', "FILE", "the configuration (/etc/tocsin/tocsin.yaml)", "配置文件（/etc/tocsin/tocsin.yaml）"), \
    OPTION("owner", 0, "USER", "the daemon's user; otherwise tocsin, where there is one", "服务的运行用户；默认为 tocsin（如存在）")
/* clang-format on */

const struct option_row options_general[] = {
    OPTION("json", 'j', NULL, "print JSON instead of text", "输出 JSON"),
    OPTION("lang", 0, "en|zh-CN", "language; otherwise LC_ALL, LC_MESSAGES or LANG choose",
           "语言；默认由 LC_ALL、LC_MESSAGES、LANG 决定"),
    OPTION("utc", 0, NULL, "show times in UTC instead of local time", "以 UTC 显示时间"),
    OPTION("help", 'h', NULL, "say how it is used", "显示用法"),
    OPTION("version", 'V', NULL, "print the version", "显示版本"),
    END,
};

const struct option_row options_connection[] = {
    OPTION("url", 'u', "URL", "where the daemon is; otherwise TOCSIN_URL or ~/.config/tocsin/url",
           "服务地址；默认取 TOCSIN_URL 或 ~/.config/tocsin/url"),
    OPTION("token-file", 't', "FILE",
           "file with the bearer token; otherwise TOCSIN_TOKEN_FILE or ~/.config/tocsin/token",
           "令牌文件；默认取 TOCSIN_TOKEN_FILE 或 ~/.config/tocsin/token"),
    OPTION("ca-file", 0, "FILE",
           "certificate authority of the daemon; otherwise TOCSIN_CA_FILE or the system's",
           "服务证书的签发机构；默认取 TOCSIN_CA_FILE 或系统证书"),
    OPTION("timeout", 0, "SECONDS", "how long one question may take (10)", "单次请求的最长时间（10）"),
    OPTION("plain-http", 0, NULL, "allow http:// to another machine: the token travels unencrypted",
           "允许对其他机器使用 http://：令牌将明文传输"),
    END,
};

static const struct option_row simulate_options[] = {
    OPTION("config", 'c', "FILE", "the configuration", "配置文件"),
    OPTION("site", 's', "SITE", "the school", "学校"),
    OPTION("device", 'd', "DEVICE", "the button that is pressed", "被按下的按钮"),
    OPTION("kind", 'k', KINDS, "kind of the press; otherwise the device's own", "报警类型；默认取设备配置"),
    OPTION("mode", 'm', "real|drill|test", "real (default), drill or test", "真实（默认）、演练或测试"),
    OPTION("answers", 'a', "never|WHO:DEED@SECONDS,…",
           "who answers when: \"never\" (default) or police:acknowledge@45,police:coming@60",
           "谁在何时应答：never（默认）或 police:acknowledge@45,police:coming@60"),
    OPTION("press-again", 0, "SECONDS[:KIND[:DEVICE]],…", "further presses", "再次按压"),
    OPTION("until", 0, "SECONDS", "how long the simulation runs (1800)", "模拟时长（1800）"),
    OPTION("expect", 'e', "FILE",
           "compare with a timeline saved before, with --json with one that --json printed; 1 and a difference when it is not "
           "the same",
           "与已保存的时间线比较（加 --json 时为 --json 输出的时间线）；不同则退出码 1 并显示差异"),
    END,
};
static const struct option_row press_options[] = {
    OPTION("site", 's', "SITE", "the school", "学校"),
    OPTION("device", 'd', "DEVICE", "the button", "按钮"),
    OPTION("kind", 'k', KINDS, "kind of the press; otherwise the device's own", "报警类型；默认取设备配置"),
    OPTION("test", 0, NULL, "a test press (default)", "测试按压（默认）"),
    OPTION("drill", 0, NULL, "a drill", "演练"),
    OPTION("real", 0, NULL, "a REAL alarm: it goes to the police", "真实报警：将通知公安机关"),
    OPTION("until", 0, "recorded|delivered|acknowledged|coming|on_scene|closed",
           "wait for this stage (recorded)", "等待到此阶段（recorded）"),
    OPTION("wait", 'w', "SECONDS", "how long to wait for it (30)", "最长等待时间（30）"),
    OPTION("config", 'c', "FILE",
           "take the broker's address and authority and the device's key from the daemon's configuration",
           "从服务配置读取代理地址、签发机构和设备密钥"),
    OPTION("broker", 'b', "HOST:PORT", "the broker", "消息代理"),
    OPTION("username", 0, "NAME", "who the button is for the broker", "代理用户名"),
    OPTION("password-file", 0, "FILE", "file with its password", "代理密码文件"),
    OPTION("broker-ca-file", 0, "FILE", "certificate authority of the broker: TLS",
           "代理证书签发机构（启用 TLS）"),
    OPTION("certificate-file", 0, "FILE", "the button's certificate", "按钮证书"),
    OPTION("private-key-file", 0, "FILE", "the certificate's key", "证书私钥"),
    OPTION("device-key-file", 0, "FILE", "the key presses are signed with, as `tocsin keygen device` made it",
           "按压签名密钥，由 `tocsin keygen device` 生成"),
    END,
};
static const struct option_row alarms_options[] = {
    OPTION("all", 'a', NULL, "closed ones, too", "包括已结案"),
    OPTION("closed", 0, NULL, "closed ones only", "仅已结案"),
    OPTION("site", 's', "SITE", "of this school only", "仅此学校"),
    OPTION("limit", 'n', "NUMBER", "at most so many (100)", "最多条数（100）"),
    END,
};
static const struct option_row devices_options[] = {
    OPTION("site", 's', "SITE", "of this school only", "仅此学校"),
    OPTION("bad", 'b', NULL, "only those that are silent, offline, disabled or were never heard",
           "仅无信号、离线、停用或从未有信号的设备"),
    END,
};
static const struct option_row deed_options[] = {
    OPTION("note", 'n', "TEXT", "a note beside the record; - reads it from standard input",
           "备注；- 表示从标准输入读取"),
    END,
};
static const struct option_row close_options[] = {
    OPTION("disposition", 'd', DISPOSITIONS, "what it was", "定性"),
    OPTION("note", 'n', "TEXT", "a note beside the record; - reads it from standard input",
           "备注；- 表示从标准输入读取"),
    OPTION("seen", 0, "VERSION",
           "the version you have seen in `tocsin show`; otherwise the present one, which is shown",
           "您在 `tocsin show` 中看到的版本；默认取并显示当前版本"),
    END,
};
static const struct option_row watch_options[] = {
    OPTION("from", 0, "SEQ", "begin with this journal entry; otherwise with what happens now",
           "从此条记录开始；默认从当前开始"),
    OPTION("count", 'n', "NUMBER", "end after so many events", "显示若干事件后结束"),
    END,
};
static const struct option_row replay_options[] = {
    OPTION("from", 0, "TIME", "begin at this moment (RFC 3339)", "开始时刻（RFC 3339）"),
    OPTION("to", 0, "TIME", "end at this moment", "结束时刻"),
    OPTION("speed", 0, "NUMBER", "1 (default) as it happened, 60 an hour in a minute, 0 at once",
           "1（默认）为实际速度，60 为一小时放一分钟，0 为立即"),
    OPTION("journal", 'J', "PATH", "read a database or an export folder instead of asking the daemon",
           "读取数据库或导出目录而不询问服务"),
    END,
};
static const struct option_row verify_options[] = {
    OPTION("key", 'k', "FILE", "the public key (journal.pub), obtained another way than the journal",
           "公钥（journal.pub），应与记录分开取得"),
    OPTION("witness", 0, "SIZE:ROOT",
           "a size and root (base64) that somebody else was told, as in every webhook",
           "他人收到的大小与根（base64），每个通知中都有"),
    END,
};
static const struct option_row export_options[] = {
    OPTION("journal", 'J', "DATABASE", "the journal", "记录数据库"),
    OPTION("key", 'k', "FILE", "its public key (journal.pub)", "其公钥（journal.pub）"),
    END,
};
static const struct option_row prove_options[] = {
    OPTION("journal", 'J', "DATABASE", "read a database instead of asking the daemon",
           "读取数据库而不询问服务"),
    END,
};
static const struct option_row erase_options[] = {
    OPTION("journal", 'J', "DATABASE", "the journal of a daemon that is stopped", "已停止的服务的记录数据库"),
    END,
};
static const struct option_row account_add_options[] = {
    OPTION("role", 'r', ROLES,
           "who it is: duty officer (police), bureau, school (guard), administrator (admin), auditor (viewer)",
           "角色：duty 值班警官（police）、bureau 教育局、school 学校（guard）、administrator 管理员（admin）、"
           "auditor 审计员（viewer）"),
    OPTION("site", 's', "SITE,…", "only these schools, as the role school needs; otherwise all", "仅这些学校（角色 school 必填）；默认全部"),
    OPTION("name", 'n', "NAME", "what people call it", "显示名称"),
    OPTION("device", 'd', "SITE/DEVICE", "it may press as this device: a teacher's phone", "可作为此设备按下报警（如教师手机）"),
    ACCOUNT_OPTIONS,
    END,
};
static const struct option_row account_password_options[] = {
    ACCOUNT_OPTIONS,
    END,
};
static const struct option_row keygen_journal_options[] = {
    OPTION("name", 'n', "ORIGIN", "who speaks: daemon.name of the configuration",
           "署名：配置中的 daemon.name"),
    END,
};
static const struct option_row keygen_device_options[] = {
    OPTION("device", 'd', "DEVICE", "print the line for the site's keys file", "输出学校密钥文件中的一行"),
    END,
};

const struct command commands[] = {
    {.name = "check-config",
     .synopsis = "FILE",
     .run = command_check_config,
     .arguments_least = 1,
     .arguments_most = 1,
     .help = {{"check a configuration: file:line: key: what would be right",
               "检查配置：文件:行: 键: 应如何修改"}},
     .about = {{"Reads the file and everything it names (sites.d, keys, secrets, certificates) as the daemon would, and "
                "changes nothing. Root reads as user " SECRET_DAEMON_USER ", where there is one and the file is in a folder of his.",
                "与服务相同的方式读取该文件及其引用的所有文件，不作任何更改。root 以用户 " SECRET_DAEMON_USER
                " 的权限读取（如存在该用户且其可访问该目录）。"}}},
    {.name = "simulate",
     .synopsis = "--config FILE --site SITE --device DEVICE [OPTION]…",
     .run = command_simulate,
     .options = simulate_options,
     .help = {{"what a press would set off: who is told at which second", "模拟一次按压：第几秒通知谁"}},
     .about = {{"Runs the daemon's own alarm logic in simulated time. Nothing is sent and nothing is "
                "recorded. A delivery is received at once. Save the timeline and compare it later with "
                "--expect, to see what a change of the configuration changes.",
                "以模拟时间运行服务自身的警情逻辑。不发送、不记录。假定通知立即送达。可保存时间线，之后用 "
                "--expect 比较配置更改的影响。"}}},
    {.name = "press",
     .synopsis = "--site SITE --device DEVICE [OPTION]…",
     .run = command_press,
     .options = press_options,
     .help = {{"press a button over MQTT; a test unless --real is given",
               "通过 MQTT 发出按压；除非加 --real，否则为测试"}},
     .about = {{"Does what a button does: publishes the press, repeats it until its receipt, and prints each "
                "stage. Without --real it is a test press, which never reaches an endpoint that did not ask "
                "for tests. The broker must know it as that button (--username and --password-file, or "
                "--certificate-file and --private-key-file); a broker that takes the user for the client id "
                "disconnects the real button meanwhile.",
                "与按钮相同：发出按压，重发直至收到回执，并显示各阶段。不加 --real "
                "时为测试按压，不会送达未要求接收测试的单位。须以该按钮的身份连接代理（--username 与 "
                "--password-file，或 --certificate-file 与 "
                "--private-key-file）；若代理以用户名为客户端标识，期间真实按钮会被断开。"}}},
    {.name = "alarms",
     .synopsis = "[OPTION]…",
     .run = command_alarms,
     .options = alarms_options,
     .connects = true,
     .help = {{"list the open alarms", "列出未结案警情"}}},
    {.name = "show",
     .synopsis = "ALARM",
     .run = command_show,
     .arguments_least = 1,
     .arguments_most = 1,
     .connects = true,
     .help = {{"tell exactly what happened in one alarm", "显示一个警情的完整经过"}},
     .about = {{"ALARM is the alarm's id or its beginning, at least 4 characters.",
                "ALARM 为警情编号或其开头（至少 4 个字符）。"}}},
    {.name = "ack",
     .synopsis = "ALARM [--note TEXT]",
     .run = command_ack,
     .options = deed_options,
     .arguments_least = 1,
     .arguments_most = 1,
     .connects = true,
     .help = {{"acknowledge: I have it", "签收警情"}},
     .about = {{"Exit code 5 and the name when somebody was first.", "已有人签收时退出码为 5 并显示其名。"}}},
    {.name = "coming",
     .synopsis = "ALARM [--note TEXT]",
     .run = command_coming,
     .options = deed_options,
     .arguments_least = 1,
     .arguments_most = 1,
     .connects = true,
     .help = {{"record that help has left", "登记出警"}}},
    {.name = "on-scene",
     .synopsis = "ALARM [--note TEXT]",
     .run = command_on_scene,
     .options = deed_options,
     .arguments_least = 1,
     .arguments_most = 1,
     .connects = true,
     .help = {{"record that help is there", "登记到场"}}},
    {.name = "close",
     .synopsis = "ALARM --disposition WHAT [--note TEXT]",
     .run = command_close,
     .options = close_options,
     .arguments_least = 1,
     .arguments_most = 1,
     .connects = true,
     .help = {{"close an alarm and say what it was", "结案并定性"}},
     .about =
         {{"Shows the alarm and closes exactly what it showed: when a press joins meanwhile, or since "
           "--seen, nothing is closed and the exit code is 5.",
           "先显示警情，再按所示内容结案：若其间（或自 --seen 起）有新按压并入，则不结案，退出码为 5。"}}},
    {.name = "note",
     .synopsis = "ALARM TEXT",
     .run = command_note,
     .arguments_least = 2,
     .arguments_most = 2,
     .connects = true,
     .help = {{"add a note to an alarm", "给警情添加备注"}},
     .about = {{"TEXT - reads the note from standard input. Notes stand beside the journal and can be "
                "erased; the journal holds their hash.",
                "TEXT 为 - 时从标准输入读取。备注存于记录之外，可删除；记录中只有其哈希。"}}},
    {.name = "watch",
     .synopsis = "[OPTION]…",
     .run = command_watch,
     .options = watch_options,
     .connects = true,
     .help = {{"follow live what happens", "实时查看事件"}},
     .about =
         {{"Prints one line an event, connects again for ever and misses nothing in between. With --json the "
           "lines are the journal's own, as recorded; states of the connection go to standard error.",
           "每个事件一行；断线后持续重连且不遗漏。加 --json 时逐行输出记录原文；连接状态写到标准错误。"}}},
    {.name = "replay",
     .synopsis = "[ALARM] [OPTION]…",
     .run = command_replay,
     .options = replay_options,
     .arguments_most = 1,
     .connects = true,
     .help = {{"tell an alarm or a period again, as it happened", "按原有节奏回放一个警情或一段时间"}},
     .about = {{"Without ALARM everything between --from and --to is told. Long silences are as long as they "
                "were, divided by --speed.",
                "不给 ALARM 时回放 --from 与 --to 之间的全部事件。间隔为实际间隔除以 --speed。"}}},
    {.name = "troubles",
     .synopsis = "",
     .run = command_troubles,
     .connects = true,
     .help = {{"list the parts that are not as they should be", "列出故障"}}},
    {.name = "devices",
     .synopsis = "[OPTION]…",
     .run = command_devices,
     .options = devices_options,
     .connects = true,
     .help = {{"list the buttons and when they were last heard", "列出设备及最近信号"}}},
    {.name = "endpoints",
     .synopsis = "",
     .run = command_endpoints,
     .connects = true,
     .help = {{"list the machines that are told, and whether they answer", "列出通知单位及其状态"}}},
    {.name = "journal verify",
     .synopsis = "DATABASE|FOLDER|BUNDLE [OPTION]…",
     .run = command_journal_verify,
     .options = verify_options,
     .arguments_least = 1,
     .arguments_most = 1,
     .help = {{"check a journal, an export or an alarm's bundle, offline; names the first bad entry",
               "离线检查记录、导出或单个警情的文件；指出第一条有误的记录"}},
     .about = {{"Good means: the lines are those the checkpoint was signed over. Give --key, and --witness "
                "from what an endpoint was told, to be sure that nobody wrote the whole journal anew. What cannot be "
                "read is not called bad: it ends with 3.",
                "完好表示：各行与检查点签名一致。给出 --key，以及通知单位收到的 "
                "--witness，可确认无人重写整个记录。无法读取不等于有误：此时以 3 结束。"}}},
    {.name = "journal export",
     .synopsis = "FOLDER --journal DATABASE --key FILE",
     .run = command_journal_export,
     .options = export_options,
     .arguments_least = 1,
     .arguments_most = 1,
     .help = {{"write a folder that anybody can check", "导出任何人都能检查的目录"}}},
    {.name = "journal prove",
     .synopsis = "SEQ [--journal DATABASE]",
     .run = command_journal_prove,
     .options = prove_options,
     .arguments_least = 1,
     .arguments_most = 1,
     .connects = true,
     .help = {{"prove that one entry is in the journal", "证明某条记录在账目中"}},
     .about = {{"Asks the daemon, and checks its proof here against the entry and the checkpoint. With "
                "--journal it prints a proof that is also a shell script needing sha256sum only.",
                "向服务取得证明，并在本机用该条记录和检查点验证。加 --journal 时输出证明文本，它也是只需 "
                "sha256sum 的脚本。"}}},
    {.name = "journal erase-note",
     .synopsis = "SEQ --journal DATABASE",
     .run = command_journal_erase_note,
     .options = erase_options,
     .arguments_least = 1,
     .arguments_most = 1,
     .help = {{"erase a note's text for good; every proof stays valid",
               "永久删除备注文本；所有证明仍然有效"}}},
    {.name = "account add",
     .synopsis = "NAME --role ROLE [OPTION]…",
     .run = command_account_add,
     .options = account_add_options,
     .arguments_least = 1,
     .arguments_most = 1,
     .help = {{"make an account that signs in at the desk's page", "新建可登录值班台的帐号"}},
     .about = {{"Writes NAME.yaml and NAME.password into the folder accounts.d beside the configuration and checks "
                "the whole. The first account is made in the same way. Reload the daemon then (systemctl reload "
                "tocsind).",
                "在配置旁的 accounts.d 目录写入 NAME.yaml 和 NAME.password，并检查整个配置。首个帐号也这样建立。随后请"
                "重新加载服务（systemctl reload tocsind）。"}}},
    {.name = "account password",
     .synopsis = "NAME [OPTION]…",
     .run = command_account_password,
     .options = account_password_options,
     .arguments_least = 1,
     .arguments_most = 1,
     .help = {{"give an account another password", "更改帐号密码"}},
     .about = {{"With the next reload every session of the account ends.", "下次重新加载后，该帐号的所有会话结束。"}}},
    {.name = "keygen journal",
     .synopsis = "FILE --name ORIGIN",
     .run = command_keygen_journal,
     .options = keygen_journal_options,
     .arguments_least = 1,
     .arguments_most = 1,
     .help = {{"make the key that seals the journal; FILE.pub is its public half",
               "生成记录签名密钥；FILE.pub 为公钥"}}},
    {.name = "keygen device",
     .synopsis = "[--device DEVICE]",
     .run = command_keygen_device,
     .options = keygen_device_options,
     .help = {{"make a key a button signs its presses with", "生成按钮签名密钥"}}},
    {.name = "keygen webhook",
     .synopsis = "[FILE]",
     .run = command_keygen_webhook,
     .arguments_most = 1,
     .help = {{"make a secret that signs what an endpoint is told", "生成通知签名密钥"}}},
    {.name = "keygen token",
     .synopsis = "[FILE]",
     .run = command_keygen_token,
     .arguments_most = 1,
     .help = {{"make an account's token, and its hash for the configuration",
               "生成帐号令牌及用于配置的哈希"}},
     .about = {{"With FILE the token goes there, readable by you only, and the hash is printed.",
                "给出 FILE 时令牌写入该文件（仅本人可读），并输出哈希。"}}},
    {.name = NULL},
};
