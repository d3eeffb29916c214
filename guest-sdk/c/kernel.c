/* Links and rules: what pontoon.h says of them. */
#include <string.h>

#include "pontoon.h"

/* Rules that the host takes at once. */
#define AT_ONCE 1000

pontoon_driver_links_link_name_t pontoon_name(const char *name) {
  return (pontoon_driver_links_link_name_t){PONTOON_DRIVER_LINKS_LINK_NAME_EXACT, {.exact = pontoon_text(name)}};
}

pontoon_driver_links_link_name_t pontoon_prefix(const char *prefix) {
  return (pontoon_driver_links_link_name_t){PONTOON_DRIVER_LINKS_LINK_NAME_PREFIX, {.prefix = pontoon_text(prefix)}};
}

static bool add(pontoon_link_end end, pontoon_link_kind kind, pontoon_driver_links_added_link_t *made,
                pontoon_error *err) {
  pontoon_driver_links_link_spec_t spec = {end, kind};
  pontoon_driver_links_list_link_spec_t specs = {&spec, 1};
  pontoon_driver_links_list_added_link_t added;
  if (!pontoon_driver_links_add(&specs, &added, err)) return false;
  *made = added.ptr[0];
  return true;
}

bool pontoon_add_link(pontoon_link_end end, pontoon_link_kind kind, pontoon_link *link, pontoon_error *err) {
  pontoon_driver_links_added_link_t made;
  if (!add(end, kind, &made, err)) return false;
  *link = pontoon_driver_links_borrow_link(made.link);
  return true;
}

bool pontoon_add_bridge(pontoon_link_end end, pontoon_link *link, pontoon_error *err) {
  return pontoon_add_link(end, (pontoon_link_kind){.tag = PONTOON_DRIVER_LINKS_LINK_KIND_BRIDGE}, link, err);
}

bool pontoon_add_veth(pontoon_link_end end, pontoon_link_end peer, pontoon_link links[2], pontoon_error *err) {
  pontoon_driver_links_added_link_t made;
  pontoon_link_kind kind = {PONTOON_DRIVER_LINKS_LINK_KIND_VETH, {.veth = peer}};
  if (!add(end, kind, &made, err)) return false;
  if (!made.peer.is_some)
    return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INTERNAL, "a pair without another end");
  links[0] = pontoon_driver_links_borrow_link(made.link);
  links[1] = pontoon_driver_links_borrow_link(made.peer.val);
  return true;
}

bool pontoon_get_link(const char *name, pontoon_namespace *namespace, pontoon_link *link, pontoon_error *err) {
  pontoon_string text = pontoon_text(name);
  pontoon_driver_links_own_link_t own;
  if (!pontoon_driver_links_get(namespace, &text, &own, err)) return false;
  *link = pontoon_driver_links_borrow_link(own);
  return true;
}

bool pontoon_remove_link(const char *name, pontoon_error *err) {
  pontoon_link link;
  if (!pontoon_get_link(name, NULL, &link, err)) return err->kind == PONTOON_DRIVER_TYPES_ERROR_KIND_NOT_FOUND;
  return pontoon_driver_links_method_link_remove(link, err);
}

bool pontoon_sandbox_of_interface(pontoon_driver_capabilities_borrow_interface_info_t info,
                                  pontoon_namespace *sandbox) {
  pontoon_driver_capabilities_own_namespace_t own;
  if (!pontoon_driver_capabilities_method_interface_info_sandbox(info, &own)) return false;
  *sandbox = pontoon_driver_namespaces_borrow_namespace(own);
  return true;
}

bool pontoon_sandbox_of_join(pontoon_driver_capabilities_borrow_join_info_t info, pontoon_namespace *sandbox) {
  pontoon_driver_capabilities_own_namespace_t own;
  if (!pontoon_driver_capabilities_method_join_info_sandbox(info, &own)) return false;
  *sandbox = pontoon_driver_namespaces_borrow_namespace(own);
  return true;
}

bool pontoon_set_names(pontoon_driver_capabilities_borrow_join_info_t info, pontoon_link link, const char *prefix,
                       const char *name, pontoon_error *err) {
  pontoon_string start = pontoon_text(prefix), whole = pontoon_text(name ? name : "");
  pontoon_driver_capabilities_own_interface_name_info_t names =
      pontoon_driver_capabilities_method_join_info_interface_name(info);
  return pontoon_driver_capabilities_method_interface_name_info_set_names(
      pontoon_driver_capabilities_borrow_interface_name_info(names), link, &start, whole.len ? &whole : NULL, err);
}

