#include "receive/access.h"

#include <gtest/gtest.h>

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

TEST(AccessLists, AreOnlyLookedAtWhenListed) {
  Access access;
  access.calling_aets = {"SCANNER"};
  access.networks = {*Network::parse("192.0.2.0/24")};
  EXPECT_TRUE(access.allows_calling("ANYBODY"));
  EXPECT_TRUE(access.allows_address("203.0.113.9"));
  access.mode = Access::Mode::listed;
  EXPECT_FALSE(access.allows_calling("ANYBODY"));
  EXPECT_FALSE(access.allows_calling("scanner"));
  EXPECT_TRUE(access.allows_calling("SCANNER"));
  EXPECT_FALSE(access.allows_address("203.0.113.9"));
  EXPECT_TRUE(access.allows_address("192.0.2.9"));
}

}  // namespace
}  // namespace mercure::receive
