#include <stdint.h>

// patrol_differ is Imaging.Differ of n pixels.
void patrol_differ(const uint8_t *x, const uint16_t *mean, int n, int scale, int offset, int least, uint8_t *expect,
                   uint8_t *fore);

// patrol_follow is Imaging.Follow of n pixels.
void patrol_follow(const uint8_t *x, const uint8_t *expect, const uint8_t *fore, int n, int rate, uint16_t *mean,
                   uint8_t *dev);

// patrol_peaks is Imaging.Peaks of w × h pixels. room is for w bytes.
void patrol_peaks(const uint8_t *pix, int w, int h, uint8_t *room, uint8_t *peaks);
