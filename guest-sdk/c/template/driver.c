/* A bridge for every network and a pair of links for every container. */
#include "pontoon.h"

#include <stdlib.h>

/* Docker's name for a network's MTU. */
static const char MTU[] = "com.docker.network.driver.mtu";

/* One of the kernel's names, of at most 15 bytes. It has a hash of the id (FNV-1a), because ids may begin alike. */
static const char *name(const char *prefix, const driver_string_t *id) {
  uint32_t hash = 0x811c9dc5;
  for (size_t i = 0; i < id->len; i++) hash = (hash ^ id->ptr[i]) * 0x01000193;
  pontoon_string text = pontoon_format("%s-%08lx", prefix, (unsigned long)hash);
  return pontoon_chars(&text);
}

static bool read_mtu(const pontoon_texts *labels, driver_option_u32_t *mtu, pontoon_error *err) {
  const pontoon_string *label = pontoon_find(labels, MTU);
  *mtu = (driver_option_u32_t){false};
  if (!label) return true;
  char *text = pontoon_chars(label), *end;
  unsigned long number = strtoul(text, &end, 10);
  if (*end || end == text || number > 65535)
    return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INVALID_ARGUMENT, "%s=\"%s\": no MTU", MTU, text);
  *mtu = (driver_option_u32_t){number != 0, number};
  return true;
}

void exports_pontoon_driver_driver_register(exports_pontoon_driver_driver_registration_t *ret) {
  *ret = (exports_pontoon_driver_driver_registration_t){.network_type = pontoon_format("@NAME@")};
}

bool exports_pontoon_driver_driver_create_network(driver_string_t *network,
                                                  exports_pontoon_driver_driver_network_options_t *options,
                                                  exports_pontoon_driver_driver_borrow_network_info_t info,
                                                  exports_pontoon_driver_driver_list_ipam_data_t *ipv4,
                                                  exports_pontoon_driver_driver_list_ipam_data_t *ipv6,
                                                  exports_pontoon_driver_driver_error_t *err) {
  pontoon_network addresses[1];
  pontoon_link_end end = {.name = pontoon_name(name("simple", network)), .addresses = {.ptr = addresses}, .up = true};
  pontoon_link bridge;
  if (!read_mtu(&options->generic, &end.mtu, err)) return false;
  if (ipv4->len && ipv4->ptr[0].gateway.is_some) addresses[end.addresses.len++] = ipv4->ptr[0].gateway.val;
  return pontoon_add_bridge(end, &bridge, err);
}

bool exports_pontoon_driver_driver_delete_network(driver_string_t *network,
                                                  exports_pontoon_driver_driver_error_t *err) {
  return true; /* What a network still owns goes with it. */
}

bool exports_pontoon_driver_driver_create_endpoint(driver_string_t *network, driver_string_t *endpoint,
                                                   exports_pontoon_driver_driver_borrow_interface_info_t info,
                                                   exports_pontoon_driver_driver_endpoint_options_t *options,
                                                   exports_pontoon_driver_driver_error_t *err) {
  pontoon_mac mac;
  if (!pontoon_driver_capabilities_method_interface_info_mac_address(info, &mac)) {
    mac = pontoon_random_mac();
    if (!pontoon_driver_capabilities_method_interface_info_set_mac_address(info, &mac, err)) return false;
  }
  pontoon_link bridge, links[2];
  pontoon_driver_links_link_info_t is;
  if (!pontoon_get_link(name("simple", network), NULL, &bridge, err) ||
      !pontoon_driver_links_method_link_info(bridge, &is, err))
    return false;
  pontoon_link_end host = {
      .name = pontoon_name(name("host", endpoint)), .mtu = {true, is.mtu}, .master = {true, bridge}, .up = true};
  pontoon_link_end container = {
      .name = pontoon_name(name("cont", endpoint)), .mtu = {true, is.mtu}, .mac_address = {true, mac}};
  return pontoon_add_veth(host, container, links, err);
}

bool exports_pontoon_driver_driver_delete_endpoint(driver_string_t *network, driver_string_t *endpoint,
                                                   exports_pontoon_driver_driver_error_t *err) {
  return true;
}

bool exports_pontoon_driver_driver_endpoint_oper_info(driver_string_t *network, driver_string_t *endpoint,
                                                      exports_pontoon_driver_driver_text_map_t *ret,
                                                      exports_pontoon_driver_driver_error_t *err) {
  *ret = (pontoon_texts){0};
  return true;
}

bool exports_pontoon_driver_driver_join(driver_string_t *network, driver_string_t *endpoint, driver_string_t *sandbox,
                                        exports_pontoon_driver_driver_borrow_join_info_t info,
                                        exports_pontoon_driver_driver_endpoint_options_t *options,
                                        exports_pontoon_driver_driver_error_t *err) {
  pontoon_link link;
  return pontoon_get_link(name("cont", endpoint), NULL, &link, err) && pontoon_set_names(info, link, "eth", NULL, err);
}

bool exports_pontoon_driver_driver_leave(driver_string_t *network, driver_string_t *endpoint,
                                         exports_pontoon_driver_driver_error_t *err) {
  return true;
}
