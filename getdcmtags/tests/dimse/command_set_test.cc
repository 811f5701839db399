#include "dimse/command_set.h"

#include <gtest/gtest.h>

#include <string>

namespace mercure::dimse {
namespace {

using namespace std::string_literals;

const std::string kEcho =
    "\0\0\0\0\4\0\0\0\x38\0\0\0"s +
    "\0\0\2\0\x12\0\0\0"s + "1.2.840.10008.1.1\0"s +
    "\0\0\0\1\2\0\0\0\x30\0"s + "\0\0\x10\1\2\0\0\0\7\0"s + "\0\0\0\x08\2\0\0\0\1\1"s;

TEST(Commands, ARequestIsRead) {
  const auto command = parse_command(kEcho);
  ASSERT_TRUE(command);
  EXPECT_EQ(command->field, kCEchoRequest);
  EXPECT_EQ(command->message_id, 7);
  EXPECT_EQ(command->sop_class, "1.2.840.10008.1.1");
  EXPECT_EQ(command->sop_instance, "");
  EXPECT_FALSE(command->has_data_set);
}

TEST(Commands, AnythingTornIsNoCommand) {
  for (std::size_t size = 0; size < kEcho.size(); ++size) {
    const auto command = parse_command(kEcho.substr(0, size));
    // At a border of elements what is there is whole, and a command once its field is among it.
    EXPECT_EQ(command.has_value(), size == 48 || size == 58) << size;
  }
  EXPECT_FALSE(parse_command("\x08\0\x18\0\2\0\0\0ab"s)) << "another group";
  EXPECT_FALSE(parse_command("\0\0\0\1\xff\xff\xff\xff\1\0"s)) << "a length beyond the end";
}

TEST(Commands, AResponseIsReadAsItWasWritten) {
  Command request;
  request.field = kCStoreRequest;
  request.message_id = 513;
  request.sop_class = "1.2.3";
  request.sop_instance = "1.2.3.4";
  const std::string bytes = response_to(request, 0xA700, std::string(100, 'x'));
  const auto response = parse_command(bytes);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->field, kCStoreRequest | kResponseBit);
  EXPECT_EQ(response->sop_class, "1.2.3");
  EXPECT_EQ(response->sop_instance, "1.2.3.4");
  EXPECT_FALSE(response->has_data_set);
  EXPECT_EQ(bytes.size() % 2, 0U);
  EXPECT_NE(bytes.find("\0\0\0\x09\2\0\0\0\0\xa7"s), std::string::npos);
  EXPECT_NE(bytes.find("\0\0\2\x09\x40\0\0\0"s + std::string(64, 'x')), std::string::npos) << "the comment is cut at 64";
  EXPECT_EQ(static_cast<unsigned char>(bytes[8]), bytes.size() - 12) << "the group length";
}

TEST(Commands, UidsOfAnyLengthAreCut) {
  Command request;
  request.field = kCStoreRequest;
  request.sop_class = request.sop_instance = std::string(60'000, '1');
  EXPECT_LT(response_to(request, 0, "").size(), 300U);
}

}  // namespace
}  // namespace mercure::dimse
