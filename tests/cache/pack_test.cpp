#include "flashbias/pack.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/pack_format.hpp"
#include "cache/pack_reader.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/errors.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::cache;
using testing::message_of;
using testing::sample_entry;
using testing::says;
using testing::source_key_of;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

/// A pack of entries whose sources are the numbers from 0.
PackWriter sample_pack(int count) {
  PackWriter writer;
  for (int i = 0; i < count; ++i) writer.add(sample_entry(std::to_string(i)));
  return writer;
}

/// A file of these bytes, read-only.
fs::path file_with(const TemporaryDirectory& home, const std::string& bytes) {
  const fs::path path = home.path() / "sample.fbpack";
  fs::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
  REQUIRE(chmod(path.c_str(), 0444) == 0);
  return path;
}

std::optional<PackedCubin> load(const Pack& pack, const Entry& entry, Miss* why = nullptr) {
  return pack.load(source_key_of(entry), entry.manifest.config, why);
}

pack::Header header_of(const std::string& bytes) {
  pack::Header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header;
}

/// Overwrites fields, and with them the checksum that covers them.
template <class Fields>
void put(std::string& bytes, std::size_t offset, Fields fields) {
  fields.checksum = pack::checksum_of_fields(fields);
  std::memcpy(bytes.data() + offset, &fields, sizeof(fields));
}

std::size_t records_offset(const std::string& bytes) {
  return sizeof(pack::Header) + (pack::bucket_count(header_of(bytes).bucket_bits) + 1) * sizeof(pack::Bucket);
}

/// The only record of a pack.
pack::Record record_of(const std::string& bytes) {
  pack::Record record;
  std::memcpy(&record, bytes.data() + records_offset(bytes), sizeof(record));
  return record;
}

constexpr std::size_t kBomb = std::size_t{512} << 20U;

/// A few KiB that unpack to kBomb zeros.
std::string bomb(bool tells_size) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (tells_size) ZSTD_CCtx_setPledgedSrcSize(context.get(), kBomb);
  const std::vector<char> zeros(std::size_t{1} << 20U);
  std::string packed(std::size_t{1} << 20U, '\0');
  ZSTD_outBuffer out{.dst = packed.data(), .size = packed.size(), .pos = 0};
  for (std::size_t done = 0; done < kBomb; done += zeros.size()) {
    ZSTD_inBuffer in{.src = zeros.data(), .size = zeros.size(), .pos = 0};
    const bool is_last = done + zeros.size() == kBomb;
    REQUIRE(ZSTD_isError(ZSTD_compressStream2(context.get(), &out, &in, is_last ? ZSTD_e_end : ZSTD_e_continue)) == 0);
    REQUIRE(in.pos == in.size);
  }
  packed.resize(out.pos);
  return packed;
}

/// Bytes that this process has had in memory at a time.
long peak_memory() {
  rusage usage{};
  REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0);
  return usage.ru_maxrss * 1024;
}

}  // namespace

TEST_CASE("what was put into a pack is found in it, whatever its size") {
  const TemporaryDirectory home;
  for (const int count : {0, 1, 2, 3, 100, 1000}) {
    CAPTURE(count);
    const fs::path path = home.path() / "kernels.fbpack";
    sample_pack(count).write(path);
    const Pack pack(path);
    CHECK(pack.size() == static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      const Entry entry = sample_entry(std::to_string(i));
      const auto found = load(pack, entry);
      REQUIRE(found.has_value());
      CHECK(found->key == entry.key);
      CHECK(found->image == entry.cubin);
      CHECK(found->manifest.config == entry.manifest.config);
      CHECK(found->manifest.resources.registers == 168);
    }
    Miss why;
    CHECK_FALSE(load(pack, sample_entry("another"), &why).has_value());
    CHECK(why.reason == MissReason::absent);
  }
}

TEST_CASE("a pack lists its configs, and verifies") {
  const TemporaryDirectory home;
  const fs::path path = home.path() / "kernels.fbpack";
  sample_pack(7).write(path);
  const Pack pack(path);
  for (const auto& statuses : {pack.list(), pack.verify()}) {
    REQUIRE(statuses.size() == 7);
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      CHECK(statuses[i].problem == "");
      REQUIRE(statuses[i].manifest.has_value());
      CHECK(says(statuses[i].manifest->config, "bias=\"alibi()\""));
      if (i > 0) CHECK(statuses[i - 1].source_key < statuses[i].source_key);
    }
  }
}

