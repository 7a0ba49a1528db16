#include "ground.h"

#include "processor.h"

static inline int within(int v, int least, int most) { return v < least ? least : v > most ? most : v; }

static inline int apart(int a, int b) { return a > b ? a - b : b - a; }

EVERY_PROCESSOR
void patrol_differ(const uint8_t *restrict x, const uint16_t *restrict mean, int n, int scale, int offset, int least,
                   uint8_t *restrict expect, uint8_t *restrict fore) {
  for (int i = 0; i < n; i++) {
    int e = within((mean[i] * scale + offset) >> 18, 0, 255);
    expect[i] = (uint8_t)e;
    fore[i] = apart(x[i], e) > least ? 255 : 0;
  }
}

enum { QUIET, NOISE, MOST = 100 };

EVERY_PROCESSOR
void patrol_follow(const uint8_t *restrict x, const uint8_t *restrict expect, const uint8_t *restrict fore, int n,
                   int rate, uint16_t *restrict mean, uint8_t *restrict dev) {
  for (int i = 0; i < n; i++) {
    int v = x[i], e = expect[i], d = dev[i], m = mean[i], to = fore[i] == QUIET ? v : e;
    int toward = 12 * apart(v, e) > d ? 1 : -1;
    int by = fore[i] == QUIET ? toward : fore[i] == NOISE ? 4 : 0;
    dev[i] = (uint8_t)within(d + by, 1, MOST);
    mean[i] = (uint16_t)(m + (to * 256 - m) * rate / 256);
  }
}
