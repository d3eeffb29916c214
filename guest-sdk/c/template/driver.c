/* A bridge for every network and a pair of links for every container. */
#include "pontoon.h"

#include <stdio.h>

/* The kernel's names have at most 15 bytes. */
static pontoon_string name(const char *prefix, const driver_string_t *id) {
  return pontoon_format("%s-%.6s", prefix, pontoon_chars(id));
}

static bool add(pontoon_driver_links_link_spec_t *spec, pontoon_error *err) {
  pontoon_driver_links_list_link_spec_t links = {spec, 1};
  pontoon_driver_links_list_added_link_t added;
  return pontoon_driver_links_add(&links, &added, err);
}

void exports_pontoon_driver_driver_register(exports_pontoon_driver_driver_registration_t *ret) {
  *ret = (exports_pontoon_driver_driver_registration_t){.network_type = pontoon_format("@NAME@")};
}

bool exports_pontoon_driver_driver_create_network(
    driver_string_t *network, exports_pontoon_driver_driver_network_options_t *options,
    exports_pontoon_driver_driver_borrow_network_info_t info, exports_pontoon_driver_driver_list_ipam_data_t *ipv4,
    exports_pontoon_driver_driver_list_ipam_data_t *ipv6, exports_pontoon_driver_driver_error_t *err) {
  pontoon_network addresses[1];
  pontoon_driver_links_link_spec_t spec = {
      .end = {.name = {.val.exact = name("simple", network)}, .addresses = {.ptr = addresses}, .up = true},
      .kind = {.tag = PONTOON_DRIVER_LINKS_LINK_KIND_BRIDGE},
  };
  if (ipv4->len && ipv4->ptr[0].gateway.is_some) addresses[spec.end.addresses.len++] = ipv4->ptr[0].gateway.val;
  return add(&spec, err);
}

bool exports_pontoon_driver_driver_delete_network(driver_string_t *network, exports_pontoon_driver_driver_error_t *err) {
  return true; /* What a network still owns goes with it. */
}

bool exports_pontoon_driver_driver_create_endpoint(
    driver_string_t *network, driver_string_t *endpoint, exports_pontoon_driver_driver_borrow_interface_info_t info,
    exports_pontoon_driver_driver_endpoint_options_t *options, exports_pontoon_driver_driver_error_t *err) {
  pontoon_mac mac;
  if (!pontoon_driver_capabilities_method_interface_info_mac_address(info, &mac)) {
    mac = pontoon_random_mac();
    if (!pontoon_driver_capabilities_method_interface_info_set_mac_address(info, &mac, err)) return false;
  }
  pontoon_string bridge_name = name("simple", network);
  pontoon_link bridge;
  if (!pontoon_driver_links_get(NULL, &bridge_name, &bridge, err)) return false;
  pontoon_driver_links_link_spec_t spec = {
      .end = {.name = {.val.exact = name("host", endpoint)}, .master = {true, pontoon_driver_links_borrow_link(bridge)}, .up = true},
      .kind = {PONTOON_DRIVER_LINKS_LINK_KIND_VETH, {.veth = {.name = {.val.exact = name("cont", endpoint)}, .mac_address = {true, mac}}}},
  };
  return add(&spec, err);
}

bool exports_pontoon_driver_driver_delete_endpoint(
    driver_string_t *network, driver_string_t *endpoint, exports_pontoon_driver_driver_error_t *err) {
  return true;
}

bool exports_pontoon_driver_driver_endpoint_oper_info(
    driver_string_t *network, driver_string_t *endpoint, exports_pontoon_driver_driver_text_map_t *ret,
    exports_pontoon_driver_driver_error_t *err) {
  *ret = (pontoon_texts){0};
  return true;
}

bool exports_pontoon_driver_driver_join(
    driver_string_t *network, driver_string_t *endpoint, driver_string_t *sandbox,
    exports_pontoon_driver_driver_borrow_join_info_t info, exports_pontoon_driver_driver_endpoint_options_t *options,
    exports_pontoon_driver_driver_error_t *err) {
  pontoon_string link_name = name("cont", endpoint), prefix = pontoon_text("eth");
  pontoon_link link;
  if (!pontoon_driver_links_get(NULL, &link_name, &link, err)) return false;
  pontoon_driver_capabilities_own_interface_name_info_t names = pontoon_driver_capabilities_method_join_info_interface_name(info);
  return pontoon_driver_capabilities_method_interface_name_info_set_names(
      pontoon_driver_capabilities_borrow_interface_name_info(names), pontoon_driver_links_borrow_link(link), &prefix, NULL, err);
}

bool exports_pontoon_driver_driver_leave(driver_string_t *network, driver_string_t *endpoint, exports_pontoon_driver_driver_error_t *err) {
  return true;
}
