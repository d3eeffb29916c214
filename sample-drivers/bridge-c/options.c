#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"

#define BRIDGE "com.docker.network.bridge."

static const char MTU[] = "com.docker.network.driver.mtu";
static const char HOST_BINDING[] = BRIDGE "host_binding_ipv4";

/* A label's text; Docker takes an empty one for none. */
static const char *text_of(const pontoon_texts *labels, const char *key) {
  const pontoon_string *text = pontoon_find(labels, key);
  return text && text->len ? pontoon_chars(text) : NULL;
}

static bool read_name(const pontoon_texts *labels, const char *key, char name[NAME_SIZE], pontoon_error *err) {
  const char *text = text_of(labels, key);
  if (!text) return true;
  if (strlen(text) >= NAME_SIZE)
    return pontoon_fail(err, INVALID, "%s=\"%s\": the name of a link has at most %d bytes", key, text, NAME_SIZE - 1);
  strcpy(name, text);
  return true;
}

static bool is_one_of(const char *text, const char *const words[]) {
  for (; *words; words++)
    if (!strcmp(text, *words)) return true;
  return false;
}

/* The words that Go's strconv.ParseBool knows, and so Docker's users. */
static bool read_flag(const pontoon_texts *labels, const char *key, bool *flag, pontoon_error *err) {
  static const char *const yes[] = {"1", "t", "T", "true", "True", "TRUE", NULL}, *const no[] = {
                                                                                      "0",     "f",     "F", "false",
                                                                                      "False", "FALSE", NULL};
  const pontoon_string *label = pontoon_find(labels, key);
  if (!label) return true;
  const char *text = pontoon_chars(label);
  *flag = is_one_of(text, yes);
  return *flag || is_one_of(text, no) || pontoon_fail(err, INVALID, "%s=\"%s\": neither true nor false", key, text);
}

static bool read_mtu(const pontoon_texts *labels, uint32_t *mtu, pontoon_error *err) {
  const pontoon_string *label = pontoon_find(labels, MTU);
  if (!label) return true;
  const char *text = pontoon_chars(label);
  char *end;
  unsigned long long number = strtoull(text, &end, 10);
  /* 0 is Docker's word for the kernel's default. */
  if (*text < '0' || *text > '9' || *end || (number && (number < 68 || number > 65535)))
    return pontoon_fail(err, INVALID, "%s=\"%s\": an MTU is 68 to 65535 bytes", MTU, text);
  *mtu = number;
  return true;
}

static bool read_host_binding(const pontoon_texts *labels, struct options *options, pontoon_error *err) {
  const pontoon_string *label = pontoon_find(labels, HOST_BINDING);
  if (!label) return true;
  const char *text = pontoon_chars(label);
  unsigned byte[4];
  int length = 0;
  uint8_t bytes[4];
  char again[PONTOON_ADDRESS_SIZE];
  if (sscanf(text, "%3u.%3u.%3u.%3u%n", &byte[0], &byte[1], &byte[2], &byte[3], &length) == 4 && !text[length]) {
    for (int i = 0; i < 4; i++) bytes[i] = byte[i];
    options->host_binding = pontoon_address_of(bytes, 4);
    /* Only what is written as it is read: no number over 255, no zero before one. */
    if (!strcmp(pontoon_address_text(&options->host_binding, again), text)) {
      options->has_host_binding = !pontoon_is_unspecified(&options->host_binding);
      return true;
    }
  }
  return pontoon_fail(err, INVALID, "%s=\"%s\": no IPv4 address", HOST_BINDING, text);
}

bool options_read(const pontoon_texts *labels, struct options *options, pontoon_error *err) {
  static const char *const gateway_modes[] = {BRIDGE "gateway_mode_ipv4", BRIDGE "gateway_mode_ipv6"};
  *options = (struct options){.icc = true, .masquerade = true, .interface_prefix = "eth"};
  for (int i = 0; i < 2; i++) {
    const char *mode = text_of(labels, gateway_modes[i]);
    if (mode && strcmp(mode, "nat"))
      return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_NOT_IMPLEMENTED,
                          "%s=\"%s\": only \"nat\" is implemented", gateway_modes[i], mode);
  }
  static const char *const sources[] = {"com.docker.network.host_ipv4", "com.docker.network.host_ipv6"};
  for (int i = 0; i < 2; i++) {
    const char *address = text_of(labels, sources[i]);
    if (address)
      return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_NOT_IMPLEMENTED,
                          "%s=\"%s\": only the bridge in Rust implements it", sources[i], address);
  }
  return read_name(labels, BRIDGE "name", options->name, err) &&
         read_name(labels, "com.docker.network.container_iface_prefix", options->interface_prefix, err) &&
         read_flag(labels, BRIDGE "enable_icc", &options->icc, err) &&
         read_flag(labels, BRIDGE "enable_ip_masquerade", &options->masquerade, err) &&
         read_flag(labels, BRIDGE "inhibit_ipv4", &options->inhibit_ipv4, err) &&
         read_host_binding(labels, options, err) && read_mtu(labels, &options->mtu, err);
}
