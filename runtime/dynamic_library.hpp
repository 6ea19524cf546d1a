#pragma once

#include <filesystem>
#include <string>

namespace flashbias::runtime {

/// A shared library opened at run time; closed when the object goes.
class DynamicLibrary {
 public:
  /// `name`: a path, or a bare name for the loader to find. Throws Error(io) with the loader's reason.
  explicit DynamicLibrary(const std::string& name);
  DynamicLibrary(DynamicLibrary&& other) noexcept;
  DynamicLibrary& operator=(DynamicLibrary&& other) noexcept;
  DynamicLibrary(const DynamicLibrary&) = delete;
  DynamicLibrary& operator=(const DynamicLibrary&) = delete;
  ~DynamicLibrary();

  /// The file that the loader took.
  [[nodiscard]] std::filesystem::path path() const;

  /// The GNU build id in hex, which the linker derives from the library's contents; empty where it has none.
  [[nodiscard]] std::string build_id() const;

  /// Address of a function, taken as whatever function pointer it initialises.
  class Symbol {
   public:
    explicit Symbol(void* address) noexcept : address_(address) {}
    template <class Function>
    operator Function*() const noexcept {  // NOLINT(google-explicit-constructor)
      return reinterpret_cast<Function*>(address_);
    }

   private:
    void* address_;
  };

  /// Throws Error(io) naming the library and the function.
  [[nodiscard]] Symbol symbol(const char* name) const;

 private:
  void* handle_ = nullptr;
};

}  // namespace flashbias::runtime
