#pragma once

#include <CLI/App.hpp>
#include <string>

#include "tools/manifest.hpp"

namespace flashbias::tools {

/// The flags that give the sizes of one attention call.
class ShapeFlags {
 public:
  void add_to(CLI::App& verb, const std::string& group);
  /// Sizes that were left out take their defaults: k and v are as q.
  [[nodiscard]] Shape shape() const;

 private:
  Shape given_{.batch = 1, .heads = 8, .kv_heads = 0, .seqlen_q = 1024, .seqlen_k = 0};  ///< 0: left out
};

}  // namespace flashbias::tools
