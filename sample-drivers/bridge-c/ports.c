#include <string.h>

#include "bridge.h"

typedef pontoon_driver_types_port_binding_t binding;

/* From an address of the host to one of the container. */
struct route {
  pontoon_address host;
  pontoon_address container;
};

bool ports_revoke(const char *network, const char *endpoint, struct published **before, size_t *count,
                  pontoon_error *err) {
  const char *key = endpoint_key("published", network, endpoint);
  if (!pontoon_load_version(key, VERSION, sizeof **before, (void **)before, count, err)) return false;
  if (!*count) return true;
  if (!rules_forget(err)) return false;
  for (size_t i = 0; i < *count; i++) {
    pontoon_driver_ports_list_ip_address_t address = {&(*before)[i].host, 1};
    if (!pontoon_driver_ports_release((*before)[i].protocol, &address, (*before)[i].host_port, err)) return false;
  }
  return pontoon_remove(key, err);
}

static const char *protocol_name(uint8_t protocol) {
  return protocol == 6 ? "tcp" : protocol == 17 ? "udp" : protocol == 132 ? "sctp" : "?";
}

static bool refuse(const binding *binding, const pontoon_address *wanted, const char *why, pontoon_error *err) {
  char text[PONTOON_ADDRESS_SIZE];
  return pontoon_fail(err, INVALID, "port %u/%s can't be published on %s: %s", binding->container_port,
                      protocol_name(binding->protocol), pontoon_address_text(wanted, text), why);
}

static bool is_ipv6_loopback(const pontoon_address *address) {
  static const uint8_t loopback[16] = {[15] = 1};
  uint8_t bytes[16];
  return pontoon_bytes(address, bytes) == 16 && !memcmp(bytes, loopback, 16);
}

/* Says from where on the host to where in the container a binding leads, for each family that it has. */
static bool routes_of(const binding *binding, const enum gateway gateways[2], const struct network *network,
                      const struct endpoint *endpoint, struct route routes[2], size_t *count, pontoon_error *err) {
  const pontoon_address *wanted = network->options.has_host_binding ? &network->options.host_binding : NULL;
  if (binding->host_address.is_some) wanted = &binding->host_address.val;
  if (wanted && gateways[wanted->tag] == MISSING)
    return refuse(binding, wanted, "the container has no gateway of that family", err);
  /* It has no route_localnet for IPv6: a packet to ::1 is never sent elsewhere. */
  if (wanted && is_ipv6_loopback(wanted))
    return refuse(binding, wanted, "the kernel translates no packets to that address; use 127.0.0.1", err);
  *count = 0;
  for (uint8_t family = 0; family < 2; family++) {
    const pontoon_address *container = endpoint->has_address[family] ? &endpoint->addresses[family] : NULL;
    if (binding->container_address.is_some && binding->container_address.val.tag == family)
      container = &binding->container_address.val;
    if (!container || gateways[family] != OWN || (wanted && wanted->tag != family)) continue;
    routes[(*count)++] = (struct route){wanted ? *wanted : (pontoon_address){.tag = family}, *container};
  }
  return true;
}

static bool take_port(const binding *binding, pontoon_driver_ports_list_ip_address_t *addresses,
                      const struct published *before, size_t before_count, uint16_t *port, pontoon_error *err) {
  uint16_t first = binding->host_port, last = binding->host_port_end > first ? binding->host_port_end : first;
  /* Where there is a choice, a port stays what it was when the gateways change. */
  for (size_t i = 0; i < before_count; i++) {
    uint16_t old = before[i].host_port;
    if (before[i].protocol != binding->protocol || before[i].container_port != binding->container_port) continue;
    if (first && (old < first || old > last)) continue;
    if (pontoon_driver_ports_take(binding->protocol, addresses, old, old, port, err)) return true;
    if (err->kind != EXISTS) return false;
  }
  return pontoon_driver_ports_take(binding->protocol, addresses, first, last, port, err);
}

/* Takes a port of the host, the same one for all families of a binding. */
static bool take(const binding *binding, const struct route routes[2], size_t count, const struct published *before,
                 size_t before_count, struct published *published, pontoon_error *err) {
  pontoon_address hosts[2];
  for (size_t i = 0; i < count; i++) hosts[i] = routes[i].host;
  pontoon_driver_ports_list_ip_address_t addresses = {hosts, count};
  uint16_t port;
  if (!count) return true;
  if (!take_port(binding, &addresses, before, before_count, &port, err)) return false;
  for (size_t i = 0; i < count; i++)
    published[i] =
        (struct published){binding->protocol, port, binding->container_port, routes[i].host, routes[i].container};
  return true;
}

bool ports_publish(const char *network_id, const char *id, const enum gateway gateways[2],
                   const endpoint_options *options, pontoon_error *err) {
  struct published *before;
  size_t before_count, count = 0;
  struct network *network;
  struct endpoint *endpoint;
  if (!ports_revoke(network_id, id, &before, &before_count, err)) return false;
  if (!network_find(network_id, &network, err) || !endpoint_find(network_id, id, &endpoint, err)) return false;
  if (network->internal) return true;
  const size_t bindings = options->port_bindings.len;
  struct published *published = pontoon_allocate(2 * bindings * sizeof *published);
  for (size_t i = 0; i < bindings; i++) {
    const binding *binding = &options->port_bindings.ptr[i];
    struct route routes[2];
    size_t found;
    if (!routes_of(binding, gateways, network, endpoint, routes, &found, err)) return false;
    if (!take(binding, routes, found, before, before_count, published + count, err)) return false;
    count += found;
  }
  return rules_of_ports(published, count, err) &&
         pontoon_store_version(endpoint_key("published", network_id, id), VERSION, sizeof *published, published, count,
                               err);
}
