#include "tags/record_builder.h"

#include <algorithm>
#include <array>
#include <variant>

#include "receipt.h"
#include "tags/byte_order.h"
#include "tags/file_start.h"

namespace mercure::tags {
namespace {

constexpr std::uint16_t kFirstPixelGroup = 0x7FE0;
constexpr std::uint16_t kLastIdentityGroup = 0x0020;
constexpr std::size_t kMostProblems = 100;
constexpr std::size_t kMostLeftOutBytes = 64 << 10;  // of the names of values that are left out
constexpr std::string_view kMore = "and more";
constexpr std::uint16_t kMetaGroup = 0x0002;
constexpr Tag kMetaVersion{0x0002, 0x0001};
constexpr Tag kPrivateCreator{0x0002, 0x0100};
constexpr Tag kPrivateInformation{0x0002, 0x0102};
constexpr Tag kCharacterSet{0x0008, 0x0005};
constexpr Tag kPixelRepresentation{0x0028, 0x0103};

struct IdentityElement {
  Tag tag;
  std::string Header::*member;
};

// What the meta header says stands only where the data set says nothing.
constexpr std::array<IdentityElement, 9> kIdentity{{
    {{0x0002, 0x0002}, &Header::sop_class},
    {{0x0002, 0x0003}, &Header::sop_instance},
    {{0x0008, 0x0016}, &Header::sop_class},
    {{0x0008, 0x0018}, &Header::sop_instance},
    {{0x0008, 0x0050}, &Header::accession},
    {{0x0008, 0x0060}, &Header::modality},
    {{0x0010, 0x0020}, &Header::patient_id},
    {{0x0020, 0x000D}, &Header::study},
    {{0x0020, 0x000E}, &Header::series},
}};

const IdentityElement* identity_element(Tag tag) {
  const auto* found = std::find_if(kIdentity.begin(), kIdentity.end(), [&](const auto& it) { return it.tag == tag; });
  return found != kIdentity.end() ? found : nullptr;
}

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) text += (i > 0 ? "\\" : "") + values[i];
  return text;
}

std::uint32_t block_key(Tag tag, unsigned block) { return (std::uint32_t{tag.group} << 8) | block; }

// The receipt is not what DICOM says of the image; who wants it reads it (mercure/dicom/receipt.py).
bool has_receipt(const std::vector<MetaElement>& meta) {
  return std::any_of(meta.begin(), meta.end(), [](const auto& it) {
    return it.element.tag == kPrivateCreator && trimmed_uid(it.value) == kImplementationClassUid;
  });
}

bool is_big_endian(const Element& element) { return element.encoding.big_endian && element.vr != Vr::UN; }

}  // namespace

bool SeenTags::first_time(Tag tag) {
  const std::uint32_t number = tag.number();
  if (ascending_.empty() || number > ascending_.back()) {
    ascending_.push_back(number);
    return !others_.contains(number);
  }
  if (std::binary_search(ascending_.begin(), ascending_.end(), number)) return false;
  return others_.insert(number).second;
}

RecordBuilder::RecordBuilder(const Limits& limits, const std::string& character_set) : limits_(limits) {
  levels_.back().charset = std::make_shared<CharacterSet>(character_set.empty() ? CharacterSet() : CharacterSet::assumed(character_set));
  open_.push_back({false, true});
  json_.begin_object();
}

void RecordBuilder::problem(const std::string& key, const std::string& what) {
  if (problems_.size() > kMostProblems) return;
  std::string text;
  for (const auto& sequence : sequence_keys_) text += sequence + '.';
  text += key + (key.empty() ? "" : ": ") + what;
  const bool known = std::find(problems_.begin(), problems_.end(), text) != problems_.end();
  if (known) return;
  problems_.push_back(problems_.size() == kMostProblems ? std::string(kMore) : std::move(text));
}

// A rule must be able to tell what the record does not show from what the image does not have.
void RecordBuilder::leave_out(const std::string& key) {
  if (left_out_bytes_ > kMostLeftOutBytes) return;
  std::vector<std::string> path = sequence_keys_;
  path.push_back(key);
  const std::size_t size = joined(path).size();
  if (left_out_.insert(std::move(path)).second) left_out_bytes_ += size;
}

void RecordBuilder::write_left_out() {
  if (left_out_.empty()) return;
  json_.key("LeftOut");
  json_.begin_list();
  for (const auto& path : left_out_) write(path);
  if (left_out_bytes_ > kMostLeftOutBytes) json_.text(kMore);
  json_.end_list();
}

void RecordBuilder::write(const std::vector<std::string>& values) {
  if (values.size() != 1) json_.begin_list();
  for (const auto& value : values) json_.text(value);
  if (values.size() != 1) json_.end_list();
}

