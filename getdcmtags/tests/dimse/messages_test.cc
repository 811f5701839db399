#include "dimse/messages.h"

#include <gtest/gtest.h>

#include <string>

#include "dimse/ends.h"

namespace mercure::dimse {
namespace {

using namespace std::string_literals;
using namespace std::chrono_literals;

const std::string kRelease = "\5\0\0\0\0\4\0\0\0\0"s;
const std::string kReleased = "\6\0\0\0\0\4\0\0\0\0"s;
const std::string kAbort = "\7\0\0\0\0\4\0\0\0\0"s;

std::string data_pdu(const std::string& bytes, bool is_last) { return data_pdu_header(1, false, is_last, bytes.size()) + bytes; }

TEST(Messages, ACommandLeavesWithItsDataSet) {
  Ends ends;
  Messages messages(*ends.connection, 16384, 16384);
  const std::string big(5000, 'x');
  char byte = 0;
  messages.hold(1, "command!");
  EXPECT_EQ(messages.send_fragment(1, "short!", false), End::none);
  EXPECT_EQ(recv(ends.peer.get(), &byte, 1, MSG_DONTWAIT), -1) << "nothing has left yet";
  EXPECT_EQ(messages.send_fragment(1, big, true), End::none);
  const std::string whole = data_pdus(1, "command!", 16384) + data_pdu("short!", false) + data_pdu(big, true);
  EXPECT_EQ(ends.heard(whole.size()), whole);
}

TEST(Messages, ShortFragmentsAreNotHeldWithoutEnd) {
  Ends ends;
  Messages messages(*ends.connection, 16384, 128);
  std::string whole;
  for (int number = 0; number < 100; ++number) {
    EXPECT_EQ(messages.send_fragment(1, std::string(122, 'x'), false), End::none);
    EXPECT_LT(ends.connection->held(), 4096U);
    whole += data_pdu(std::string(122, 'x'), false);
  }
  EXPECT_EQ(messages.flush(), End::none);
  EXPECT_EQ(ends.heard(whole.size()), whole);
}

TEST(Messages, AReleaseWaitsForItsAnswer) {
  Ends ends;
  Messages messages(*ends.connection, 16384, 16384);
  ends.say(data_pdu("late", true) + kReleased);
  EXPECT_EQ(messages.release(), End::none);
  EXPECT_EQ(ends.heard(kRelease.size()), kRelease);
}

TEST(Messages, WhoAsksForReleaseAtTheSameTimeIsAnswered) {
  Ends ends;
  Messages messages(*ends.connection, 16384, 16384);
  ends.say(kRelease + kReleased);
  EXPECT_EQ(messages.release(), End::none);
  EXPECT_EQ(ends.heard(2 * kRelease.size()), kRelease + kReleased);
}

// It is at its turn then: a second request, or data after its request, would keep us waiting for ever.
TEST(Messages, WhoGoesOnAfterAskingForReleaseBreaksTheProtocol) {
  for (const std::string& more : {kRelease, data_pdu("late", true)}) {
    Ends ends(2s);
    Messages messages(*ends.connection, 16384, 16384);
    ends.say(kRelease + more + kReleased);
    EXPECT_EQ(messages.release(), End::broken);
    EXPECT_NE(messages.fault(), "");
    EXPECT_EQ(shutdown(ends.connection->descriptor(), SHUT_WR), 0);
    EXPECT_EQ(ends.heard(3 * kRelease.size()), kRelease + kReleased) << "it is answered once";
  }
}

TEST(Messages, WhatIsNoAnswerToAReleaseBreaksTheProtocol) {
  for (const char type : {'\1', '\2', '\3', '\x9'}) {
    Ends ends(2s);
    Messages messages(*ends.connection, 16384, 16384);
    ends.say(type + "\0\0\0\0\4\0\0\0\0"s + kReleased);
    EXPECT_EQ(messages.release(), End::broken) << static_cast<int>(type);
  }
}

TEST(Messages, AReleaseMayEndOtherwise) {
  Ends aborting;
  aborting.say(kAbort);
  EXPECT_EQ(Messages(*aborting.connection, 16384, 16384).release(), End::aborted);
  Ends closing;
  EXPECT_EQ(shutdown(closing.peer.get(), SHUT_WR), 0);
  EXPECT_EQ(Messages(*closing.connection, 16384, 16384).release(), End::lost);
  Ends silent(50ms);
  EXPECT_EQ(Messages(*silent.connection, 16384, 16384).release(), End::timed_out);
}

// An answer that came together with the one before is news, although the socket has nothing more.
TEST(Messages, WhatWasReadAlreadyIsNews) {
  Ends ends;
  Messages messages(*ends.connection, 16384, 16384);
  EXPECT_FALSE(messages.has_news(0ms));
  ends.say(data_pdus(1, "one!", 0) + data_pdus(1, "two!", 0));
  EXPECT_TRUE(messages.has_news(0ms));
  std::uint8_t context = 0;
  std::string command;
  ASSERT_EQ(messages.next_command(context, command), End::none);
  EXPECT_EQ(command, "one!");
  EXPECT_TRUE(messages.has_news(0ms));
  ASSERT_EQ(messages.next_command(context, command), End::none);
  EXPECT_EQ(command, "two!");
  EXPECT_FALSE(messages.has_news(0ms));
}

}  // namespace
}  // namespace mercure::dimse
