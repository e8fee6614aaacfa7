/* hdr_codec.c: a histogram as text, the V2 form of HdrHistogram: big-endian header, counters as
 * ZigZag LEB128 with runs of zeros folded, zlib, base64. Decoding trusts nothing: a checked header
 * bounds what is allocated and inflated. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "hdr/hdr.h"

enum {
  COOKIE = 0x1c849313,            /* V2, counters in at most 9 bytes each */
  COOKIE_COMPRESSED = 0x1c849314, /* the wrapper around the zlib stream */
  HEADER_BYTES = 40,
  WRAPPER_BYTES = 8,
  COUNTER_BYTES = 9, /* of a counter at most: the ninth byte carries 8 bits */
};

static unsigned char *put_big_endian(unsigned char *to, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; i--)
    *to++ = (unsigned char)(value >> (8 * i));
  return to;
}

static uint64_t get_big_endian(const unsigned char *from, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++)
    value = value << 8 | from[i];
  return value;
}

static unsigned char *put_zigzag(unsigned char *to, int64_t value) {
  uint64_t u = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
  for (int i = 0; i < COUNTER_BYTES - 1; i++) {
    if (u < 0x80) {
      *to++ = (unsigned char)u;
      return to;
    }
    *to++ = (unsigned char)(u | 0x80);
    u >>= 7;
  }
  *to++ = (unsigned char)u;
  return to;
}

