#include "bridge.h"

#define PROPERTY(name) PONTOON_DRIVER_NFTABLES_PROPERTY_##name
/* Rules that the host takes at once. */
#define RULES 1000

typedef pontoon_driver_nftables_condition_t condition;
typedef pontoon_driver_nftables_chain_t chain;
typedef pontoon_driver_nftables_verdict_t verdict;

static const chain forward = {PONTOON_DRIVER_NFTABLES_CHAIN_TYPE_FILTER, PONTOON_DRIVER_NFTABLES_HOOK_FORWARD, 0};
static const chain raw_prerouting = {PONTOON_DRIVER_NFTABLES_CHAIN_TYPE_FILTER, PONTOON_DRIVER_NFTABLES_HOOK_PREROUTING,
                                     -300};
static const chain nat_prerouting = {PONTOON_DRIVER_NFTABLES_CHAIN_TYPE_NAT, PONTOON_DRIVER_NFTABLES_HOOK_PREROUTING,
                                     -100};
static const chain nat_output = {PONTOON_DRIVER_NFTABLES_CHAIN_TYPE_NAT, PONTOON_DRIVER_NFTABLES_HOOK_OUTPUT, -100};
static const chain nat_postrouting = {PONTOON_DRIVER_NFTABLES_CHAIN_TYPE_NAT, PONTOON_DRIVER_NFTABLES_HOOK_POSTROUTING,
                                      100};

static const verdict accept = {.tag = PONTOON_DRIVER_NFTABLES_VERDICT_ACCEPT};
static const verdict drop = {.tag = PONTOON_DRIVER_NFTABLES_VERDICT_DROP};
static const verdict masquerade = {.tag = PONTOON_DRIVER_NFTABLES_VERDICT_MASQUERADE};

static condition not(condition it) {
  it.negated = true;
  return it;
}

static condition from(pontoon_network network) {
  return (condition){.property = {PROPERTY(SOURCE), {.source = network}}};
}

static condition to(pontoon_network network) {
  return (condition){.property = {PROPERTY(DESTINATION), {.destination = network}}};
}

/* Rules that are being gathered. */
struct gathered {
  pontoon_driver_nftables_list_rule_t list;
  size_t room;
};

static struct gathered gather(size_t room) {
  return (struct gathered){{pontoon_allocate(room * sizeof(pontoon_driver_nftables_rule_t)), 0}, room};
}

static void add(struct gathered *rules, chain chain, verdict verdict, size_t count, const condition conditions[]) {
  if (rules->list.len == rules->room) pontoon_panic("more than %zu rules", rules->room);
  condition *copy = pontoon_allocate(count * sizeof *copy);
  for (size_t i = 0; i < count; i++) copy[i] = conditions[i];
  rules->list.ptr[rules->list.len++] = (pontoon_driver_nftables_rule_t){chain, {copy, count}, verdict};
}

/* The conditions of a rule, as its last arguments. */
#define WHEN(...) \
  sizeof((condition[]){__VA_ARGS__}) / sizeof(condition), (condition[]) { __VA_ARGS__ }

