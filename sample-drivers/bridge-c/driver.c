/* The exported functions. */
#include <string.h>

#include "bridge.h"

typedef exports_pontoon_driver_driver_error_t error;

void exports_pontoon_driver_driver_register(exports_pontoon_driver_driver_registration_t *ret) {
  *ret = (exports_pontoon_driver_driver_registration_t){.network_type = pontoon_format("bridge")};
}

bool exports_pontoon_driver_driver_create_network(driver_string_t *network,
                                                  exports_pontoon_driver_driver_network_options_t *options,
                                                  exports_pontoon_driver_driver_borrow_network_info_t info,
                                                  exports_pontoon_driver_driver_list_ipam_data_t *ipv4,
                                                  exports_pontoon_driver_driver_list_ipam_data_t *ipv6, error *err) {
  return network_create(pontoon_chars(network), options, ipv4, ipv6, err);
}

bool exports_pontoon_driver_driver_delete_network(driver_string_t *network, error *err) {
  return network_delete(pontoon_chars(network), err);
}

bool exports_pontoon_driver_driver_create_endpoint(driver_string_t *network, driver_string_t *endpoint,
                                                   exports_pontoon_driver_driver_borrow_interface_info_t info,
                                                   exports_pontoon_driver_driver_endpoint_options_t *options,
                                                   error *err) {
  return endpoint_create(pontoon_chars(network), pontoon_chars(endpoint), info, options, err);
}

bool exports_pontoon_driver_driver_delete_endpoint(driver_string_t *network, driver_string_t *endpoint, error *err) {
  return endpoint_delete(pontoon_chars(network), pontoon_chars(endpoint), err);
}

bool exports_pontoon_driver_driver_endpoint_oper_info(driver_string_t *network, driver_string_t *endpoint,
                                                      exports_pontoon_driver_driver_text_map_t *ret, error *err) {
  return report(pontoon_chars(network), pontoon_chars(endpoint), ret, err);
}

bool exports_pontoon_driver_driver_join(driver_string_t *network, driver_string_t *endpoint, driver_string_t *sandbox,
                                        exports_pontoon_driver_driver_borrow_join_info_t info,
                                        exports_pontoon_driver_driver_endpoint_options_t *options, error *err) {
  return endpoint_join(pontoon_chars(network), pontoon_chars(endpoint), info, err);
}

static bool revoke(const driver_string_t *network, const driver_string_t *endpoint, error *err) {
  struct published *before;
  size_t count;
  return ports_revoke(pontoon_chars(network), pontoon_chars(endpoint), &before, &count, err);
}

bool exports_pontoon_driver_driver_leave(driver_string_t *network, driver_string_t *endpoint, error *err) {
  return revoke(network, endpoint, err);
}

static enum gateway whose(const driver_string_t *gateway, const char *endpoint) {
  if (!gateway) return MISSING;
  return strcmp(pontoon_chars(gateway), endpoint) ? OTHER : OWN;
}

bool exports_pontoon_driver_external_connectivity_program_external_connectivity(
    driver_string_t *network, driver_string_t *endpoint, driver_string_t *gateway_ipv4, driver_string_t *gateway_ipv6,
    exports_pontoon_driver_external_connectivity_endpoint_options_t *options, error *err) {
  const char *id = pontoon_chars(endpoint);
  const enum gateway gateways[2] = {whose(gateway_ipv4, id), whose(gateway_ipv6, id)};
  return ports_publish(pontoon_chars(network), id, gateways, options, err);
}

bool exports_pontoon_driver_external_connectivity_revoke_external_connectivity(driver_string_t *network,
                                                                               driver_string_t *endpoint, error *err) {
  return revoke(network, endpoint, err);
}

bool exports_pontoon_driver_ipv6_releaser_release_ipv6(driver_string_t *network, driver_string_t *endpoint,
                                                       error *err) {
  return endpoint_release_ipv6(pontoon_chars(network), pontoon_chars(endpoint), err);
}

bool exports_pontoon_driver_gateway_allocation_checker_skip_gateway_allocation(
    exports_pontoon_driver_gateway_allocation_checker_network_options_t *options,
    exports_pontoon_driver_gateway_allocation_checker_skip_gateway_t *ret, error *err) {
  struct options read;
  if (!options_read(&options->generic, &read, err)) return false;
  *ret = (exports_pontoon_driver_gateway_allocation_checker_skip_gateway_t){.ipv4 = read.inhibit_ipv4};
  return true;
}
