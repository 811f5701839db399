// JPEG (PS3.5 annex A.4.1) and JPEG-LS (A.4.3), by DCMTK's codecs. A data set is made for them that holds the frame and
// its description, since they take nothing else. (They bring a CharLS of their own: Debian's beside it in one program has
// the same names and another layout.)
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/dcmjpls/djencode.h>
#include <dcmtk/dcmjpls/djrparam.h>
#include <dcmtk/oflog/oflog.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "codec/codecs.h"

namespace mercure::codec {
namespace {

using convert::Pixels;

bool is_frame_header(std::uint8_t marker) {
  constexpr std::array<std::uint8_t, 3> kOthers{0xC4, 0xC8, 0xCC};  // tables, a reserved one, arithmetic conditioning
  const bool is_jpeg = marker >= 0xC0 && marker <= 0xCF && std::find(kOthers.begin(), kOthers.end(), marker) == kOthers.end();
  return is_jpeg || marker == 0xF7;  // that of JPEG-LS
}

bool has_no_length(std::uint8_t marker) { return marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD9); }

// Why the start of a frame is not given to the codecs; empty when it is. They believe its header, and a few bytes can promise
// them billions of pixels: they would take minutes to find out that these are missing. At the marker TEM, which no file needs,
// DCMTK 3.6 stands still for ever. What is no marker is passed over, as they do (ISO/IEC 10918-1 annex B).
std::string header_problem(std::string_view frame, const Pixels& pixels) {
  constexpr std::uint8_t kTem = 0x01;
  constexpr std::uint8_t kScan = 0xDA;
  const auto byte = [&](std::size_t at) { return at < frame.size() ? static_cast<std::uint8_t>(frame[at]) : std::uint8_t{0}; };
  const auto number = [&](std::size_t at) { return byte(at) * 256U + byte(at + 1); };
  bool has_header = false;
  for (std::size_t at = 0; at + 1 < frame.size();) {
    const std::uint8_t marker = byte(at + 1);
    if (byte(at) == 0xFF && marker == kTem) return "it has the marker TEM before its pixels";
    if (byte(at) != 0xFF || marker == 0xFF || has_no_length(marker)) {
      at += byte(at) == 0xFF && marker != 0xFF ? 2 : 1;
      continue;
    }
    if (marker == kScan) break;
    if (is_frame_header(marker)) {
      if (number(at + 5) != pixels.rows || number(at + 7) != pixels.columns) return "it has another size than it should have";
      has_header = true;
    }
    at += 2 + std::max(2U, number(at + 2));
  }
  return has_header ? "" : "it has no frame header before its pixels";
}

OFCondition describe(DcmItem& item, const Pixels& pixels) {
  struct Number {
    DcmTagKey tag;
    Uint16 value;
  };
  const std::array<Number, 8> numbers{{{DCM_SamplesPerPixel, pixels.samples},
                                       {DCM_Rows, pixels.rows},
                                       {DCM_Columns, pixels.columns},
                                       {DCM_BitsAllocated, pixels.bits_allocated},
                                       {DCM_BitsStored, pixels.bits_stored},
                                       {DCM_HighBit, static_cast<Uint16>(pixels.bits_stored - 1)},
                                       {DCM_PixelRepresentation, static_cast<Uint16>(pixels.is_signed ? 1 : 0)},
                                       {DCM_PlanarConfiguration, static_cast<Uint16>(pixels.by_plane ? 1 : 0)}}};
  OFCondition done = item.putAndInsertString(DCM_PhotometricInterpretation, pixels.photometric.c_str());
  for (const Number& number : numbers) {
    if (number.tag == DCM_PlanarConfiguration && pixels.samples == 1) continue;
    if (done.good()) done = item.putAndInsertUint16(number.tag, number.value);
  }
  return done.good() ? item.putAndInsertString(DCM_NumberOfFrames, "1") : done;
}

// The frame as pixel data of one fragment behind an empty offset table.
OFCondition add_frame(DcmDataset& data_set, std::string_view frame, E_TransferSyntax syntax) {
  auto sequence = std::make_unique<DcmPixelSequence>(DCM_PixelSequenceTag);
  auto table = std::make_unique<DcmPixelItem>(DCM_PixelItemTag);
  if (const auto done = sequence->insert(table.get()); done.bad()) return done;
  table.release();
  auto fragment = std::make_unique<DcmPixelItem>(DCM_PixelItemTag);
  std::string even(frame);
  if (even.size() % 2 != 0) even += '\0';
  OFCondition done = fragment->putUint8Array(reinterpret_cast<const Uint8*>(even.data()), static_cast<unsigned long>(even.size()));
  if (done.good()) done = sequence->insert(fragment.get());
  if (done.bad()) return done;
  fragment.release();
  auto pixel_data = std::make_unique<DcmPixelData>(DCM_PixelData);
  pixel_data->putOriginalRepresentation(syntax, nullptr, sequence.release());
  done = data_set.insert(pixel_data.get());
  if (done.good()) pixel_data.release();
  return done;
}

// Copies what was decoded; samples of 8 bits go into wider ones where these are allocated.
std::string take_samples(DcmDataset& data_set, const Pixels& pixels, std::string& samples) {
  Uint16 bits = 0;
  Uint16 by_plane = 0;
  data_set.findAndGetUint16(DCM_BitsAllocated, bits);
  data_set.findAndGetUint16(DCM_PlanarConfiguration, by_plane);
  if (pixels.samples > 1 && by_plane != 0) return "it was decoded plane by plane";
  DcmElement* element = nullptr;
  if (data_set.findAndGetElement(DCM_PixelData, element).bad()) return "nothing was decoded";
  const Uint8* bytes = nullptr;
  const Uint16* words = nullptr;
  const std::size_t wanted = pixels.frame_bytes();
  const std::size_t narrow = wanted / (pixels.bits_allocated / 8U);
  if (bits == pixels.bits_allocated && data_set.findAndGetUint8Array(DCM_PixelData, bytes).good() && bytes) {
    if (element->getLength() < wanted) return "too few samples were decoded";
    samples.assign(reinterpret_cast<const char*>(bytes), wanted);
    return {};
  }
  if (bits == pixels.bits_allocated && data_set.findAndGetUint16Array(DCM_PixelData, words).good() && words) {
    if (element->getLength() < wanted) return "too few samples were decoded";
    samples.assign(reinterpret_cast<const char*>(words), wanted);
    return {};
  }
  return "it was decoded to " + std::to_string(bits) + " bits a sample instead of " + std::to_string(pixels.bits_allocated) +
         " (" + std::to_string(narrow) + " samples)";
}

OFCondition add_samples(DcmDataset& data_set, const Task& task) {
  const auto count = static_cast<unsigned long>(task.bytes.size());
  if (task.pixels.bits_allocated == 8) {
    return data_set.putAndInsertUint8Array(DCM_PixelData, reinterpret_cast<const Uint8*>(task.bytes.data()), count);
  }
  std::vector<Uint16> words(count / 2);
  std::memcpy(words.data(), task.bytes.data(), count);
  return data_set.putAndInsertUint16Array(DCM_PixelData, words.data(), count / 2);
}

// Takes the one fragment behind the offset table.
OFCondition take_frame(DcmDataset& data_set, E_TransferSyntax syntax, const DcmRepresentationParameter& how, std::string& frame) {
  DcmElement* element = nullptr;
  OFCondition done = data_set.findAndGetElement(DCM_PixelData, element);
  auto* pixel_data = done.good() ? dynamic_cast<DcmPixelData*>(element) : nullptr;
  if (pixel_data == nullptr) return EC_TagNotFound;
  DcmPixelSequence* sequence = nullptr;
  done = pixel_data->getEncapsulatedRepresentation(syntax, &how, sequence);
  DcmPixelItem* fragment = nullptr;
  if (done.good()) done = sequence->getItem(fragment, 1);
  Uint8* bytes = nullptr;
  if (done.good()) done = fragment->getUint8Array(bytes);
  if (done.good()) frame.assign(reinterpret_cast<const char*>(bytes), fragment->getLength());
  return done;
}

}  // namespace

