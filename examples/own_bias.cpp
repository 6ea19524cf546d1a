// A bias of one's own: weather stations attend to each other by distance over the globe and by height.
#include "common.hpp"

using namespace flashbias;

/// -strength[h] * (1 - cos(angle)) - |height difference in km|, the angle being that between the stations as seen from
/// the centre of the Earth.
Expr between_stations() {
  const Expr cosine = dot(bias::query_input("q_unit", 3), bias::key_input("k_unit", 3));
  const Expr climb = abs(bias::query_input("q_height") - bias::key_input("k_height"));
  return -bias::head_scalar("strength") * (1.0 - cosine) - climb;
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
  config.bias = between_stations();

  return example::demonstrate(config, sizes, [&] {
    const auto units = stations(sizes.seqlen);
    const auto heights = example::normal(DType::f32, {sizes.batch, sizes.seqlen});
    double strength = 1;
    example::Inputs inputs;
    inputs["q_unit"] = inputs["k_unit"] = units;
    inputs["q_height"] = inputs["k_height"] = heights;
    inputs["strength"] = example::tensor(DType::f32, {sizes.heads}, [&] { return strength *= 2; });
    return inputs;
  });
}
