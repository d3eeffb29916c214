/* The SDK for drivers in C: what generated bindings (driver.h) leave to the author.
 *
 * A driver defines the functions exports_pontoon_driver_… of driver.h, and calls the host's, pontoon_driver_…; wit/deps
 * documents them all. A function that can fail returns false and fills in its last argument, err. Every call runs in a
 * fresh instance: globals are as they were at start, what is to be remembered goes into the store, and nothing has to
 * be freed or dropped: memory and handles go with the call. Every call is a transaction: what it changed stays if it
 * returns true, and is undone if it returns false or traps.
 */
#ifndef PONTOON_H
#define PONTOON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver.h"

/* Values of many interfaces, under shorter names. */
typedef driver_string_t pontoon_string;
typedef pontoon_driver_types_error_t pontoon_error;
typedef pontoon_driver_types_ip_address_t pontoon_address;
typedef pontoon_driver_types_ip_network_t pontoon_network;
typedef pontoon_driver_types_mac_address_t pontoon_mac;
typedef pontoon_driver_types_text_map_t pontoon_texts;
typedef pontoon_driver_links_own_link_t pontoon_link;

/* Room for an address with its prefix length, as text. */
#define PONTOON_ADDRESS_SIZE 64

/* A text of C's as the host reads it, for an argument; it is not copied. */
pontoon_string pontoon_text(const char *text);

/* A formatted text, for what is returned to the host, which frees it. */
pontoon_string pontoon_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A text of the host's as C reads it, up to its first NUL. */
char *pontoon_chars(const pontoon_string *text);

/* The same in an array; false if it doesn't fit. */
bool pontoon_copy(char *array, size_t size, const pontoon_string *text);

/* The text of a key, or NULL. */
const pontoon_string *pontoon_find(const pontoon_texts *texts, const char *key);

/* Fills an error in and returns false: `return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_NOT_FOUND, "no network
 * %s", id);` */
bool pontoon_fail(pontoon_error *err, pontoon_driver_types_error_kind_t kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts words before an error's message and returns false. */
bool pontoon_context(pontoon_error *err, const char *words);

/* Tells the operator something. */
void pontoon_log(pontoon_driver_log_level_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the call with a trap, after the operator was told why. (A failed assert does the same.) */
_Noreturn void pontoon_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory, or the end of the call. */
void *pontoon_allocate(size_t size);

/* A MAC that nobody else has: random, of one station, locally administered. */
pontoon_mac pontoon_random_mac(void);

/* The bytes of an address, most significant first: 4 or 16, which it returns. */
size_t pontoon_bytes(const pontoon_address *address, uint8_t bytes[16]);

/* The address of 4 or 16 bytes. */
pontoon_address pontoon_address_of(const uint8_t *bytes, size_t count);

/* The network as text, and of a single address (a prefix length of 0xff) the address alone. */
const char *pontoon_network_text(const pontoon_network *network, char text[PONTOON_ADDRESS_SIZE]);
const char *pontoon_address_text(const pontoon_address *address, char text[PONTOON_ADDRESS_SIZE]);

bool pontoon_is_unspecified(const pontoon_address *address);

/* Whether two networks have an address in common. */
bool pontoon_overlaps(const pontoon_network *a, const pontoon_network *b);

/* The network without its host bits. */
pontoon_network pontoon_masked(pontoon_network network);

/* Reads an array of values of this size, into memory of its own. There is none: count 0. A value that does not divide:
 * internal. */
bool pontoon_load(const char *key, size_t size, void **values, size_t *count, pontoon_error *err);

/* Writes values; none: removes the key. */
bool pontoon_store(const char *key, size_t size, const void *values, size_t count, pontoon_error *err);

/* The same with a version of the author's choice before the values. Choose the next number when a struct changes: what an
 * earlier build of the driver wrote is an error then (internal, with both numbers), and is not misread. */
bool pontoon_load_version(const char *key, uint32_t version, size_t size, void **values, size_t *count,
                          pontoon_error *err);
bool pontoon_store_version(const char *key, uint32_t version, size_t size, const void *values, size_t count,
                           pontoon_error *err);

/* The values in bytes that pontoon_driver_store_list gave for a key. */
bool pontoon_read_version(const char *key, const driver_list_u8_t *bytes, uint32_t version, size_t size, void **values,
                          size_t *count, pontoon_error *err);

#endif
