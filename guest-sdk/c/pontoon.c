#include "pontoon.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *pontoon_allocate(size_t size) {
  void *memory = malloc(size ? size : 1);
  if (!memory) pontoon_panic("out of memory: %zu bytes", size);
  return memory;
}

static pontoon_string format_list(const char *format, va_list values) {
  va_list again;
  va_copy(again, values);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (length < 0) pontoon_panic("not a format: %s", format);
  char *text = pontoon_allocate(length + 1);
  vsnprintf(text, length + 1, format, values);
  return (pontoon_string){(uint8_t *)text, length};
}

pontoon_string pontoon_text(const char *text) { return (pontoon_string){(uint8_t *)text, strlen(text)}; }

pontoon_string pontoon_format(const char *format, ...) {
  va_list values;
  va_start(values, format);
  pontoon_string text = format_list(format, values);
  va_end(values);
  return text;
}

char *pontoon_chars(const pontoon_string *text) {
  char *chars = pontoon_allocate(text->len + 1);
  memcpy(chars, text->ptr, text->len);
  chars[text->len] = 0;
  return chars;
}

bool pontoon_copy(char *array, size_t size, const pontoon_string *text) {
  if (text->len >= size) return false;
  memcpy(array, text->ptr, text->len);
  array[text->len] = 0;
  return true;
}

const pontoon_string *pontoon_find(const pontoon_texts *texts, const char *key) {
  for (size_t i = 0; i < texts->len; i++) {
    const pontoon_string *name = &texts->ptr[i].f0;
    if (name->len == strlen(key) && !memcmp(name->ptr, key, name->len)) return &texts->ptr[i].f1;
  }
  return NULL;
}

bool pontoon_fail(pontoon_error *err, pontoon_driver_types_error_kind_t kind, const char *format, ...) {
  va_list values;
  va_start(values, format);
  *err = (pontoon_error){.kind = kind, .message = format_list(format, values)};
  va_end(values);
  return false;
}

bool pontoon_context(pontoon_error *err, const char *words) {
  err->message = pontoon_format("%s: %.*s", words, (int)err->message.len, (const char *)err->message.ptr);
  return false;
}

void pontoon_log(pontoon_driver_log_level_t level, const char *format, ...) {
  va_list values;
  va_start(values, format);
  pontoon_string text = format_list(format, values);
  va_end(values);
  pontoon_driver_log_log(level, &text);
}

_Noreturn void pontoon_panic(const char *format, ...) {
  char text[512]; /* There may be no other memory. */
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  pontoon_string line = pontoon_text(text);
  pontoon_driver_log_log(PONTOON_DRIVER_LOG_LEVEL_ERROR, &line);
  __builtin_trap();
}

/* What a failed assert calls, instead of the library's own, which says it piece by piece. */
_Noreturn void __assert_fail(const char *condition, const char *file, int line, const char *function) {
  pontoon_panic("%s:%d: %s: %s does not hold", file, line, function, condition);
}

pontoon_mac pontoon_random_mac(void) {
  driver_list_u8_t b;
  pontoon_driver_random_bytes(6, &b);
  return (pontoon_mac){(b.ptr[0] & 0xfe) | 2, b.ptr[1], b.ptr[2], b.ptr[3], b.ptr[4], b.ptr[5]};
}

size_t pontoon_bytes(const pontoon_address *address, uint8_t bytes[16]) {
  if (address->tag == PONTOON_DRIVER_TYPES_IP_ADDRESS_IPV4) {
    memcpy(bytes, &address->val.ipv4, 4);
    return 4;
  }
  const uint16_t *groups = &address->val.ipv6.f0;
  for (int i = 0; i < 8; i++) {
    bytes[2 * i] = groups[i] >> 8;
    bytes[2 * i + 1] = groups[i] & 0xff;
  }
  return 16;
}

pontoon_address pontoon_address_of(const uint8_t *bytes, size_t count) {
  pontoon_address address = {.tag = count == 4 ? PONTOON_DRIVER_TYPES_IP_ADDRESS_IPV4
                                               : PONTOON_DRIVER_TYPES_IP_ADDRESS_IPV6};
  if (count == 4) {
    memcpy(&address.val.ipv4, bytes, 4);
    return address;
  }
  uint16_t *groups = &address.val.ipv6.f0;
  for (int i = 0; i < 8; i++) groups[i] = bytes[2 * i] << 8 | bytes[2 * i + 1];
  return address;
}

