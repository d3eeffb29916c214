/* A macvlan link for every container, on a link of the host's: -o parent=LINK, and -o mode=bridge, private or vepa. */
#include "pontoon.h"

#include <stdlib.h>
#include <string.h>

/* Docker's name for a network's MTU. */
static const char MTU[] = "com.docker.network.driver.mtu";

/* The version of what is remembered: the next number when struct network changes. */
#define VERSION 1

/* What is remembered of a network. */
struct network {
  char parent[16];
  pontoon_driver_links_macvlan_mode_t mode;
  driver_option_u32_t mtu;
  /* None on an internal network. */
  pontoon_address gateways[2];
  uint32_t gateway_count;
};

/* One of the kernel's names, of at most 15 bytes. It has a hash of the id (FNV-1a), because ids may begin alike. */
static const char *name(const char *prefix, const driver_string_t *id) {
  uint32_t hash = 0x811c9dc5;
  for (size_t i = 0; i < id->len; i++) hash = (hash ^ id->ptr[i]) * 0x01000193;
  pontoon_string text = pontoon_format("%s-%08lx", prefix, (unsigned long)hash);
  return pontoon_chars(&text);
}

static char *key(const driver_string_t *network) {
  pontoon_string text = pontoon_format("network/%s", pontoon_chars(network));
  return pontoon_chars(&text);
}

/* The network of this id, or NULL where there is none. */
static bool load(const driver_string_t *network, struct network **record, pontoon_error *err) {
  size_t count;
  return pontoon_load_version(key(network), VERSION, sizeof **record, (void **)record, &count, err);
}

static bool find(const driver_string_t *network, struct network **record, pontoon_error *err) {
  if (!load(network, record, err)) return false;
  return *record || pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_NOT_FOUND, "no network %s", pontoon_chars(network));
}

static bool read_mode(const pontoon_texts *labels, struct network *record, pontoon_error *err) {
  static const char *const names[] = {"private", "vepa", "bridge"};
  const pontoon_string *label = pontoon_find(labels, "mode");
  const char *text = label ? pontoon_chars(label) : "bridge";
  for (size_t mode = 0; mode < 3; mode++) {
    if (strcmp(text, names[mode])) continue;
    record->mode = mode;
    return true;
  }
  return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INVALID_ARGUMENT,
                      "mode=\"%s\": it is bridge, private or vepa", text);
}

static bool read_mtu(const pontoon_texts *labels, struct network *record, pontoon_error *err) {
  const pontoon_string *label = pontoon_find(labels, MTU);
  if (!label) return true;
  char *text = pontoon_chars(label), *end;
  unsigned long number = strtoul(text, &end, 10);
  if (*end || end == text || number > 65535)
    return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INVALID_ARGUMENT, "%s=\"%s\": no MTU", MTU, text);
  record->mtu = (driver_option_u32_t){number != 0, number};
  return true;
}

static bool read_parent(const pontoon_texts *labels, struct network *record, pontoon_error *err) {
  const pontoon_string *label = pontoon_find(labels, "parent");
  if (!label)
    return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INVALID_ARGUMENT,
                        "no parent: say which link of the host's with -o parent=LINK");
  pontoon_link parent;
  pontoon_string words = pontoon_format("parent=\"%s\"", pontoon_chars(label));
  if (!pontoon_get_link(pontoon_chars(label), NULL, &parent, err)) return pontoon_context(err, pontoon_chars(&words));
  return pontoon_copy(record->parent, sizeof record->parent, label) ||
         pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INVALID_ARGUMENT, "%s: too long", pontoon_chars(&words));
}

static void add_gateways(struct network *record, const exports_pontoon_driver_driver_list_ipam_data_t *pools) {
  for (size_t i = 0; i < pools->len && record->gateway_count < 2; i++)
    if (pools->ptr[i].gateway.is_some) record->gateways[record->gateway_count++] = pools->ptr[i].gateway.val.address;
}

void exports_pontoon_driver_driver_register(exports_pontoon_driver_driver_registration_t *ret) {
  *ret = (exports_pontoon_driver_driver_registration_t){.network_type = pontoon_format("lan")};
}

