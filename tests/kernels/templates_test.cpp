#include "codegen/templates.hpp"

#include <doctest/doctest.h>

#include <string>

#include "flashbias/cubin.hpp"
#include "runtime/nvrtc.hpp"

namespace flashbias {

// So that an editor, clang-tidy or a reader's nvcc can make sense of any of them.
TEST_CASE("each file of templates/ compiles alone, with its own includes") {
  auto options = compile_options(Arch{90});
  options.push_back("--include-path=" FLASHBIAS_TEMPLATES);
  CHECK(codegen::embedded_templates().size() >= 20);
  for (const auto& [name, text] : codegen::embedded_templates()) {
    CAPTURE(std::string(name));
    const auto output = runtime::Nvrtc::get().compile("#include \"" + std::string(name) + "\"\n", options);
    CHECK_MESSAGE(output.succeeded, output.log);
  }
}

}  // namespace flashbias
