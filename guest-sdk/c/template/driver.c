/* A bridge for every network and a pair of links for every container. */
#include "pontoon.h"

#include <stdlib.h>

/* Docker's name for a network's MTU. */
static const char MTU[] = "com.docker.network.driver.mtu";

/* One of the kernel's names, of at most 15 bytes. It has a hash of the id (FNV-1a), because ids may begin alike. */
static pontoon_string name(const char *prefix, const driver_string_t *id) {
  uint32_t hash = 0x811c9dc5;
  for (size_t i = 0; i < id->len; i++) hash = (hash ^ id->ptr[i]) * 0x01000193;
  return pontoon_format("%s-%08lx", prefix, (unsigned long)hash);
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

static bool add(pontoon_driver_links_link_spec_t *spec, pontoon_error *err) {
  pontoon_driver_links_list_link_spec_t links = {spec, 1};
  pontoon_driver_links_list_added_link_t added;
  return pontoon_driver_links_add(&links, &added, err);
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
  pontoon_driver_links_link_spec_t spec = {
      .end = {.name = {.val.exact = name("simple", network)}, .addresses = {.ptr = addresses}, .up = true},
      .kind = {.tag = PONTOON_DRIVER_LINKS_LINK_KIND_BRIDGE},
  };
  if (!read_mtu(&options->generic, &spec.end.mtu, err)) return false;
  if (ipv4->len && ipv4->ptr[0].gateway.is_some) addresses[spec.end.addresses.len++] = ipv4->ptr[0].gateway.val;
  return add(&spec, err);
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
  pontoon_string bridge_name = name("simple", network);
  pontoon_link bridge;
  if (!pontoon_driver_links_get(NULL, &bridge_name, &bridge, err)) return false;
  pontoon_driver_links_borrow_link_t master = pontoon_driver_links_borrow_link(bridge);
  pontoon_driver_links_link_info_t is;
  if (!pontoon_driver_links_method_link_info(master, &is, err)) return false;
  pontoon_driver_links_link_end_t container = {
      .name = {.val.exact = name("cont", endpoint)}, .mac_address = {true, mac}, .mtu = {true, is.mtu}};
  pontoon_driver_links_link_spec_t spec = {
      .end = {.name = {.val.exact = name("host", endpoint)},
              .master = {true, master},
              .mtu = container.mtu,
              .up = true},
      .kind = {PONTOON_DRIVER_LINKS_LINK_KIND_VETH, {.veth = container}},
  };
  return add(&spec, err);
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
  pontoon_string link_name = name("cont", endpoint), prefix = pontoon_text("eth");
  pontoon_link link;
  if (!pontoon_driver_links_get(NULL, &link_name, &link, err)) return false;
  pontoon_driver_capabilities_own_interface_name_info_t names =
      pontoon_driver_capabilities_method_join_info_interface_name(info);
  return pontoon_driver_capabilities_method_interface_name_info_set_names(
      pontoon_driver_capabilities_borrow_interface_name_info(names), pontoon_driver_links_borrow_link(link), &prefix,
      NULL, err);
}

bool exports_pontoon_driver_driver_leave(driver_string_t *network, driver_string_t *endpoint,
                                         exports_pontoon_driver_driver_error_t *err) {
  return true;
}
