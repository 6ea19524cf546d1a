#include <algorithm>
#include <array>
#include <cstring>

#include "tests/emulator/address.hpp"
#include "tests/emulator/operations.hpp"
#include "tests/emulator/scalar.hpp"
#include "tests/emulator/tensor_map.hpp"

namespace flashbias::emulator {
namespace {

void perform(Warp& warp, const std::vector<Warp::Copy>& copies) {
  for (const Warp::Copy& copy : copies) {
    std::byte* to = warp.resolve(Space::shared, copy.to, copy.bytes, 0, Access::write);
    if (copy.source_bytes > 0) std::memcpy(to, copy.from, copy.source_bytes);
    std::memset(to + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
  }
}

/// cp.async.ca.shared.global [to], [from], bytes, source_bytes: the rest becomes zeros.
Operation start_copy() {
  return [](Warp& warp, const Instruction& instruction, Mask lanes) {
    const auto& operands = instruction.operands;
    for_each_lane(lanes, [&](int lane) {
      const std::size_t bytes = operands[2].values.front().number;
      const std::size_t source_bytes =
          operands.size() > 3 ? std::min<Word>(bytes, warp.get(operands[3].values.front(), lane)) : bytes;
      Warp::Copy copy{.to = address_of(warp, operands[0], lane), .bytes = bytes, .source_bytes = source_bytes};
      if (source_bytes > 0)
        copy.from = warp.resolve(Space::global, address_of(warp, operands[1], lane), bytes, lane, Access::read);
      warp.uncommitted_copies.push_back(copy);
    });
  };
}

Operation commit_copies() {
  return [](Warp& warp, const Instruction& /*instruction*/, Mask /*lanes*/) {
    warp.committed_copies.push_back(std::move(warp.uncommitted_copies));
    warp.uncommitted_copies.clear();
  };
}

void wait_for_copies(Warp& warp, std::size_t groups_left) {
  while (warp.committed_copies.size() > groups_left) {
    perform(warp, warp.committed_copies.front());
    warp.committed_copies.pop_front();
  }
}

/// A box of a tensor, element by element.
void copy_box(Warp& warp, const TensorMap& map, const std::array<std::int32_t, 4>& corner, Word to, int lane) {
  Word at = to;
  const auto copy_element = [&](const std::array<std::uint32_t, 4>& step) {
    std::size_t offset = 0;
    bool is_inside = true;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::int64_t index = std::int64_t{corner[i]} + step[i];
      is_inside &= index >= 0 && static_cast<std::uint64_t>(index) < map.sizes[i];
      offset += static_cast<std::size_t>(index) * (i == 0 ? map.element_bytes : map.strides[i - 1]);
    }
    std::byte* shared = warp.resolve(Space::shared, swizzled(at, map.swizzle), map.element_bytes, lane, Access::write);
    if (is_inside) {
      const std::byte* global = warp.resolve(Space::global, reinterpret_cast<Word>(map.address + offset),
                                             map.element_bytes, lane, Access::read);
      std::memcpy(shared, global, map.element_bytes);
    } else {
      std::memset(shared, 0, map.element_bytes);
    }
    at += map.element_bytes;
  };
  std::array<std::uint32_t, 4> step{};
  for (step[3] = 0; step[3] < map.box[3]; ++step[3])
    for (step[2] = 0; step[2] < map.box[2]; ++step[2])
      for (step[1] = 0; step[1] < map.box[1]; ++step[1])
        for (step[0] = 0; step[0] < map.box[0]; ++step[0]) copy_element(step);
}

/// cp.async.bulk.tensor.4d... [to], [map, {corner}], [barrier]
Operation copy_box_of_tensor() {
  return [](Warp& warp, const Instruction& instruction, Mask lanes) {
    const auto& operands = instruction.operands;
    for_each_lane(lanes, [&](int lane) {
      const std::byte* encoded =
          warp.resolve(Space::generic, address_of(warp, operands[1], lane), sizeof(TensorMap), lane, Access::read);
      TensorMap map;
      std::memcpy(&map, encoded, sizeof(map));
      std::array<std::int32_t, 4> corner{};
      for (std::size_t i = 0; i < corner.size(); ++i)
        corner[i] = static_cast<std::int32_t>(warp.get(operands[1].values.at(i + 1), lane));
      const Word to = address_of(warp, operands[0], lane);
      if (to % 128 != 0) throw Fault(warp.position() + ": the box does not begin at a multiple of 128 bytes");
      copy_box(warp, map, corner, to, lane);
      TransactionBarrier& barrier = warp.block().transaction_barrier(address_of(warp, operands[2], lane));
      if (RaceDetector* races = warp.block().race_detector()) races->release(warp.index(), barrier.arrived);
      barrier.pending_bytes -= std::int64_t{map.element_bytes} * map.box[0] * map.box[1] * map.box[2] * map.box[3];
      barrier.advance_if_complete();
    });
  };
}

}  // namespace

Operation asynchronous_copy(const Opcode& opcode) {
  if (opcode.name != "cp" || !opcode.has("async")) return {};
  if (opcode.has("bulk"))
    return opcode.has("tensor") && opcode.has("4d") && opcode.has("shared::cluster") ? copy_box_of_tensor()
                                                                                     : Operation();
  if (opcode.has("commit_group")) return commit_copies();
  if (opcode.has("wait_group"))
    return [](Warp& warp, const Instruction& instruction, Mask) {
      wait_for_copies(warp, instruction.operands.front().values.front().number);
    };
  if (opcode.has("wait_all"))
    return [](Warp& warp, const Instruction& /*instruction*/, Mask) {
      perform(warp, warp.uncommitted_copies);
      warp.uncommitted_copies.clear();
      wait_for_copies(warp, 0);
    };
  return start_copy();
}

}  // namespace flashbias::emulator
