// JPEG 2000 and High-Throughput JPEG 2000 (PS3.5 annex A.4.4), by OpenJPEG.
#include <openjpeg.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "codec/codecs.h"

namespace mercure::codec {
namespace {

struct Input {
  std::string_view bytes;
  std::size_t at = 0;
};

OPJ_SIZE_T read_from(void* buffer, OPJ_SIZE_T wanted, void* data) {
  auto& input = *static_cast<Input*>(data);
  const std::size_t got = std::min<std::size_t>(wanted, input.bytes.size() - input.at);
  if (got == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(buffer, input.bytes.data() + input.at, got);
  input.at += got;
  return got;
}

OPJ_OFF_T skip_in(OPJ_OFF_T count, void* data) {
  auto& input = *static_cast<Input*>(data);
  const auto left = static_cast<OPJ_OFF_T>(input.bytes.size() - input.at);
  const OPJ_OFF_T step = std::clamp<OPJ_OFF_T>(count, -static_cast<OPJ_OFF_T>(input.at), left);
  input.at = static_cast<std::size_t>(static_cast<OPJ_OFF_T>(input.at) + step);
  return step;
}

OPJ_BOOL seek_in(OPJ_OFF_T place, void* data) {
  auto& input = *static_cast<Input*>(data);
  if (place < 0 || place > static_cast<OPJ_OFF_T>(input.bytes.size())) return OPJ_FALSE;
  input.at = static_cast<std::size_t>(place);
  return OPJ_TRUE;
}

void remember_message(const char* message, void* data) {
  auto& text = *static_cast<std::string*>(data);
  if (!text.empty()) return;  // the first says most
  text = message;
  while (!text.empty() && text.back() == '\n') text.pop_back();
}

using Stream = std::unique_ptr<opj_stream_t, decltype(&opj_stream_destroy)>;
using Codec = std::unique_ptr<opj_codec_t, decltype(&opj_destroy_codec)>;
using Image = std::unique_ptr<opj_image_t, decltype(&opj_image_destroy)>;

Stream stream_over(Input& input) {
  Stream stream(opj_stream_default_create(OPJ_TRUE), &opj_stream_destroy);
  if (!stream) return stream;
  opj_stream_set_user_data(stream.get(), &input, nullptr);
  opj_stream_set_user_data_length(stream.get(), input.bytes.size());
  opj_stream_set_read_function(stream.get(), read_from);
  opj_stream_set_skip_function(stream.get(), skip_in);
  opj_stream_set_seek_function(stream.get(), seek_in);
  return stream;
}

// Some writers put the file format JP2 around the codestream, against the standard.
OPJ_CODEC_FORMAT format_of(std::string_view frame) {
  return frame.substr(0, 2) == "\xFF\x4F" ? OPJ_CODEC_J2K : OPJ_CODEC_JP2;
}

std::string mismatch(const opj_image_t& image, const convert::Pixels& pixels) {
  if (image.numcomps != pixels.samples) {
    return "it has " + std::to_string(image.numcomps) + " components instead of " + std::to_string(pixels.samples);
  }
  for (OPJ_UINT32 place = 0; place < image.numcomps; ++place) {
    const auto& component = image.comps[place];
    if (component.w != pixels.columns || component.h != pixels.rows) return "it has another size than it should have";
    if (component.prec > pixels.bits_allocated) return "it has more bits a sample than are allocated";
  }
  return {};
}

// Signed samples may come out of a codestream that says they are not: then its highest bit is the sign all the same.
std::uint32_t container(OPJ_INT32 value, const opj_image_comp_t& component, bool is_signed) {
  const OPJ_UINT32 unused = 32 - component.prec;
  if (is_signed && !component.sgnd) value = static_cast<OPJ_INT32>(static_cast<std::uint32_t>(value) << unused) >> unused;
  return static_cast<std::uint32_t>(value);
}

void put_samples(const opj_image_t& image, const convert::Pixels& pixels, std::string& samples) {
  const std::size_t count = std::size_t{pixels.rows} * pixels.columns;
  const std::size_t width = pixels.bits_allocated / 8U;
  samples.resize(count * pixels.samples * width);
  for (OPJ_UINT32 component = 0; component < image.numcomps; ++component) {
    const auto& from = image.comps[component];
    for (std::size_t place = 0; place < count; ++place) {
      const std::uint32_t value = container(from.data[place], from, pixels.is_signed);
      char* at = &samples[(place * pixels.samples + component) * width];
      for (std::size_t byte = 0; byte < width; ++byte) at[byte] = static_cast<char>(value >> (8 * byte) & 0xFF);
    }
  }
}

}  // namespace

std::string decode_jpeg_2000(const Task& task, std::string& samples) {
  Input input{task.bytes};
  const Stream stream = stream_over(input);
  const Codec codec(opj_create_decompress(format_of(task.bytes)), &opj_destroy_codec);
  if (!stream || !codec) return "not enough memory to decode it";
  std::string message;
  opj_set_error_handler(codec.get(), remember_message, &message);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t* made = nullptr;
  const bool started = opj_setup_decoder(codec.get(), &parameters) == OPJ_TRUE &&
                       opj_read_header(stream.get(), codec.get(), &made) == OPJ_TRUE;
  const Image image(made, &opj_image_destroy);
  // What the header promises is not decoded unless it is what the description says: it may be billions of pixels.
  if (started) {
    if (std::string problem = mismatch(*image, task.pixels); !problem.empty()) return "JPEG 2000: " + problem;
  }
  // Half a codestream decodes to half a picture: strict is the default, and the end of it is asked for too.
  const bool decoded = started && opj_decode(codec.get(), stream.get(), image.get()) == OPJ_TRUE &&
                       opj_end_decompress(codec.get(), stream.get()) == OPJ_TRUE;
  if (!decoded) return "JPEG 2000: " + (message.empty() ? "it is damaged" : message);
  for (OPJ_UINT32 place = 0; place < image->numcomps; ++place) {
    if (image->comps[place].data == nullptr) return "JPEG 2000: a component of it is missing";
  }
  put_samples(*image, task.pixels, samples);
  return {};
}

}  // namespace mercure::codec