void RecordBuilder::add_start(const FileStart& start) {
  header_.transfer_syntax = start.transfer_syntax;
  for (const auto& what : start.problems) problem("", what);
  tell_foreign(start.foreign);
  const bool receipt = has_receipt(start.meta);
  for (const auto& [element, value] : start.meta) {
    const Vr vr = element.vr && *element.vr != Vr::UN ? *element.vr : public_vr(element.tag).value_or(Vr::UN);
    if (element.tag.element == 0 || element.tag == kMetaVersion || vr == Vr::SQ) continue;
    if (receipt && (element.tag == kPrivateCreator || element.tag == kPrivateInformation)) continue;
    if (!levels_.back().seen.first_time(element.tag)) continue;
    if (value.size() < element.length) {
      leave_out(key_of(element.tag));
      continue;
    }
    json_.key(key_of(element.tag));
    if (traits(vr).kind == Kind::bulk && !value.empty()) {
      json_.begin_object();
      json_.key("base64");
      json_.text(base64_of(value));
      json_.end_object();
      continue;
    }
    const Texts texts = read_texts(value, element, vr, false);
    note(element.tag, texts);
    write(texts.values);
  }
}

bool RecordBuilder::add_data_set(ByteSource& source, Encoding encoding, Groups wanted) {
  ElementReader reader(source, encoding, wanted, limits_);
  const bool done = add_all(reader);
  foreign_ = reader.foreign();
  tell_foreign(foreign_);
  return done;
}

void RecordBuilder::tell_foreign(const Foreign& foreign) {
  for (const std::uint16_t group : foreign.groups) {
    const bool is_meta = group == kMetaGroup;
    problem("", is_meta ? "a meta header in the data set; left out" : "group 000" + std::to_string(group) + " in the data set; left out");
  }
}

bool RecordBuilder::add_all(ElementReader& reader) {
  while (true) {
    switch (reader.next()) {
      case Step::element: on_element(reader); break;
      case Step::item: on_item(); break;
      case Step::end_item: levels_.pop_back(); close(); break;
      case Step::end_sequence: close(); sequence_keys_.pop_back(); break;
      case Step::damaged: problem(key_of(reader.element().tag), "damaged; the rest of the sequence is left out"); break;
      case Step::end: return true;
      case Step::failed: return cut_or_refuse(reader);
    }
  }
}

// After the last identity group a limit cuts the record and no more: the image can be filed and routed.
bool RecordBuilder::cut_or_refuse(const ElementReader& reader) {
  if (reader.failure() != Failure::limit || top_group_ <= kLastIdentityGroup) {
    reason_ = reader.reason();
    return false;
  }
  ended_early_ = true;
  while (open_.size() > 1) close();
  sequence_keys_.clear();
  problem("", reader.reason() + "; left out after " + spelled(reader.element().tag));
  return true;
}

bool RecordBuilder::visible(Tag tag) const {
  const bool always = levels_.size() == 1 && identity_element(tag) != nullptr;
  return open_.back().written && (!cut_ || always);
}

void RecordBuilder::on_item() {
  Level level;
  level.charset = levels_.back().charset;
  level.signed_pixels = levels_.back().signed_pixels;
  levels_.push_back(std::move(level));
  open_.push_back({false, open_.back().written && !cut_});
  if (open_.back().written) json_.begin_object();
}

void RecordBuilder::close() {
  const Open open = open_.back();
  open_.pop_back();
  if (!open.written) return;
  open.is_list ? json_.end_list() : json_.end_object();
}

void RecordBuilder::on_element(ElementReader& reader) {
  const Element element = reader.element();
  if (levels_.size() == 1) top_group_ = element.tag.group;
  if (element.tag.element == 0 || element.tag.group >= kFirstPixelGroup) return;
  const Vr vr = resolve(reader, element);
  if (vr == Vr::SQ) {
    on_sequence(reader, key_of(element.tag));
  } else if (visible(element.tag)) {
    on_value(reader, element, vr, key_of(element.tag));
  }
  if (!cut_ && json_.size() > limits_.record_bytes) {
    cut_ = true;
    problem(key_of(element.tag), "the record is longer than the limit; left out from here on");
  }
}

void RecordBuilder::on_sequence(ElementReader& reader, const std::string& key) {
  const Tag tag = reader.element().tag;
  bool written = visible(tag);
  if (written && !levels_.back().seen.first_time(tag)) {
    problem(key, "present more than once; the first is shown");
    written = false;
  }
  if (written) {
    json_.key(key);
    json_.begin_list();
    if (sequence_keys_.size() >= limits_.record_nesting) {
      json_.end_list();
      problem(key, "nested too deep to be shown");
      written = false;
    }
  }
  open_.push_back({true, written});
  sequence_keys_.push_back(key);
  reader.enter_sequence();
}

