#include "tags/character_set.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <utility>

namespace mercure::tags {

enum class Form : std::uint8_t {
  ascii,     // as it is
  single,    // one byte, one character
  katakana,  // the same; real files hold Shift-JIS there, so its pairs are understood too
  pair,      // two bytes, one character
  jis208,    // a pair below 128
  jis212,    // the same, the supplementary set
  whole,     // no code extension: the encoding of the whole text
};

struct CodeSet {
  std::string_view term;    // without "ISO_IR " or "ISO 2022 IR "
  std::string_view escape;  // what follows ESC (PS3.3 tables C.12-3 and C.12-4); empty: cannot be switched to
  bool g1;                  // it is put into the upper half of the code table
  Form form;
  const char* encoding;     // by the name that iconv knows
};

namespace {

constexpr char kEscape = '\x1B';

constexpr std::array<CodeSet, 22> kCodeSets{{
    {"6", "(B", false, Form::ascii, ""},
    {"14", "(J", false, Form::ascii, ""},  // JIS X 0201 romaji: its yen sign stands for the backslash
    {"100", "-A", true, Form::single, "ISO-8859-1"},
    {"101", "-B", true, Form::single, "ISO-8859-2"},
    {"109", "-C", true, Form::single, "ISO-8859-3"},
    {"110", "-D", true, Form::single, "ISO-8859-4"},
    {"144", "-L", true, Form::single, "ISO-8859-5"},
    {"127", "-G", true, Form::single, "ISO-8859-6"},
    {"126", "-F", true, Form::single, "ISO-8859-7"},
    {"138", "-H", true, Form::single, "ISO-8859-8"},
    {"148", "-M", true, Form::single, "ISO-8859-9"},
    {"203", "-b", true, Form::single, "ISO-8859-15"},
    {"166", "-T", true, Form::single, "TIS-620"},
    {"13", ")I", true, Form::katakana, "CP932"},
    {"87", "$B", false, Form::jis208, "EUC-JP"},
    {"87", "$@", false, Form::jis208, "EUC-JP"},  // the edition of 1978, still written by some
    {"159", "$(D", false, Form::jis212, "EUC-JP"},
    {"149", "$)C", true, Form::pair, "UHC"},  // EUC-KR and the syllables that it leaves out
    {"58", "$)A", true, Form::pair, "GBK"},   // GB 2312 and what writers put into it
    {"192", "", true, Form::whole, "UTF-8"},
    {"GB18030", "", true, Form::whole, "GB18030"},
    {"GBK", "", true, Form::whole, "GBK"},
}};

// Spellings found in the wild.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kAliases{{
    {"", "6"},
    {"UTF8", "192"},
    {"LATIN1", "100"},
    {"ISO88591", "100"},
    {"GB2312", "GBK"},
    {"2022GBK", "GBK"},
    {"ASCII", "6"},
}};

// "ISO 2022 IR 87", "ISO_IR 87", "iso-ir87" → "87".
std::string reduced(std::string_view term) {
  std::string letters;
  for (const char c : term) {
    if (std::isalnum(static_cast<unsigned char>(c))) letters += static_cast<char>(std::toupper(c));
  }
  for (const std::string_view prefix : {"ISO2022IR", "ISOIR"}) {
    if (letters.starts_with(prefix)) return letters.substr(prefix.size());
  }
  if (letters.starts_with("ISO2022")) letters.erase(0, 3);
  return letters;
}

const CodeSet* find_term(std::string_view term) {
  std::string key = reduced(term);
  for (const auto& [alias, meaning] : kAliases) {
    if (key == alias) key = meaning;
  }
  const auto* found = std::find_if(kCodeSets.begin(), kCodeSets.end(), [&](const auto& set) { return set.term == key; });
  return found != kCodeSets.end() ? found : nullptr;
}

const CodeSet* find_escape(std::string_view after_escape) {
  const auto* found = std::find_if(kCodeSets.begin(), kCodeSets.end(), [&](const auto& set) {
    return !set.escape.empty() && after_escape.starts_with(set.escape);
  });
  return found != kCodeSets.end() ? found : nullptr;
}

std::string not_valid_in(const CodeSet& set, bool extensions) {
  const std::string term(set.term);
  if (!std::isdigit(static_cast<unsigned char>(term.front()))) return "not valid in " + term;
  return (extensions ? "not valid in ISO 2022 IR " : "not valid in ISO_IR ") + term;
}

bool is_high(char c) { return static_cast<unsigned char>(c) >= 0x80; }
bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20; }

bool is_plain(std::string_view bytes) {
  return std::none_of(bytes.begin(), bytes.end(), [](char c) { return is_high(c) || c == kEscape; });
}

// A run of bytes below 128 that a two-byte set makes characters of, as EUC-JP writes them.
std::string as_euc(std::string_view run, Form form) {
  std::string euc;
  for (std::size_t i = 0; i + 1 < run.size(); i += 2) {
    if (form == Form::jis212) euc += '\x8F';
    euc += static_cast<char>(run[i] | 0x80);
    euc += static_cast<char>(run[i + 1] | 0x80);
  }
  return euc;
}

// One text on its way through the escape sequences.
struct Progress {
  std::string_view rest;
  const CodeSet* g0;
  const CodeSet* g1;
  const CodeSet* failed = nullptr;
  std::string text;

  std::string_view take(std::size_t count) {
    const auto taken = rest.substr(0, count);
    rest.remove_prefix(taken.size());
    return taken;
  }
};

std::size_t low_run(std::string_view bytes) {
  const auto* end = std::find_if(bytes.begin(), bytes.end(),
                                 [](char c) { return is_high(c) || is_control(c) || c == ' '; });
  return static_cast<std::size_t>(end - bytes.begin());
}

