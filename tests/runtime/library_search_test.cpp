#include "runtime/library_search.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/nvrtc.hpp"
#include "tests/errors.hpp"
#include "tests/runtime/variables.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::runtime;
using testing::message_of;
using testing::says;
using testing::variables;
namespace fs = std::filesystem;

namespace {

/// A directory tree of empty files, removed at the end.
class FileTree {
 public:
  std::string add(const std::string& path) {
    fs::create_directories((root_.path() / path).parent_path());
    std::ofstream(root_.path() / path).close();
    return root_.path() / path;
  }
  [[nodiscard]] std::string path(const std::string& relative) const { return root_.path() / relative; }

 private:
  testing::TemporaryDirectory root_;
};

/// Position of a candidate in the order of trying.
std::ptrdiff_t position(const std::vector<Candidate>& candidates, const std::string& name) {
  const auto found = std::find_if(candidates.begin(), candidates.end(), [&](const auto& c) { return c.name == name; });
  INFO("looking for ", name);
  REQUIRE(found != candidates.end());
  return found - candidates.begin();
}

}  // namespace

TEST_CASE("FLASHBIAS_NVRTC is the only candidate where it is set") {
  const auto candidates = nvrtc_candidates(variables({{"FLASHBIAS_NVRTC", "/a b/libnvrtc.so"}, {"CUDA_HOME", "/"}}));
  REQUIRE(candidates.size() == 1);
  CHECK(candidates[0].name == "/a b/libnvrtc.so");
  CHECK(candidates[0].origin == "FLASHBIAS_NVRTC");
}

TEST_CASE("NVRTC is looked for in the loader's path, the toolkit, then pip's packages") {
  FileTree tree;
  const auto toolkit = tree.add("toolkit/lib64/libnvrtc.so.12");
  const auto venv13 = tree.add("venv/lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13");
  const auto venv12 = tree.add("venv/lib/python3.9/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12");
  const auto on_path = tree.add("python/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13");
  const auto users = tree.add("home/.local/lib/python3.10/site-packages/nvidia/cu13/lib/libnvrtc.so.13");
  tree.add("python/bin/python3");
  const auto candidates = nvrtc_candidates(variables({{"CUDA_HOME", tree.path("toolkit")},
                                                      {"VIRTUAL_ENV", tree.path("venv")},
                                                      {"PATH", "/nowhere:" + tree.path("python/bin")},
                                                      {"HOME", tree.path("home")}}));
  CHECK(position(candidates, "libnvrtc.so.13") == 0);
  CHECK(position(candidates, "libnvrtc.so.12") == 1);
  CHECK(position(candidates, "libnvrtc.so") == 2);
  CHECK(position(candidates, toolkit) == 3);
  CHECK(position(candidates, toolkit) < position(candidates, venv13));
  CHECK(position(candidates, venv13) < position(candidates, venv12));
  CHECK(position(candidates, venv12) < position(candidates, on_path));
  CHECK(position(candidates, on_path) < position(candidates, users));
}

TEST_CASE("a python3 that is a link leads to the packages beside its target") {
  FileTree tree;
  const auto library = tree.add("real/lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13");
  fs::create_directories(tree.path("links"));
  fs::create_symlink(tree.add("real/bin/python3.12"), tree.path("links/python3"));
  const auto candidates = nvrtc_candidates(variables({{"PATH", tree.path("links")}}));
  CHECK(candidates[static_cast<std::size_t>(position(candidates, library))].origin == "pip, python3 on PATH");
}

TEST_CASE("without NVRTC the error lists what was tried and how to install it") {
  FileTree tree;
  const auto not_a_library = tree.add("libnvrtc.so");
  const auto message = message_of(ErrorCode::compiler_missing, [&] {
    (void)Nvrtc::open({{"/nowhere/libnvrtc.so.13", "FLASHBIAS_NVRTC"}, {not_a_library, "CUDA_HOME"}});
  });
  CHECK(says(message, "/nowhere/libnvrtc.so.13 (FLASHBIAS_NVRTC): "));
  CHECK(says(message, "libnvrtc.so (CUDA_HOME): "));
  CHECK(says(message, "pip install nvidia-cuda-nvrtc"));
  CHECK(says(message, "set FLASHBIAS_NVRTC"));
}

TEST_CASE("a library that is not NVRTC is passed over") {
  const auto candidates = nvrtc_candidates();
  std::vector<Candidate> with_other = {{"libc.so.6", "a test"}};
  with_other.insert(with_other.end(), candidates.begin(), candidates.end());
  CHECK(Nvrtc::open(with_other).full_version() == Nvrtc::open(candidates).full_version());
  const auto message = message_of(ErrorCode::compiler_missing, [] { (void)Nvrtc::open({{"libc.so.6", "a test"}}); });
  CHECK(says(message, "has no function nvrtcVersion"));
}

TEST_CASE("the driver is the loader's unless FLASHBIAS_LIBCUDA names another") {
  CHECK(driver_candidates(variables({})).at(0).name == "libcuda.so.1");
  const auto chosen = driver_candidates(variables({{"FLASHBIAS_LIBCUDA", "/opt/libcuda.so.1"}}));
  REQUIRE(chosen.size() == 1);
  CHECK(chosen[0].name == "/opt/libcuda.so.1");
}
