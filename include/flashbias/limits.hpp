#pragma once

/// Bounds on a bias, so that every pass over it may recurse and none takes more than a moment. Text and C++ meet the
/// same ones, with an Error(invalid_config) or, where only text can break them, an Error(parse) that names the column.
namespace flashbias {

/// Levels of an expression.
inline constexpr int kMaxDepth = 256;
/// Operations and operands of an expression written out in full: what two places share counts twice.
inline constexpr int kMaxNodes = 1 << 13;
/// Numbers a token of one input.
inline constexpr int kMaxDims = 128;
inline constexpr int kMaxTableEntries = 1 << 20;
/// Different inputs of a bias.
inline constexpr int kMaxInputs = 64;
/// Characters of an input's name.
inline constexpr int kMaxNameLength = 64;

/// Parentheses, calls and prefixes around one place of a text: `-(a + b)` nests twice for one level.
inline constexpr int kMaxTextNesting = 2 * kMaxDepth;
/// Bytes of an expression's text; the longest that an expression prints as fits.
inline constexpr int kMaxTextBytes = 1 << 20;

}  // namespace flashbias
