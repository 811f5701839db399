// JPEG 2000 without loss (PS3.5 annex A.4.4), by OpenJPEG.
#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "codec/codecs.h"
#include "codec/samples.h"

namespace mercure::codec {
namespace {

using Stream = std::unique_ptr<opj_stream_t, decltype(&opj_stream_destroy)>;
using Codec = std::unique_ptr<opj_codec_t, decltype(&opj_destroy_codec)>;
using Image = std::unique_ptr<opj_image_t, decltype(&opj_image_destroy)>;

struct Output {
  std::string& bytes;
  std::size_t at = 0;
};

OPJ_SIZE_T write_to(void* buffer, OPJ_SIZE_T count, void* data) {
  auto& output = *static_cast<Output*>(data);
  output.bytes.resize(std::max(output.bytes.size(), output.at + count));
  std::memcpy(output.bytes.data() + output.at, buffer, count);
  output.at += count;
  return count;
}

OPJ_OFF_T skip_over(OPJ_OFF_T count, void* data) {
  auto& output = *static_cast<Output*>(data);
  if (count < 0) return -1;
  output.at += static_cast<std::size_t>(count);
  output.bytes.resize(std::max(output.bytes.size(), output.at));
  return count;
}

OPJ_BOOL seek_to(OPJ_OFF_T place, void* data) {
  auto& output = *static_cast<Output*>(data);
  if (place < 0) return OPJ_FALSE;
  output.at = static_cast<std::size_t>(place);
  output.bytes.resize(std::max(output.bytes.size(), output.at));
  return OPJ_TRUE;
}

Stream stream_to(Output& output) {
  Stream stream(opj_stream_default_create(OPJ_FALSE), &opj_stream_destroy);
  if (!stream) return stream;
  opj_stream_set_user_data(stream.get(), &output, nullptr);
  opj_stream_set_write_function(stream.get(), write_to);
  opj_stream_set_skip_function(stream.get(), skip_over);
  opj_stream_set_seek_function(stream.get(), seek_to);
  return stream;
}

Image image_of(const Task& task) {
  const auto& pixels = task.pixels;
  opj_image_cmptparm_t component{};
  component.dx = component.dy = 1;
  component.w = pixels.columns;
  component.h = pixels.rows;
  component.prec = bits_used(task.bytes, pixels);
  component.sgnd = pixels.is_signed ? 1 : 0;
  std::vector<opj_image_cmptparm_t> components(pixels.samples, component);
  const auto colours = pixels.samples == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY;
  Image image(opj_image_create(pixels.samples, components.data(), colours), &opj_image_destroy);
  if (!image) return image;
  image->x1 = pixels.columns;
  image->y1 = pixels.rows;
  const std::size_t count = std::size_t{pixels.rows} * pixels.columns;
  for (std::size_t sample = 0; sample < pixels.samples; ++sample) {
    for (std::size_t place = 0; place < count; ++place) {
      image->comps[sample].data[place] = sample_at(task.bytes, place * pixels.samples + sample, pixels);
    }
  }
  return image;
}

// Each level halves what is left, down to one pixel.
int resolutions_for(const convert::Pixels& pixels) {
  int levels = 1;
  for (unsigned side = std::min(pixels.rows, pixels.columns); side > 1 && levels < 6; side /= 2) ++levels;
  return levels;
}

}  // namespace

std::string encode_jpeg_2000(const Task& task, std::string& frame) {
  opj_cparameters_t parameters;
  opj_set_default_encoder_parameters(&parameters);
  parameters.irreversible = 0;
  parameters.numresolution = resolutions_for(task.pixels);
  parameters.tcp_numlayers = 1;
  parameters.tcp_rates[0] = 0;  // all
  parameters.cp_disto_alloc = 1;
  parameters.tcp_mct = convert::encoded_photometric(convert::Codec::jpeg_2000, task.pixels) == task.pixels.photometric ? 0 : 1;
  const Image image = image_of(task);
  Output output{frame};
  const Stream stream = stream_to(output);
  const Codec codec(opj_create_compress(OPJ_CODEC_J2K), &opj_destroy_codec);
  const bool done = image && stream && codec && opj_setup_encoder(codec.get(), &parameters, image.get()) == OPJ_TRUE &&
                    opj_start_compress(codec.get(), image.get(), stream.get()) == OPJ_TRUE &&
                    opj_encode(codec.get(), stream.get()) == OPJ_TRUE && opj_end_compress(codec.get(), stream.get()) == OPJ_TRUE;
  return done ? std::string() : "JPEG 2000: it could not be encoded";
}

}  // namespace mercure::codec
