#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "tests/emulator/thread_block.hpp"

namespace flashbias::emulator {
namespace {

constexpr int kStepsInARow = 2000;
constexpr Word kPoisonedWord = 0xffff'ffff'ffff'ffff;  // a NaN of every type

Mask first_lanes(unsigned count) { return count >= kLanes ? ~Mask{0} : (Mask{1} << count) - 1; }

}  // namespace

Warp::Warp(ThreadBlock& block, unsigned index, unsigned threads) : block_(&block), index_(index) {
  const Kernel& kernel = *block.launch().kernel;
  Lanes poison{};
  poison.fill(kPoisonedWord);
  registers_.assign(kernel.registers, poison);
  local_.assign(kLanes, std::vector<std::byte>(kernel.local_bytes, std::byte{0xff}));
  paths_ = {{.at = 0, .lanes = first_lanes(threads - index * kLanes)}};
  for (const auto& [name, reg] : kernel.special_registers)
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      Word& word = registers_[reg][lane];
      if (name == "%tid.x")
        word = index * kLanes + lane;
      else if (name == "%laneid")
        word = lane;
      else if (name == "%ctaid.x")
        word = block.index();
      else if (name == "%ntid.x")
        word = block.launch().threads;
      else if (name == "%nctaid.x")
        word = block.launch().blocks;
      else if (name == "%tid.y" || name == "%tid.z" || name == "%ctaid.y" || name == "%ctaid.z")
        word = 0;
      else
        throw Fault(fmt::format("kernel {} reads {}, which the emulator does not know", kernel.name, name));
    }
}

Mask Warp::live() const {
  Mask lanes = 0;
  for (const Path& path : paths_) lanes |= path.lanes;
  return lanes;
}

std::string Warp::position() const {
  if (paths_.empty()) return "finished";
  const Instruction& instruction = block_->launch().kernel->code[paths_[current_].at];
  return fmt::format("PTX line {}, {}", instruction.line, instruction.opcode);
}

Warp::Progress Warp::run() {
  if (paths_.empty()) return Progress::finished;
  if (condition_) {
    if (!condition_()) return Progress::waiting;
    condition_ = nullptr;
  }
  yields_ = false;
  for (int i = 0; i < kStepsInARow && !paths_.empty() && !condition_ && !yields_; ++i) step();
  return paths_.empty() || !yields_ ? Progress::ran : Progress::waiting;
}

Mask Warp::guarded(const Instruction& instruction, Mask lanes) const {
  if (!instruction.guard) return lanes;
  Mask holds = 0;
  const Lanes& predicate = registers_[instruction.guard->reg];
  for_each_lane(lanes, [&](int lane) {
    if ((predicate[static_cast<std::size_t>(lane)] & 1U) != (instruction.guard->negated ? 1U : 0U))
      holds |= Mask{1} << lane;
  });
  return holds;
}

/// The path that is behind the others, but for those that wait for the whole warp.
std::size_t Warp::choose_path() const {
  if (paths_.size() == 1) return 0;
  const std::vector<Instruction>& code = block_->launch().kernel->code;
  for (std::size_t i = 0; i < paths_.size(); ++i)
    if (code[paths_[i].at].flow != Flow::together || guarded(code[paths_[i].at], paths_[i].lanes) == 0) return i;
  throw Fault(fmt::format("{}: the threads of a warp meet at different instructions", position()));
}

void Warp::step() {
  current_ = choose_path();
  Path& path = paths_[current_];
  const std::vector<Instruction>& code = block_->launch().kernel->code;
  if (path.at >= code.size()) throw Fault("the kernel runs past its end");
  const Instruction& instruction = code[path.at];
  const Mask lanes = guarded(instruction, path.lanes);
  switch (instruction.flow) {
    case Flow::branch:
      branch(current_, instruction.operands.front().values.front().number, lanes);
      return;
    case Flow::leave:
      branch(current_, path.at, 0);
      for (Path& other : paths_) other.lanes &= ~lanes;
      std::erase_if(paths_, [](const Path& other) { return other.lanes == 0; });
      current_ = 0;
      return;
    case Flow::together:
      if (lanes != 0 && lanes != live())
        throw Fault(fmt::format("{}: only lanes {:#x} of {:#x} come here", position(), lanes, live()));
      break;
    case Flow::next:
      break;
  }
  if (lanes != 0) instruction.operation(*this, instruction, lanes);
  ++path.at;
  if (paths_.size() > 1) merge_paths();
}

/// Sends some lanes of a path to a place and the others on.
void Warp::branch(std::size_t path, std::size_t target, Mask jumping) {
  const Mask others = paths_[path].lanes & ~jumping;
  ++paths_[path].at;
  paths_[path].lanes = others;
  if (jumping != 0) paths_.push_back({.at = target, .lanes = jumping});
  merge_paths();
}

void Warp::merge_paths() {
  std::erase_if(paths_, [](const Path& path) { return path.lanes == 0; });
  std::ranges::sort(paths_, {}, &Path::at);
  for (std::size_t i = 0; i + 1 < paths_.size();) {
    if (paths_[i].at == paths_[i + 1].at) {
      paths_[i].lanes |= paths_[i + 1].lanes;
      paths_.erase(paths_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    } else {
      ++i;
    }
  }
  current_ = 0;
}

std::byte* Warp::resolve(Space space, Word address, std::size_t size, int lane, Access access) {
  if (space == Space::generic) {
    const Word window = address & kWindowMask;
    space = window == kSharedWindow      ? Space::shared
            : window == kLocalWindow     ? Space::local
            : window == kParameterWindow ? Space::parameter
                                         : Space::global;
    if (space != Space::global) address &= ~kWindowMask;
  }
  const auto fault = [&](const char* what) -> Fault {
    return Fault(fmt::format("{}: {} access of {} bytes at {:#x} by block {}, thread {} is {}", position(),
                             space == Space::shared      ? "shared"
                             : space == Space::local     ? "local"
                             : space == Space::parameter ? "parameter"
                                                         : "global",
                             size, address, block_->index(), index_ * kLanes + static_cast<unsigned>(lane), what));
  };
  if (address % std::bit_floor(size) != 0) throw fault("misaligned");
  const auto within = [&](std::vector<std::byte>& bytes, std::size_t start) {
    if (address < start || address + size > bytes.size()) throw fault("out of bounds");
    return bytes.data() + address;
  };
  switch (space) {
    case Space::shared: {
      std::byte* pointer = within(block_->shared(), kSharedStart);
      if (RaceDetector* races = block_->race_detector()) {
        try {
          access == Access::read ? races->read(index_, address, size) : races->write(index_, address, size);
        } catch (const Fault& race) {
          throw Fault(position() + ": " + race.what());
        }
      }
      return pointer;
    }
    case Space::local:
      return within(local_[static_cast<std::size_t>(lane)], 0);
    case Space::parameter:
      return within(block_->parameters(), 0);
    default: {
      auto* pointer = reinterpret_cast<std::byte*>(address);
      if (!block_->launch().is_allocated(pointer, size)) throw fault("out of bounds");
      return pointer;
    }
  }
}

}  // namespace flashbias::emulator
