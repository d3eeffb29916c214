#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bridge.h"

/* Room for a port as JSON. */
#define PORT_SIZE 256

/* A text that grows, in room that was counted before. */
struct text {
  char *chars;
  size_t size, length;
};

static void append(struct text *text, const char *format, ...) {
  va_list values;
  va_start(values, format);
  text->length += vsnprintf(text->chars + text->length, text->size - text->length, format, values);
  va_end(values);
  if (text->length >= text->size) pontoon_panic("a report of more than %zu bytes", text->size);
}

static struct text text_for(size_t ports) {
  size_t size = PORT_SIZE * (ports + 1);
  return (struct text){pontoon_allocate(size), size, 0};
}

/* libnetwork's types.TransportPort. */
static struct text exposed_json(const pontoon_driver_types_transport_port_t *ports, size_t count) {
  struct text text = text_for(count);
  append(&text, "[");
  for (size_t i = 0; i < count; i++)
    append(&text, "%s{\"Proto\":%u,\"Port\":%u}", i ? "," : "", ports[i].protocol, ports[i].port);
  append(&text, "]");
  return text;
}

/* libnetwork's types.PortBinding. */
static struct text published_json(const struct published *ports, size_t count) {
  struct text text = text_for(count);
  char host[PONTOON_ADDRESS_SIZE], container[PONTOON_ADDRESS_SIZE];
  append(&text, "[");
  for (size_t i = 0; i < count; i++)
    append(&text, "%s{\"Proto\":%u,\"IP\":\"%s\",\"Port\":%u,\"HostIP\":\"%s\",\"HostPort\":%u,\"HostPortEnd\":%u}",
           i ? "," : "", ports[i].protocol, pontoon_address_text(&ports[i].container, container),
           ports[i].container_port, pontoon_address_text(&ports[i].host, host), ports[i].host_port, ports[i].host_port);
  append(&text, "]");
  return text;
}

/* MAC address, exposed and published ports of an endpoint, in the words of libnetwork's bridge driver. */
bool report(const char *network, const char *id, pontoon_texts *ret, pontoon_error *err) {
  struct endpoint *endpoint;
  pontoon_driver_types_transport_port_t *exposed;
  struct published *published;
  size_t exposed_count, published_count;
  if (!endpoint_find(network, id, &endpoint, err)) return false;
  if (!pontoon_load_version(endpoint_key("exposed", network, id), VERSION, sizeof *exposed, (void **)&exposed,
                            &exposed_count, err))
    return false;
  if (!pontoon_load_version(endpoint_key("published", network, id), VERSION, sizeof *published, (void **)&published,
                            &published_count, err))
    return false;
  const pontoon_mac *m = &endpoint->mac;
  driver_tuple2_string_string_t entries[] = {
      {pontoon_format("com.docker.network.endpoint.macaddress"),
       pontoon_format("\"%02x:%02x:%02x:%02x:%02x:%02x\"", m->f0, m->f1, m->f2, m->f3, m->f4, m->f5)},
      {pontoon_format("com.docker.network.endpoint.exposedports"),
       pontoon_format("%s", exposed_json(exposed, exposed_count).chars)},
      {pontoon_format("com.docker.network.portmap"),
       pontoon_format("%s", published_json(published, published_count).chars)},
  };
  /* The host frees it. */
  ret->ptr = pontoon_allocate(sizeof entries);
  ret->len = sizeof entries / sizeof *entries;
  memcpy(ret->ptr, entries, sizeof entries);
  return true;
}
