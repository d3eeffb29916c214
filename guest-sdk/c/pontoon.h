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
typedef pontoon_driver_links_borrow_link_t pontoon_link;
typedef pontoon_driver_namespaces_borrow_namespace_t pontoon_namespace;

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

/* One end of a new link. What is left out is zero: `{.name = pontoon_name("br0"), .up = true}`. */
typedef pontoon_driver_links_link_end_t pontoon_link_end;
typedef pontoon_driver_links_link_kind_t pontoon_link_kind;

/* Its name, or the start of one, to which the kernel adds the lowest free number. */
pontoon_driver_links_link_name_t pontoon_name(const char *name);
pontoon_driver_links_link_name_t pontoon_prefix(const char *prefix);

/* Makes a link of a kind: `(pontoon_link_kind){.tag = PONTOON_DRIVER_LINKS_LINK_KIND_DUMMY}`. */
bool pontoon_add_link(pontoon_link_end end, pontoon_link_kind kind, pontoon_link *link, pontoon_error *err);
bool pontoon_add_bridge(pontoon_link_end end, pontoon_link *link, pontoon_error *err);

/* Makes a pair, and gives its ends. */
bool pontoon_add_veth(pontoon_link_end end, pontoon_link_end peer, pontoon_link links[2], pontoon_error *err);

/* A link of this driver's, or on the host a parent interface, by name; a namespace of NULL is the host's. */
bool pontoon_get_link(const char *name, pontoon_namespace *namespace, pontoon_link *link, pontoon_error *err);

/* Removes a link on the host. It is fine if it is not there. */
bool pontoon_remove_link(const char *name, pontoon_error *err);

/* The container's namespace, where it is known already; false: it is not. */
bool pontoon_sandbox_of_interface(pontoon_driver_capabilities_borrow_interface_info_t info, pontoon_namespace *sandbox);
bool pontoon_sandbox_of_join(pontoon_driver_capabilities_borrow_join_info_t info, pontoon_namespace *sandbox);

/* Says which link the container gets: named so, or where the name is NULL or empty the prefix and a number. */
bool pontoon_set_names(pontoon_driver_capabilities_borrow_join_info_t info, pontoon_link link, const char *prefix,
                       const char *name, pontoon_error *err);

/* Rules of nftables: a chain, a verdict, and conditions that must hold, all of them:
 * `pontoon_rule(&rules, PONTOON_FORWARD, PONTOON_DROP, PONTOON_WHEN(pontoon_input_link(a), pontoon_source(b)));` */
typedef pontoon_driver_nftables_chain_t pontoon_chain;
typedef pontoon_driver_nftables_verdict_t pontoon_verdict;
typedef pontoon_driver_nftables_condition_t pontoon_condition;
typedef pontoon_driver_nftables_list_rule_id_t pontoon_rule_ids;

/* Rules that are being gathered; {0} has none. */
struct pontoon_rules {
  pontoon_driver_nftables_list_rule_t list;
  size_t room;
};

extern const pontoon_chain PONTOON_RAW_PREROUTING;  /* what comes in, before connection tracking */
extern const pontoon_chain PONTOON_FORWARD;         /* what is forwarded */
extern const pontoon_chain PONTOON_OUTPUT;          /* what the host sends */
extern const pontoon_chain PONTOON_NAT_PREROUTING;  /* destinations of what comes in */
extern const pontoon_chain PONTOON_NAT_OUTPUT;      /* destinations of what the host sends */
extern const pontoon_chain PONTOON_NAT_POSTROUTING; /* sources of what goes out */

extern const pontoon_verdict PONTOON_ACCEPT;     /* it passes this chain */
extern const pontoon_verdict PONTOON_DROP;       /* it goes no further */
extern const pontoon_verdict PONTOON_MASQUERADE; /* its source becomes the address of the link that it leaves by */
pontoon_verdict pontoon_destination_nat(pontoon_address address, uint16_t port); /* port 0: it stays */
pontoon_verdict pontoon_source_nat(pontoon_address address, uint16_t port);

extern const pontoon_condition PONTOON_DESTINATION_LOCAL;      /* it goes to an address of this namespace */
extern const pontoon_condition PONTOON_DESTINATION_TRANSLATED; /* its connection's destination was translated */
extern const pontoon_condition PONTOON_ESTABLISHED_RELATED;    /* answers, and what belongs to them */
pontoon_condition pontoon_input_link(pontoon_link link);
pontoon_condition pontoon_output_link(pontoon_link link);
pontoon_condition pontoon_source(pontoon_network network);
pontoon_condition pontoon_destination(pontoon_network network);
pontoon_condition pontoon_protocol(uint8_t number);
/* Needs a protocol of TCP, UDP or SCTP before it. */
pontoon_condition pontoon_destination_port(uint16_t first, uint16_t last);
/* The condition must not hold. */
pontoon_condition pontoon_not(pontoon_condition condition);

/* The conditions of a rule, as the last arguments of pontoon_rule. */
#define PONTOON_WHEN(...) \
  sizeof((pontoon_condition[]){__VA_ARGS__}) / sizeof(pontoon_condition), (pontoon_condition[]) { __VA_ARGS__ }

/* Gathers one more rule. */
void pontoon_rule(struct pontoon_rules *rules, pontoon_chain chain, pontoon_verdict verdict, size_t count,
                  const pontoon_condition conditions[]);

/* Adds them at the ends of their chains on the host, as many as there are, and gives their ids. They belong to the
 * endpoint or network of the call. */
bool pontoon_add_rules(const struct pontoon_rules *rules, pontoon_rule_ids *ids, pontoon_error *err);

/* Removes rules, as many as there are. It is fine if some are not there. */
bool pontoon_remove_rules(pontoon_rule_ids ids, pontoon_error *err);

/* Reads an array of values of this size, into memory of its own. There is none: count 0. A value that does not divide:
 * internal. */
bool pontoon_load(const char *key, size_t size, void **values, size_t *count, pontoon_error *err);

/* Writes values; none: removes the key. */
bool pontoon_store(const char *key, size_t size, const void *values, size_t count, pontoon_error *err);
bool pontoon_remove(const char *key, pontoon_error *err);

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