const char *pontoon_address_text(const pontoon_address *address, char text[PONTOON_ADDRESS_SIZE]) {
  uint8_t b[16];
  if (pontoon_bytes(address, b) == 4) {
    snprintf(text, PONTOON_ADDRESS_SIZE, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
    return text;
  }
  /* RFC 5952: the longest run of two or more zero groups, the first of equals, becomes "::". */
  const uint16_t *groups = &address->val.ipv6.f0;
  int start = -1, length = 1;
  for (int i = 0, run = 0; i < 8; i++) {
    run = groups[i] ? 0 : run + 1;
    if (run > length) {
      length = run;
      start = i - run + 1;
    }
  }
  size_t at = 0;
  for (int i = 0; i < 8; i++) {
    if (i == start) {
      at += snprintf(text + at, PONTOON_ADDRESS_SIZE - at, "::");
      i += length - 1;
    } else {
      const char *colon = i && i != start + length ? ":" : "";
      if (start < 0) colon = i ? ":" : "";
      at += snprintf(text + at, PONTOON_ADDRESS_SIZE - at, "%s%x", colon, groups[i]);
    }
  }
  return text;
}

const char *pontoon_network_text(const pontoon_network *network, char text[PONTOON_ADDRESS_SIZE]) {
  pontoon_address_text(&network->address, text);
  size_t at = strlen(text);
  snprintf(text + at, PONTOON_ADDRESS_SIZE - at, "/%u", network->prefix_length);
  return text;
}

bool pontoon_is_unspecified(const pontoon_address *address) {
  static const uint8_t zero[16];
  uint8_t bytes[16];
  return !memcmp(bytes, zero, pontoon_bytes(address, bytes));
}

static void mask(uint8_t *bytes, size_t count, size_t prefix) {
  for (size_t i = 0; i < count; i++) {
    size_t kept = prefix > 8 * i ? prefix - 8 * i : 0;
    if (kept < 8) bytes[i] &= 0xff00 >> kept;
  }
}

bool pontoon_overlaps(const pontoon_network *a, const pontoon_network *b) {
  uint8_t bytes[2][16];
  size_t count = pontoon_bytes(&a->address, bytes[0]);
  if (pontoon_bytes(&b->address, bytes[1]) != count) return false;
  size_t prefix = a->prefix_length < b->prefix_length ? a->prefix_length : b->prefix_length;
  mask(bytes[0], count, prefix);
  mask(bytes[1], count, prefix);
  return !memcmp(bytes[0], bytes[1], count);
}

pontoon_network pontoon_masked(pontoon_network network) {
  uint8_t bytes[16];
  size_t count = pontoon_bytes(&network.address, bytes);
  mask(bytes, count, network.prefix_length);
  network.address = pontoon_address_of(bytes, count);
  return network;
}

bool pontoon_load(const char *key, size_t size, void **values, size_t *count, pontoon_error *err) {
  pontoon_string name = pontoon_text(key);
  driver_option_list_u8_t stored;
  *values = NULL;
  *count = 0;
  if (!pontoon_driver_store_get(&name, &stored, err)) return false;
  if (!stored.is_some) return true;
  if (stored.val.len % size)
    return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INTERNAL, "the store's %s is not what this driver wrote",
                        key);
  *values = stored.val.ptr;
  *count = stored.val.len / size;
  return true;
}

bool pontoon_store(const char *key, size_t size, const void *values, size_t count, pontoon_error *err) {
  pontoon_string name = pontoon_text(key);
  driver_list_u8_t bytes = {(uint8_t *)values, size * count};
  return count ? pontoon_driver_store_set(&name, &bytes, err) : pontoon_driver_store_remove(&name, err);
}

bool pontoon_remove(const char *key, pontoon_error *err) { return pontoon_store(key, 1, NULL, 0, err); }

/* What stands before the values of a version: a mark, and the number. Eight bytes, so that what follows stays aligned. */
struct version {
  char mark[4];
  uint32_t number;
};
static const char MARK[4] = {'P', 'V', 0, 1};

/* What an author can do about values of another build. */
#define OTHER_BUILD "have it read that, too, or use another key"

bool pontoon_load_version(const char *key, uint32_t version, size_t size, void **values, size_t *count,
                          pontoon_error *err) {
  driver_list_u8_t bytes;
  *values = NULL;
  *count = 0;
  if (!pontoon_load(key, 1, (void **)&bytes.ptr, &bytes.len, err)) return false;
  return !bytes.len || pontoon_read_version(key, &bytes, version, size, values, count, err);
}

bool pontoon_read_version(const char *key, const driver_list_u8_t *bytes, uint32_t version, size_t size, void **values,
                          size_t *count, pontoon_error *err) {
  struct version written;
  if (bytes->len < sizeof written || memcmp(bytes->ptr, MARK, sizeof MARK))
    return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INTERNAL,
                        "the store's %s has no version, and this build of the driver reads version %u: " OTHER_BUILD, key,
                        (unsigned)version);
  memcpy(&written, bytes->ptr, sizeof written);
  if (written.number != version)
    return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INTERNAL,
                        "the store's %s has version %u, and this build of the driver reads version %u: " OTHER_BUILD, key,
                        (unsigned)written.number, (unsigned)version);
  if ((bytes->len - sizeof written) % size)
    return pontoon_fail(err, PONTOON_DRIVER_TYPES_ERROR_KIND_INTERNAL,
                        "the store's %s has version %u, and another size: choose the next version when a struct changes",
                        key, (unsigned)version);
  *values = bytes->ptr + sizeof written;
  *count = (bytes->len - sizeof written) / size;
  return true;
}

bool pontoon_store_version(const char *key, uint32_t version, size_t size, const void *values, size_t count,
                           pontoon_error *err) {
  struct version head = {.number = version};
  if (!count) return pontoon_store(key, 1, NULL, 0, err);
  uint8_t *bytes = pontoon_allocate(sizeof head + size * count);
  memcpy(head.mark, MARK, sizeof MARK);
  memcpy(bytes, &head, sizeof head);
  memcpy(bytes + sizeof head, values, size * count);
  return pontoon_store(key, 1, bytes, sizeof head + size * count, err);
}
