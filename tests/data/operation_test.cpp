// Every operation at every level against Pillow's own result, bit for bit: tests/oracle/augment.bin.xz.
#include "data/operation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>

#include "tests/data/golden_bytes.hpp"

using namespace autodidact::data;

namespace {

struct Golden {
  struct Picture {
    Image before;
    std::vector<std::vector<std::uint8_t>> after;  // of each case
  };
  std::vector<LeveledOperation> cases;
  std::vector<Picture> pictures;
};

Operation operation_by_name(const std::string& name) {
  for (int i = 0; i < kOperations; ++i) {
    if (operation_name(static_cast<Operation>(i)) == name) return static_cast<Operation>(i);
  }
  FAIL("no such operation: " << name);
  return {};
}

Golden read_golden() {
  GoldenBytes file("augment.bin.xz");
  Golden golden;
  for (std::istringstream words; file.next_line(words);) {
    std::string kind, name;
    words >> kind;
    if (kind == "case") {
      double level = 0;
      words >> name >> level;
      golden.cases.push_back({operation_by_name(name), level});
    } else if (kind == "image") {
      ImageShape shape;
      words >> shape.channels >> shape.height >> shape.width;
      golden.pictures.push_back({{shape, {}}, {}});
    }
    REQUIRE(words);
  }
  for (auto& picture : golden.pictures) {
    picture.before.pixels = file.take(picture.before.shape.bytes());
    for (std::size_t i = 0; i < golden.cases.size(); ++i) {
      picture.after.push_back(file.take(picture.before.shape.bytes()));
    }
  }
  return golden;
}

}  // namespace

TEST_CASE("every operation at every level gives Pillow's pictures, bit for bit") {
  const Golden golden = read_golden();
  CHECK(golden.pictures.size() == 12);
  std::set<std::pair<Operation, double>> covered;
  for (const auto& c : golden.cases) covered.insert({c.operation, c.level});
  for (int i = 0; i < kOperations - 1; ++i) {  // all but identity
    const auto operation = static_cast<Operation>(i);
    const LevelUse use = level_use(operation);
    for (int level = 0; level <= (use == LevelUse::none ? 0 : 9); ++level) {
      CHECK(covered.contains({operation, level}));
      if (use == LevelUse::sign) CHECK(covered.contains({operation, -level}));
    }
  }
  std::vector<std::uint8_t> scratch;
  for (std::size_t p = 0; p < golden.pictures.size(); ++p) {
    const auto& picture = golden.pictures[p];
    for (std::size_t i = 0; i < golden.cases.size(); ++i) {
      Image image = picture.before;
      apply(golden.cases[i], image, scratch);
      int different = 0, largest = 0;
      for (std::size_t k = 0; k < image.pixels.size(); ++k) {
        const int difference = std::abs(image.pixels[k] - picture.after[i][k]);
        different += difference != 0;
        largest = std::max(largest, difference);
      }
      CHECK_MESSAGE(different == 0, operation_name(golden.cases[i].operation)
                                        << ":" << golden.cases[i].level << " on picture " << p
                                        << ": " << different << " bytes, by up to " << largest);
    }
  }
}

TEST_CASE("an operation is read from its name and level") {
  const auto check = [](const char* text, Operation operation, double level) {
    const LeveledOperation parsed = parse_operation(text);
    CHECK(parsed.operation == operation);
    CHECK(parsed.level == level);
  };
  check("shearX:5", Operation::shear_x, 5);
  check("shearX:-5", Operation::shear_x, -5);
  check("rotate:2.5", Operation::rotate, 2.5);
  check("solarize:0", Operation::solarize, 0);
  check("equalize", Operation::equalize, 0);
}

TEST_CASE("an operation that cannot be is refused with what is expected") {
  for (const auto& [text, sentence] : std::map<const char*, const char*>{
           {"shear:5",
            "unknown operation \"shear\", expected one of shearX, shearY, translateX, translateY, "
            "rotate, color, contrast, brightness, sharpness, posterize, solarize, autocontrast, "
            "equalize, invert, identity"},
           {"shearX", "shearX needs a level from -9 to 9, as in shearX:5, got \"shearX\""},
           {"shearX:", "shearX needs a level from -9 to 9, as in shearX:5, got \"shearX:\""},
           {"shearX:5x", "shearX needs a level from -9 to 9, as in shearX:5, got \"shearX:5x\""},
           {"shearX:10", "shearX needs a level from -9 to 9, as in shearX:5, got \"shearX:10\""},
           {"shearX:nan", "shearX needs a level from -9 to 9, as in shearX:5, got \"shearX:nan\""},
           {"posterize:-1",
            "posterize needs a level from 0 to 9, as in posterize:5, got \"posterize:-1\""},
           {"equalize:3", "equalize takes no level, got \"equalize:3\""}}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(parse_operation(text), sentence, std::invalid_argument);
  }
  CHECK_THROWS_WITH_AS(check_operable({4, 8, 8}),
                       "operations work on pictures of 1 or 3 channels and sides of 1 to 16384 "
                       "pixels, got 4 channels of 8×8",
                       std::invalid_argument);
  CHECK_NOTHROW(check_operable({1, 1, 16384}));
}
