// High-Throughput JPEG 2000 without loss (PS3.5 annex A.4.4, ISO/IEC 15444-15), by OpenJPH.
#include <openjph/ojph_arch.h>
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_params.h>

#include <vector>

#include "codec/codecs.h"
#include "codec/samples.h"

namespace mercure::codec {
namespace {

void describe(ojph::codestream& stream, const Task& task) {
  const auto& pixels = task.pixels;
  const bool is_transformed =
      convert::encoded_photometric(convert::Codec::jpeg_2000, pixels) != pixels.photometric;
  ojph::param_siz size = stream.access_siz();
  size.set_image_extent(ojph::point(pixels.columns, pixels.rows));
  size.set_num_components(pixels.samples);
  const ojph::ui32 bits = bits_used(task.bytes, pixels);
  for (ojph::ui32 sample = 0; sample < pixels.samples; ++sample) {
    size.set_component(sample, ojph::point(1, 1), bits, pixels.is_signed);
  }
  ojph::param_cod style = stream.access_cod();
  style.set_num_decomposition(5);
  style.set_block_dims(64, 64);
  style.set_reversible(true);
  style.set_color_transform(is_transformed);
  stream.set_planar(pixels.samples > 1 && !is_transformed);
}

}  // namespace

std::string encode_high_throughput(const Task& task, std::string& frame) {
  const auto& pixels = task.pixels;
  ojph::codestream stream;
  describe(stream, task);
  ojph::mem_outfile file;
  file.open();
  stream.write_headers(&file);
  ojph::ui32 component = 0;
  ojph::line_buf* line = stream.exchange(nullptr, component);
  std::vector<std::size_t> next(pixels.samples);  // row of each component
  for (std::size_t count = std::size_t{pixels.rows} * pixels.samples; count > 0 && line != nullptr; --count) {
    const std::size_t first = next.at(component)++ * pixels.columns;
    for (std::size_t place = 0; place < pixels.columns; ++place) {
      line->i32[place] = sample_at(task.bytes, (first + place) * pixels.samples + component, pixels);
    }
    line = stream.exchange(line, component);
  }
  stream.flush();
  frame.assign(reinterpret_cast<const char*>(file.get_data()), static_cast<std::size_t>(file.tell()));
  stream.close();
  return {};
}

}  // namespace mercure::codec
