#include "train/safetensors.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <stdexcept>

#include "tests/train/scratch.hpp"
#include "train/errors.hpp"
#include "train/safetensors_header.hpp"

using namespace autodidact::train;
using namespace autodidact::train::testing;

namespace {

std::string little_endian(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

/// A file with this header and so many bytes of data.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  return little_endian(header.size()) + header + std::string(data_bytes, '\1');
}

std::string read_error(const std::string& content) {
  const ScratchDirectory scratch;
  write_text(scratch / "w.safetensors", content);
  const std::string message =
      message_of<FileFormatError>([&] { read_safetensors(scratch / "w.safetensors"); });
  const std::string begin = "cannot read " + (scratch / "w.safetensors").string() + ": ";
  return message.starts_with(begin) ? message.substr(begin.size()) : "without its path: " + message;
}

}  // namespace

TEST_CASE("safetensors: a header that is too large to be read again is not written") {
  const ScratchDirectory scratch;
  const Metadata metadata{{"state", std::string(100'000'000, 'x')}};
  CHECK(message_of<std::invalid_argument>([&] { write_safetensors(scratch / "w", metadata, {}); }).find("more than the 100000000") !=
        std::string::npos);
  CHECK(scratch.names().empty());
}

TEST_CASE("what is written is read back: values, shapes, types and metadata") {
  const ScratchDirectory scratch;
  const std::vector<float> weights{1.5F, -2, 0, 3, 4, 5};
  const std::vector<double> doubles{1e300, -0.0};
  const std::vector<std::int64_t> tracked{7};
  const std::vector<std::int32_t> labels{-1, 2};
  const std::vector<std::uint8_t> mask{0, 255, 7};
  const std::array<std::byte, 4> raw{std::byte{0x80}, std::byte{0x3f}, std::byte{0},
                                     std::byte{0x40}};
  const std::vector<TensorView> tensors{
      view_of<float>("conv1.weight", {2, 3, 1}, weights),
      view_of<double>("d", {2}, doubles),
      view_of<std::int64_t>("bn1.num_batches_tracked", {}, tracked),
      view_of<std::int32_t>("labels", {2, 1}, labels),
      view_of<std::uint8_t>("mask", {3}, mask),
      TensorView{"half", FileType::bf16, {2}, raw},
      view_of<float>("nothing", {0, 5}, {}),
  };
  const Metadata metadata{{"model", "resnet18"}, {"classes", "[\"Ärmel\",\"\\\"\"]"}};
  write_safetensors(scratch / "w.safetensors", metadata, tensors);

  const SafetensorsFile file = read_safetensors(scratch / "w.safetensors");
  CHECK(file.metadata == metadata);
  REQUIRE(file.tensors.size() == tensors.size());
  for (const TensorView& expected : tensors) {
    const TensorRecord& tensor = file.require(expected.name, expected.type, expected.shape);
    CHECK_MESSAGE(std::equal(tensor.bytes.begin(), tensor.bytes.end(), expected.bytes.begin(),
                             expected.bytes.end()),
                  expected.name);
  }
  CHECK(file.require("conv1.weight", FileType::f32).values<float>()[1] == -2);
}

TEST_CASE("files are the same whatever the order of the tensors, and aligned") {
  const ScratchDirectory scratch;
  const std::vector<float> floats{1, 2, 3};
  const std::vector<std::int64_t> integers{4};
  const std::vector<std::uint8_t> bytes{1};
  std::vector<TensorView> tensors{view_of<std::uint8_t>("a", {1}, bytes),
                                  view_of<float>("b", {3}, floats),
                                  view_of<std::int64_t>("c", {1}, integers)};
  write_safetensors(scratch / "1", {{"x", "y"}}, tensors);
  std::reverse(tensors.begin(), tensors.end());
  write_safetensors(scratch / "2", {{"x", "y"}}, tensors);
  const std::string text = read_text(scratch / "1");
  CHECK(text == read_text(scratch / "2"));
  CHECK(static_cast<unsigned char>(text[0]) % 8 == 0);
  CHECK(text.find(R"("c":{"data_offsets":[0,8],)") != std::string::npos);
  CHECK(text.find(R"("b":{"data_offsets":[8,20],)") != std::string::npos);
  CHECK(text.find(R"("a":{"data_offsets":[20,21],)") != std::string::npos);
}

