#include "ground.h"

#include <string.h>

#include "processor.h"

static inline int within(int v, int least, int most) { return v < least ? least : v > most ? most : v; }

static inline uint8_t apart(uint8_t a, uint8_t b) { return a > b ? a - b : b - a; }

EVERY_PROCESSOR
void patrol_differ(const uint8_t *restrict x, const uint16_t *restrict mean, int n, int scale, int offset, int least,
                   uint8_t *restrict expect, uint8_t *restrict fore) {
  const uint8_t most = (uint8_t)within(least, 0, 255);
  for (int i = 0; i < n; i++) {
    expect[i] = (uint8_t)within((mean[i] * scale + offset) >> 18, 0, 255);
    fore[i] = apart(x[i], expect[i]) > most ? 255 : 0;
  }
}

enum { QUIET, NOISE, MOST = 100, WIDEST = 40 };

EVERY_PROCESSOR
void patrol_follow(const uint8_t *restrict x, const uint8_t *restrict expect, const uint8_t *restrict fore, int n,
                   int rate, uint16_t *restrict mean, uint8_t *restrict dev) {
  // Numbers are as narrow as they can be, for more of them fit in a vector.
  const uint16_t share = (uint16_t)(rate << 8);
  for (int i = 0; i < n; i++) {
    uint8_t v = x[i], e = expect[i], how = fore[i], off = apart(v, e);
    uint8_t d = dev[i], up = d < MOST ? d + 1 : MOST, down = d > 1 ? d - 1 : 1, far = d + 4 < WIDEST ? d + 4 : d > WIDEST ? d : WIDEST;
    uint16_t reach = (uint16_t)(12 * off);
    uint8_t settled = reach > d ? up : down;
    dev[i] = how == QUIET ? settled : how == NOISE ? far : d;
    uint16_t m = mean[i], to = (uint16_t)((how == QUIET ? v : e) << 8), gap = to > m ? to - m : m - to;
    uint16_t step = (uint16_t)((uint32_t)gap * share >> 16);
    mean[i] = to > m ? m + step : m - step;
  }
}

enum { SIDE = 8 };

EVERY_PROCESSOR
static void steps(uint8_t *restrict most, const uint8_t *a, const uint8_t *b, int n) {
  for (int x = 0; x < n; x++) {
    uint8_t step = apart(a[x], b[x]);
    most[x] = most[x] > step ? most[x] : step;
  }
}

void patrol_peaks(const uint8_t *pix, int w, int h, uint8_t *room, uint8_t *peaks) {
  const int bw = (w - 1) / SIDE, bh = (h - 1) / SIDE;
  for (int by = 0; by < bh; by++) {
    memset(room, 0, (size_t)(bw * SIDE));
    for (int y = 0; y < SIDE; y += 2, pix += 2 * w) {
      steps(room, pix, pix + 1, bw * SIDE);
      steps(room, pix + w, pix + 2 * w, bw * SIDE);
    }
    for (int bx = 0; bx < bw; bx++) {
      uint8_t peak = 0;
      for (int x = bx * SIDE; x < (bx + 1) * SIDE; x++) peak = room[x] > peak ? room[x] : peak;
      *peaks++ = peak;
    }
  }
}
