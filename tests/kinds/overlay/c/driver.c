/* A network over several hosts: a bridge and a vxlan link on each, and a table that says where every container is.
 *
 * --set address=ADDRESS is the address by which the other hosts reach this one.
 */
#include "pontoon.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Docker's name for a network's MTU. */
static const char MTU[] = "com.docker.network.driver.mtu";

/* The table has an entry for each endpoint: its key is the endpoint's id, its value a peer. */
static const char TABLE[] = "peers";

/* Where a container is. */
struct peer {
  pontoon_mac mac;
  pontoon_address host;
  pontoon_address addresses[2];
  size_t count;
};

static uint32_t hash(const driver_string_t *id) {
  uint32_t hash = 0x811c9dc5;
  for (size_t i = 0; i < id->len; i++) hash = (hash ^ id->ptr[i]) * 0x01000193;
  return hash;
}

/* One of the kernel's names, of at most 15 bytes. It has a hash of the id (FNV-1a), because ids may begin alike. */
static const char *name(const char *prefix, const driver_string_t *id) {
  pontoon_string text = pontoon_format("%s-%08lx", prefix, (unsigned long)hash(id));
  return pontoon_chars(&text);
}

static pontoon_string key(const driver_string_t *network, const driver_string_t *endpoint) {
  return pontoon_format("endpoint/%s/%s", pontoon_chars(network), pontoon_chars(endpoint));
}

static bool parse(const char *text, pontoon_address *address) {
  uint8_t bytes[16];
  size_t count = inet_pton(AF_INET, text, bytes) == 1 ? 4 : inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0;
  if (count) *address = pontoon_address_of(bytes, count);
  return count;
}

/* The address by which the other hosts reach this one. */
static bool get_host(pontoon_address *address, pontoon_error *err) {
  pontoon_string name = pontoon_text("address"), value;
  const char *text = pontoon_driver_configuration_get(&name, &value) ? pontoon_chars(&value) : "";
  return parse(text, address) ||
         pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INVALID_ARGUMENT,
                      "address=\"%s\" is none: load the driver with --set address=ADDRESS, this host's own", text);
}

/* What the kernel leaves of 1500 bytes, if nothing else is said. */
static bool read_mtu(const pontoon_texts *labels, driver_option_u32_t *mtu, pontoon_error *err) {
  const pontoon_string *label = pontoon_find(labels, MTU);
  *mtu = (driver_option_u32_t){true, 1450};
  if (!label) return true;
  char *text = pontoon_chars(label), *end;
  mtu->val = strtoul(text, &end, 10);
  return (!*end && end != text && mtu->val <= 65535) ||
         pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INVALID_ARGUMENT, "%s=\"%s\": no MTU", MTU, text);
}

static pontoon_string mac_text(const pontoon_mac *mac) {
  return pontoon_format("%02x:%02x:%02x:%02x:%02x:%02x", mac->f0, mac->f1, mac->f2, mac->f3, mac->f4, mac->f5);
}

/* Its addresses, as words. */
static pontoon_string addresses_text(const struct peer *peer) {
  char first[PONTOON_ADDRESS_SIZE] = "", second[PONTOON_ADDRESS_SIZE] = "";
  if (peer->count > 0) pontoon_address_text(&peer->addresses[0], first);
  if (peer->count > 1) pontoon_address_text(&peer->addresses[1], second);
  return pontoon_format("%s%s%s", first, peer->count > 1 ? " " : "", second);
}

/* The peer that a value says. */
static bool read_peer(const driver_list_u8_t *value, struct peer *peer) {
  pontoon_string copy = {value->ptr, value->len};
  char *rest = pontoon_chars(&copy);
  unsigned mac[6];
  int end = 0;
  *peer = (struct peer){0};
  if (strlen(rest) != value->len) return false;
  sscanf(rest, "%2x:%2x:%2x:%2x:%2x:%2x%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &end);
  if (end != 17 || rest[17] != ' ') return false;
  peer->mac = (pontoon_mac){mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]};
  rest += 18;
  char *word = strsep(&rest, " ");
  if (!parse(word, &peer->host)) return false;
  while ((word = strsep(&rest, " ")))
    if (peer->count == 2 || !parse(word, &peer->addresses[peer->count++])) return false;
  return true;
}

void exports_pontoon_driver_driver_register(exports_pontoon_driver_driver_registration_t *ret) {
  *ret = (exports_pontoon_driver_driver_registration_t){.network_type = pontoon_format("mesh")};
}

