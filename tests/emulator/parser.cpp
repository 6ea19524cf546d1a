#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "tests/emulator/address.hpp"
#include "tests/emulator/module.hpp"
#include "tests/emulator/operations.hpp"
#include "tests/emulator/tokens.hpp"

namespace flashbias::emulator {
namespace {

/// One pass over the tokens. Braces inside a kernel open scopes: names of an inner one hide those of the outer ones.
class Parser {
 public:
  explicit Parser(std::string_view ptx) : tokens_(tokenize(ptx)) { scopes_.emplace_back(); }

  std::unique_ptr<Module> run() && {
    while (at_ < tokens_.size()) declaration();
    return std::move(module_);
  }

 private:
  struct Scope {
    std::unordered_map<std::string_view, Value> names;
    std::unordered_map<std::string_view, Word> labels;
    std::vector<std::pair<std::size_t, std::string_view>> branches;  ///< instructions whose labels are not met yet
  };

  [[noreturn]] void fail(const std::string& what) const {
    const int line = tokens_.empty() ? 0 : tokens_[std::min(at_, tokens_.size() - 1)].line;
    throw Fault(fmt::format("PTX line {}: {}", line, what));
  }

  [[nodiscard]] std::string_view peek(std::size_t ahead = 0) const {
    return at_ + ahead < tokens_.size() ? tokens_[at_ + ahead].text : std::string_view();
  }
  std::string_view take() {
    if (at_ >= tokens_.size()) fail("ends too early");
    return tokens_[at_++].text;
  }
  bool skip(std::string_view text) {
    if (peek() != text) return false;
    ++at_;
    return true;
  }
  void expect(std::string_view text) {
    if (!skip(text)) fail(fmt::format("'{}' where '{}' should be", peek(), text));
  }
  void skip_past(std::string_view text) {
    while (take() != text) {
    }
  }

  Word number(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0f") || text.starts_with("0F") || text.starts_with("0d") ||
        text.starts_with("0D")) {
      base = 16;
      text.remove_prefix(2);
    }
    Word value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || (end != text.data() + text.size() && std::string_view(end) != "U"))
      fail(fmt::format("'{}' is no number", text));
    return negative ? ~value + 1 : value;
  }

  // ---- module ----

  void declaration() {
    const std::string_view word = take();
    if (word == ".version" || word == ".target") {
      take();
      while (skip(",")) take();
    } else if (word == ".address_size") {
      take();
    } else if (word == ".visible" || word == ".extern" || word == ".weak") {
      declaration();
    } else if (word == ".global" || word == ".const") {
      global();
    } else if (word == ".shared") {
      shared();
    } else if (word == ".entry") {
      kernel();
    } else {
      fail(fmt::format("does not know the declaration '{}'", word));
    }
  }

  struct Variable {
    std::string_view name;
    std::size_t element_bytes = 0;
    std::size_t bytes = 0;
    std::size_t align = 1;
  };

  /// `.align 4 .b8 name[16]`
  Variable variable() {
    Variable result;
    if (skip(".align")) result.align = number(take());
    result.element_bytes = size_of_type(take());
    result.name = take();
    result.bytes = result.element_bytes;
    if (skip("[")) {
      result.bytes = peek() == "]" ? 0 : result.element_bytes * number(take());
      expect("]");
    }
    return result;
  }

  void define(std::string_view name, Word address) { scopes_.back().names[name] = {.reg = {}, .number = address}; }

  void global() {
    const Variable made = variable();
    auto& bytes = *module_->globals.emplace_back(std::make_unique<std::vector<std::byte>>(made.bytes));
    const auto initialise = [&](std::size_t offset) {
      const Word value = number(take());
      std::memcpy(bytes.data() + offset, &value, made.element_bytes);
    };
    if (skip("=")) {
      if (skip("{")) {
        for (std::size_t offset = 0; !skip("}"); offset += made.element_bytes) {
          initialise(offset);
          skip(",");
        }
      } else {
        initialise(0);
      }
    }
    expect(";");
    define(made.name, reinterpret_cast<Word>(bytes.data()));
  }

  void shared() {
    const Variable made = variable();
    expect(";");
    if (made.bytes == 0) {  // the launch tells its size; static variables would have to come first
      define(made.name, kSharedStart);
      return;
    }
    fail(fmt::format("shared variable '{}' has a static size, which the emulator does not know", made.name));
  }

  // ---- kernel ----

  void kernel() {
    Kernel made;
    made.name = take();
    kernel_ = &made;
    scopes_.emplace_back();
    parameters();
    while (!skip("{")) directive();
    statements();
    close_scope();
    if (scopes_.size() != 1) fail("a scope is left open");
    module_->kernels.emplace(made.name, std::move(made));
  }

