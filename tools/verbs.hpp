#pragma once

#include <CLI/App.hpp>

/// The verbs of the command, one file each.
namespace flashbias::tools {

void add_emit(CLI::App& app);
void add_explain(CLI::App& app);
void add_compile(CLI::App& app);
void add_precompile(CLI::App& app);
void add_cache(CLI::App& app);
void add_pack(CLI::App& app);
void add_run(CLI::App& app);
void add_doctor(CLI::App& app);
void add_tune(CLI::App& app);
void add_decompose(CLI::App& app);
void add_demo(CLI::App& app);

}  // namespace flashbias::tools
