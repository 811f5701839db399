#include "receive/config.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace mercure::receive {
namespace {

std::string complaint_about(const std::string& text) {
  try {
    parse_config(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "none";
}

TEST(Configs, DefaultsNeedOnlyTheSpool) {
  const Config config = parse_config(R"({"spool": "/s"})");
  EXPECT_EQ(config.spool, "/s");
  EXPECT_EQ(config.port, 11112);
  EXPECT_EQ(config.max_pdu, 131072);
  EXPECT_TRUE(config.durable);
  EXPECT_EQ(config.access, Access::open);
  EXPECT_FALSE(config.revision);
}

TEST(Configs, EveryKeyIsTaken) {
  const Config config = parse_config(R"({
    "spool": "/s", "bind": "::1", "port": 0, "ae_title": "ROUTER 1", "called_aets": ["A", "B"], "max_pdu": 16384,
    "durability": "none", "min_free_bytes": 0, "max_associations": 7, "max_associations_per_sender": 3,
    "acse_timeout_seconds": 1.5, "idle_timeout_seconds": 2, "max_association_seconds": 0, "max_object_bytes": 9999,
    "sop_classes": ["1.2"], "stop_timeout_seconds": 0.0004, "log_level": "error", "revision": 12,
    "access": "listed", "senders": [{"name": "ct", "ae_titles": ["X"], "addresses": ["10.0.0.0/8"], "called_aets": ["Y"],
    "disabled": true, "max_associations": 2, "max_images_per_second": 30, "max_bytes_per_day": 9223372036854775807}]})");
  EXPECT_EQ(config.bind, "::1");
  EXPECT_EQ(config.port, 0);
  EXPECT_EQ(config.ae_title, "ROUTER 1");
  EXPECT_EQ(config.called_aets.size(), 2U);
  EXPECT_FALSE(config.durable);
  EXPECT_EQ(config.acse_timeout.count(), 1500);
  EXPECT_EQ(config.max_association.count(), 0);
  EXPECT_EQ(config.stop_timeout.count(), 1) << "a limit above 0 never becomes 0";
  EXPECT_EQ(config.log_level, log::Level::error);
  EXPECT_EQ(config.revision, 12);
  EXPECT_EQ(config.access, Access::listed);
  ASSERT_EQ(config.senders.size(), 1U);
  const KnownSender& sender = config.senders.front();
  EXPECT_EQ(sender.name, "ct");
  EXPECT_TRUE(sender.matches({"", "10.1.2.3", "X", ""}));
  EXPECT_EQ(sender.called_aets, std::vector<std::string>{"Y"});
  EXPECT_TRUE(sender.is_disabled);
  EXPECT_EQ(sender.quotas.associations, 2);
  EXPECT_EQ(sender.quotas.images_per_second, 30);
  EXPECT_EQ(sender.quotas.bytes_per_day, std::numeric_limits<std::int64_t>::max());
}

struct Wrong {
  std::string setting;
  std::string complaint;
};

class WrongConfig : public testing::TestWithParam<Wrong> {};

TEST_P(WrongConfig, IsRefusedWithItsPlace) {
  const std::string complaint = complaint_about(R"({"spool": "/s", )" + GetParam().setting + "}");
  EXPECT_NE(complaint.find(GetParam().complaint), std::string::npos) << complaint;
}

INSTANTIATE_TEST_SUITE_P(
    Configs, WrongConfig,
    testing::Values(Wrong{R"("prot": 1)", "prot: is not a setting"}, Wrong{R"("port": 65536)", "port: must be a whole number"},
                    Wrong{R"("port": -1)", "port: "}, Wrong{R"("port": "1")", "port: "}, Wrong{R"("port": 1.5)", "port: "},
                    Wrong{R"("bind": "localhost")", "bind: must be a numeric"}, Wrong{R"("max_pdu": 100)", "max_pdu: "},
                    Wrong{R"("max_pdu": 131073)", "max_pdu: "}, Wrong{R"("durability": "disk")", "durability: must be one of image, none"},
                    Wrong{R"("durability": 1)", "durability: must be a text"},
                    Wrong{R"("ae_title": "SEVENTEEN LETTERS")", "ae_title: "}, Wrong{R"("ae_title": " X")", "ae_title: "},
                    Wrong{R"("ae_title": "")", "ae_title: "}, Wrong{R"("called_aets": "A")", "called_aets: must be a list"},
                    Wrong{R"("called_aets": ["A\\B"])", "called_aets: "},
                    Wrong{R"("idle_timeout_seconds": 0)", "idle_timeout_seconds: "},
                    Wrong{R"("idle_timeout_seconds": -1)", "idle_timeout_seconds: "},
                    Wrong{R"("stop_timeout_seconds": "5")", "stop_timeout_seconds: "},
                    Wrong{R"("max_associations": 0)", "max_associations: "}, Wrong{R"("log_level": "loud")", "log_level: "},
                    Wrong{R"("revision": "a")", "revision: "}, Wrong{R"("access": [])", "access: must be a text"},
                    Wrong{R"("access": "closed")", "access: must be one of open, learn, listed"},
                    Wrong{R"("access": "listed")", "access: \"listed\" without"},
                    Wrong{R"("senders": [{"addresses": ["10.0.0.0/40"]}])", "senders.addresses: "},
                    Wrong{R"("senders": [{"called_aets": [""]}])", "senders.called_aets: "},
                    Wrong{R"("senders": [{"disabled": 1}])", "senders.disabled: must be true or false"},
                    Wrong{R"("senders": [{"max_associations": 0}])", "senders.max_associations: must be a whole number"},
                    Wrong{R"("senders": [{"max_bytes_per_day": 1.5}])", "senders.max_bytes_per_day: must be a whole number"},
                    Wrong{R"("senders": [{"max_images_per_second": null}])", "senders.max_images_per_second: must be a whole number"},
                    Wrong{R"("senders": [{"tls": true}])", "senders.tls: is not a setting"}));

TEST(Configs, AllMistakesAreNamedAtOnce) {
  const std::string complaint = complaint_about(R"({"port": -1, "max_pdu": 1, "x": 2})");
  for (const char* part : {"spool: is missing", "port: ", "max_pdu: ", "x: "}) {
    EXPECT_NE(complaint.find(part), std::string::npos) << complaint;
  }
}

TEST(Configs, WhatIsNoObjectIsRefused) {
  EXPECT_NE(complaint_about("{").find("not valid JSON"), std::string::npos);
  EXPECT_NE(complaint_about("[1]").find("one JSON object"), std::string::npos);
  EXPECT_NE(complaint_about(R"({"spool": "s"})").find("absolute"), std::string::npos);
  EXPECT_THROW(read_config("/nonexistent/config.json"), ConfigError);
}

}  // namespace
}  // namespace mercure::receive
