#include <stdint.h>

// patrol_differ is Imaging.Differ of n pixels.
void patrol_differ(const uint8_t *x, const uint16_t *mean, int n, int scale, int offset, int least, uint8_t *expect,
                   uint8_t *fore);

// patrol_follow is Imaging.Follow of n pixels.
void patrol_follow(const uint8_t *x, const uint8_t *expect, const uint8_t *fore, int n, int rate, uint16_t *mean,
                   uint8_t *dev);
