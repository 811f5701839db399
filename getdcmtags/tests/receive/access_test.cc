#include "receive/access.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "receive/known_senders.h"

namespace mercure::receive {
namespace {

TEST(Networks, ContainTheirAddressesOnly) {
  const auto v4 = Network::parse("192.0.2.128/25");
  ASSERT_TRUE(v4);
  EXPECT_TRUE(v4->contains("192.0.2.128"));
  EXPECT_TRUE(v4->contains("192.0.2.255"));
  EXPECT_FALSE(v4->contains("192.0.2.127"));
  EXPECT_FALSE(v4->contains("192.0.3.128"));
  EXPECT_TRUE(v4->contains("::ffff:192.0.2.200"));
  EXPECT_FALSE(v4->contains("2001:db8::1"));
  EXPECT_FALSE(v4->contains("nonsense"));

  const auto v6 = Network::parse("2001:db8::/33");
  ASSERT_TRUE(v6);
  EXPECT_TRUE(v6->contains("2001:db8:7fff::1"));
  EXPECT_FALSE(v6->contains("2001:db8:8000::1"));

  const auto one = Network::parse("10.1.2.3");
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->contains("10.1.2.3"));
  EXPECT_FALSE(one->contains("10.1.2.4"));

  const auto all = Network::parse("0.0.0.0/0");
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->contains("203.0.113.9"));
  EXPECT_FALSE(all->contains("2001:db8::1")) << "0.0.0.0/0 is all of IPv4, and nothing else";
}

TEST(Networks, WhatIsNoneIsRefused) {
  for (const char* text : {"", "10.1.2", "10.1.2.3/33", "10.1.2.3/", "10.1.2.3/x", "10.1.2.3/-1", "2001:db8::/129", "host", "10.1.2.3/8/8"}) {
    EXPECT_FALSE(Network::parse(text)) << text;
  }
}

KnownSender known(const std::string& name, std::vector<std::string> titles, const std::vector<std::string>& addresses) {
  KnownSender sender;
  sender.name = name;
  sender.ae_titles = std::move(titles);
  for (const std::string& address : addresses) sender.addresses.push_back(*Network::parse(address));
  return sender;
}

TEST(Senders, WhoIsBoundToACertificateIsFoundByItAlone) {
  std::vector<KnownSender> senders = {known("ct", {"CT1"}, {}), known("any", {"CT1"}, {})};
  senders.front().certificate_subject = "CN=ct1,O=Hospital";
  const auto name_of = [&](const Sender& sender) { return find_sender(senders, sender)->name; };
  EXPECT_EQ(name_of({"", "192.0.2.9", "CT1", "", "", "CN=ct1,O=Hospital"}), "ct");
  EXPECT_EQ(name_of({"", "192.0.2.9", "CT1", "", "", "CN=ct1", {"CN=ct1,O=Hospital"}}), "ct") << "one of its other names";
  EXPECT_EQ(name_of({"", "192.0.2.9", "CT1", "", "", "CN=ct2,O=Hospital", {"ct1"}}), "any");
  EXPECT_EQ(name_of({"", "192.0.2.9", "CT1", ""}), "any") << "without a certificate";
}

TEST(Senders, AreFoundByTitleAndAddress) {
  const std::vector<KnownSender> senders = {
      known("ct", {"SCANNER"}, {"192.0.2.0/24"}),
      known("lab", {}, {"2001:db8::/32"}),
      known("mr", {"MR1"}, {}),
  };
  const auto name_of = [&](const std::string& title, const std::string& address) {
    const KnownSender* found = find_sender(senders, {"", address, title, ""});
    return found == nullptr ? "" : found->name;
  };
  EXPECT_EQ(name_of("SCANNER", "192.0.2.9"), "ct");
  EXPECT_EQ(name_of("SCANNER", "::ffff:192.0.2.9"), "ct") << "IPv4 on a socket of IPv6";
  EXPECT_EQ(name_of("SCANNER", "203.0.113.9"), "");
  EXPECT_EQ(name_of("scanner", "192.0.2.9"), "");
  EXPECT_EQ(name_of("SCANNER 1", "192.0.2.9"), "");
  EXPECT_EQ(name_of("ANYBODY", "192.0.2.9"), "");
  EXPECT_EQ(name_of("", "192.0.2.9"), "");
  EXPECT_EQ(name_of("", "2001:db8::7"), "lab");
  EXPECT_EQ(name_of("C\xc4", "2001:db8::7"), "lab");
  EXPECT_EQ(name_of("MR1", "203.0.113.9"), "mr");
  EXPECT_EQ(name_of("MR1", "nonsense"), "mr");
  EXPECT_EQ(name_of("SCANNER", "nonsense"), "");
}

TEST(Senders, WithoutAnEntryAreNamedByTitleAndAddress) {
  EXPECT_EQ(unlisted_name("CT1", "192.0.2.9"), "CT1@192.0.2.9");
  EXPECT_EQ(unlisted_name("CT1", "::ffff:192.0.2.9"), "CT1@192.0.2.9");
  EXPECT_EQ(unlisted_name("", "2001:db8::7"), "@2001:db8::7");
}

}  // namespace
}  // namespace mercure::receive
