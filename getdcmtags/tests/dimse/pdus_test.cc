#include "dimse/pdus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "dimse/ends.h"

namespace mercure::dimse {
namespace {

using namespace std::string_literals;
using namespace std::chrono_literals;
using Outcome = PduReader::Outcome;

TEST(PduReaders, PdusComeWholeInWhateverPieces) {
  Ends ends;
  PduReader reader(*ends.connection, 16384);
  const std::string big = "\4\0\0\0\x20\0"s + std::string(0x2000, 'x');
  const std::string stream = "\4\0\0\0\0\3abc"s + big + "\5\0\0\0\0\4\0\0\0\0"s;
  std::thread sender([&] {
    for (std::size_t at = 0; at < stream.size(); at += 1000) ends.say(stream.substr(at, 1000));
    ends.peer.reset();
  });
  Pdu pdu;
  ASSERT_EQ(reader.next(pdu), Outcome::pdu);
  EXPECT_EQ(pdu.type, PduType::data);
  EXPECT_EQ(pdu.body, "abc");
  ASSERT_EQ(reader.next(pdu), Outcome::pdu);
  EXPECT_EQ(pdu.body, std::string(0x2000, 'x'));
  ASSERT_EQ(reader.next(pdu), Outcome::pdu);
  EXPECT_EQ(pdu.type, PduType::release_request);
  EXPECT_EQ(reader.next(pdu), Outcome::no_more);
  EXPECT_TRUE(ends.connection->is_lost());
  EXPECT_EQ(ends.connection->bytes_read(), stream.size());
  sender.join();
}

// Bytes beyond a PDU are read with it. Nobody may wait for them a second time: a peer that waits for its answer sends no more.
TEST(PduReaders, WhatWasReadAlreadyIsNotWaitedFor) {
  const std::size_t lengths[] = {1, 200, 4084, 4085, 4090, 4095, 4096, 4097, 8186, 16384, 4, 0, 16378, 90};
  std::string stream;
  std::vector<std::size_t> ends_of_pdus;
  for (const std::size_t length : lengths) {
    stream += "\4\0\0\0"s + static_cast<char>(length >> 8) + static_cast<char>(length & 0xff) + std::string(length, 'x');
    ends_of_pdus.push_back(stream.size());
  }
  const std::size_t pieces[] = {97, 1000, 4096, 4102, 16390, stream.size()};
  for (const std::size_t piece : pieces) {
    Ends ends(2s);
    PduReader reader(*ends.connection, 16384);
    std::size_t said = 0;
    for (std::size_t number = 0; number < ends_of_pdus.size(); ++number) {
      for (; said < ends_of_pdus[number]; said += std::min(piece, stream.size() - said)) ends.say(stream.substr(said, piece));
      Pdu pdu;
      ASSERT_EQ(reader.next(pdu), Outcome::pdu) << "PDU " << number << " in pieces of " << piece;
      EXPECT_EQ(pdu.body, std::string(lengths[number], 'x'));
    }
  }
}

TEST(PduReaders, MoreThanAgreedIsNotRead) {
  Ends ends;
  PduReader reader(*ends.connection, 4096);
  ends.say("\4\0\0\0\x10\1"s);
  Pdu pdu;
  EXPECT_EQ(reader.next(pdu), Outcome::too_long);
}

// Joins the command out of P-DATA PDUs and checks that none is longer than agreed.
std::string joined(std::string_view pdus, std::size_t max_pdu) {
  std::string command;
  bool last = false;
  while (!pdus.empty()) {
    EXPECT_FALSE(last);
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(pdus[4]) << 8 | static_cast<unsigned char>(pdus[5]));
    EXPECT_LE(length, max_pdu == 0 ? length : std::max<std::size_t>(max_pdu, 8));
    EXPECT_EQ(pdus[0], 4);
    EXPECT_EQ(static_cast<std::size_t>(static_cast<unsigned char>(pdus[9])), (length - 4) % 256);
    EXPECT_EQ(pdus[10], 5) << "the context";
    last = pdus[11] == 3;
    command += pdus.substr(12, length - 6);
    pdus.remove_prefix(6 + length);
  }
  EXPECT_TRUE(last);
  return command;
}

TEST(DataPdus, FitWhatThePeerTakes) {
  const std::string command = std::string(150, 'a') + std::string(150, 'b');
  for (const std::size_t max_pdu : {0UL, 1UL, 8UL, 9UL, 14UL, 128UL, 306UL, 307UL, 16384UL}) {
    EXPECT_EQ(joined(data_pdus(5, command, max_pdu), max_pdu), command) << max_pdu;
  }
}

TEST(OtherPdus, HaveTheirForm) {
  EXPECT_EQ(release_request(), "\5\0\0\0\0\4\0\0\0\0"s);
  EXPECT_EQ(release_response(), "\6\0\0\0\0\4\0\0\0\0"s);
  EXPECT_EQ(abort_pdu(2, 6), "\7\0\0\0\0\4\0\0\2\6"s);
}

}  // namespace
}  // namespace mercure::dimse
