#ifndef PATROL_DECODE_H
#define PATROL_DECODE_H

#include <stdint.h>

#include <libavcodec/avcodec.h>

// What patrol_decode returns besides AVERROR codes, all of which lie far from
// these.
enum {
  PATROL_NO_PICTURE = -100001,   // the unit gave no picture
  PATROL_TWO_PICTURES = -100002, // it gave more than one
  PATROL_DAMAGED = -100003,      // the decoder says that the picture is damaged
  PATROL_UNTOUCHED = -100004,    // parts of the picture were never decoded
};

// What of AVFrame Go needs, in fields that no FFmpeg version renames.
typedef struct {
  uint8_t *data[3];
  int linesize[3];
  int64_t size[3]; // bytes from data to the end of its buffer
  int width, height;
  int format; // one of the PATROL_… formats below, or -1
  int full_range;
} patrol_picture;

enum { PATROL_420, PATROL_422, PATROL_444, PATROL_GRAY };

// patrol_setup readies libavcodec and the memory of this process for decoding.
void patrol_setup(void);

// patrol_open returns a decoder of "h264", "hevc" or "mjpeg", or NULL.
AVCodecContext *patrol_open(const char *name, int max_side);
void patrol_close(AVCodecContext *c);

// patrol_decode decodes one unit of size bytes, which AV_INPUT_BUFFER_PADDING_SIZE
// zero bytes follow, into f, with the in-loop filters or without. It leaves the
// decoder flushed.
int patrol_decode(AVCodecContext *c, AVPacket *p, AVFrame *f, AVFrame *spare, uint8_t *data, int size, int filtered);

void patrol_describe(const AVFrame *f, patrol_picture *p);
int patrol_error(int code, char *text, int size);

#endif