TEST_CASE("a header as other writers make it is read: spaces, any order, no metadata") {
  const ScratchDirectory scratch;
  const std::string header = R"({ "b" : {"shape":[],"dtype":"I64","data_offsets":[4,12]},
    "a":{"dtype":"F32","shape":[1],"data_offsets":[0, 4]}}     )";
  write_text(scratch / "w", file_of(header, 12));
  const SafetensorsFile file = read_safetensors(scratch / "w");
  CHECK(file.metadata.empty());
  CHECK(file.require("b", FileType::i64, {}).values<std::int64_t>()[0] == 0x0101010101010101);
  write_text(scratch / "empty", file_of("{}", 0));
  CHECK(read_safetensors(scratch / "empty").tensors.empty());
}

TEST_CASE("malformed files are refused in one sentence that names what is wrong") {
  const std::string good = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const auto one = [](const std::string& dtype, const std::string& shape,
                      const std::string& offsets) {
    return "{\"a\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
           "}}";
  };
  std::string many = "0";
  for (int i = 0; i < 64; ++i) many += ",0";
  struct Row {
    std::string content;
    std::string error;
  };
  const std::vector<Row> rows{
      {"", "it has 0 bytes, too few for the 8 of a header's length"},
      {"1234567", "it has 7 bytes, too few for the 8 of a header's length"},
      {little_endian(100) + "{}", "it says its header has 100 bytes, but only 2 follow"},
      {little_endian(~0ULL) + "{}",
       "it says its header has 18446744073709551615 bytes, more than the 100000000 allowed"},
      {little_endian(0), "its header does not begin with {"},
      {file_of(" {}", 0), "its header does not begin with {"},
      {file_of("[]", 0), "its header does not begin with {"},
      {file_of("{\"a\":", 0), "its header is not JSON at byte 6"},
      {file_of("{} {}", 0), "its header is not JSON at byte 4"},
      {file_of("{\"\xff\":1}", 0), "its header is not JSON at byte 3"},
      {file_of("{" + good + "," + good + "}", 8), "its header has the key \"a\" twice"},
      {file_of(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8),
       "its header has the key \"dtype\" twice"},
      {file_of(R"({"a":{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}})", 8),
       "its header is nested deeper than 3 levels"},
      {file_of("{\"a\":" + std::string(1'000'000, '['), 0),
       "its header is nested deeper than 3 levels"},
      {file_of(one("\"F32\"", "[" + many + "]", "[0,0]"), 0),
       "its header has an array of more than 64 numbers"},
      {file_of(R"({"__metadata__":["x"]})", 0), "its __metadata__ is not an object of strings"},
      {file_of(R"({"__metadata__":{"n":1}})", 0), "its metadata \"n\" is not a string"},
      {file_of(R"({"a":[1]})", 0),
       "tensor \"a\" is not described by exactly dtype, shape and data_offsets"},
      {file_of(R"({"a":{"dtype":"F32","shape":[2],"offsets":[0,8]}})", 8),
       "tensor \"a\" is not described by exactly dtype, shape and data_offsets"},
      {file_of(one("\"F8_E4M3\"", "[4]", "[0,8]"), 8),
       "tensor \"a\" has dtype \"F8_E4M3\"; known are F64, F32, F16, BF16, I64, I32 and U8"},
      {file_of(one("5", "[4]", "[0,8]"), 8), "tensor \"a\" has a dtype that is not a string"},
      {file_of(one("\"F32\"", "[-2]", "[0,8]"), 8),
       "tensor \"a\" has a shape that is not an array of integers ≥ 0"},
      {file_of(one("\"F32\"", "[2.0]", "[0,8]"), 8),
       "tensor \"a\" has a shape that is not an array of integers ≥ 0"},
      {file_of(one("\"F32\"", "2", "[0,8]"), 8),
       "tensor \"a\" has a shape that is not an array of integers ≥ 0"},
      {file_of(one("\"F32\"", "[18446744073709551615]", "[0,8]"), 8),
       "tensor \"a\" has a dimension of 18446744073709551615"},
      {file_of(one("\"F32\"", "[4294967296,4294967296]", "[0,8]"), 8),
       "tensor \"a\" has the shape (4294967296,4294967296), whose size overflows"},
      {file_of(one("\"F32\"", "[2]", "[0,8,16]"), 8), "tensor \"a\" has 3 data_offsets, not 2"},
      {file_of(one("\"F32\"", "[2]", "[8,0]"), 8), "tensor \"a\" begins at 8 but ends at 0"},
      {file_of(one("\"F32\"", "[2]", "[0,8]"), 7),
       "tensor \"a\" ends at 8, but the file has only 7 bytes of data"},
      {file_of(one("\"F32\"", "[3]", "[0,8]"), 8),
       "tensor \"a\" has 8 bytes, but F32 of shape (3) needs 12"},
      {file_of(one("\"F32\"", "[2]", "[0,8]"), 9),
       "its tensors end at 8, but 9 bytes of data follow the header"},
      {file_of("{}", 3), "its tensors end at 0, but 3 bytes of data follow the header"},
      {file_of("{" + good + R"(,"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})", 8),
       "tensor \"b\" begins at 4, which overlaps: the tensors before it end at 8"},
      {file_of("{" + good + R"(,"b":{"dtype":"U8","shape":[4],"data_offsets":[9,13]}})", 13),
       "tensor \"b\" begins at 9, which leaves a hole: the tensors before it end at 8"},
      {file_of(R"({"\u001b[31m":{"dtype":"U8","shape":[1],"data_offsets":[0,0]}})", 0),
       "tensor \"\\u001b[31m\" has 0 bytes, but U8 of shape (1) needs 1"},
  };
  for (const Row& row : rows) CHECK(read_error(row.content) == row.error);
}

