/* Docker's bridge driver in C: what sample-drivers/bridge does in Rust.
 *
 * In the order in which a network comes to life: options.c (what the user's labels say), network.c (the bridge, its
 * subnets, and the conflicts with other networks), rules.c (filter and translation), endpoint.c (the pair of links
 * between bridge and container), ports.c (published ports) and report.c (what there is to tell of an endpoint).
 * driver.c has the exported functions.
 *
 * A driver has no memory between calls. What this one remembers lies in the store, as the bytes of these structures:
 *
 *   network/NETWORK             struct network
 *   bridge/NAME                 the network that the bridge belongs to, as text
 *   endpoint/NETWORK/ENDPOINT   struct endpoint
 *   exposed/NETWORK/ENDPOINT    the ports that the container serves
 *   published/NETWORK/ENDPOINT  struct published, those that are published now
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include "pontoon.h"

/* The kernel's names of links, with their NUL. */
#define NAME_SIZE 16

/* Of what is kept in the store; the next number when one of its structs changes. */
#define VERSION 1
/* Those of a network, at most: three or two for the filter, two for each family, two for 127.0.0.0/8, one for
 * isolation. */
#define NETWORK_RULES 10
/* The name that the container's link is to have, where the user chose one. */
#define LABEL_INTERFACE_NAME "com.docker.network.endpoint.ifname"

#define FORBIDDEN PONTOON_DRIVER_TYPES_ERROR_KIND_FORBIDDEN
#define INVALID PONTOON_DRIVER_TYPES_ERROR_KIND_INVALID_ARGUMENT
#define NOT_FOUND PONTOON_DRIVER_TYPES_ERROR_KIND_NOT_FOUND
#define EXISTS PONTOON_DRIVER_TYPES_ERROR_KIND_ALREADY_EXISTS

/* The options of a network, with Docker's defaults. */
struct options {
  char name[NAME_SIZE];             /* of the bridge; empty: of its id */
  char interface_prefix[NAME_SIZE]; /* the containers' links are named this and a number */
  bool icc;                         /* containers may talk to each other */
  bool masquerade;                  /* what leaves for the outside gets the host's address */
  bool inhibit_ipv4;                /* the bridge gets no IPv4 address */
  /* where ports are published that name no host address; none: on all addresses of both families */
  bool has_host_binding;
  pontoon_address host_binding;
  uint32_t mtu; /* of the bridge and of every container's link, in bytes; 0: the kernel's default */
};

/* The subnet of one family. */
struct subnet {
  bool is_there;
  bool has_bridge;
  bool has_gateway;
  pontoon_network pool;    /* where the containers' addresses are from */
  pontoon_network bridge;  /* the bridge's own address */
  pontoon_address gateway; /* what containers are given */
};

struct network {
  struct options options;   /* with the bridge's name in any case */
  struct subnet subnets[2]; /* IPv4, IPv6 */
  bool internal;            /* it has no way out */
  size_t rule_count;
  pontoon_driver_nftables_rule_id_t rules[NETWORK_RULES]; /* without those of its endpoints */
};

struct endpoint {
  pontoon_mac mac; /* the container's */
  bool has_address[2];
  pontoon_address addresses[2];   /* IPv4, IPv6 */
  char host_link[NAME_SIZE];      /* the name of the link on the bridge */
  char container_link[NAME_SIZE]; /* the name of the container's link, where it was made */
  char interface_name[NAME_SIZE]; /* what the container's link is to be named; empty: by the network's prefix */
  bool is_in_sandbox;             /* it was made in the container's namespace */
};

/* A port that is published, of one family. */
struct published {
  uint8_t protocol;
  uint16_t host_port;
  uint16_t container_port;
  pontoon_address host; /* unspecified: all addresses of the family */
  pontoon_address container;
};

/* Who is the container's gateway for a family: nobody, this endpoint, or another one, which publishes the family's
 * ports. */
enum gateway { MISSING, OWN, OTHER };

typedef pontoon_driver_types_endpoint_options_t endpoint_options;
typedef pontoon_driver_types_network_options_t network_options;
typedef exports_pontoon_driver_driver_list_ipam_data_t pools;

bool options_read(const pontoon_texts *labels, struct options *options, pontoon_error *err);

bool network_find(const char *network, struct network **found, pontoon_error *err);
bool network_create(const char *network, const network_options *asked, const pools *ipv4, const pools *ipv6,
                    pontoon_error *err);
bool network_delete(const char *network, pontoon_error *err);
/* Sixteen hexadecimal digits of FNV-1a: short, and the same in every build. */
void hash(const char *text, char digits[17]);

/* Adds the rules of a network, and notes their ids. */
bool rules_of_network(struct network *network, pontoon_link bridge, pontoon_error *err);
bool rules_of_ports(const struct published *ports, size_t count, pontoon_error *err);
/* Removes the rules of this endpoint. */
bool rules_forget(pontoon_error *err);

bool endpoint_find(const char *network, const char *endpoint, struct endpoint **found, pontoon_error *err);
bool endpoint_create(const char *network, const char *endpoint,
                     pontoon_driver_capabilities_borrow_interface_info_t info, const endpoint_options *options,
                     pontoon_error *err);
bool endpoint_delete(const char *network, const char *endpoint, pontoon_error *err);
bool endpoint_release_ipv6(const char *network, const char *endpoint, pontoon_error *err);
bool endpoint_join(const char *network, const char *endpoint, pontoon_driver_capabilities_borrow_join_info_t info,
                   pontoon_error *err);

/* Publishes these ports instead of those that were published before. */
bool ports_publish(const char *network, const char *endpoint, const enum gateway gateways[2],
                   const endpoint_options *options, pontoon_error *err);
/* Takes all ports back, and says which they were. Ok for an endpoint without any, or for none. */
bool ports_revoke(const char *network, const char *endpoint, struct published **before, size_t *count,
                  pontoon_error *err);

bool report(const char *network, const char *endpoint, pontoon_texts *ret, pontoon_error *err);

/* A key of an endpoint. */
char *endpoint_key(const char *kind, const char *network, const char *endpoint);

#endif
