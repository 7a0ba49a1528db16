#include "decode.h"

#include <malloc.h>
#include <string.h>

#include <libavutil/log.h>
#include <libavutil/pixdesc.h>

void patrol_setup(void) {
  av_log_set_level(AV_LOG_QUIET);
#ifdef __GLIBC__
  // libavcodec frees and takes some 170 kB with each parameter set: memory that
  // goes back to the kernel in between comes back by page faults.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 8 << 20);
#endif
}

// Buffers are reused between cameras. Before one is decoded into, it is filled
// with grey, and every eighth row of its luma with a pattern that no decoder
// makes: columns of black and white.
static const uint8_t pattern[4] = {0x00, 0xFF, 0x00, 0xFF};
enum { PATTERN_ROWS = 8 };

static int get_buffer(AVCodecContext *c, AVFrame *f, int flags) {
  int side = (int)(intptr_t)c->opaque;
  if (f->width > side + 64 || f->height > side + 64) return AVERROR(EINVAL);
  const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
  if (!d || d->comp[0].depth != 8 || (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_PAL)))
    return AVERROR(ENOSYS);
  int err = avcodec_default_get_buffer2(c, f, flags);
  if (err < 0) return err;
  for (int i = 0; i < 3 && f->data[i]; i++) {
    int rows = i == 0 ? f->height : -((-f->height) >> d->log2_chroma_h);
    size_t line = (size_t)f->linesize[i];
    memset(f->data[i], 0x80, line * rows);
    if (i > 0) continue;
    for (size_t x = 0; x + 4 <= line; x += 4) memcpy(f->data[0] + x, pattern, 4);
    for (int y = PATTERN_ROWS; y < rows; y += PATTERN_ROWS) memcpy(f->data[0] + y * line, f->data[0], line);
  }
  return 0;
}

// untouched tells whether a part of the picture still shows the filling.
static int untouched(const AVFrame *f) {
  // Cropping has cut rows off the top since: only every eighth row of the
  // buffer has the pattern.
  const AVBufferRef *b = av_frame_get_plane_buffer((AVFrame *)f, 0);
  if (!b || f->linesize[0] <= 0) return 1;
  ptrdiff_t cut = (f->data[0] - b->data) / f->linesize[0];
  int first = (int)((PATTERN_ROWS - cut % PATTERN_ROWS) % PATTERN_ROWS);
  for (int y = first; y < f->height; y += PATTERN_ROWS) {
    const uint8_t *row = f->data[0] + (ptrdiff_t)y * f->linesize[0];
    for (int x = 0; x + 4 <= f->width; x += 8)
      if (memcmp(row + x, pattern, 4) == 0 || memcmp(row + x, "\xFF\x00\xFF\x00", 4) == 0) return 1;
  }
  return 0;
}

AVCodecContext *patrol_open(const char *name, int max_side) {
  const AVCodec *codec = avcodec_find_decoder_by_name(name);
  AVCodecContext *c = codec ? avcodec_alloc_context3(codec) : NULL;
  if (!c) return NULL;
  c->thread_count = 1;
  c->opaque = (void *)(intptr_t)max_side;
  c->max_pixels = (int64_t)max_side * max_side;
  c->get_buffer2 = get_buffer;
  // Concealment stays on for it is what finds missing slices; what it has
  // touched is refused.
  c->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
  if (avcodec_open2(c, codec, NULL) < 0) avcodec_free_context(&c);
  return c;
}

void patrol_close(AVCodecContext *c) { avcodec_free_context(&c); }

int patrol_decode(AVCodecContext *c, AVPacket *p, AVFrame *f, AVFrame *spare, uint8_t *data, int size, int filtered) {
  av_frame_unref(f);
  c->skip_loop_filter = filtered ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  p->data = data;
  p->size = size;
  p->flags = AV_PKT_FLAG_KEY;
  int err = avcodec_send_packet(c, p);
  p->data = NULL;
  p->size = 0;
  int pictures = 0;
  if (err >= 0) {
    // Draining hands out what waits for its turn, too (B-frames).
    err = avcodec_send_packet(c, NULL);
    while (err >= 0) {
      err = avcodec_receive_frame(c, pictures ? spare : f);
      if (err >= 0) pictures++;
      if (pictures > 1) av_frame_unref(spare);
    }
    if (err == AVERROR_EOF) err = 0;
  }
  avcodec_flush_buffers(c);
  if (err >= 0 && pictures == 0) err = PATROL_NO_PICTURE;
  if (err >= 0 && pictures > 1) err = PATROL_TWO_PICTURES;
  if (err >= 0 && ((f->flags & AV_FRAME_FLAG_CORRUPT) || f->decode_error_flags)) err = PATROL_DAMAGED;
  if (err >= 0 && untouched(f)) err = PATROL_UNTOUCHED;
  if (err < 0) av_frame_unref(f);
  return err;
}

void patrol_describe(const AVFrame *f, patrol_picture *p) {
  for (int i = 0; i < 3; i++) {
    p->data[i] = f->data[i];
    p->linesize[i] = f->linesize[i];
    const AVBufferRef *b = f->data[i] ? av_frame_get_plane_buffer((AVFrame *)f, i) : NULL;
    p->size[i] = b ? b->data + b->size - f->data[i] : 0;
  }
  p->width = f->width;
  p->height = f->height;
  p->full_range = f->color_range == AVCOL_RANGE_JPEG;
  switch (f->format) {
  case AV_PIX_FMT_YUVJ420P: p->full_range = 1; // fall through
  case AV_PIX_FMT_YUV420P: p->format = PATROL_420; break;
  case AV_PIX_FMT_YUVJ422P: p->full_range = 1; // fall through
  case AV_PIX_FMT_YUV422P: p->format = PATROL_422; break;
  case AV_PIX_FMT_YUVJ444P: p->full_range = 1; // fall through
  case AV_PIX_FMT_YUV444P: p->format = PATROL_444; break;
  case AV_PIX_FMT_GRAY8: p->format = PATROL_GRAY; break;
  default: p->format = -1;
  }
}

int patrol_error(int code, char *text, int size) { return av_strerror(code, text, size); }
