// Package codec decodes key units by libavcodec.
//
// Its decoders belong to a worker, not to a camera: they are pooled by codec
// and parameter sets. Whatever a unit holds, the picture shows no pixel of
// another camera: a decoder is drained and flushed after every unit, every
// frame buffer is overwritten before it is decoded into, and a picture in
// which some of that filling still shows is refused, as is one with any error
// or sign of damage. It uses only calls that FFmpeg 4.4 to 8 share.
package codec