#define CHAIN(type, hook, priority) \
  {PONTOON_DRIVER_NFTABLES_CHAIN_TYPE_##type, PONTOON_DRIVER_NFTABLES_HOOK_##hook, priority}
const pontoon_chain PONTOON_RAW_PREROUTING = CHAIN(FILTER, PREROUTING, -300);
const pontoon_chain PONTOON_FORWARD = CHAIN(FILTER, FORWARD, 0);
const pontoon_chain PONTOON_OUTPUT = CHAIN(FILTER, OUTPUT, 0);
const pontoon_chain PONTOON_NAT_PREROUTING = CHAIN(NAT, PREROUTING, -100);
const pontoon_chain PONTOON_NAT_OUTPUT = CHAIN(NAT, OUTPUT, -100);
const pontoon_chain PONTOON_NAT_POSTROUTING = CHAIN(NAT, POSTROUTING, 100);

const pontoon_verdict PONTOON_ACCEPT = {.tag = PONTOON_DRIVER_NFTABLES_VERDICT_ACCEPT};
const pontoon_verdict PONTOON_DROP = {.tag = PONTOON_DRIVER_NFTABLES_VERDICT_DROP};
const pontoon_verdict PONTOON_MASQUERADE = {.tag = PONTOON_DRIVER_NFTABLES_VERDICT_MASQUERADE};

pontoon_verdict pontoon_destination_nat(pontoon_address address, uint16_t port) {
  return (pontoon_verdict){PONTOON_DRIVER_NFTABLES_VERDICT_DESTINATION_NAT,
                           {.destination_nat = {address, {port != 0, port}}}};
}

pontoon_verdict pontoon_source_nat(pontoon_address address, uint16_t port) {
  return (pontoon_verdict){PONTOON_DRIVER_NFTABLES_VERDICT_SOURCE_NAT, {.source_nat = {address, {port != 0, port}}}};
}

#define PROPERTY(name, ...) {.property = {.tag = PONTOON_DRIVER_NFTABLES_PROPERTY_##name, __VA_ARGS__}}
const pontoon_condition PONTOON_DESTINATION_LOCAL = PROPERTY(DESTINATION_LOCAL, );
const pontoon_condition PONTOON_DESTINATION_TRANSLATED = PROPERTY(DESTINATION_TRANSLATED, );
const pontoon_condition PONTOON_ESTABLISHED_RELATED =
    PROPERTY(CONNECTION, .val.connection = PONTOON_DRIVER_NFTABLES_CONNECTION_STATES_ESTABLISHED |
                                           PONTOON_DRIVER_NFTABLES_CONNECTION_STATES_RELATED);

pontoon_condition pontoon_input_link(pontoon_link link) {
  return (pontoon_condition)PROPERTY(INPUT_LINK, .val.input_link = link);
}

pontoon_condition pontoon_output_link(pontoon_link link) {
  return (pontoon_condition)PROPERTY(OUTPUT_LINK, .val.output_link = link);
}

pontoon_condition pontoon_source(pontoon_network network) {
  return (pontoon_condition)PROPERTY(SOURCE, .val.source = network);
}

pontoon_condition pontoon_destination(pontoon_network network) {
  return (pontoon_condition)PROPERTY(DESTINATION, .val.destination = network);
}

pontoon_condition pontoon_protocol(uint8_t number) {
  return (pontoon_condition)PROPERTY(PROTOCOL, .val.protocol = number);
}

pontoon_condition pontoon_destination_port(uint16_t first, uint16_t last) {
  return (pontoon_condition)PROPERTY(DESTINATION_PORT, .val.destination_port = {first, last});
}

pontoon_condition pontoon_not(pontoon_condition condition) {
  condition.negated = true;
  return condition;
}

void pontoon_rule(struct pontoon_rules *rules, pontoon_chain chain, pontoon_verdict verdict, size_t count,
                  const pontoon_condition conditions[]) {
  if (rules->list.len == rules->room) {
    rules->room = rules->room ? 2 * rules->room : 16;
    pontoon_driver_nftables_rule_t *more = pontoon_allocate(rules->room * sizeof *more);
    if (rules->list.len) memcpy(more, rules->list.ptr, rules->list.len * sizeof *more);
    rules->list.ptr = more;
  }
  pontoon_condition *copy = pontoon_allocate(count * sizeof *copy);
  memcpy(copy, conditions, count * sizeof *copy);
  rules->list.ptr[rules->list.len++] = (pontoon_driver_nftables_rule_t){chain, {copy, count}, verdict};
}

bool pontoon_add_rules(const struct pontoon_rules *rules, pontoon_rule_ids *ids, pontoon_error *err) {
  *ids = (pontoon_rule_ids){pontoon_allocate(rules->list.len * sizeof *ids->ptr), 0};
  for (size_t at = 0; at < rules->list.len; at += AT_ONCE) {
    size_t left = rules->list.len - at;
    pontoon_driver_nftables_list_rule_t some = {rules->list.ptr + at, left < AT_ONCE ? left : AT_ONCE};
    pontoon_rule_ids added;
    if (!pontoon_driver_nftables_add(NULL, &some, &added, err)) return false;
    memcpy(ids->ptr + ids->len, added.ptr, added.len * sizeof *ids->ptr);
    ids->len += added.len;
  }
  return true;
}

bool pontoon_remove_rules(pontoon_rule_ids ids, pontoon_error *err) {
  for (size_t at = 0; at < ids.len; at += AT_ONCE) {
    pontoon_rule_ids some = {ids.ptr + at, ids.len - at < AT_ONCE ? ids.len - at : AT_ONCE};
    if (!pontoon_driver_nftables_remove(&some, err)) return false;
  }
  return true;
}