TEST_CASE("a file cut at any byte, or with any byte of its header changed, never reads wrongly") {
  const ScratchDirectory scratch;
  const std::vector<float> values{1, 2};
  const std::vector<TensorView> tensors{view_of<float>("a", {2}, values)};
  write_safetensors(scratch / "w", {}, tensors);
  const std::string whole = read_text(scratch / "w");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_text(scratch / "cut", whole.substr(0, size));
    CHECK_THROWS_AS(read_safetensors(scratch / "cut"), FileFormatError);
  }
  for (std::size_t at = 0; at < whole.size() - 8; ++at) {
    for (const char flip : {'\x01', '\x20', '\x80'}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      write_text(scratch / "changed", changed);
      try {
        // What still is a file (another name, or a type of the same size) holds one tensor of the same eight bytes.
        const SafetensorsFile file = read_safetensors(scratch / "changed");
        REQUIRE(file.tensors.size() == 1);
        CHECK(file.tensors[0].bytes.size() == 8);
      } catch (const FileFormatError&) {
      }
    }
  }
}

TEST_CASE("missing files, folders and devices are refused") {
  const ScratchDirectory scratch;
  CHECK(message_of<FileFormatError>([&] { read_safetensors(scratch / "no"); }) ==
        "cannot read " + (scratch / "no").string() + ": there is no such file");
  CHECK(message_of<FileFormatError>([&] { read_safetensors(scratch.path()); }) ==
        "cannot read " + scratch.path().string() + ": it is not a regular file");
  CHECK_THROWS_AS(read_safetensors("/dev/zero"), FileFormatError);
}

