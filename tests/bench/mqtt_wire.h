/* mqtt_wire.h - as much of MQTT 3.1.1 as a button needs: packets out, packet borders in. No library, so that
 * the generator costs the same machine as little as it can.
 *
 * Functions that write a packet give its size; `out` has room for MQTT_WIRE_PACKET bytes. */
#ifndef BENCH_MQTT_WIRE_H
#define BENCH_MQTT_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define MQTT_WIRE_PACKET 1024 /* bytes; topic and payload together stay well below */

enum mqtt_wire_type { MQTT_WIRE_CONNACK = 2, MQTT_WIRE_PUBLISH = 3, MQTT_WIRE_PUBACK = 4 };

size_t mqtt_wire_connect(unsigned char *out, const char *client_id); /* clean session, no keep-alive */
size_t mqtt_wire_subscribe(unsigned char *out, const char *topic);   /* QoS 0 */
/* QoS 1, or 0 when `packet_id` is 0. */
size_t mqtt_wire_publish(unsigned char *out, const char *topic, const char *payload, uint16_t packet_id);

/* The packet at the front of `bytes`. Its whole size, 0 when there is not all of it; `*head`: size of the
 * fixed header. */
size_t mqtt_wire_next(const unsigned char *bytes, size_t size, size_t *head);
enum mqtt_wire_type mqtt_wire_type(const unsigned char *packet);

#endif
