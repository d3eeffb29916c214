#include <stdio.h>
#include <string.h>

#include "bridge.h"

char *endpoint_key(const char *kind, const char *network, const char *endpoint) {
  pontoon_string key = pontoon_format("%s/%s/%s", kind, network, endpoint);
  return (char *)key.ptr;
}

static bool load(const char *network, const char *endpoint, struct endpoint **found, pontoon_error *err) {
  size_t count;
  return pontoon_load_version(endpoint_key("endpoint", network, endpoint), VERSION, sizeof **found, (void **)found,
                              &count, err);
}

static bool store(const char *network, const char *endpoint, const struct endpoint *made, pontoon_error *err) {
  return pontoon_store_version(endpoint_key("endpoint", network, endpoint), VERSION, sizeof *made, made, 1, err);
}

bool endpoint_find(const char *network, const char *endpoint, struct endpoint **found, pontoon_error *err) {
  return load(network, endpoint, found, err) && (*found || pontoon_fail(err, NOT_FOUND, "no endpoint %s", endpoint));
}

/* The user's MAC, or one that follows from the IPv4 address (02:42 and its bytes), as Docker gives them: when an
 * address comes again with another container, its neighbours still know the way. A random one where there is no IPv4.
 */
static bool choose_mac(pontoon_driver_capabilities_borrow_interface_info_t info, struct endpoint *made,
                       pontoon_error *err) {
  if (pontoon_driver_capabilities_method_interface_info_mac_address(info, &made->mac)) return true;
  const pontoon_driver_types_ipv4_address_t *a = &made->addresses[0].val.ipv4;
  made->mac = made->has_address[0] ? (pontoon_mac){0x02, 0x42, a->f0, a->f1, a->f2, a->f3} : pontoon_random_mac();
  return pontoon_driver_capabilities_method_interface_info_set_mac_address(info, &made->mac, err);
}

/* Makes the pair, one end on the bridge, and notes the name of the other. */
static bool add_pair(const struct network *network, pontoon_link_end container, struct endpoint *made,
                     pontoon_error *err) {
  pontoon_link bridge, links[2];
  if (!pontoon_get_link(network->options.name, NULL, &bridge, err)) return false;
  container.mac_address = (pontoon_driver_links_option_mac_address_t){true, made->mac};
  container.mtu = (driver_option_u32_t){network->options.mtu != 0, network->options.mtu};
  pontoon_link_end host = {
      .name = pontoon_name(made->host_link), .mtu = container.mtu, .master = {true, bridge}, .up = true};
  /* A container may reach itself through a port that it publishes. */
  pontoon_driver_links_link_changes_t changes = {.hairpin = {true, true}, .isolated = {true, !network->options.icc}};
  pontoon_driver_links_link_info_t peer;
  return pontoon_add_veth(host, container, links, err) &&
         pontoon_driver_links_method_link_set(links[0], &changes, err) &&
         pontoon_driver_links_method_link_info(links[1], &peer, err) &&
         (pontoon_copy(made->container_link, NAME_SIZE, &peer.name) ||
          pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INTERNAL, "a link's name of %zu bytes", peer.name.len));
}

bool endpoint_create(const char *network_id, const char *id, pontoon_driver_capabilities_borrow_interface_info_t info,
                     const endpoint_options *options, pontoon_error *err) {
  struct endpoint *there, made = {0};
  struct network *network;
  if (!load(network_id, id, &there, err)) return false;
  if (there) return pontoon_fail(err, EXISTS, "endpoint %s is there already", id);
  pontoon_network address = {0};
  made.has_address[0] = pontoon_driver_capabilities_method_interface_info_address(info, &address);
  made.addresses[0] = address.address;
  made.has_address[1] = pontoon_driver_capabilities_method_interface_info_address_ipv6(info, &address);
  made.addresses[1] = address.address;
  if (!choose_mac(info, &made, err) || !network_find(network_id, &network, err)) return false;
  char digits[17], container_name[NAME_SIZE];
  hash(id, digits);
  snprintf(made.host_link, NAME_SIZE, "veth%.10s", digits);
  snprintf(container_name, NAME_SIZE, "%sc", made.host_link);
  const pontoon_string *wanted = pontoon_find(&options->generic, LABEL_INTERFACE_NAME);
  if (wanted && !pontoon_copy(made.interface_name, NAME_SIZE, wanted))
    return pontoon_fail(err, INVALID, "%s: the name of a link has at most %d bytes", LABEL_INTERFACE_NAME,
                        NAME_SIZE - 1);
  pontoon_namespace sandbox;
  made.is_in_sandbox = pontoon_sandbox_of_interface(info, &sandbox);
  pontoon_link_end container = {.name = pontoon_name(container_name)};
  if (made.is_in_sandbox) {
    container.namespace_ = (pontoon_driver_links_option_borrow_namespace_t){true, sandbox};
    container.name = *made.interface_name ? pontoon_name(made.interface_name)
                                          : pontoon_prefix(network->options.interface_prefix);
  }
  if (!add_pair(network, container, &made, err)) return pontoon_context(err, made.host_link);
  return store(network_id, id, &made, err) &&
         pontoon_store_version(endpoint_key("exposed", network_id, id), VERSION, sizeof *options->exposed_ports.ptr,
                               options->exposed_ports.ptr, options->exposed_ports.len, err);
}

/* There is nothing to do for one that is not there. */
bool endpoint_delete(const char *network, const char *id, pontoon_error *err) {
  struct published *ports;
  size_t count;
  struct endpoint *old;
  if (!ports_revoke(network, id, &ports, &count, err) || !load(network, id, &old, err)) return false;
  if (!old) return true;
  return pontoon_remove_link(old->host_link, err) && pontoon_remove(endpoint_key("exposed", network, id), err) &&
         pontoon_remove(endpoint_key("endpoint", network, id), err);
}

/* The container can't use the IPv6 address: it is forgotten. */
bool endpoint_release_ipv6(const char *network, const char *id, pontoon_error *err) {
  struct endpoint *endpoint;
  if (!endpoint_find(network, id, &endpoint, err)) return false;
  endpoint->has_address[1] = false;
  return store(network, id, endpoint, err);
}

/* Says which link the container gets, and its gateways. */
bool endpoint_join(const char *network_id, const char *id, pontoon_driver_capabilities_borrow_join_info_t info,
                   pontoon_error *err) {
  struct network *network;
  struct endpoint *endpoint;
  if (!network_find(network_id, &network, err) || !endpoint_find(network_id, id, &endpoint, err)) return false;
  pontoon_namespace sandbox;
  bool is_there = endpoint->is_in_sandbox && pontoon_sandbox_of_join(info, &sandbox);
  pontoon_link link;
  if (!pontoon_get_link(endpoint->container_link, is_there ? &sandbox : NULL, &link, err) ||
      !pontoon_set_names(info, link, network->options.interface_prefix, endpoint->interface_name, err))
    return false;
  if (network->internal) return true;
  struct subnet *ipv4 = &network->subnets[0], *ipv6 = &network->subnets[1];
  if (ipv4->has_gateway &&
      !pontoon_driver_capabilities_method_join_info_set_gateway(info, &ipv4->gateway, err))
    return false;
  return !ipv6->has_gateway ||
         pontoon_driver_capabilities_method_join_info_set_gateway(info, &ipv6->gateway, err);
}