  void parameters() {
    if (!skip("(")) return;
    while (!skip(")")) {
      expect(".param");
      const Variable made = variable();
      std::size_t& end = kernel_->parameter_bytes;
      end = (end + made.align - 1) / made.align * made.align;
      define(made.name, end);
      end += made.bytes;
      skip(",");
    }
  }

  void directive() {
    const std::string_view word = take();
    const Word first = number(take());
    while (skip(",")) take();
    if (word == ".maxntid") kernel_->max_threads = static_cast<unsigned>(first);
  }

  /// Up to the brace that closes the scope.
  void statements() {
    while (!skip("}")) {
      if (skip("{")) {
        scopes_.emplace_back();
        statements();
        close_scope();
      } else if (peek(1) == ":" && peek() != "@") {
        scopes_.back().labels[take()] = kernel_->code.size();
        expect(":");
      } else if (peek() == ".reg") {
        registers();
      } else if (peek() == ".local") {
        local();
      } else if (peek() == ".pragma" || peek() == ".loc") {
        skip_past(";");
      } else {
        instruction();
      }
    }
  }

  void registers() {
    take();
    take();  // a register has room for any type
    do {
      const std::string_view name = take();
      if (skip("<")) {
        const Word count = number(take());
        expect(">");
        for (Word i = 0; i < count; ++i) {
          made_names_.push_back(std::make_unique<std::string>(fmt::format("{}{}", name, i)));
          new_register(*made_names_.back());
        }
      } else {
        new_register(name);
      }
    } while (skip(","));
    expect(";");
  }

  Value new_register(std::string_view name) {
    return scopes_.back().names[name] = {.reg = kernel_->registers++, .number = 0};
  }

  void local() {
    take();
    const Variable made = variable();
    expect(";");
    std::size_t& end = kernel_->local_bytes;
    end = (end + made.align - 1) / made.align * made.align;
    define(made.name, end);
    end += made.bytes;
  }

  void close_scope() {
    Scope closed = std::move(scopes_.back());
    scopes_.pop_back();
    for (const auto& [index, label] : closed.branches) {
      const auto found = closed.labels.find(label);
      if (found != closed.labels.end())
        kernel_->code[index].operands.front().values.front().number = found->second;
      else if (scopes_.size() > 1)
        scopes_.back().branches.emplace_back(index, label);
      else
        fail(fmt::format("no label '{}'", label));
    }
  }

  Value named(std::string_view name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
      if (const auto found = scope->names.find(name); found != scope->names.end()) return found->second;
    if (!name.starts_with('%')) fail(fmt::format("no variable '{}'", name));
    const auto [special, is_new] = kernel_->special_registers.try_emplace(std::string(name), kernel_->registers);
    if (is_new) ++kernel_->registers;
    return {.reg = special->second, .number = 0};
  }

  Value value() {
    const std::string_view text = take();
    if (text == "_") return {.reg = std::nullopt, .number = 0};
    const bool is_number = text.starts_with('-') || std::isdigit(static_cast<unsigned char>(text.front())) != 0;
    return is_number ? Value{.reg = {}, .number = number(text)} : named(text);
  }

  void values_in_braces(Operand& operand) {
    while (!skip("}")) {
      operand.values.push_back(value());
      skip(",");
    }
  }

  Operand operand() {
    Operand result;
    if (skip("[")) {
      result.values.push_back(value());
      if (skip("+")) result.offset = static_cast<std::int64_t>(number(take()));
      if (skip(",")) {
        expect("{");
        values_in_braces(result);
      }
      expect("]");
    } else if (skip("{")) {
      values_in_braces(result);
    } else {
      if (skip("!")) fail("negated operands are not known");
      result.values.push_back(value());
      while (skip("|")) result.values.push_back(value());
    }
    return result;
  }

  void instruction() {
    Instruction made;
    made.line = tokens_[at_].line;
    if (skip("@")) {
      const bool negated = skip("!");
      made.guard = Guard{named(take()).reg.value(), negated};
    }
    made.opcode = take();
    const bool is_branch = made.opcode == "bra" || made.opcode == "bra.uni";
    if (is_branch) {
      scopes_.back().branches.emplace_back(kernel_->code.size(), take());
      made.operands.push_back({.values = {Value{}}, .offset = 0});
      expect(";");
    } else {
      while (!skip(";")) {
        made.operands.push_back(operand());
        skip(",");
      }
    }
    try {
      choose_operation(made);
    } catch (const Fault& fault) {
      fail(fault.what());
    }
    kernel_->code.push_back(std::move(made));
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::unique_ptr<Module> module_ = std::make_unique<Module>();
  std::vector<Scope> scopes_;
  Kernel* kernel_ = nullptr;
  std::vector<std::unique_ptr<std::string>> made_names_;  ///< what the names of numbered registers point to
};

}  // namespace

std::unique_ptr<Module> parse(std::string_view ptx) { return Parser(ptx).run(); }

}  // namespace flashbias::emulator
