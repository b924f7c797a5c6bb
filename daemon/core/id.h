/* id.h - ids that can be worked out by anybody from what a press said. PURE.
 *
 *     char id[LIMIT_ALARM_ID];
 *     alarm_id_of(id, "school-1", "room-204", "b3f1", 17);   // "a" + 20 characters
 */
#ifndef TOCSIN_ID_H
#define TOCSIN_ID_H

#include "limits.h"
#include <stdbool.h>
#include <stdint.h>

/* True for [A-Za-z0-9_.-]{1,47} but for "." and "..", which a URL or a file name takes for a way (RFC 3986, 5.2.4);
 * everything that names a thing in topics, URLs and events. */
bool id_valid(const char *text);
bool id_valid_char(char c);

/* "a" + 20 characters of lower-case base32 (RFC 4648 alphabet) of SHA-256("site/device/epoch/n"). */
void alarm_id_of(char out[LIMIT_ALARM_ID], const char *site, const char *device, const char *epoch, uint64_t n);

#endif
