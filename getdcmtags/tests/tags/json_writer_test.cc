#include "tags/json_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace {

using mercure::tags::JsonWriter;

std::string written(JsonWriter json) {
  json.begin_object();
  json.member("a", "\"x\"\n");
  json.key("b");
  json.begin_list();
  json.boolean(true);
  json.null();
  json.raw(R"({"c":1})");
  json.end_list();
  json.end_object();
  return json.take();
}

TEST(JsonWriters, WriteWithBlanksOrWithout) {
  EXPECT_EQ(written(JsonWriter()), R"({"a": "\"x\"\u000a", "b": [true, null, {"c":1}]})");
  EXPECT_EQ(written(JsonWriter(JsonWriter::Style::compact)), R"({"a":"\"x\"\n","b":[true,null,{"c":1}]})");
}

TEST(JsonWriters, EscapeOnlyWhatMustBe) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = "ab" + std::string(1, static_cast<char>(byte)) + "cd";
    JsonWriter json;
    json.text(text);
    const bool is_escaped = byte < 0x20 || byte == '"' || byte == '\\';
    const std::string quoted = json.take();
    EXPECT_EQ(quoted == '"' + text + '"', !is_escaped) << byte;
    EXPECT_EQ(quoted.find("ab\\") == 1, is_escaped) << byte;
  }
}

TEST(JsonWriters, GoOnWithAnObject) {
  for (const auto& [object, whole] : {std::pair(R"({"a": 1})", R"({"a": 1, "b": "2"})"), std::pair("{}", R"({"b": "2"})")}) {
    JsonWriter json = JsonWriter::reopen(object);
    json.member("b", "2");
    json.end_object();
    EXPECT_EQ(json.take(), whole);
  }
}

}  // namespace