bool rules_of_network(struct network *network, pontoon_driver_links_borrow_link_t bridge, pontoon_error *err) {
  static const uint8_t loopback_bytes[] = {127, 0, 0, 0};
  const pontoon_network loopback = {pontoon_address_of(loopback_bytes, 4), 8};
  const condition in = {.property = {PROPERTY(INPUT_LINK), {.input_link = bridge}}};
  const condition out = {.property = {PROPERTY(OUTPUT_LINK), {.output_link = bridge}}};
  const condition translated = {.property = {.tag = PROPERTY(DESTINATION_TRANSLATED)}};
  const condition answers = {.property = {PROPERTY(CONNECTION),
                                          {.connection = PONTOON_DRIVER_NFTABLES_CONNECTION_STATES_ESTABLISHED |
                                                         PONTOON_DRIVER_NFTABLES_CONNECTION_STATES_RELATED}}};
  struct gathered rules = gather(NETWORK_RULES);
  if (network->internal) {
    add(&rules, forward, drop, WHEN(in, not(out)));
    add(&rules, forward, drop, WHEN(out, not(in)));
  } else {
    /* Into the network come answers and what was sent to a published port, and nothing else. */
    add(&rules, forward, accept, WHEN(out, answers));
    add(&rules, forward, accept, WHEN(out, translated));
    add(&rules, forward, drop, WHEN(out, not(in)));
    for (int i = 0; i < 2; i++) {
      const struct subnet *subnet = &network->subnets[i];
      if (!subnet->is_there) continue;
      if (network->options.masquerade) add(&rules, nat_postrouting, masquerade, WHEN(from(subnet->pool), not(out)));
      /* A container that uses a published port of its own network has to get its answer through the host as well. */
      add(&rules, nat_postrouting, masquerade, WHEN(from(subnet->pool), to(subnet->pool), translated));
    }
    if (network->subnets[0].is_there) {
      /* Ports that are published on 127.0.0.1: the container can't answer to that address, and must not send to it. */
      add(&rules, nat_postrouting, masquerade, WHEN(from(loopback), out));
      add(&rules, raw_prerouting, drop, WHEN(in, to(loopback)));
    }
  }
  /* Ports are isolated, but a packet that is sent to the gateway would be routed back. */
  if (!network->options.icc) add(&rules, forward, drop, WHEN(in, out));
  pontoon_driver_nftables_list_rule_id_t ids;
  if (!pontoon_driver_nftables_add(NULL, &rules.list, &ids, err)) return false;
  network->rule_count = ids.len;
  for (size_t i = 0; i < ids.len && i < NETWORK_RULES; i++) network->rules[i] = ids.ptr[i];
  return true;
}

/* What is sent to a published port goes to the container: from outside, and from the host itself. */
static void of_port(struct gathered *rules, const struct published *port) {
  condition destination = {.property = {.tag = PROPERTY(DESTINATION_LOCAL)}};
  if (!pontoon_is_unspecified(&port->host)) {
    bool is_ipv4 = port->host.tag == PONTOON_DRIVER_TYPES_IP_ADDRESS_IPV4;
    destination = to((pontoon_network){port->host, is_ipv4 ? 32 : 128});
  }
  const condition protocol = {.property = {PROPERTY(PROTOCOL), {.protocol = port->protocol}}};
  const condition host_port = {
      .property = {PROPERTY(DESTINATION_PORT), {.destination_port = {port->host_port, port->host_port}}}};
  const verdict target = {PONTOON_DRIVER_NFTABLES_VERDICT_DESTINATION_NAT,
                          {.destination_nat = {port->container, {true, port->container_port}}}};
  add(rules, nat_prerouting, target, WHEN(destination, protocol, host_port));
  add(rules, nat_output, target, WHEN(destination, protocol, host_port));
}

bool rules_of_ports(const struct published *ports, size_t count, pontoon_error *err) {
  while (count) {
    struct gathered rules = gather(RULES);
    for (; count && rules.list.len + 2 <= RULES; ports++, count--) of_port(&rules, ports);
    pontoon_driver_nftables_list_rule_id_t ids;
    if (!pontoon_driver_nftables_add(NULL, &rules.list, &ids, err)) return false;
  }
  return true;
}

bool rules_forget(pontoon_error *err) {
  pontoon_driver_nftables_list_rule_id_t rules;
  if (!pontoon_driver_nftables_list(&rules, err)) return false; /* An endpoint has no other rules. */
  while (rules.len) {
    pontoon_driver_nftables_list_rule_id_t some = {rules.ptr, rules.len < RULES ? rules.len : RULES};
    if (!pontoon_driver_nftables_remove(&some, err)) return false;
    rules.ptr += some.len;
    rules.len -= some.len;
  }
  return true;
}
