#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "bridge.h"

static const char NETWORKS[] = "network/";

static char *key_of(const char *prefix, const char *id) {
  pontoon_string key = pontoon_format("%s%s", prefix, id);
  return (char *)key.ptr;
}

static bool load(const char *network, struct network **found, pontoon_error *err) {
  size_t count;
  return pontoon_load_version(key_of(NETWORKS, network), VERSION, sizeof **found, (void **)found, &count, err);
}

bool network_find(const char *network, struct network **found, pontoon_error *err) {
  return load(network, found, err) && (*found || pontoon_fail(err, NOT_FOUND, "no network %s", network));
}

void hash(const char *text, char digits[17]) {
  uint64_t sum = 0xcbf29ce484222325;
  for (; *text; text++) sum = (sum ^ (uint8_t)*text) * 0x100000001b3;
  snprintf(digits, 17, "%016llx", (unsigned long long)sum);
}

/* br- and twelve digits: of Docker's ids the first ones, of any other sort a hash's, because it may begin like its
 * neighbours do. */
static void default_name(const char *network, char name[NAME_SIZE]) {
  size_t digits = 0;
  char hashed[17];
  while (isxdigit((unsigned char)network[digits])) digits++;
  hash(network, hashed);
  snprintf(name, NAME_SIZE, "br-%.12s", digits >= 32 && !network[digits] ? network : hashed);
}

/* The subnet of one family, if the network has that family. */
static bool read_subnet(const pools *pools, const char *gateway_name, struct subnet *subnet, pontoon_error *err) {
  if (!pools->len) return true;
  if (pools->len > 1)
    return pontoon_fail(err, FORBIDDEN, "the bridge driver doesn't support several subnets of one family");
  const pontoon_driver_types_ipam_data_t *data = &pools->ptr[0];
  if (!data->pool.is_some) return pontoon_fail(err, INVALID, "the bridge driver needs an address pool");
  *subnet = (struct subnet){.is_there = true,
                            .has_bridge = data->gateway.is_some,
                            .has_gateway = data->gateway.is_some,
                            .pool = pontoon_masked(data->pool.val),
                            .bridge = data->gateway.val,
                            .gateway = data->gateway.val.address};
  for (size_t i = 0; i < data->aux_addresses.len; i++) {
    if (strcmp(pontoon_chars(&data->aux_addresses.ptr[i].f0), gateway_name)) continue;
    subnet->has_gateway = true;
    subnet->gateway = data->aux_addresses.ptr[i].f1.address;
  }
  return true;
}

/* No two networks have the same bridge. (That no two have overlapping subnets, the host sees to.) Should another network
 * be made at the same time, the host sees that it changed what was read here, and runs the later call again. */
static bool check_conflicts(const char *id, const struct network *made, pontoon_error *err) {
  struct network *there;
  if (!load(id, &there, err)) return false;
  if (there) return pontoon_fail(err, EXISTS, "network %s is there already", id);
  char *owner;
  size_t length;
  if (!pontoon_load(key_of("bridge/", made->options.name), 1, (void **)&owner, &length, err)) return false;
  if (owner)
    return pontoon_fail(err, FORBIDDEN, "bridge %s belongs to network %.*s", made->options.name, (int)length, owner);
  return true;
}

/* A container must not become the host's router (CVE-2020-13401). And the bridge's link-local address, whose MAC nobody
 * else has, must not wait two seconds for a duplicate: until then the host could not ask for a container's MAC. */
static bool set_ipv6(pontoon_link bridge, pontoon_error *err) {
  static const pontoon_driver_sysctls_link_sysctl_t names[] = {PONTOON_DRIVER_SYSCTLS_LINK_SYSCTL_IPV6_ACCEPT_RA,
                                                               PONTOON_DRIVER_SYSCTLS_LINK_SYSCTL_IPV6_ACCEPT_DAD};
  enum { NO_ENTRY = 2 };
  for (int i = 0; i < 2; i++) {
    if (pontoon_driver_sysctls_set_link(bridge, names[i], 0, err)) continue;
    return err->kernel_errno.is_some && err->kernel_errno.val == NO_ENTRY; /* A kernel without IPv6. */
  }
  return true;
}

static bool add_bridge(const struct network *network, pontoon_link *bridge, pontoon_error *err) {
  pontoon_network addresses[2];
  pontoon_link_end end = {
      .name = pontoon_name(network->options.name),
      /* Without a MAC of its own, a bridge takes that of a port, and changes it when ports come and go. */
      .mac_address = {true, pontoon_random_mac()},
      .mtu = {network->options.mtu != 0, network->options.mtu},
      .addresses = {.ptr = addresses},
      .up = true,
  };
  for (int i = 0; i < 2; i++)
    if (network->subnets[i].has_bridge) addresses[end.addresses.len++] = network->subnets[i].bridge;
  if (!pontoon_add_bridge(end, bridge, err)) return false;
  if (!set_ipv6(*bridge, err)) return false;
  if (network->internal) return true;
  bool ipv4 = network->subnets[0].is_there, ipv6 = network->subnets[1].is_there;
  /* For ports that are published on 127.0.0.1; the rules keep the containers from the host's own services. */
  if (ipv4 && !pontoon_driver_sysctls_set_link(*bridge, PONTOON_DRIVER_SYSCTLS_LINK_SYSCTL_IPV4_ROUTE_LOCALNET, 1, err))
    return false;
  return pontoon_driver_forwarding_allow(*bridge, ipv4, ipv6, err);
}

/* Whatever fails on the way, the host undoes what was done before. */
bool network_create(const char *id, const network_options *asked, const pools *ipv4, const pools *ipv6,
                    pontoon_error *err) {
  struct network network = {.internal = asked->internal};
  if (!options_read(&asked->generic, &network.options, err)) return false;
  if (!read_subnet(ipv4, "DefaultGatewayIPv4", &network.subnets[0], err)) return false;
  if (!read_subnet(ipv6, "DefaultGatewayIPv6", &network.subnets[1], err)) return false;
  if (network.options.inhibit_ipv4) network.subnets[0].has_bridge = false;
  if (!*network.options.name) default_name(id, network.options.name);
  if (!check_conflicts(id, &network, err)) return false;
  pontoon_link bridge;
  if (!add_bridge(&network, &bridge, err)) {
    char words[32];
    snprintf(words, sizeof words, "bridge %s", network.options.name);
    return pontoon_context(err, words);
  }
  return rules_of_network(&network, bridge, err) &&
         pontoon_store(key_of("bridge/", network.options.name), 1, id, strlen(id), err) &&
         pontoon_store_version(key_of(NETWORKS, id), VERSION, sizeof network, &network, 1, err);
}

/* There is nothing to do for one that is not there. */
bool network_delete(const char *id, pontoon_error *err) {
  struct network *old;
  if (!load(id, &old, err)) return false;
  if (!old) return true;
  return pontoon_remove_rules((pontoon_rule_ids){old->rules, old->rule_count}, err) &&
         pontoon_remove_link(old->options.name, err) &&
         pontoon_remove(key_of(NETWORKS, id), err) &&
         pontoon_remove(key_of("bridge/", old->options.name), err);
}