TEST_CASE("the same cubins give the same bytes, whatever their order and however long they took") {
  PackWriter one;
  PackWriter other;
  for (int i = 0; i < 20; ++i) {
    one.add(sample_entry(std::to_string(i)));
    Entry entry = sample_entry(std::to_string(19 - i));
    entry.manifest.compile_ms = i;
    other.add(entry);
  }
  CHECK(one.bytes() == other.bytes());
}

TEST_CASE("of two cubins of one source, the first stays") {
  PackWriter writer;
  Entry entry = sample_entry("one");
  CHECK(writer.add(entry));
  const std::string bytes = writer.bytes();
  entry.manifest.compiler_version = "13.1+other";
  entry.key = make_key(source_key_of(entry), entry.manifest.compiler_version);
  CHECK_FALSE(writer.add(entry));
  CHECK(writer.bytes() == bytes);
}

TEST_CASE("a pack is written aside and is read-only; where it cannot be, the old one stays") {
  const TemporaryDirectory home;
  const fs::path path = home.path() / "kernels.fbpack";
  sample_pack(1).write(path);
  CHECK(static_cast<int>(fs::status(path).permissions()) == 0444);
  sample_pack(2).write(path);
  CHECK(Pack(path).size() == 2);
  CHECK(std::distance(fs::directory_iterator(home.path()), {}) == 1);
  const auto message = message_of(ErrorCode::cache, [&] { sample_pack(1).write(home.path() / "none" / "a.fbpack"); });
  CHECK(says(message, "cannot write the pack " + (home.path() / "none" / "a.fbpack").string()));
  CHECK(says(message, "No such file"));
}

TEST_CASE("a pack that is in use may be replaced") {
  const TemporaryDirectory home;
  const fs::path path = home.path() / "kernels.fbpack";
  sample_pack(1).write(path);
  const Pack pack(path);
  sample_pack(2).write(path);
  CHECK(load(pack, sample_entry("0")).has_value());
  CHECK_FALSE(load(pack, sample_entry("1")).has_value());
}

TEST_CASE("a pack that is written to while it is in use is refused, not read") {
  const TemporaryDirectory home;
  const fs::path path = home.path() / "kernels.fbpack";
  sample_pack(100).write(path);
  const Pack pack(path);
  REQUIRE(chmod(path.c_str(), 0644) == 0);
  fs::resize_file(path, 100);
  const auto message = message_of(ErrorCode::cache, [&] { (void)load(pack, sample_entry("0")); });
  CHECK(says(message, "was written to while it is in use; replace a pack by renaming"));
  CHECK_THROWS((void)pack.list());
}

TEST_CASE("the source of another version of flashbias is told from an absent config") {
  const TemporaryDirectory home;
  const fs::path path = home.path() / "kernels.fbpack";
  const Entry entry = sample_entry("one");
  PackWriter writer;
  writer.add(entry);
  writer.write(path);
  const Pack pack(path);
  Miss why;
  CHECK_FALSE(pack.load(source_key_of(sample_entry("changed")), entry.manifest.config, &why).has_value());
  CHECK(why.reason == MissReason::version);
  CHECK(says(why.detail, "by flashbias 0.1.0"));
}

