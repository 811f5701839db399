// Which images go together over one association.
#include "storescu/image.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace mercure::storescu;

Image image(int sop_class, const char* transfer_syntax = "1.2.840.10008.1.2.1") {
  return {"file", "1.2." + std::to_string(sop_class), "1.2.3", transfer_syntax, {transfer_syntax}, 0, ""};
}

TEST(Batches, AreNoneForNothing) { EXPECT_TRUE(cut_into_batches({}).empty()); }

TEST(Batches, LeaveOutWhatCannotBeSent) {
  Image broken = image(1);
  broken.problem = "not a DICOM file";
  const auto batches = cut_into_batches({broken, image(1), broken});
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].images, (std::vector<std::size_t>{1}));
}

TEST(Batches, HaveOneContextForEachPairOfClassAndSyntax) {
  const auto batches = cut_into_batches({image(1), image(2), image(1, "1.2.840.10008.1.2"), image(1)});
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].contexts.size(), 3U);
  EXPECT_EQ(batches[0].contexts_of_image, (std::vector<std::vector<std::size_t>>{{0}, {1}, {2}, {0}}));
}

TEST(Batches, HoldAtMost128ContextsAndKeepTheOrder) {
  std::vector<Image> images;
  for (int i = 0; i < 300; ++i) images.push_back(image(i));
  images.push_back(image(299));  // known to the batch before it, which is the last
  const auto batches = cut_into_batches(images);
  ASSERT_EQ(batches.size(), 3U);
  std::size_t next = 0;
  for (const auto& batch : batches) {
    EXPECT_LE(batch.contexts.size(), 128U);
    for (const auto place : batch.images) EXPECT_EQ(place, next++);
  }
  EXPECT_EQ(next, images.size());
}

TEST(Batches, OfFullContextsGoOnWithKnownOnes) {
  std::vector<Image> images;
  for (int i = 0; i < 128; ++i) images.push_back(image(i));
  images.push_back(image(5));
  EXPECT_EQ(cut_into_batches(images).size(), 1U);
}

}  // namespace
