#include "reduce.h"

#include <string.h>

#include "processor.h"

EVERY_PROCESSOR
static void add_row(uint16_t *restrict sums, const uint8_t *restrict row, int n) {
  for (int x = 0; x < n; x++) sums[x] += row[x];
}

EVERY_PROCESSOR
static void add_rows4(uint16_t *restrict sums, const uint8_t *restrict a, const uint8_t *restrict b,
                      const uint8_t *restrict c, const uint8_t *restrict d, int n) {
  for (int x = 0; x < n; x++) sums[x] = (uint16_t)(a[x] + b[x] + c[x] + d[x]);
}

EVERY_PROCESSOR
static void fours(uint8_t *restrict out, const uint16_t *restrict sums, int w) {
  for (int x = 0; x < w; x++)
    out[x] = (uint8_t)((sums[4 * x] + sums[4 * x + 1] + sums[4 * x + 2] + sums[4 * x + 3] + 8) >> 4);
}

void patrol_reduce(const uint8_t *pix, ptrdiff_t stride, int side, int w, int h, uint16_t *sums, uint8_t *out) {
  const uint32_t area = (uint32_t)(side * side);
  for (int y = 0; y < h; y++, out += w) {
    const uint8_t *row = pix + (ptrdiff_t)y * side * stride;
    if (side == 4) { // the usual sub-streams
      add_rows4(sums, row, row + stride, row + 2 * stride, row + 3 * stride, 4 * w);
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

// Weights of the up to three pixels that a reduced one covers, in 1/256 that
// add up to 256: tap[0] is the first pixel, tap[1..3] the weights.
static void weigh(uint16_t *tap, int i, int from, int to) {
  // In units of 1/to of a pixel, pixel j covers j*to..(j+1)*to.
  int begin = i * from, end = begin + from, first = begin / to;
  int one = (first + 1) * to - begin, two = end - (first + 1) * to;
  int three = two > to ? two - to : 0;
  if (two > to) two = to;
  tap[0] = (uint16_t)first;
  tap[1] = (uint16_t)((one * 256 + from / 2) / from);
  tap[3] = (uint16_t)((three * 256 + from / 2) / from);
  tap[2] = (uint16_t)(256 - tap[1] - tap[3]);
}

EVERY_PROCESSOR
static void mix_rows(uint16_t *restrict row, const uint8_t *restrict a, const uint8_t *restrict b,
                     const uint8_t *restrict c, uint16_t wa, uint16_t wb, uint16_t wc, int n) {
  for (int x = 0; x < n; x++) row[x] = (uint16_t)(a[x] * wa + b[x] * wb + c[x] * wc);
}

void patrol_area(const uint8_t *pix, int sw, int sh, int w, int h, uint16_t *row, uint16_t *taps, uint8_t *out) {
  for (int x = 0; x < w; x++) weigh(taps + 4 * x, x, sw, w);
  for (int y = 0; y < h; y++, out += w) {
    uint16_t tap[4];
    weigh(tap, y, sh, h);
    const uint8_t *a = pix + (ptrdiff_t)tap[0] * sw;
    const uint8_t *b = tap[0] + 1 < sh ? a + sw : a, *c = tap[0] + 2 < sh ? a + 2 * sw : b;
    mix_rows(row, a, b, c, tap[1], tap[2], tap[3], sw);
    for (int x = 0; x < w; x++) {
      const uint16_t *t = taps + 4 * x, *p = row + t[0];
      uint32_t sum = 32768u + (uint32_t)p[0] * t[1];
      if (t[2]) sum += (uint32_t)p[1] * t[2];
      if (t[3]) sum += (uint32_t)p[2] * t[3];
      out[x] = (uint8_t)(sum >> 16);
    }
  }
}

enum { SIDE = 43, MIDDLE = 170 }; // 256ths

EVERY_PROCESSOR
static void smooth_columns(uint16_t *restrict row, const uint8_t *restrict a, const uint8_t *restrict b,
                           const uint8_t *restrict c, int n) {
  for (int x = 0; x < n; x++) row[x] = (uint16_t)((a[x] + c[x]) * SIDE + b[x] * MIDDLE);
}

EVERY_PROCESSOR
static void smooth_row(uint8_t *restrict out, const uint16_t *restrict row, int n) {
  for (int x = 0; x < n; x++)
    out[x] = (uint8_t)((((uint32_t)row[x] + row[x + 2]) * SIDE + (uint32_t)row[x + 1] * MIDDLE + 32768u) >> 16);
}

void patrol_smooth(const uint8_t *pix, int w, int h, uint16_t *row, uint8_t *out) {
  for (int y = 0; y < h; y++) {
    const uint8_t *b = pix + (ptrdiff_t)y * w;
    smooth_columns(row + 1, y > 0 ? b - w : b, b, y + 1 < h ? b + w : b, w);
    row[0] = row[1]; // beyond its edges the plane goes on as it is there
    row[w + 1] = row[w];
    smooth_row(out + (ptrdiff_t)y * w, row, w);
  }
}