bool exports_pontoon_driver_driver_create_network(driver_string_t *network,
                                                  exports_pontoon_driver_driver_network_options_t *options,
                                                  exports_pontoon_driver_driver_borrow_network_info_t info,
                                                  exports_pontoon_driver_driver_list_ipam_data_t *ipv4,
                                                  exports_pontoon_driver_driver_list_ipam_data_t *ipv6,
                                                  exports_pontoon_driver_driver_error_t *err) {
  pontoon_driver_links_vxlan_options_t vxlan = {
      .vni = 1 + hash(network) % 0xffffff, .port = 4789, .local.is_some = true, .proxy = true};
  driver_option_u32_t mtu;
  pontoon_link bridge, link;
  if (!read_mtu(&options->generic, &mtu, err) || !get_host(&vxlan.local.val, err)) return false;
  pontoon_link_end end = {.name = pontoon_name(name("mb", network)), .mtu = mtu, .up = true};
  if (!pontoon_add_bridge(end, &bridge, err)) return false;
  end.name = pontoon_name(name("mx", network));
  end.master = (pontoon_driver_links_option_borrow_link_t){true, bridge};
  pontoon_link_kind kind = {PONTOON_DRIVER_LINKS_LINK_KIND_VXLAN, {.vxlan = vxlan}};
  if (!pontoon_add_link(end, kind, &link, err)) return false;
  pontoon_string table = pontoon_text(TABLE);
  return pontoon_driver_capabilities_method_network_info_table_event_register(
      info, &table, PONTOON_DRIVER_TYPES_OBJECT_TYPE_ENDPOINT, err);
}

bool exports_pontoon_driver_driver_delete_network(driver_string_t *network,
                                                  exports_pontoon_driver_driver_error_t *err) {
  return true; /* What a network still owns goes with it. */
}

/* Remembers the endpoint as the others will see it. */
static bool keep(driver_string_t *network, driver_string_t *endpoint, pontoon_mac mac,
                 exports_pontoon_driver_driver_borrow_interface_info_t info, pontoon_error *err) {
  struct peer peer = {.mac = mac};
  pontoon_network ipv4, ipv6;
  if (!get_host(&peer.host, err)) return false;
  if (pontoon_driver_capabilities_method_interface_info_address(info, &ipv4))
    peer.addresses[peer.count++] = ipv4.address;
  if (pontoon_driver_capabilities_method_interface_info_address_ipv6(info, &ipv6))
    peer.addresses[peer.count++] = ipv6.address;
  char host[PONTOON_ADDRESS_SIZE];
  pontoon_string mac_word = mac_text(&peer.mac), words = addresses_text(&peer), itself = key(network, endpoint);
  pontoon_string text = pontoon_format("%s %s%s%s", pontoon_chars(&mac_word), pontoon_address_text(&peer.host, host),
                                       peer.count ? " " : "", pontoon_chars(&words));
  driver_list_u8_t value = {text.ptr, text.len};
  return pontoon_driver_store_set(&itself, &value, err);
}

bool exports_pontoon_driver_driver_create_endpoint(driver_string_t *network, driver_string_t *endpoint,
                                                   exports_pontoon_driver_driver_borrow_interface_info_t info,
                                                   exports_pontoon_driver_driver_endpoint_options_t *options,
                                                   exports_pontoon_driver_driver_error_t *err) {
  pontoon_link master, links[2];
  pontoon_driver_links_link_info_t is;
  pontoon_mac mac;
  if (!pontoon_get_link(name("mb", network), NULL, &master, err) ||
      !pontoon_driver_links_method_link_info(master, &is, err))
    return false;
  if (!pontoon_driver_capabilities_method_interface_info_mac_address(info, &mac)) {
    mac = pontoon_random_mac();
    if (!pontoon_driver_capabilities_method_interface_info_set_mac_address(info, &mac, err)) return false;
  }
  pontoon_link_end host = {
      .name = pontoon_name(name("mh", endpoint)), .mtu = {true, is.mtu}, .master = {true, master}, .up = true};
  pontoon_link_end container = {
      .name = pontoon_name(name("mc", endpoint)), .mtu = {true, is.mtu}, .mac_address = {true, mac}};
  return pontoon_add_veth(host, container, links, err) && keep(network, endpoint, mac, info, err);
}

