#include "flashbias/pack.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "cache/mapped_file.hpp"
#include "cache/pack_reader.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

/// Whoever can write to it chooses what runs on the GPU.
void check_safe(const MappedFile& file, const std::filesystem::path& path) {
  if ((file.mode() & (S_IWGRP | S_IWOTH)) == 0) return;
  throw Error(ErrorCode::cache, fmt::format("has mode {:04o}, so others can write to it; run `chmod go-w '{}'`",
                                            file.mode(), path.string()));
}

/// Of a sound record.
PackedCubin unpack(const pack::Reader& reader, const pack::Record& record) {
  PackedCubin cubin{
      .source_key = pack::to_hex(record.source_key), .key = {}, .manifest = reader.manifest(record), .image = {}};
  cubin.key = make_key(cubin.source_key, cubin.manifest.compiler_version);
  cubin.image = reader.cubin(record, cubin.manifest);
  return cubin;
}

std::string describe_other_version(const pack::Reader& reader, const pack::Record& record) {
  const Manifest manifest = reader.manifest(record);
  return fmt::format("it has this config from another version of the source, by flashbias {}",
                     manifest.flashbias_version);
}

}  // namespace

struct Pack::Impl {
  std::filesystem::path path;
  MappedFile file;
  pack::Reader reader;

  explicit Impl(const std::filesystem::path& pack) try : path(pack), file(pack), reader(file.bytes()) {
    check_safe(file, pack);
  } catch (const Error& error) {
    throw Error(ErrorCode::cache, fmt::format("cannot use the pack {}: {}", pack.string(), error.what()));
  }

  void check_unchanged() const {
    if (!file.has_changed()) return;
    throw Error(ErrorCode::cache,
                fmt::format("the pack {} was written to while it is in use; replace a pack by renaming another to its "
                            "place, and start the process anew",
                            path.string()));
  }

  void check_buckets() const try { reader.check_buckets(); } catch (const Error& error) {
    throw Error(ErrorCode::cache, fmt::format("the pack {} {}; make it anew with `flashbias precompile --pack`",
                                              path.string(), error.what()));
  }

  /// What `read` finds of each record, or why it could not.
  template <class Read>
  std::vector<Status> examine(Read read) const {
    check_unchanged();
    std::vector<Status> statuses;
    for (std::size_t i = 0; i < reader.size(); ++i) {
      const pack::Record record = reader.record(i);
      Status status{.source_key = pack::to_hex(record.source_key),
                    .key = {},
                    .manifest = std::nullopt,
                    .packed_bytes = record.packed_bytes,
                    .problem = {}};
      try {
        status.manifest = read(record);
        status.key = make_key(status.source_key, status.manifest->compiler_version);
      } catch (const Error& error) {
        status.problem = error.what();
      }
      statuses.push_back(std::move(status));
    }
    return statuses;
  }
};

Pack::Pack(const std::filesystem::path& path) : impl_(std::make_shared<const Impl>(path)) {}

const std::filesystem::path& Pack::path() const noexcept { return impl_->path; }

std::size_t Pack::size() const noexcept { return impl_->reader.size(); }

std::size_t Pack::bytes() const noexcept { return impl_->file.bytes().size(); }

std::optional<PackedCubin> Pack::load(const std::string& source_key, const std::string& config, Miss* why_not) const {
  impl_->check_unchanged();
  const auto& reader = impl_->reader;
  Miss miss;
  try {
    if (const auto record = reader.find(pack::to_digest(source_key))) return unpack(reader, *record);
    if (const auto other = reader.find_config(config)) {
      miss = {.reason = MissReason::version, .detail = describe_other_version(reader, *other)};
    }
  } catch (const Error& error) {
    miss = {.reason = MissReason::corrupt, .detail = error.what()};
  }
  if (why_not != nullptr) *why_not = std::move(miss);
  return std::nullopt;
}

std::vector<Pack::Status> Pack::list() const {
  return impl_->examine([this](const pack::Record& record) { return impl_->reader.manifest(record); });
}

std::vector<Pack::Status> Pack::verify() const {
  auto statuses = impl_->examine([this](const pack::Record& record) {
    const auto found = impl_->reader.find(record.source_key);
    if (!found) throw Error(ErrorCode::cache, "the index does not lead to it");
    return unpack(impl_->reader, *found).manifest;
  });
  // What is wrong with a bucket may keep no cubin of this pack from being found.
  if (std::ranges::all_of(statuses, [](const Status& status) { return status.problem.empty(); })) {
    impl_->check_buckets();
  }
  return statuses;
}

}  // namespace flashbias::cache
