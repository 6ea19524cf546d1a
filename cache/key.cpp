#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

class Sha256 {
 public:
  Sha256() { check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr)); }

  void update(const void* data, std::size_t size) { check(EVP_DigestUpdate(context_.get(), data, size)); }

  std::string hex() {
    std::array<unsigned char, 32> digest{};
    check(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr));
    std::string text;
    for (const unsigned char byte : digest) fmt::format_to(std::back_inserter(text), "{:02x}", byte);
    return text;
  }

 private:
  static void check(int success) {
    if (success != 1) throw Error(ErrorCode::cache, "OpenSSL could not compute a SHA-256");
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

/// Numbers go in as 8 bytes and texts behind their length, so that no two lists of fields give the same bytes.
void add(Sha256& hash, std::uint64_t number) {
  std::array<unsigned char, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(number >> (8 * i));
  hash.update(bytes.data(), bytes.size());
}

void add(Sha256& hash, std::string_view text) {
  add(hash, std::uint64_t{text.size()});
  hash.update(text.data(), text.size());
}

/// The comment at a source's top says what was asked for, in the words of whoever asked first.
std::string_view without_leading_comment(std::string_view source) {
  while (source.starts_with("//")) {
    const std::size_t end = source.find('\n');
    source = end == std::string_view::npos ? std::string_view() : source.substr(end + 1);
  }
  return source;
}

}  // namespace

std::string sha256_hex(const void* data, std::size_t size) {
  Sha256 hash;
  hash.update(data, size);
  return hash.hex();
}

std::string make_source_key(const KeyInputs& inputs) {
  Sha256 hash;
  add(hash, std::uint64_t{kFormatVersion});
  add(hash, without_leading_comment(inputs.source));
  add(hash, std::uint64_t{inputs.options.size()});
  for (const auto& option : inputs.options) add(hash, option);
  add(hash, inputs.arch);
  return hash.hex();
}

std::string make_key(const KeyInputs& inputs) { return make_key(make_source_key(inputs), inputs.compiler_version); }

std::string make_key(std::string_view source_key, std::string_view compiler_version) {
  Sha256 hash;
  add(hash, source_key);
  add(hash, compiler_version);
  return hash.hex();
}

}  // namespace flashbias::cache
