#include "train/atomic_file.hpp"

#include <doctest/doctest.h>

#include <random>

#include "tests/train/scratch.hpp"
#include "train/errors.hpp"

using namespace autodidact::train;
using namespace autodidact::train::testing;

TEST_CASE("an atomic file appears with all its bytes on commit and not before") {
  const ScratchDirectory scratch;
  AtomicFile file(scratch / "a.bin");
  file.write("first ");
  file.write("second");
  CHECK_FALSE(std::filesystem::exists(scratch / "a.bin"));
  file.commit();
  CHECK(read_text(scratch / "a.bin") == "first second");
  CHECK(scratch.names().size() == 1);
  CHECK_THROWS_AS(file.write("more"), std::logic_error);
  CHECK_THROWS_AS(file.commit(), std::logic_error);
}

TEST_CASE("an atomic file that is given up leaves the old file and no temporary") {
  const ScratchDirectory scratch;
  write_text(scratch / "a.bin", "old");
  {
    AtomicFile file(scratch / "a.bin");
    file.write("new");
    CHECK(scratch.names().size() == 2);
  }
  CHECK(read_text(scratch / "a.bin") == "old");
  CHECK(scratch.names().size() == 1);
}

TEST_CASE("two writers of one file do not disturb each other: the later commit wins whole") {
  const ScratchDirectory scratch;
  AtomicFile one(scratch / "a.bin"), two(scratch / "a.bin");
  one.write("one");
  two.write("two, longer");
  two.commit();
  one.commit();
  CHECK(read_text(scratch / "a.bin") == "one");
  CHECK(scratch.names().size() == 1);
}

TEST_CASE("a file of several pieces has every byte in its place, however it was handed over") {
  constexpr std::size_t kPiece = DirectWriter::kPiece;
  for (const std::size_t size : {kPiece - 1, kPiece, kPiece + 1, 2 * kPiece + 12'345}) {
    const ScratchDirectory scratch;
    std::string all(size, '\0');
    std::mt19937 random(3);
    for (char& c : all) c = static_cast<char>(random());
    AtomicFile file(scratch / "a.bin");
    const std::string_view view(all);
    file.write(view.substr(0, 1));
    file.write(view.substr(1, kPiece / 2));
    file.write(view.substr(1 + kPiece / 2));
    file.commit();
    CHECK((read_text(scratch / "a.bin") == all));
  }
}

TEST_CASE("a disk that is full at the end of a file leaves the old file and no temporary") {
  const ScratchDirectory scratch;
  write_text(scratch / "a.bin", "old");
  const FullDisk full(10'000);
  AtomicFile file(scratch / "a.bin");
  file.write(std::string(100'000, 'x'));
  CHECK_THROWS_AS(file.commit(), ResourceError);
  CHECK(scratch.names().size() == 1);
  CHECK(read_text(scratch / "a.bin") == "old");
}

TEST_CASE("a write that fails half way leaves the old file and no temporary, and says why") {
  const ScratchDirectory scratch;
  write_text(scratch / "a.bin", "old");
  const std::string big(DirectWriter::kPiece, 'x');
  std::string message;
  {
    const FullDisk full(10'000);
    AtomicFile file(scratch / "a.bin");
    message = message_of<ResourceError>([&] { file.write(big); });
    CHECK(scratch.names().size() == 1);
    CHECK_THROWS_AS(file.commit(), std::logic_error);
  }
  CHECK(message == "cannot write " + (scratch / "a.bin").string() + ": File too large");
  CHECK(read_text(scratch / "a.bin") == "old");
}

TEST_CASE("a read-only directory is a resource error and keeps the old file") {
  const ScratchDirectory scratch;
  write_text(scratch / "a.bin", "old");
  std::string message;
  {
    const WithoutWriteAccess guard(scratch.path());
    if (!guard.effective()) return;
    message = message_of<ResourceError>([&] { write_file_atomically(scratch / "a.bin", "new"); });
  }
  CHECK(message == "cannot write " + (scratch / "a.bin").string() + ": Permission denied");
  CHECK(read_text(scratch / "a.bin") == "old");
  CHECK(scratch.names().size() == 1);
}

TEST_CASE("a missing directory, a directory and a device are refused as targets") {
  const ScratchDirectory scratch;
  const auto write_to = [](const std::filesystem::path& path) {
    return message_of<ResourceError>([&] { write_file_atomically(path, "x"); });
  };
  CHECK(write_to(scratch / "no/such/a.bin").find("No such file or directory") != std::string::npos);
  CHECK(write_to(scratch.path()).find("not a regular file") != std::string::npos);
  CHECK(write_to("/dev/null") == "cannot write /dev/null: it exists and is not a regular file");
}

TEST_CASE("a symbolic link stays a link: the file it points to is replaced") {
  const ScratchDirectory scratch;
  write_text(scratch / "real.bin", "old");
  std::filesystem::create_symlink("real.bin", scratch / "link.bin");
  write_file_atomically(scratch / "link.bin", "new");
  CHECK(std::filesystem::is_symlink(scratch / "link.bin"));
  CHECK(read_text(scratch / "real.bin") == "new");
}

TEST_CASE("a symbolic link to what is not there yet stays a link too, and one in a circle is refused") {
  const ScratchDirectory scratch;
  std::filesystem::create_directory(scratch / "folder");
  std::filesystem::create_symlink("folder/second", scratch / "first");
  std::filesystem::create_symlink("real.bin", scratch / "folder/second");
  write_file_atomically(scratch / "first", "new");
  CHECK(std::filesystem::is_symlink(scratch / "first"));
  CHECK(std::filesystem::is_symlink(scratch / "folder/second"));
  CHECK(read_text(scratch / "folder/real.bin") == "new");
  std::filesystem::create_symlink("circle", scratch / "circle");
  CHECK_THROWS_AS(write_file_atomically(scratch / "circle", "new"), ResourceError);
}
