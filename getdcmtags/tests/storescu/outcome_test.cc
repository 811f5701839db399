// Every status there is has one meaning, and only one of them is success.
#include "storescu/outcome.h"

#include <gtest/gtest.h>

namespace {

using namespace mercure::storescu;

TEST(Status, IsConfirmedOnlyByZero) {
  for (unsigned status = 1; status <= 0xFFFF; ++status) {
    const Meaning meaning = meaning_of(static_cast<std::uint16_t>(status));
    EXPECT_NE(meaning.outcome, Outcome::confirmed) << status;
    EXPECT_NE(meaning.outcome, Outcome::not_sent) << status;
    EXPECT_FALSE(meaning.text.empty()) << status;
  }
  EXPECT_EQ(meaning_of(0).outcome, Outcome::confirmed);
}

TEST(Status, OfTheWarningRangeIsAWarning) {
  for (unsigned status = 0xB000; status <= 0xBFFF; ++status) {
    EXPECT_EQ(meaning_of(static_cast<std::uint16_t>(status)).outcome, Outcome::warning);
  }
}

TEST(Names, AreThoseOfTheManPage) {
  EXPECT_EQ(name_of(Outcome::not_sent), "not-sent");
  EXPECT_EQ(name_of(Outcome::confirmed), "confirmed");
  EXPECT_EQ(name_of(Kind::unreachable), "unreachable");
  EXPECT_EQ(name_of(Kind::aborted), "aborted");
  EXPECT_EQ(name_of(Kind::stopped), "local");
}

}  // namespace
