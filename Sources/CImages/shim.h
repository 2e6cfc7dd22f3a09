// libpng's simplified interface and TurboJPEG, as functions on plain memory. Errors are return
// values; a bad file never causes a longjmp or ends the process.
#ifndef CIMAGES_SHIM_H
#define CIMAGES_SHIM_H

#include <png.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <turbojpeg.h>

enum { CIMAGES_MESSAGE_SIZE = 256 };

/// What a file's header says, and the error message if reading failed.
typedef struct {
  uint32_t width, height;
  /// 1 for greyscale, 3 for colour.
  uint32_t channels;
  /// Whether a fourth (or second) sample per pixel says how opaque it is.
  bool has_alpha;
  char message[CIMAGES_MESSAGE_SIZE];
} cimages_header;

static inline bool cimages_fail(cimages_header *header, const char *message) {
  strncpy(header->message, message, CIMAGES_MESSAGE_SIZE - 1);
  header->message[CIMAGES_MESSAGE_SIZE - 1] = 0;
  return false;
}

static inline bool cimages_png_header(const void *bytes, size_t count, cimages_header *header) {
  png_image image = {.version = PNG_IMAGE_VERSION};
  if (!png_image_begin_read_from_memory(&image, bytes, count)) return cimages_fail(header, image.message);
  header->width = image.width;
  header->height = image.height;
  header->channels = image.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1;
  header->has_alpha = (image.format & PNG_FORMAT_FLAG_ALPHA) != 0;
  png_image_free(&image);
  return true;
}

/// Decodes into `width · height · (channels + has_alpha)` bytes, row by row, as the header says.
///
/// The samples are the file's own, scaled to 8 bits, as long as the file has no chunk about its colour space: libpng
/// would otherwise convert them, and it would mix colours and blend in linear light, which is why neither is left to it.
static inline bool cimages_png_read(const void *bytes, size_t count, uint8_t *pixels, cimages_header *header) {
  png_image image = {.version = PNG_IMAGE_VERSION};
  if (!png_image_begin_read_from_memory(&image, bytes, count)) return cimages_fail(header, image.message);
  if (image.width != header->width || image.height != header->height) {
    png_image_free(&image);
    return cimages_fail(header, "the size changed while it was read");
  }
  // Without this, 16 bits without a colour space are taken as linear light.
  image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  image.format = (header->channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY) |
                 (header->has_alpha ? PNG_FORMAT_FLAG_ALPHA : 0);
  if (!png_image_finish_read(&image, NULL, pixels, 0, NULL)) return cimages_fail(header, image.message);
  // Reject damage even where libpng can continue.
  if (PNG_IMAGE_FAILED(image) || image.warning_or_error) return cimages_fail(header, image.message);
  return true;
}

/// Encodes; if `into` is NULL, only sets `*count` to a sufficient size.
static inline bool cimages_png_write(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t channels,
                                     void *into, size_t *count) {
  png_image image = {.version = PNG_IMAGE_VERSION, .width = width, .height = height};
  image.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  if (!into) {
    *count = PNG_IMAGE_PNG_SIZE_MAX(image);
    return true;
  }
  png_alloc_size_t size = *count;
  bool written = png_image_write_to_memory(&image, into, &size, 0, pixels, 0, NULL) != 0;
  *count = size;
  png_image_free(&image);
  return written;
}

static inline bool cimages_jpeg_header(const void *bytes, size_t count, cimages_header *header) {
  tjhandle reader = tjInitDecompress();
  if (!reader) return cimages_fail(header, "no memory for the decoder");
  int width = 0, height = 0, sampling = 0, colours = 0;
  int status = tjDecompressHeader3(reader, (const unsigned char *)bytes, count, &width, &height, &sampling, &colours);
  bool found = status == 0 || cimages_fail(header, tjGetErrorStr2(reader));
  if (found && (colours == TJCS_CMYK || colours == TJCS_YCCK))
    found = cimages_fail(header, "its colours are CMYK, for print; convert it to RGB");
  header->width = (uint32_t)width;
  header->height = (uint32_t)height;
  header->channels = colours == TJCS_GRAY ? 1 : 3;
  header->has_alpha = false;
  tjDestroy(reader);
  return found;
}

/// Decodes into `width · height · channels` bytes, row by row, as the header says.
static inline bool cimages_jpeg_read(const void *bytes, size_t count, uint8_t *pixels, cimages_header *header) {
  tjhandle reader = tjInitDecompress();
  if (!reader) return cimages_fail(header, "no memory for the decoder");
  // A small file can request an unlimited number of scans, so their number is limited.
  int status = tjDecompress2(reader, (const unsigned char *)bytes, count, pixels, (int)header->width, 0,
                             (int)header->height, header->channels == 3 ? TJPF_RGB : TJPF_GRAY,
                             TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS);
  bool read = status == 0 || cimages_fail(header, tjGetErrorStr2(reader));
  tjDestroy(reader);
  return read;
}

#endif
