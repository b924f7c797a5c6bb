/* button_parts.h - the library's own seams. tocsin_button.h is the manual. */
#ifndef TOCSIN_BUTTON_PARTS_H
#define TOCSIN_BUTTON_PARTS_H

#include "tocsin_button.h"

/* button_record.c: the bytes that outlive a power loss, with a CRC-32 at the end. */
size_t button_record_write(struct button *); /* into b->record */
bool button_record_read(struct button *, const unsigned char *,
                        size_t size); /* false: not one of ours, b is untouched */

/* button_text.c: the press as JSON, signed; the receipt and the site's state from JSON. */
void button_text_press(const struct button *, struct button_waiting *); /* fills payload and size */
size_t button_text_heartbeat(const struct button *, char payload[BUTTON_PAYLOAD]);
bool button_text_receipt(const void *payload, size_t size, struct button_receipt *out);

/* What a site's state says of the alarms that we follow, one for each mode. */
struct button_site {
    char at[BUTTON_AT]; /* never "" */
    bool listed[BUTTON_MODE_COUNT];
    enum button_stage stage[BUTTON_MODE_COUNT]; /* of one that is listed; NONE = not one we know */
};

/* False: not a whole state with its time, so that what it does not list may be open all the same. */
bool button_text_site(const struct button *, const void *payload, size_t size, struct button_site *out);

#endif