TEST_CASE("a tensor that is missing or of another type or shape is named with both") {
  const ScratchDirectory scratch;
  const std::string path = (scratch / "w").string();
  const std::vector<float> values{1, 2};
  const std::vector<TensorView> tensors{view_of<float>("a", {2}, values)};
  write_safetensors(path, {}, tensors);
  const SafetensorsFile file = read_safetensors(path);
  CHECK(file.find("b") == nullptr);
  CHECK(message_of<FileFormatError>([&] { file.require("b", FileType::f32); }) ==
        path + " has no tensor \"b\"");
  CHECK(message_of<FileFormatError>([&] { file.require("a", FileType::i64); }) ==
        path + ": tensor \"a\" is F32, expected I64");
  CHECK(message_of<FileFormatError>([&] {
          file.require("a", FileType::f32, {2, 1});
        }) == path + ": tensor \"a\" has shape (2), expected (2,1)");
}

TEST_CASE("the writer refuses what it could not read back and then leaves nothing behind") {
  const ScratchDirectory scratch;
  const std::vector<float> values{1, 2};
  const auto write = [&](const std::vector<TensorView>& tensors) {
    return message_of<std::invalid_argument>(
        [&] { write_safetensors(scratch / "w", {}, tensors); });
  };
  CHECK(write({view_of<float>("a", {3}, values)}) ==
        "tensor a has 8 bytes, which is not F32 of shape (3)");
  CHECK(write({view_of<float>("a", {-2}, values)}) ==
        "tensor a has 8 bytes, which is not F32 of shape (-2)");
  CHECK(write({view_of<float>("a", {2}, values), view_of<float>("a", {2}, values)}) ==
        "the tensor name a is reserved or given twice");
  CHECK(write({view_of<float>("__metadata__", {2}, values)}) ==
        "the tensor name __metadata__ is reserved or given twice");
  CHECK(scratch.names().empty());
}

TEST_CASE("metadata that is not UTF-8 does not stop a run from being saved") {
  const ScratchDirectory scratch;
  write_safetensors(scratch / "w", {{"classes", "caf\xe9"}}, {});
  CHECK(read_safetensors(scratch / "w").metadata.at("classes") == "caf\xef\xbf\xbd");
}

TEST_CASE("a disk that fills up while weights are written keeps the old weights") {
  const ScratchDirectory scratch;
  const std::vector<float> small{1}, large(100'000, 2.0F);
  write_safetensors(scratch / "w", {}, std::vector<TensorView>{view_of<float>("a", {1}, small)});
  {
    const FullDisk full(50'000);
    const std::vector<TensorView> tensors{view_of<float>("a", {100'000}, large)};
    CHECK_THROWS_AS(write_safetensors(scratch / "w", {}, tensors), ResourceError);
  }
  CHECK(read_safetensors(scratch / "w").require("a", FileType::f32).values<float>()[0] == 1);
  CHECK(scratch.names().size() == 1);
}

TEST_CASE("safetensors: numbers of two bytes are read as what they mean") {
  const auto numbers = [](FileType type, std::vector<std::uint16_t> bits) {
    const auto bytes = std::as_bytes(std::span(bits));
    return TensorRecord{"a", type, {static_cast<std::int64_t>(bits.size())}, {bytes.begin(), bytes.end()}}.numbers();
  };
  // 1, −2, the largest, the smallest normal and the smallest number of binary16
  CHECK(numbers(FileType::f16, {0x3c00, 0xc000, 0x7bff, 0x0400, 0x8001}) == std::vector<double>{1, -2, 65504, 0x1p-14, -0x1p-24});
  CHECK(std::isinf(numbers(FileType::f16, {0x7c00})->front()));
  CHECK(std::isnan(numbers(FileType::f16, {0x7e00})->front()));
  CHECK(numbers(FileType::bf16, {0x3f80, 0xc0a0, 0x0080}) == std::vector<double>{1, -5, 0x1p-126});
  CHECK_FALSE(numbers(FileType::i64, {0, 0, 0, 0}));
}
