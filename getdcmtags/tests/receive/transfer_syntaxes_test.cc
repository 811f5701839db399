#include "receive/transfer_syntaxes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "receive/sop_classes.h"

namespace mercure::receive {
namespace {

const std::string kImplicit = "1.2.840.10008.1.2";
const std::string kExplicit = "1.2.840.10008.1.2.1";
const std::string kJpeg = "1.2.840.10008.1.2.4.50";
const std::string kJpegXl = "1.2.840.10008.1.2.4.110";
const std::string kMpeg = "1.2.840.10008.1.2.4.100.1";
const std::string kPrivate = "1.2.840.113619.5.2";

TEST(TransferSyntaxes, CompressedBeforeUncompressedBeforeOthers) {
  EXPECT_EQ(preferred_transfer_syntax({kPrivate, kImplicit, kJpeg}), kJpeg);
  EXPECT_EQ(preferred_transfer_syntax({kPrivate, kImplicit, kExplicit}), kImplicit);
  EXPECT_EQ(preferred_transfer_syntax({kExplicit, kMpeg, kJpegXl}), kMpeg);
  EXPECT_EQ(preferred_transfer_syntax({kPrivate}), kPrivate);
  EXPECT_EQ(preferred_transfer_syntax({"1.2.840.10008.1.20", kExplicit}), kExplicit) << "no prefix of a number";
}

TEST(SopClasses, OfOtherServicesAreKnownWithWhatIsBelowThem) {
  EXPECT_TRUE(is_other_service("1.2.840.10008.5.1.4.1.2.2.1"));
  EXPECT_TRUE(is_other_service("1.2.840.10008.5.1.4.31"));
  EXPECT_TRUE(is_other_service("1.2.840.10008.1.20.1"));
  EXPECT_FALSE(is_other_service("1.2.840.10008.5.1.4.1.1.2")) << "CT";
  EXPECT_FALSE(is_other_service("1.2.840.10008.5.1.1.29")) << "hardcopy images were stored";
  EXPECT_FALSE(is_other_service("1.2.840.10008.5.1.4.310"));
  EXPECT_FALSE(is_other_service("1.2.3.4"));
}

}  // namespace
}  // namespace mercure::receive