bool leads_shift_jis_pair(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x81 && byte <= 0x9F) || byte >= 0xE0;
}

// The bytes from 128 on, and with each lead byte of Shift-JIS the one that completes it, which may be a backslash.
std::size_t high_run(std::string_view bytes, Form form) {
  std::size_t at = 0;
  while (at < bytes.size() && is_high(bytes[at])) at += form == Form::katakana && leads_shift_jis_pair(bytes[at]) ? 2 : 1;
  return std::min(at, bytes.size());
}

void decode_high(Progress& progress, Transcoders& transcoders) {
  const CodeSet& set = progress.g1 ? *progress.g1 : kCodeSets.front();
  const auto run = progress.take(high_run(progress.rest, set.form));
  bool faithful = false;
  if (progress.g1) {
    faithful = transcoders.append(set.encoding, run, set.form == Form::pair ? 2 : 1, progress.text);
  } else {
    for (std::size_t i = 0; i < run.size(); ++i) progress.text += kReplacement;
  }
  if (!faithful) progress.failed = &set;
}

void decode_pairs(Progress& progress, Transcoders& transcoders) {
  const auto run = progress.take(low_run(progress.rest));
  const std::size_t unit = progress.g0->form == Form::jis212 ? 3 : 2;
  const bool odd = run.size() % 2 != 0;
  const bool faithful =
      transcoders.append(progress.g0->encoding, as_euc(run, progress.g0->form), unit, progress.text) && !odd;
  if (odd) progress.text += kReplacement;
  if (!faithful) progress.failed = progress.g0;
}

void decode_escape(Progress& progress) {
  progress.take(1);
  if (const CodeSet* set = find_escape(progress.rest)) {
    progress.take(set->escape.size());
    (set->g1 ? progress.g1 : progress.g0) = set;
  } else {
    progress.text += kReplacement;
    progress.failed = &kCodeSets.front();
  }
}

bool takes_pairs(const CodeSet* g0) { return g0 && (g0->form == Form::jis208 || g0->form == Form::jis212); }

}  // namespace

CharacterSet::CharacterSet(const std::vector<std::string>& terms, std::string& problem) : named_(true) {
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const CodeSet* set = find_term(terms[i]);
    if (!set) {
      problem = "unknown character set " + terms[i];
    } else if (i == 0) {
      whole_ = set->form == Form::whole ? set : nullptr;
      (set->g1 ? initial_g1_ : initial_g0_) = set->form == Form::whole || takes_pairs(set) ? nullptr : set;
    } else if (set->g1 && set->form != Form::whole && !fallback_g1_) {
      fallback_g1_ = set;
    }
    extensions_ = extensions_ || i > 0 || terms[i].find("2022") != std::string::npos;
  }
}

CharacterSet CharacterSet::assumed(const std::string& terms) {
  std::vector<std::string> each(1);
  for (const char c : terms) {
    if (c == '\\') {
      each.emplace_back();
    } else {
      each.back() += c;
    }
  }
  std::string unknown;
  CharacterSet set(each, unknown);
  set.assumed_ = terms;
  return set;
}

Decoded CharacterSet::decode(std::string_view bytes, bool person_name, Transcoders& transcoders) const {
  if (is_plain(bytes)) return {std::string(bytes), {}};
  Decoded decoded = decode_named(bytes, person_name, transcoders);
  if (!assumed_.empty() && decoded.problem.empty()) decoded.problem = "no character set, read as " + assumed_;
  return decoded;
}

Decoded CharacterSet::decode_named(std::string_view bytes, bool person_name, Transcoders& transcoders) const {
  if (!whole_) return decode_extended(bytes, person_name, transcoders);
  Decoded decoded;
  const bool utf8 = whole_->term == "192";
  const bool faithful = utf8 ? append_utf8(bytes, decoded.text)
                             : transcoders.append(whole_->encoding, bytes, 1, decoded.text);
  if (!faithful) decoded.problem = not_valid_in(*whole_, extensions_);
  return decoded;
}

Decoded CharacterSet::decode_extended(std::string_view bytes, bool person_name, Transcoders& transcoders) const {
  const CodeSet* first_g1 = initial_g1_ ? initial_g1_ : fallback_g1_;
  if (!first_g1 && !extensions_ && is_utf8(bytes) && std::any_of(bytes.begin(), bytes.end(), is_high)) {
    return {std::string(bytes), "not valid in ISO_IR 6, read as UTF-8"};
  }
  Progress progress{bytes, initial_g0_, first_g1, nullptr, {}};
  bool is_guessed = false;
  while (!progress.rest.empty()) {
    const char c = progress.rest.front();
    if (c == kEscape && (extensions_ || (!named_ && find_escape(progress.rest.substr(1))))) {
      is_guessed = !extensions_;
      decode_escape(progress);
    } else if (is_high(c)) {
      decode_high(progress, transcoders);
    } else if (takes_pairs(progress.g0) && !is_control(c) && c != ' ') {
      decode_pairs(progress, transcoders);
    } else {
      progress.text += progress.take(1);
      const bool ends_extension = is_control(c) || c == '\\' || (person_name && (c == '^' || c == '='));
      if (ends_extension) {
        progress.g0 = initial_g0_;
        progress.g1 = first_g1;
      }
    }
  }
  if (!progress.failed) return {std::move(progress.text), is_guessed ? "not valid in ISO_IR 6, read by its escape sequences" : ""};
  return {std::move(progress.text), not_valid_in(*progress.failed, extensions_)};
}

}  // namespace mercure::tags