bool exports_pontoon_driver_driver_create_network(driver_string_t *network,
                                                  exports_pontoon_driver_driver_network_options_t *options,
                                                  exports_pontoon_driver_driver_borrow_network_info_t info,
                                                  exports_pontoon_driver_driver_list_ipam_data_t *ipv4,
                                                  exports_pontoon_driver_driver_list_ipam_data_t *ipv6,
                                                  exports_pontoon_driver_driver_error_t *err) {
  struct network *old, record = {0};
  if (!load(network, &old, err)) return false;
  if (old)
    return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_ALREADY_EXISTS, "network %s is there already",
                        pontoon_chars(network));
  const pontoon_texts *labels = &options->generic;
  if (!read_mode(labels, &record, err) || !read_mtu(labels, &record, err) || !read_parent(labels, &record, err))
    return false;
  if (!options->internal) {
    add_gateways(&record, ipv4);
    add_gateways(&record, ipv6);
  }
  return pontoon_store_version(key(network), VERSION, sizeof record, &record, 1, err);
}

bool exports_pontoon_driver_driver_delete_network(driver_string_t *network,
                                                  exports_pontoon_driver_driver_error_t *err) {
  return pontoon_remove(key(network), err);
}

bool exports_pontoon_driver_driver_create_endpoint(driver_string_t *network, driver_string_t *endpoint,
                                                   exports_pontoon_driver_driver_borrow_interface_info_t info,
                                                   exports_pontoon_driver_driver_endpoint_options_t *options,
                                                   exports_pontoon_driver_driver_error_t *err) {
  struct network *record;
  pontoon_mac mac;
  if (!find(network, &record, err)) return false;
  if (!pontoon_driver_capabilities_method_interface_info_mac_address(info, &mac)) {
    mac = pontoon_random_mac();
    if (!pontoon_driver_capabilities_method_interface_info_set_mac_address(info, &mac, err)) return false;
  }
  pontoon_link parent, link;
  if (!pontoon_get_link(record->parent, NULL, &parent, err)) return false;
  pontoon_link_end end = {.name = pontoon_name(name("lan", endpoint)), .mac_address = {true, mac}, .mtu = record->mtu};
  /* In the container's own namespace, if it is known: a link that is made there need not be moved. */
  end.namespace_.is_some = pontoon_sandbox_of_interface(info, &end.namespace_.val);
  pontoon_link_kind kind = {PONTOON_DRIVER_LINKS_LINK_KIND_MACVLAN, {.macvlan = {parent, record->mode}}};
  return pontoon_add_link(end, kind, &link, err);
}

bool exports_pontoon_driver_driver_delete_endpoint(driver_string_t *network, driver_string_t *endpoint,
                                                   exports_pontoon_driver_driver_error_t *err) {
  return true; /* Its link goes with it, wherever that is. */
}

bool exports_pontoon_driver_driver_endpoint_oper_info(driver_string_t *network, driver_string_t *endpoint,
                                                      exports_pontoon_driver_driver_text_map_t *ret,
                                                      exports_pontoon_driver_driver_error_t *err) {
  *ret = (pontoon_texts){0};
  return true;
}

/* An endpoint's link, on the host or in the container. */
static bool get_link(driver_string_t *endpoint, exports_pontoon_driver_driver_borrow_join_info_t info,
                     pontoon_link *link, pontoon_error *err) {
  pontoon_namespace sandbox;
  if (pontoon_get_link(name("lan", endpoint), NULL, link, err)) return true;
  return err->kind == PONTOON_DRIVER_TYPES_ERROR_KIND_NOT_FOUND && pontoon_sandbox_of_join(info, &sandbox) &&
         pontoon_get_link(name("lan", endpoint), &sandbox, link, err);
}

bool exports_pontoon_driver_driver_join(driver_string_t *network, driver_string_t *endpoint, driver_string_t *sandbox,
                                        exports_pontoon_driver_driver_borrow_join_info_t info,
                                        exports_pontoon_driver_driver_endpoint_options_t *options,
                                        exports_pontoon_driver_driver_error_t *err) {
  struct network *record;
  pontoon_link link;
  if (!find(network, &record, err) || !get_link(endpoint, info, &link, err) ||
      !pontoon_set_names(info, link, "eth", NULL, err))
    return false;
  pontoon_driver_capabilities_method_join_info_disable_gateway_service(info);
  for (uint32_t i = 0; i < record->gateway_count; i++)
    if (!pontoon_driver_capabilities_method_join_info_set_gateway(info, &record->gateways[i], err)) return false;
  return true;
}

bool exports_pontoon_driver_driver_leave(driver_string_t *network, driver_string_t *endpoint,
                                         exports_pontoon_driver_driver_error_t *err) {
  return true;
}
