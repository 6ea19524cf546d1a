#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"
#include "runtime/cached_cubin.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using testing::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

jit::Origin find(const std::string& bias, const cache::DiskStore& store, jit::Compile compile) {
  const runtime::Compiler compiler{
      .version = [] { return std::string("1.0"); },
      .compile = [](const KernelSource&,
                    Arch) { return Cubin{.image = testing::sample_cubin(80, "sum"), .resources = {}}; }};
  jit::Lookup lookup;
  const AttentionConfig config{.bias = parse_expr(bias), .arch = Arch{80}};
  return runtime::find_or_compile(plan(config), {.disk = store, .compile = compile}, lookup, compiler).origin;
}

}  // namespace

TEST_CASE("a kernel that serves one writing of a bias serves another, once found, where nothing is compiled") {
  const TemporaryDirectory home;
  const cache::DiskStore store(home.path() / "cache");
  const std::string one = "alibi() + relative_position(8)";
  const std::string other = "relative_position(8) + alibi()";
  CHECK(find(one, store, jit::Compile::when_missing) == jit::Origin::compiled);
  CHECK(find(other, store, jit::Compile::when_missing) == jit::Origin::disk);
  CHECK(find(one, store, jit::Compile::never) == jit::Origin::disk);
  CHECK(find(other, store, jit::Compile::never) == jit::Origin::disk);

  fs::remove_all(store.directory() / "configs");
  CHECK_THROWS_AS((void)find(one, store, jit::Compile::never), Error);
  CHECK(find(one, store, jit::Compile::when_missing) == jit::Origin::disk);
  CHECK(find(one, store, jit::Compile::never) == jit::Origin::disk);
}
