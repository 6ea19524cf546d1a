#include "runtime/cached_cubin.hpp"

#include <utility>

#include "flashbias/error.hpp"

namespace flashbias::runtime {
namespace {

/// One walk through the cache for one key.
class Search {
 public:
  Search(const KernelPlan& plan, const cache::DiskStore* store, const Compiler& compiler)
      : plan_(plan),
        store_(store),
        compiler_(compiler),
        source_(emit(plan)),
        inputs_{.source = source_.text,
                .options = compile_options(plan.config.arch),
                .arch = to_string(plan.config.arch),
                .compiler_version = compiler.version()} {
    found_.plan = plan;
    found_.key = cache::make_key(inputs_);
    if (store == nullptr) found_.cache_problem = "there is no place for the cache; set FLASHBIAS_CACHE_DIR";
  }

  jit::CachedCubin run() && {
    if (load()) return std::move(found_);
    const auto lock = is_store_usable() ? store_->lock(found_.key) : std::nullopt;
    if (lock && load()) return std::move(found_);
    compile();
    return std::move(found_);
  }

 private:
  [[nodiscard]] bool is_store_usable() const { return found_.cache_problem.empty(); }

  bool load() {
    if (!is_store_usable()) return false;
    try {
      auto entry = store_->load(found_.key);
      if (!entry) return false;
      found_.cubin = {.image = std::move(entry->cubin), .resources = entry->manifest.resources};
      found_.origin = jit::Origin::disk;
      return true;
    } catch (const Error& error) {
      found_.cache_problem = error.what();
      return false;
    }
  }

  void compile() {
    found_.cubin = compiler_.compile(source_, plan_.config.arch);
    found_.origin = jit::Origin::compiled;
    if (!is_store_usable()) return;
    try {
      store_->publish(entry());
    } catch (const Error& error) {
      found_.cache_problem = error.what();
    }
  }

  [[nodiscard]] cache::Entry entry() const {
    const Cubin& cubin = found_.cubin;
    return {.key = found_.key,
            .manifest = {.config = to_string(plan_.config),
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

  const KernelPlan& plan_;
  const cache::DiskStore* store_;
  const Compiler& compiler_;
  KernelSource source_;
  cache::KeyInputs inputs_;
  jit::CachedCubin found_;
};

}  // namespace

jit::CachedCubin find_or_compile(const KernelPlan& plan, const cache::DiskStore* store, const Compiler& compiler) {
  return Search(plan, store, compiler).run();
}

}  // namespace flashbias::runtime