TEST_CASE("a file that is no pack, or not one to be trusted, is refused with its name and the reason") {
  const TemporaryDirectory home;
  const std::string good = sample_pack(3).bytes();
  const auto refusal = [&](const std::string& bytes) {
    const fs::path path = file_with(home, bytes);
    const auto message = message_of(ErrorCode::cache, [&] { (void)Pack(path); });
    CHECK(says(message, "cannot use the pack " + path.string() + ": "));
    return message;
  };
  CHECK(says(refusal(""), "has 0 bytes and so is no pack"));
  CHECK(says(refusal(std::string(1000, 'x')), "does not begin as one does"));
  CHECK(says(refusal(good.substr(0, good.size() - 1)), "it was cut off"));
  CHECK(says(refusal(good + "x"), "added to"));
  std::string bytes = good;
  bytes[16] ^= 1;
  CHECK(says(refusal(bytes), "damaged header"));

  pack::Header header = header_of(good);
  header.format_version = 1;
  put(bytes = good, 0, header);
  CHECK(says(refusal(bytes), "format version 1, this flashbias reads 2"));
  header = header_of(good);
  header.count = std::uint64_t{1} << 60U;
  put(bytes = good, 0, header);
  CHECK(says(refusal(bytes), "larger than itself"));
  header = header_of(good);
  header.bucket_bits = 31;
  put(bytes = good, 0, header);
  CHECK(says(refusal(bytes), "larger than itself"));

  const fs::path path = file_with(home, good);
  for (const mode_t mode : {0664U, 0646U}) {
    REQUIRE(chmod(path.c_str(), mode) == 0);
    CHECK(says(message_of(ErrorCode::cache, [&] { (void)Pack(path); }), "chmod go-w"));
  }
  CHECK(says(message_of(ErrorCode::cache, [&] { (void)Pack(home.path()); }), "no regular file"));
  CHECK(says(message_of(ErrorCode::cache, [&] { (void)Pack(home.path() / "none"); }), "No such file"));
}

TEST_CASE("any flipped bit beyond the header is a miss, never another cubin") {
  const TemporaryDirectory home;
  const Entry entry = sample_entry("0");
  const std::string good = sample_pack(1).bytes();
  int corrupt = 0;
  for (std::size_t at = sizeof(pack::Header); at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] ^= 1;
    const Pack pack(file_with(home, bytes));
    Miss why;
    const auto found = load(pack, entry, &why);
    // Padding in zstd's frame, if any, may go unnoticed; what is unpacked is right all the same.
    if (found) {
      CHECK(found->image == entry.cubin);
      continue;
    }
    corrupt += why.reason == MissReason::corrupt ? 1 : 0;
    CHECK(pack.verify().at(0).problem != "");
  }
  CHECK(corrupt > static_cast<int>(good.size()) / 2);
}

TEST_CASE("verification finds any flipped bit of the index, also one that keeps no cubin from being found") {
  const TemporaryDirectory home;
  for (const int count : {0, 1, 7}) {
    const std::string good = sample_pack(count).bytes();
    const std::size_t records_end = records_offset(good) + static_cast<std::size_t>(count) * sizeof(pack::Record);
    for (std::size_t at = sizeof(pack::Header); at < records_end; ++at) {
      CAPTURE(count);
      CAPTURE(at);
      std::string bytes = good;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
      const Pack pack(file_with(home, bytes));
      bool found = false;
      try {
        for (const auto& status : pack.verify()) found = found || !status.problem.empty();
      } catch (const Error& error) {
        found = says(error.what(), "the pack " + pack.path().string() + " has a damaged index: bucket ");
      }
      CHECK(found);
    }
  }
}

TEST_CASE("what is added to a pack that is there stays, and so does what else that holds") {
  const TemporaryDirectory home;
  const fs::path path = home.path() / "kernels.fbpack";
  sample_pack(2).write(path);
  Entry newer = sample_entry("1");
  newer.manifest.compiler_version = "13.1+other";
  newer.key = make_key(source_key_of(newer), newer.manifest.compiler_version);
  PackWriter writer;
  writer.add(newer);
  writer.write_with_earlier(path);
  const Pack pack(path);
  CHECK(pack.size() == 2);
  CHECK(load(pack, newer)->key == newer.key);
  CHECK(load(pack, sample_entry("0"))->key == sample_entry("0").key);
}

TEST_CASE("a hostile record is refused before memory is spent on it") {
  const TemporaryDirectory home;
  const Entry entry = sample_entry("0");
  const std::string good = sample_pack(1).bytes();
  const auto problem = [&](const std::function<void(pack::Record&)>& change) {
    std::string bytes = good;
    pack::Record record = record_of(good);
    change(record);
    put(bytes, records_offset(good), record);
    Miss why;
    CHECK_FALSE(load(Pack(file_with(home, bytes)), entry, &why).has_value());
    CHECK(why.reason == MissReason::corrupt);
    return why.detail;
  };
  constexpr std::uint64_t kFar = std::uint64_t{1} << 40U;
  CHECK(says(problem([](auto& record) { record.manifest_offset = kFar; }), "its manifest lies outside the file"));
  CHECK(says(problem([](auto& record) { record.cubin_offset = ~std::uint64_t{0}; }), "its cubin lies outside"));
  CHECK(says(problem([](auto& record) { record.packed_bytes = ~std::uint32_t{0}; }), "its cubin lies outside"));
  CHECK(says(problem([](auto& record) { record.manifest_bytes = ~std::uint32_t{0}; }), "its manifest is too large"));
  CHECK(says(problem([](auto& record) { record.cubin_bytes = ~std::uint32_t{0}; }), "another size"));
  CHECK(says(problem([](auto& record) { --record.manifest_bytes; }), "its manifest is damaged"));
}