/* Returns the bytes read; 0: the input ends too early. */
static size_t get_zigzag(const unsigned char *from, size_t bytes, int64_t *value) {
  uint64_t u = 0;
  for (size_t i = 0; i < bytes && i < COUNTER_BYTES; i++) {
    bool last = i == COUNTER_BYTES - 1;
    u |= (uint64_t)(last ? from[i] : from[i] & 0x7f) << (7 * i);
    if (last || !(from[i] & 0x80)) {
      *value = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
      return i + 1;
    }
  }
  return 0;
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *base64_encode(const unsigned char *from, size_t bytes) {
  char *text = malloc((bytes + 2) / 3 * 4 + 1);
  if (text == NULL)
    return NULL;
  char *to = text;
  for (size_t i = 0; i < bytes; i += 3) {
    size_t left = bytes - i;
    unsigned group = (unsigned)from[i] << 16 | (left > 1 ? (unsigned)from[i + 1] << 8 : 0) |
                     (left > 2 ? (unsigned)from[i + 2] : 0);
    *to++ = base64[group >> 18];
    *to++ = base64[group >> 12 & 63];
    *to++ = left > 1 ? base64[group >> 6 & 63] : '=';
    *to++ = left > 2 ? base64[group & 63] : '=';
  }
  *to = 0;
  return text;
}

/* Returns the bytes written (at most length/4·3); 0: not base64. */
static size_t base64_decode(unsigned char *to, const char *text, size_t length) {
  size_t bytes = 0;
  if (length % 4 != 0)
    return 0;
  for (size_t i = 0; i < length; i += 4) {
    unsigned group = 0;
    int padding = 0;
    for (size_t k = 0; k < 4; k++) {
      const char *digit = text[i + k] != 0 ? strchr(base64, text[i + k]) : NULL;
      if (text[i + k] == '=' && k >= 2 && i + 4 == length)
        padding++;
      else if (digit == NULL || padding > 0)
        return 0;
      group = group << 6 | (digit != NULL ? (unsigned)(digit - base64) : 0);
    }
    to[bytes++] = (unsigned char)(group >> 16);
    if (padding < 2)
      to[bytes++] = (unsigned char)(group >> 8);
    if (padding < 1)
      to[bytes++] = (unsigned char)group;
  }
  return bytes;
}

static unsigned char *put_counters(unsigned char *to, const struct mux_hdr *h) {
  int32_t length = mux_hdr_index(h, h->max) + 1;
  for (int32_t i = 0; i < length;) {
    int32_t zeros = 0;
    while (i + zeros < length && h->counts[i + zeros] == 0)
      zeros++;
    if (zeros > 1) {
      to = put_zigzag(to, -zeros);
      i += zeros;
    } else {
      to = put_zigzag(to, h->counts[i++]);
    }
  }
  return to;
}

char *mux_hdr_encode(const struct mux_hdr *h) {
  size_t most = HEADER_BYTES + (size_t)(mux_hdr_index(h, h->max) + 1) * COUNTER_BYTES;
  uLongf packed_bytes = compressBound((uLong)most);
  unsigned char *plain = malloc(most);
  unsigned char *packed = malloc(WRAPPER_BYTES + packed_bytes);
  char *text = NULL;
  if (plain == NULL || packed == NULL)
    goto out;
  double ratio = 1.0;
  uint64_t ratio_bits;
  memcpy(&ratio_bits, &ratio, sizeof ratio_bits);
  unsigned char *end = put_counters(plain + HEADER_BYTES, h);
  unsigned char *p = put_big_endian(plain, COOKIE, 4);
  p = put_big_endian(p, (uint64_t)(end - plain - HEADER_BYTES), 4);
  p = put_big_endian(p, 0, 4); /* normalizing index offset */
  p = put_big_endian(p, (uint64_t)h->digits, 4);
  p = put_big_endian(p, (uint64_t)h->lowest, 8);
  p = put_big_endian(p, (uint64_t)h->highest, 8);
  put_big_endian(p, ratio_bits, 8);
  if (compress2(packed + WRAPPER_BYTES, &packed_bytes, plain, (uLong)(end - plain), 1) != Z_OK)
    goto out;
  put_big_endian(put_big_endian(packed, COOKIE_COMPRESSED, 4), packed_bytes, 4);
  text = base64_encode(packed, WRAPPER_BYTES + packed_bytes);
out:
  free(plain);
  free(packed);
  return text;
}

/* Fills the counters from the payload. False if there are too many, or their total does not fit. */
static bool get_counters(struct mux_hdr *h, const unsigned char *from, size_t bytes) {
  int64_t i = 0;
  while (bytes > 0) {
    int64_t count;
    size_t used = get_zigzag(from, bytes, &count);
    if (used == 0)
      return false;
    from += used;
    bytes -= used;
    if (count < 0) {
      if (count < -(h->counts_length - i))
        return false;
      i -= count;
      continue;
    }
    if (i >= h->counts_length || count > INT64_MAX - h->total)
      return false;
    if (count > 0) {
      int64_t low = mux_hdr_lowest_at(h, (int32_t)i);
      int64_t high = mux_hdr_highest_at(h, (int32_t)i);
      h->counts[i] = count;
      h->total += count;
      h->sum += (__int128)(low + (high - low) / 2) * count;
      h->min = low < h->min ? low : h->min;
      h->max = high;
    }
    i++;
  }
  h->clamped = h->counts[mux_hdr_index(h, h->highest)];
  return true;
}

/* Inflates exactly `bytes`. False if the stream has fewer or is damaged. */
static bool inflate_exactly(z_stream *stream, unsigned char *to, size_t bytes) {
  stream->next_out = to;
  stream->avail_out = (uInt)bytes;
  int rc = Z_OK;
  while (stream->avail_out > 0 && rc == Z_OK)
    rc = inflate(stream, Z_NO_FLUSH);
  return stream->avail_out == 0;
}

static struct mux_hdr *decode_stream(z_stream *stream) {
  unsigned char header[HEADER_BYTES];
  errno = EINVAL;
  if (!inflate_exactly(stream, header, sizeof header) || get_big_endian(header, 4) != COOKIE ||
      get_big_endian(header + 8, 4) != 0)
    return NULL;
  uint64_t payload_bytes = get_big_endian(header + 4, 4);
  uint64_t digits = get_big_endian(header + 12, 4);
  struct mux_hdr *h = digits > 5
                          ? NULL
                          : mux_hdr_new((int64_t)get_big_endian(header + 16, 8),
                                        (int64_t)get_big_endian(header + 24, 8), (int)digits);
  if (h == NULL)
    return NULL;
  unsigned char *payload = NULL;
  bool good = payload_bytes <= (uint64_t)h->counts_length * COUNTER_BYTES;
  if (good) {
    payload = malloc(payload_bytes + 1);
    good = payload != NULL && inflate_exactly(stream, payload, payload_bytes) &&
           get_counters(h, payload, payload_bytes);
    if (payload != NULL)
      errno = EINVAL;
  }
  free(payload);
  if (good)
    return h;
  mux_hdr_free(h);
  return NULL;
}

struct mux_hdr *mux_hdr_decode(const char *text, size_t length) {
  unsigned char *packed = malloc(length / 4 * 3 + 1);
  if (packed == NULL)
    return NULL;
  struct mux_hdr *h = NULL;
  size_t bytes = base64_decode(packed, text, length);
  int error = EINVAL;
  if (bytes > WRAPPER_BYTES && get_big_endian(packed, 4) == COOKIE_COMPRESSED &&
      get_big_endian(packed + 4, 4) <= bytes - WRAPPER_BYTES) {
    z_stream stream = {.next_in = packed + WRAPPER_BYTES,
                       .avail_in = (uInt)get_big_endian(packed + 4, 4)};
    error = ENOMEM;
    if (inflateInit(&stream) == Z_OK) {
      h = decode_stream(&stream);
      error = errno;
      inflateEnd(&stream);
    }
  }
  free(packed);
  errno = h == NULL ? error : errno;
  return h;
}