void RecordBuilder::on_value(ElementReader& reader, const Element& element, Vr vr, const std::string& key) {
  const VrTraits& rules = traits(vr);
  const bool bulk_too_long = rules.kind == Kind::bulk && element.length > limits_.binary_bytes;
  const bool list_too_long = rules.kind == Kind::number && element.length / rules.width > limits_.binary_numbers;
  if (!levels_.back().seen.first_time(element.tag)) return problem(key, "present more than once; the first is shown");
  if (bulk_too_long || list_too_long || element.undefined_length) return leave_out(key);

  std::string bytes;
  if (!reader.read_value(limits_.text_bytes, bytes)) return;
  const bool cut = element.length > bytes.size();
  if (levels_.size() == 1 && Pixels::describes(element.tag)) note_pixels(element, vr, bytes);
  const Texts texts = read_texts(bytes, element, vr, cut);
  if (rules.kind == Kind::bulk && !bytes.empty() && !(vr == Vr::UN && is_text(bytes, texts))) {
    json_.key(key);
    json_.begin_object();
    json_.key("base64");
    json_.text(base64_of(bytes));
    return json_.end_object();
  }
  json_.key(key);
  write(texts.values);
  if (cut) problem(key, "cut after " + std::to_string(limits_.text_bytes) + " bytes");
  note(element.tag, texts);
}

Texts RecordBuilder::read_texts(std::string_view bytes, const Element& element, Vr vr, bool cut) const {
  if (traits(vr).kind == Kind::number) return numbers_of(bytes, vr, is_big_endian(element));
  return texts_of(bytes, vr, cut, *levels_.back().charset, transcoders_);
}

// What a value means for the values after it, and for the caller.
void RecordBuilder::note(Tag tag, const Texts& texts) {
  Level& level = levels_.back();
  if (!texts.problem.empty()) problem(key_of(tag), texts.problem);
  const bool names_none = levels_.size() == 1 && texts.values.front().empty() && texts.values.size() == 1;
  if (tag == kCharacterSet && !names_none) {
    std::string unknown;
    level.charset = std::make_shared<CharacterSet>(texts.values, unknown);
    if (!unknown.empty()) problem(key_of(tag), unknown);
  }
  if (tag == kPixelRepresentation) level.signed_pixels = texts.values.front() == "1";
  if (tag.is_private_creator()) level.creators.emplace_back(block_key(tag, tag.element), texts.values.front());
  const auto* identity = levels_.size() == 1 ? identity_element(tag) : nullptr;
  if (identity && !texts.values.front().empty()) header_.*(identity->member) = joined(texts.values);
}

void RecordBuilder::note_pixels(const Element& element, Vr vr, std::string bytes) {
  if (is_big_endian(element) && traits(vr).kind == Kind::number) std::reverse(bytes.begin(), bytes.end());
  pixels_.take(element.tag, bytes);
}

const std::string* RecordBuilder::creator_of(Tag tag) const {
  const std::uint32_t wanted = block_key(tag, tag.element >> 8);
  for (const auto& [block, creator] : levels_.back().creators) {
    if (block == wanted && tag.element >= 0x1000) return &creator;
  }
  return nullptr;
}

std::string RecordBuilder::key_of(Tag tag) const {
  if (tag.is_private()) {
    const std::string* creator = creator_of(tag);
    return spelled(tag) + '[' + (creator ? *creator : "") + ']';
  }
  const PublicEntry* entry = find_public(tag);
  return entry ? entry->keyword : spelled(tag);
}

// The VR sent; where none was sent or UN, that of the dictionaries if the value can be of it.
Vr RecordBuilder::resolve(ElementReader& reader, const Element& element) const {
  if (element.vr && *element.vr != Vr::UN) return *element.vr;
  if (element.undefined_length) return Vr::SQ;
  const std::string* creator = creator_of(element.tag);
  std::optional<Vr> known = public_vr(element.tag);
  if (element.tag.is_private_creator()) known = Vr::LO;
  if (creator) known = private_vr(element.tag, *creator);
  if (!known) return Vr::UN;
  if (*known == Vr::US_OR_SS) known = levels_.back().signed_pixels ? Vr::SS : Vr::US;
  // An implicit sequence that does not look like one is damaged; a UN that does not may be anything.
  const bool sent_as_un = element.vr.has_value();
  if (*known == Vr::SQ && (sent_as_un || creator) && !reader.looks_like_sequence()) return Vr::UN;
  const VrTraits& rules = traits(*known);
  if (rules.kind == Kind::number && (sent_as_un || creator) && element.length % rules.width != 0) return Vr::UN;
  return *known;
}

Header RecordBuilder::header() const { return header_; }

std::string RecordBuilder::finish_at_fault(const std::string& reason, std::vector<Extra> extras) {
  while (open_.size() > 1) close();
  sequence_keys_.clear();
  extras.push_back({"Fault", reason});
  return finish(extras);
}

std::string RecordBuilder::finish(const std::vector<Extra>& extras) {
  if (!problems_.empty()) {
    json_.key("DecodingProblems");
    json_.begin_list();
    for (const auto& text : problems_) json_.text(text);
    json_.end_list();
  }
  write_left_out();
  for (const auto& extra : extras) {
    std::string key;
    append_utf8(extra.key, key);
    json_.key(key);
    if (const auto* number = std::get_if<std::int64_t>(&extra.value)) {
      json_.integer(*number);
    } else {
      std::string text;
      append_utf8(std::get<std::string>(extra.value), text);
      json_.text(text);
    }
  }
  json_.end_object();
  return json_.take();
}

}  // namespace mercure::tags