void prepare_codecs() {
  OFLog::configure(OFLogger::OFF_LOG_LEVEL);
  DcmTag(DCM_PixelData).getTagName();  // reads the dictionary
  DJDecoderRegistration::registerCodecs(EDC_photometricInterpretation, EUC_never, EPC_colorByPixel);
  DJLSDecoderRegistration::registerCodecs(EJLSUC_never, EJLSPC_colorByPixel);
  // Not "cooked", which leaves out bits beyond those stored; all of a frame in one fragment; UIDs are no matter here.
  DJLSEncoderRegistration::registerCodecs(0, 0, 0, 0, OFFalse, 0, OFFalse, EJLSUC_never);
}

std::string decode_jpeg(const Task& task, std::string& samples) {
  if (const std::string problem = header_problem(task.bytes, task.pixels); !problem.empty()) return "JPEG: " + problem;
  const DcmXfer syntax(std::string(task.syntax.uid).c_str());
  DcmDataset data_set;
  OFCondition done = describe(data_set, task.pixels);
  if (done.good()) done = add_frame(data_set, task.bytes, syntax.getXfer());
  if (done.good()) done = data_set.chooseRepresentation(EXS_LittleEndianExplicit, nullptr);
  if (done.bad()) return std::string("JPEG: ") + done.text();
  return take_samples(data_set, task.pixels, samples);
}

std::string encode_jpeg_ls(const Task& task, std::string& frame) {
  const DJLSRepresentationParameter lossless(0, OFTrue);
  DcmDataset data_set;
  OFCondition done = describe(data_set, task.pixels);
  if (done.good()) done = add_samples(data_set, task);
  if (done.good()) done = data_set.chooseRepresentation(EXS_JPEGLSLossless, &lossless);
  if (done.good()) done = take_frame(data_set, EXS_JPEGLSLossless, lossless, frame);
  return done.good() ? std::string() : std::string("JPEG-LS: ") + done.text();
}

}  // namespace mercure::codec
