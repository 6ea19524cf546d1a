#pragma once

#include <cstddef>

/// The one function of libflashbias_format.so, a module of its own so that LLVM is loaded only when source is shown.

/// Receives the result; called at most once.
using FlashbiasFormatSink = void (*)(void* context, const char* text, std::size_t size);

/// Lays out C++ text in the repository's style and hands it to the sink.
/// Returns null, or why the text could not be laid out (a static string).
using FlashbiasFormatFunction = const char* (*)(const char* text, std::size_t size, FlashbiasFormatSink sink,
                                                void* context);

inline constexpr const char* kFormatFunctionName = "flashbias_format";
