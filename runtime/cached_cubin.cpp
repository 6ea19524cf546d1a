#include "runtime/cached_cubin.hpp"

#include <fmt/format.h>

#include <utility>

#include "flashbias/error.hpp"
#include "flashbias/version.hpp"

namespace flashbias::runtime {
namespace {

using cache::Miss;
using cache::MissReason;
using jit::Origin;

/// One walk through the places for one plan.
class Search {
 public:
  Search(const KernelPlan& plan, const Places& places, jit::Lookup& lookup, const Compiler& compiler)
      : plan_(plan),
        places_(places),
        lookup_(lookup),
        compiler_(compiler),
        source_(emit(plan)),
        inputs_{.source = source_.text,
                .options = compile_options(plan.config.arch),
                .arch = to_string(plan.config.arch),
                .compiler_version = {}},
        source_key_(cache::make_source_key(inputs_)) {
    lookup_.config = to_string(plan.config);
    found_.plan = plan;
    if (!places.disk) found_.cache_problem = "there is no place for the cache; set FLASHBIAS_CACHE_DIR";
  }

  /// Without waiting for anybody.
  bool find() {
    if (find_in_packs()) return true;
    if (places_.compile == jit::Compile::never) return find_whichever_compiler();
    inputs_.compiler_version = compiler_.version();
    lookup_.key = cache::make_key(source_key_, inputs_.compiler_version);
    return find_on_disk();
  }

  jit::CachedCubin run() && {
    if (find()) return take();
    if (places_.compile == jit::Compile::never) throw_not_precompiled();
    const auto lock = is_disk_usable() ? places_.disk->lock(lookup_.key) : std::nullopt;
    if (lock && load_own()) return take();
    compile();
    return take();
  }

 private:
  [[nodiscard]] bool is_disk_usable() const { return found_.cache_problem.empty(); }

  void miss(const std::filesystem::path& place, Miss why) {
    lookup_.missed.push_back({.place = place, .miss = std::move(why)});
  }

  jit::CachedCubin take() {
    found_.key = lookup_.key;
    found_.origin = *lookup_.origin;
    return std::move(found_);
  }

  bool find_in_packs() {
    for (const auto& pack : places_.packs) {
      Miss why;
      auto packed = load_from(pack, why);
      if (!packed) {
        miss(pack.path(), std::move(why));
        continue;
      }
      found_.cubin = {.image = std::move(packed->image), .resources = packed->manifest.resources};
      found_.cache_problem.clear();
      lookup_.key = std::move(packed->key);
      lookup_.origin = Origin::pack;
      lookup_.found_in = pack.path();
      return true;
    }
    return false;
  }

  std::optional<cache::PackedCubin> load_from(const cache::Pack& pack, Miss& why) const {
    try {
      return pack.load(source_key_, lookup_.config, &why);
    } catch (const Error& error) {
      why = {.reason = MissReason::unusable, .detail = error.what()};
      return std::nullopt;
    }
  }

  bool find_on_disk() {
    if (!is_disk_usable()) return false;
    if (load_own()) return true;
    Miss& why = lookup_.missed.back().miss;
    if (why.reason == MissReason::absent) why = why_absent();
    return false;
  }

  /// The entry last published or found for this config, if its source is this one.
  bool find_whichever_compiler() {
    if (!is_disk_usable()) return false;
    const auto key = latest_key();
    const auto manifest = key ? places_.disk->manifest(*key) : std::nullopt;
    if (!manifest || *key != cache::make_key(source_key_, manifest->compiler_version)) {
      if (is_disk_usable()) miss(places_.disk->directory(), why_absent());
      return false;
    }
    return load(*key);
  }

  std::optional<std::string> latest_key() {
    try {
      return places_.disk->latest_key(lookup_.config);
    } catch (const Error& error) {
      give_up_on_disk(error);
      return std::nullopt;
    }
  }

  /// What is there for this config instead.
  Miss why_absent() {
    const auto key = latest_key();
    const auto manifest = key ? places_.disk->manifest(*key) : std::nullopt;
    if (!manifest) return {};
    if (*key == cache::make_key(source_key_, manifest->compiler_version)) {
      return {.reason = MissReason::version,
              .detail = fmt::format("it was compiled by NVRTC {}", manifest->compiler_version)};
    }
    return {.reason = MissReason::version,
            .detail =
                fmt::format("it is from another version of the source, by flashbias {}", manifest->flashbias_version)};
  }

