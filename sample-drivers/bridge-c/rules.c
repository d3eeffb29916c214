#include "bridge.h"

bool rules_of_network(struct network *network, pontoon_link bridge, pontoon_error *err) {
  static const uint8_t loopback_bytes[] = {127, 0, 0, 0};
  const pontoon_network loopback = {pontoon_address_of(loopback_bytes, 4), 8};
  const pontoon_condition in = pontoon_input_link(bridge), out = pontoon_output_link(bridge);
  struct pontoon_rules rules = {0};
  if (network->internal) {
    pontoon_rule(&rules, PONTOON_FORWARD, PONTOON_DROP, PONTOON_WHEN(in, pontoon_not(out)));
    pontoon_rule(&rules, PONTOON_FORWARD, PONTOON_DROP, PONTOON_WHEN(out, pontoon_not(in)));
  } else {
    /* Into the network come answers and what was sent to a published port, and nothing else. */
    pontoon_rule(&rules, PONTOON_FORWARD, PONTOON_ACCEPT, PONTOON_WHEN(out, PONTOON_ESTABLISHED_RELATED));
    pontoon_rule(&rules, PONTOON_FORWARD, PONTOON_ACCEPT, PONTOON_WHEN(out, PONTOON_DESTINATION_TRANSLATED));
    pontoon_rule(&rules, PONTOON_FORWARD, PONTOON_DROP, PONTOON_WHEN(out, pontoon_not(in)));
    for (int i = 0; i < 2; i++) {
      const struct subnet *subnet = &network->subnets[i];
      if (!subnet->is_there) continue;
      const pontoon_condition from = pontoon_source(subnet->pool), to = pontoon_destination(subnet->pool);
      if (network->options.masquerade)
        pontoon_rule(&rules, PONTOON_NAT_POSTROUTING, PONTOON_MASQUERADE, PONTOON_WHEN(from, pontoon_not(out)));
      /* A container that uses a published port of its own network has to get its answer through the host as well. */
      pontoon_rule(&rules, PONTOON_NAT_POSTROUTING, PONTOON_MASQUERADE,
                   PONTOON_WHEN(from, to, PONTOON_DESTINATION_TRANSLATED));
    }
    if (network->subnets[0].is_there) {
      /* Ports that are published on 127.0.0.1: the container can't answer to that address, and must not send to it. */
      pontoon_rule(&rules, PONTOON_NAT_POSTROUTING, PONTOON_MASQUERADE, PONTOON_WHEN(pontoon_source(loopback), out));
      pontoon_rule(&rules, PONTOON_RAW_PREROUTING, PONTOON_DROP, PONTOON_WHEN(in, pontoon_destination(loopback)));
    }
  }
  /* Ports are isolated, but a packet that is sent to the gateway would be routed back. */
  if (!network->options.icc) pontoon_rule(&rules, PONTOON_FORWARD, PONTOON_DROP, PONTOON_WHEN(in, out));
  pontoon_rule_ids ids;
  if (!pontoon_add_rules(&rules, &ids, err)) return false;
  network->rule_count = ids.len;
  for (size_t i = 0; i < ids.len && i < NETWORK_RULES; i++) network->rules[i] = ids.ptr[i];
  return true;
}

/* What is sent to a published port goes to the container: from outside, and from the host itself. */
static void of_port(struct pontoon_rules *rules, const struct published *port) {
  pontoon_condition destination = PONTOON_DESTINATION_LOCAL;
  if (!pontoon_is_unspecified(&port->host)) {
    bool is_ipv4 = port->host.tag == PONTOON_DRIVER_TYPES_IP_ADDRESS_IPV4;
    destination = pontoon_destination((pontoon_network){port->host, is_ipv4 ? 32 : 128});
  }
  const pontoon_condition protocol = pontoon_protocol(port->protocol);
  const pontoon_condition host_port = pontoon_destination_port(port->host_port, port->host_port);
  const pontoon_verdict target = pontoon_destination_nat(port->container, port->container_port);
  pontoon_rule(rules, PONTOON_NAT_PREROUTING, target, PONTOON_WHEN(destination, protocol, host_port));
  pontoon_rule(rules, PONTOON_NAT_OUTPUT, target, PONTOON_WHEN(destination, protocol, host_port));
}

bool rules_of_ports(const struct published *ports, size_t count, pontoon_error *err) {
  struct pontoon_rules rules = {0};
  for (size_t i = 0; i < count; i++) of_port(&rules, &ports[i]);
  pontoon_rule_ids ids;
  return pontoon_add_rules(&rules, &ids, err);
}

bool rules_forget(pontoon_error *err) {
  pontoon_rule_ids rules;
  return pontoon_driver_nftables_list(&rules, err) && /* An endpoint has no other rules. */
         pontoon_remove_rules(rules, err);
}