bool exports_pontoon_driver_driver_delete_endpoint(driver_string_t *network, driver_string_t *endpoint,
                                                   exports_pontoon_driver_driver_error_t *err) {
  pontoon_string itself = key(network, endpoint);
  return pontoon_driver_store_remove(&itself, err); /* Its links go with it. */
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
  pontoon_string itself = key(network, endpoint), table = pontoon_text(TABLE);
  driver_option_list_u8_t value;
  pontoon_link link;
  if (!pontoon_driver_store_get(&itself, &value, err)) return false;
  if (!value.is_some)
    return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_NOT_FOUND, "no endpoint %s", pontoon_chars(endpoint));
  if (!pontoon_get_link(name("mc", endpoint), NULL, &link, err) || !pontoon_set_names(info, link, "eth", NULL, err))
    return false;
  return pontoon_driver_capabilities_method_join_info_add_table_entry(info, &table, endpoint, &value.val, err);
}

bool exports_pontoon_driver_driver_leave(driver_string_t *network, driver_string_t *endpoint,
                                         exports_pontoon_driver_driver_error_t *err) {
  return true;
}

/* Tells the kernel where a container is, or that it is there no more. */
static bool connect_peer(const struct peer *peer, pontoon_link link, bool is_there,
                         pontoon_error *err) {
  pontoon_driver_neighbours_neighbour_t near[2];
  pontoon_driver_neighbours_forwarding_entry_t far = {link, peer->mac, {true, peer->host}};
  for (size_t i = 0; i < peer->count; i++)
    near[i] = (pontoon_driver_neighbours_neighbour_t){link, peer->addresses[i], peer->mac};
  pontoon_driver_neighbours_list_neighbour_t neighbours = {near, peer->count};
  pontoon_driver_neighbours_list_forwarding_entry_t entries = {&far, 1};
  if (is_there)
    return pontoon_driver_neighbours_add(&neighbours, err) && pontoon_driver_neighbours_add_forwarding(&entries, err);
  return pontoon_driver_neighbours_remove(&neighbours, err) &&
         pontoon_driver_neighbours_remove_forwarding(&entries, err);
}

bool exports_pontoon_driver_table_watcher_event_notify(driver_string_t *network, driver_string_t *table,
                                                       driver_string_t *key,
                                                       exports_pontoon_driver_table_watcher_table_event_t *event,
                                                       exports_pontoon_driver_table_watcher_error_t *err) {
  driver_list_u8_t *gone = NULL, *came = NULL;
  if (event->tag == PONTOON_DRIVER_TYPES_TABLE_EVENT_CREATED) came = &event->val.created;
  if (event->tag == PONTOON_DRIVER_TYPES_TABLE_EVENT_DELETED) gone = &event->val.deleted;
  if (event->tag == PONTOON_DRIVER_TYPES_TABLE_EVENT_UPDATED) {
    gone = &event->val.updated.previous;
    came = &event->val.updated.value;
  }
  pontoon_link link;
  struct peer peer;
  if (!pontoon_get_link(name("mx", network), NULL, &link, err)) return false;
  if (gone && read_peer(gone, &peer) && !connect_peer(&peer, link, false, err)) return false;
  if (!came) return true;
  if (read_peer(came, &peer)) return connect_peer(&peer, link, true, err);
  /* An error would bring the same entry again. */
  pontoon_log(PONTOON_DRIVER_LOG_LEVEL_WARN, "%s: %s is no entry of this driver's", TABLE, pontoon_chars(key));
  return true;
}

bool exports_pontoon_driver_table_watcher_decode_table_entry(
    driver_string_t *table, driver_string_t *key, driver_list_u8_t *value,
    exports_pontoon_driver_table_watcher_tuple2_string_text_map_t *ret,
    exports_pontoon_driver_table_watcher_error_t *err) {
  struct peer peer;
  if (!read_peer(value, &peer))
    return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INVALID_ARGUMENT, "no MAC, host and addresses");
  char host[PONTOON_ADDRESS_SIZE];
  ret->f0 = pontoon_format("a container on %s", pontoon_address_text(&peer.host, host));
  ret->f1 = (pontoon_texts){pontoon_allocate(2 * sizeof *ret->f1.ptr), 2};
  ret->f1.ptr[0].f0 = pontoon_format("mac");
  ret->f1.ptr[0].f1 = mac_text(&peer.mac);
  ret->f1.ptr[1].f0 = pontoon_format("addresses");
  ret->f1.ptr[1].f1 = addresses_text(&peer);
  return true;
}
