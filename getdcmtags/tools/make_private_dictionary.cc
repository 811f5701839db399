// Writes the table of private elements that the tag library is compiled with, from the dictionary of the DCMTK that
// it is built against. Runs once, during the build: the programs themselves load no dictionary for reading tags.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmdata/dcdicent.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <tuple>

#include "tags/vr.h"

namespace {

using Key = std::tuple<std::string, std::uint16_t, std::uint8_t>;

// DCMTK's "xs" is US or SS; its other open VRs are bulk data and left to the default.
const char* enumerator_of(const std::string& vr) {
  if (vr == "xs") return "US_OR_SS";
  if (vr.size() != 2) return nullptr;
  const auto known = mercure::tags::vr_from(vr[0], vr[1]);
  return known ? mercure::tags::traits(*known).name.data() : nullptr;
}

std::string as_literal(const std::string& text) {
  std::string literal;
  for (const char c : text) {
    if (c == '"' || c == '\\') literal += '\\';
    literal += c;
  }
  return literal;
}

std::map<Key, std::string> private_entries() {
  std::map<Key, std::string> found;
  DcmDataDictionary& dictionary = dcmDataDict.wrlock();
  for (auto entry = dictionary.normalBegin(); entry != dictionary.normalEnd(); ++entry) {
    const char* creator = (*entry)->getPrivateCreator();
    const char* vr = enumerator_of((*entry)->getEVR() == EVR_xs ? "xs" : DcmVR((*entry)->getEVR()).getVRName());
    if (!creator || !vr) continue;
    found[{creator, (*entry)->getGroup(), static_cast<std::uint8_t>((*entry)->getElement() & 0xFF)}] = vr;
  }
  dcmDataDict.wrunlock();
  return found;
}

}  // namespace

int main() {
  const auto entries = private_entries();
  if (entries.empty()) {
    std::fputs("make_private_dictionary: DCMTK's data dictionary could not be loaded; install it "
               "(Debian: the package of libdcmdata) or set DCMDICTPATH\n", stderr);
    return 20;
  }
  for (const auto& [key, vr] : entries) {
    const auto& [creator, group, element] = key;
    std::printf("{\"%s\", 0x%04X, 0x%02X, Vr::%s},\n", as_literal(creator).c_str(), static_cast<unsigned>(group),
                static_cast<unsigned>(element), vr.c_str());
  }
  return std::fflush(stdout) == 0 && !std::ferror(stdout) ? 0 : 40;
}