TEST_CASE("a decompression bomb is refused without its memory") {
  const TemporaryDirectory home;
  const Entry entry = sample_entry("0");
  const std::string good = sample_pack(1).bytes();
  const auto problem = [&](const std::string& packed) {
    std::string bytes = good + packed;
    pack::Record record = record_of(good);
    record.cubin_offset = good.size();
    record.packed_bytes = static_cast<std::uint32_t>(packed.size());
    put(bytes, records_offset(good), record);
    pack::Header header = header_of(good);
    header.file_bytes = bytes.size();
    put(bytes, 0, header);
    const Pack pack(file_with(home, bytes));
    Miss why;
    const long before = peak_memory();
    CHECK_FALSE(load(pack, entry, &why).has_value());
    CHECK(peak_memory() - before < static_cast<long>(kBomb / 4));
    return why.detail;
  };
  CHECK(says(problem(bomb(/*tells_size=*/true)), "another size than its manifest says"));
  CHECK(says(problem(bomb(/*tells_size=*/false)), "another size than its manifest says"));
  // A frame of the size that is expected, and a bomb behind it.
  std::string frames(ZSTD_compressBound(entry.cubin.size()), '\0');
  frames.resize(ZSTD_compress(frames.data(), frames.size(), entry.cubin.data(), entry.cubin.size(), 1));
  CHECK(says(problem(frames + bomb(/*tells_size=*/true)), "cannot be unpacked"));
}

TEST_CASE("a look-up reads what belongs to its kernel, and nothing of the others") {
  const TemporaryDirectory home;
  const Entry entry = sample_entry("0");
  const std::string good = sample_pack(100).bytes();
  const pack::Header header = header_of(good);
  const std::size_t bucket = pack::bucket_of(pack::to_digest(source_key_of(entry)), header.bucket_bits);
  const std::size_t bucket_offset = sizeof(pack::Header) + bucket * sizeof(pack::Bucket);
  std::array<pack::Bucket, 2> range{};
  std::memcpy(range.data(), good.data() + bucket_offset, sizeof(range));

  std::string bytes(good.size(), 'x');
  const auto keep = [&](std::size_t offset, std::size_t size) { bytes.replace(offset, size, good, offset, size); };
  keep(0, sizeof(header));
  keep(bucket_offset, sizeof(range));
  for (std::size_t i = range[0]; i < range[1]; ++i) {
    const std::size_t at = records_offset(good) + i * sizeof(pack::Record);
    keep(at, sizeof(pack::Record));
    pack::Record record;
    std::memcpy(&record, good.data() + at, sizeof(record));
    if (pack::to_hex(record.source_key) != source_key_of(entry)) continue;
    keep(record.manifest_offset, record.manifest_bytes);
    keep(record.cubin_offset, record.packed_bytes);
  }
  CHECK(std::ranges::count(bytes, 'x') > static_cast<std::ptrdiff_t>(good.size() * 9 / 10));
  CHECK(load(Pack(file_with(home, bytes)), entry)->image == entry.cubin);
}

TEST_CASE("a bucket that leads outside the index is refused") {
  const TemporaryDirectory home;
  std::string bytes = sample_pack(1).bytes();
  const pack::Bucket far = 1'000'000;
  std::memcpy(bytes.data() + sizeof(pack::Header) + sizeof(pack::Bucket), &far, sizeof(far));
  Miss why;
  CHECK_FALSE(load(Pack(file_with(home, bytes)), sample_entry("0"), &why).has_value());
  CHECK(says(why.detail, "damaged index"));
}
