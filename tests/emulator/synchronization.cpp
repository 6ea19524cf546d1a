#include "tests/emulator/operations.hpp"
#include "tests/emulator/scalar.hpp"

namespace flashbias::emulator {
namespace {

Operation nothing() {
  return [](Warp& /*warp*/, const Instruction& /*instruction*/, Mask) {};
}

/// bar.sync or bar.arrive number, threads: of the whole block where no count is given.
Operation named_barrier(const Opcode& opcode) {
  if (opcode.has("warp")) return nothing();  // lanes run together as far as they can
  const bool waits = opcode.has("sync");
  if (!waits && !opcode.has("arrive")) return {};
  return [waits](Warp& warp, const Instruction& instruction, Mask lanes) {
    const int lane = std::countr_zero(lanes);
    const auto& operands = instruction.operands;
    const Word threads = operands.size() > 1 ? warp.get(operands[1].values.front(), lane)
                                             : (warp.block().launch().threads + kLanes - 1) / kLanes * kLanes;
    const auto number = static_cast<unsigned>(warp.get(operands[0].values.front(), lane));
    if (waits)
      warp.block().synchronize(warp, number, static_cast<unsigned>(threads));
    else
      warp.block().arrive(warp, number, static_cast<unsigned>(threads));
  };
}

Operation transaction_barrier(const Opcode& opcode) {
  if (opcode.has("init"))
    return [](Warp& warp, const Instruction& instruction, Mask lanes) {
      for_each_lane(lanes, [&](int lane) {
        const auto count = static_cast<unsigned>(warp.get(instruction.operands[1].values.front(), lane));
        warp.block().initialise_transaction_barrier(address_of(warp, instruction.operands[0], lane), count);
      });
    };
  if (opcode.has("arrive")) {
    const bool expects = opcode.has("expect_tx");
    return [expects](Warp& warp, const Instruction& instruction, Mask lanes) {
      for_each_lane(lanes, [&](int lane) {
        TransactionBarrier& barrier = warp.block().transaction_barrier(address_of(warp, instruction.operands[1], lane));
        if (barrier.pending == 0) throw Fault(warp.position() + ": more arrivals than the barrier expects");
        if (expects)
          barrier.pending_bytes += static_cast<std::int64_t>(warp.get(instruction.operands[2].values.front(), lane));
        if (RaceDetector* races = warp.block().race_detector()) races->release(warp.index(), barrier.arrived);
        --barrier.pending;
        barrier.advance_if_complete();
      });
    };
  }
  const bool tries = opcode.has("try_wait");
  if ((tries || opcode.has("test_wait")) && opcode.has("parity"))
    return [tries](Warp& warp, const Instruction& instruction, Mask lanes) {
      for_each_lane(lanes, [&](int lane) {
        const TransactionBarrier& barrier =
            warp.block().transaction_barrier(address_of(warp, instruction.operands[1], lane));
        const bool has_ended = (barrier.phase & 1U) != warp.get(instruction.operands[2].values.front(), lane);
        warp.set(instruction.operands[0].values.front(), lane, has_ended ? 1 : 0);
        RaceDetector* races = warp.block().race_detector();
        if (has_ended && races != nullptr) races->acquire(warp.index(), barrier.complete);
        if (tries && !has_ended) warp.yield();
      });
    };
  return {};
}

}  // namespace

Operation synchronization(const Opcode& opcode) {
  if (opcode.name == "bar" || opcode.name == "barrier") return named_barrier(opcode);
  if (opcode.name == "mbarrier") return transaction_barrier(opcode);
  if (opcode.name == "fence" || opcode.name == "membar" || opcode.name == "setmaxnreg" || opcode.name == "prefetch")
    return nothing();
  return {};
}

}  // namespace flashbias::emulator