  void give_up_on_disk(const Error& error) {
    found_.cache_problem = error.what();
    miss(places_.disk->directory(), {.reason = MissReason::unusable, .detail = error.what()});
  }

  bool load(const std::string& key) {
    try {
      Miss why;
      auto entry = places_.disk->load(key, /*with_source=*/false, &why);
      if (!entry) {
        const bool searched_before =
            !lookup_.missed.empty() && lookup_.missed.back().place == places_.disk->directory();
        if (!searched_before) miss(places_.disk->directory(), std::move(why));
        return false;
      }
      found_.cubin = {.image = std::move(entry->cubin), .resources = entry->manifest.resources};
      lookup_.key = key;
      lookup_.origin = Origin::disk;
      lookup_.found_in = places_.disk->directory();
      return true;
    } catch (const Error& error) {
      give_up_on_disk(error);
      return false;
    }
  }

  /// The entry of this very source and compiler. It may have been published for a config that is written differently:
  /// whoever has no compiler then finds it by this one, too.
  bool load_own() {
    if (!load(lookup_.key)) return false;
    places_.disk->remember(lookup_.config, lookup_.key);
    return true;
  }

  void compile() {
    found_.cubin = compiler_.compile(source_, plan_.config.arch);
    lookup_.origin = Origin::compiled;
    lookup_.compile_ms = found_.cubin.compile_ms;
    if (!is_disk_usable()) return;
    try {
      places_.disk->publish(entry());
    } catch (const Error& error) {
      found_.cache_problem = error.what();
    }
  }

  [[nodiscard]] cache::Entry entry() const {
    const Cubin& cubin = found_.cubin;
    return {.key = lookup_.key,
            .manifest = {.flashbias_version = FLASHBIAS_VERSION,
                         .config = lookup_.config,
                         .arch = inputs_.arch,
                         .options = inputs_.options,
                         .compiler_version = inputs_.compiler_version,
                         .source_sha256 = cache::sha256_hex(source_.text.data(), source_.text.size()),
                         .cubin_sha256 = cache::sha256_hex(cubin.image.data(), cubin.image.size()),
                         .cubin_bytes = cubin.image.size(),
                         .resources = cubin.resources,
                         .compile_ms = cubin.compile_ms},
            .cubin = cubin.image,
            .source = source_.text};
  }

  [[noreturn]] void throw_not_precompiled() const {
    std::string searched;
    for (const auto& [place, why] : lookup_.missed) {
      searched += fmt::format("  {}: {}{}{}\n", place.string(), to_string(why.reason), why.detail.empty() ? "" : ": ",
                              why.detail);
    }
    if (searched.empty()) searched = "  nothing: there is neither a pack nor a cache directory\n";
    const std::string pack = places_.packs.empty() ? "kernels.fbpack" : places_.packs.front().path().string();
    throw Error(
        ErrorCode::not_precompiled,
        fmt::format("there is no kernel for `{}`, and compiling is off; searched\n{}Add it, where NVRTC is, with "
                    "`flashbias precompile --config '{}' --pack '{}' --add`.",
                    lookup_.config, searched, lookup_.config, pack));
  }

  const KernelPlan& plan_;
  const Places& places_;
  jit::Lookup& lookup_;
  const Compiler& compiler_;
  KernelSource source_;
  cache::KeyInputs inputs_;
  std::string source_key_;
  jit::CachedCubin found_;
};

}  // namespace

jit::CachedCubin find_or_compile(const KernelPlan& plan, const Places& places, jit::Lookup& lookup,
                                 const Compiler& compiler) {
  return Search(plan, places, lookup, compiler).run();
}

void find_cubin(const KernelPlan& plan, const Places& places, jit::Lookup& lookup, const Compiler& compiler) {
  if (!Search(plan, places, lookup, compiler).find()) lookup.origin = Origin::compiled;
}

}  // namespace flashbias::runtime
