// A bias of one's own, in no library: weather stations attend to each other by their distance over the globe, each head
// as far as a learned gate lets it.
#include "common.hpp"

using namespace flashbias;

/// -sigmoid(gate[h]) * (great-circle distance in units of 500 km) of positions on the unit sphere. The angle between
/// two of them is 2 atan2(|x - y|, |x + y|), which f32 evaluates to its last digits for neighbours and for antipodes,
/// where acos(x . y) loses half of them.
Expr gated_great_circle() {
  const Expr x = bias::query_input("q_unit", 3);
  const Expr y = bias::key_input("k_unit", 3);
  const auto length = [](const Expr& v) { return sqrt(dot(v, v)); };
  const Expr angle = 2.0 * atan2(length(x - y), length(x + y));
  const Expr gate = 1.0 / (1.0 + exp(-bias::head_scalar("gate")));
  return -gate * (6371.0 / 500.0) * angle;
}

/// Points spread evenly over the sphere: a spiral that turns by the golden angle.
example::HostTensor stations(std::int64_t count) {
  const double golden_angle = std::acos(-1.0) * (3 - std::sqrt(5.0));
  std::int64_t next = 0;
  return example::tensor(DType::f32, {1, count, 1, 3}, [&, count] {
    const std::int64_t index = next / 3;
    const auto station = static_cast<double>(index);
    const double z = 1 - (2 * station + 1) / static_cast<double>(count);
    const double radius = std::sqrt(1 - z * z);
    const double angle = golden_angle * station;
    switch (next++ % 3) {
      case 0:
        return radius * std::cos(angle);
      case 1:
        return radius * std::sin(angle);
      default:
        return z;
    }
  });
}

int main() {
  const example::Sizes sizes{.batch = 2, .heads = 8, .seqlen = 3000};
  AttentionConfig config;
  config.head_dim = 64;
  config.bias = gated_great_circle();

  return example::demonstrate(config, sizes, [&] {
    const auto units = stations(sizes.seqlen);
    example::Inputs inputs;
    inputs["q_unit"] = inputs["k_unit"] = units;
    inputs["gate"] = example::normal(DType::f32, {sizes.heads}, 2);
    return inputs;
  });
}
