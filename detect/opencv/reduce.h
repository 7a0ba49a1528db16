#include <stddef.h>
#include <stdint.h>

// patrol_reduce writes the rounded means of the whole squares of side × side
// pixels, 2 to 128 a side, of a plane of w × h such squares into out. sums has
// room for w × side numbers.
void patrol_reduce(const uint8_t *pix, ptrdiff_t stride, int side, int w, int h, uint16_t *sums, uint8_t *out);

// patrol_area reduces a plane of sw × sh pixels to w × h, each side to less
// than all of it and more than half of it, by the mean over the area. room is
// for sw + 3 × w + 3 numbers, taps for 2 × w.
void patrol_area(const uint8_t *pix, int sw, int sh, int w, int h, uint16_t *room, uint64_t *taps, uint8_t *out);

// patrol_smooth writes a plane of w × h pixels smoothed by a Gaussian of 3 × 3
// pixels and a deviation of 0.6 into out, to the bit as OpenCV does. room is for
// w × h + 2 numbers.
void patrol_smooth(const uint8_t *pix, int w, int h, uint16_t *room, uint8_t *out);
