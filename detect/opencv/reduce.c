#include "reduce.h"

#include <string.h>

#include "processor.h"

EVERY_PROCESSOR
static void add_row(uint16_t *restrict sums, const uint8_t *restrict row, int n) {
  for (int x = 0; x < n; x++) sums[x] += row[x];
}

// Two neighbours, whichever comes first in memory.
static inline uint16_t pair(const uint8_t *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return (uint16_t)((v & 0xff) + (v >> 8));
}

EVERY_PROCESSOR
static void pair_rows4(uint16_t *restrict sums, const uint8_t *restrict a, const uint8_t *restrict b,
                       const uint8_t *restrict c, const uint8_t *restrict d, int n) {
  for (int x = 0; x < n; x++)
    sums[x] = (uint16_t)(pair(a + 2 * x) + pair(b + 2 * x) + pair(c + 2 * x) + pair(d + 2 * x));
}

EVERY_PROCESSOR
static void fours(uint8_t *restrict out, const uint16_t *restrict pairs, int w) {
  for (int x = 0; x < w; x++) {
    uint32_t v;
    memcpy(&v, pairs + 2 * x, sizeof v);
    out[x] = (uint8_t)(((v & 0xffff) + (v >> 16) + 8) >> 4);
  }
}

void patrol_reduce(const uint8_t *pix, ptrdiff_t stride, int side, int w, int h, uint16_t *sums, uint8_t *out) {
  const uint32_t area = (uint32_t)(side * side);
  for (int y = 0; y < h; y++, out += w) {
    const uint8_t *row = pix + (ptrdiff_t)y * side * stride;
    if (side == 4) { // the usual sub-streams
      pair_rows4(sums, row, row + stride, row + 2 * stride, row + 3 * stride, 2 * w);
      fours(out, sums, w);
      continue;
    }
    memset(sums, 0, sizeof *sums * (size_t)(w * side));
    for (int i = 0; i < side; i++) add_row(sums, row + i * stride, w * side);
    for (int x = 0; x < w; x++) {
      uint32_t sum = area / 2;
      for (int i = 0; i < side; i++) sum += sums[x * side + i];
      out[x] = (uint8_t)(sum / area);
    }
  }
}

// A tap is the first of up to three pixels that a reduced one covers, and their
// weights in 1/256 that add up to 256.
typedef struct { uint64_t first, weights; } tap;

static tap weigh(int i, int from, int to) {
  // In units of 1/to of a pixel, pixel j covers j*to..(j+1)*to.
  int begin = i * from, end = begin + from, first = begin / to;
  int one = (first + 1) * to - begin, two = end - (first + 1) * to;
  int three = two > to ? two - to : 0;
  int w1 = (one * 256 + from / 2) / from, w3 = (three * 256 + from / 2) / from, w2 = 256 - w1 - w3;
  return (tap){(uint64_t)first, (uint64_t)w1 << 32 | (uint64_t)w2 << 16 | (uint64_t)w3};
}

EVERY_PROCESSOR
static void widen(uint16_t *restrict wide, const uint8_t *restrict row, int n) {
  for (int x = 0; x < n; x++) wide[x] = row[x];
}

EVERY_PROCESSOR
static void mix_rows(uint8_t *restrict out, const uint16_t *restrict a, const uint16_t *restrict b,
                     const uint16_t *restrict c, uint16_t wa, uint16_t wb, uint16_t wc, int n) {
  for (int x = 0; x < n; x++)
    out[x] = (uint8_t)(((uint32_t)a[x] * wa + (uint32_t)b[x] * wb + (uint32_t)c[x] * wc + 32768u) >> 16);
}

void patrol_area(const uint8_t *pix, int sw, int sh, int w, int h, uint16_t *room, uint64_t *taps, uint8_t *out) {
  tap *t = (tap *)taps;
  for (int x = 0; x < w; x++) t[x] = weigh(x, sw, w);
  uint16_t *row = room + 3 * w; // and three of what rows are reduced to
  memset(row + sw, 0, 3 * sizeof *row);
  int next = 0;
  for (int y = 0; y < h; y++, out += w) {
    tap v = weigh(y, sh, h);
    for (; next < sh && next <= (int)v.first + 2; next++) {
      widen(row, pix + (ptrdiff_t)next * sw, sw);
      uint16_t *to = room + next % 3 * w;
#pragma GCC unroll 4
      for (int x = 0; x < w; x++) {
        // Four pixels, the first one lowest, times three weights: the sum that is
        // wanted stands in the third 16 bits, and nothing flows over into it.
        uint64_t four;
        memcpy(&four, row + t[x].first, sizeof four);
        to[x] = (uint16_t)(four * t[x].weights >> 32);
      }
    }
    uint16_t *a = room + v.first % 3 * w, *b = room + (v.first + 1) % 3 * w, *c = room + (v.first + 2) % 3 * w;
    mix_rows(out, a, b, c, (uint16_t)(v.weights >> 32), (uint16_t)(v.weights >> 16), (uint16_t)v.weights, w);
  }
}

enum { SIDE = 43, MIDDLE = 170 }; // 256ths

EVERY_PROCESSOR
static void smooth_columns(uint16_t *restrict sums, const uint8_t *a, const uint8_t *b, const uint8_t *c, int n) {
  for (int i = 0; i < n; i++) sums[i] = (uint16_t)((a[i] + c[i]) * SIDE + b[i] * MIDDLE);
}

static inline uint8_t smoothed(uint16_t a, uint16_t b, uint16_t c) {
  return (uint8_t)((((uint32_t)a + c) * SIDE + (uint32_t)b * MIDDLE + 32768u) >> 16);
}

EVERY_PROCESSOR
static void smooth_rows(uint8_t *restrict out, const uint16_t *restrict sums, int n) {
  for (int i = 0; i < n; i++) out[i] = smoothed(sums[i - 1], sums[i], sums[i + 1]);
}

void patrol_smooth(const uint8_t *pix, int w, int h, uint16_t *room, uint8_t *out) {
  // Beyond its edges the plane goes on as it is there.
  const uint8_t *last = pix + (ptrdiff_t)w * (h - 1);
  uint16_t *sums = room + 1; // what the rows' ends see beside them is put right below
  smooth_columns(sums, pix, pix, h > 1 ? pix + w : pix, w);
  if (h > 1) {
    smooth_columns(sums + w, pix, pix + w, pix + 2 * w, w * (h - 2));
    smooth_columns(sums + (ptrdiff_t)w * (h - 1), last - w, last, last, w);
  }
  smooth_rows(out, sums, w * h);
  for (int y = 0; y < h; y++, out += w, sums += w) {
    out[0] = smoothed(sums[0], sums[0], sums[w > 1]);
    out[w - 1] = smoothed(sums[w - 1 - (w > 1)], sums[w - 1], sums[w - 1]);
  }
}
