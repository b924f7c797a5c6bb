#include "io/libraries.h"
#include "memory.h"
#include <MQTTAsync.h>
#include <MQTTClient.h>
#include <assert.h>
#include <curl/curl.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool libraries_fit(char error[LIMIT_TEXT])
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    const struct {
        const char *package, *found, *wanted;
        bool fits;
    } libraries[] = {
        {"libsqlite3-0", sqlite3_libversion(), SQLITE_VERSION, sqlite3_libversion_number() >= SQLITE_VERSION_NUMBER},
        {"libcurl4", curl->version, LIBCURL_VERSION, curl->version_num >= LIBCURL_VERSION_NUM},
        {"libjansson4", jansson_version_str(), JANSSON_VERSION,
         jansson_version_cmp(JANSSON_MAJOR_VERSION, JANSSON_MINOR_VERSION, JANSSON_MICRO_VERSION) >= 0},
    };
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        if (libraries[i].fits)
            continue;
        snprintf(error, LIMIT_TEXT, "%s is version %s here, older than %s, which this program was built with: update it",
                 libraries[i].package, libraries[i].found, libraries[i].wanted);
        return false;
    }
    return true;
}

static sqlite3_mem_methods sqlite_usual;

static void *sqlite_take(int size)
{
    void *memory = sqlite_usual.xMalloc(size);
    if (!memory)
        memory_end();
    return memory;
}

static void *sqlite_resize(void *old, int size)
{
    void *memory = sqlite_usual.xRealloc(old, size);
    if (!memory)
        memory_end();
    return memory;
}

/* Paho has no other way to say it. The call comes with its locks held. */
static void paho_says(enum MQTTASYNC_TRACE_LEVELS level, char *text)
{
    if (strstr(text, "emory allocation error"))
        memory_end();
}

static void paho_blocking_says(enum MQTTCLIENT_TRACE_LEVELS level, char *text)
{
    paho_says(MQTTASYNC_TRACE_ERROR, text);
}

bool libraries_need_memory(void)
{
    json_set_alloc_funcs(memory_take, free);

    int code = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_usual);
    sqlite3_mem_methods ours = sqlite_usual;
    ours.xMalloc = sqlite_take;
    ours.xRealloc = sqlite_resize;
    code = code == SQLITE_OK ? sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) : code;
    /* Counting memory takes a lock: the journal's writer would share it with a thread that is kept waiting. */
    code = code == SQLITE_OK ? sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) : code;
    assert(code == SQLITE_OK); /* it was used before */

    MQTTAsync_setTraceCallback(paho_says);
    MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
    MQTTClient_setTraceCallback(paho_blocking_says);
    MQTTClient_setTraceLevel(MQTTCLIENT_TRACE_ERROR);

    return curl_global_init_mem(CURL_GLOBAL_ALL, memory_take, free, memory_resize, memory_text, memory_zeroed) == CURLE_OK;
}
