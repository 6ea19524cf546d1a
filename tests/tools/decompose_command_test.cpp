#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "flashbias/bias.hpp"
#include "flashbias/reference.hpp"
#include "tests/errors.hpp"
#include "tests/file_text.hpp"
#include "tests/tools/command.hpp"
#include "tools/npy.hpp"
#include "tools/npz.hpp"

using namespace flashbias;
using namespace flashbias::tools;
using flashbias::testing::run_command;
using flashbias::testing::says;
using flashbias::testing::scratch_path;

namespace {

/// Table [2, 49] of a 4 x 4 window: smooth, and another for each head.
std::string table_file() {
  HostTensor table(DType::f32, {2, 49});
  for (std::int64_t i = 0; i < table.elements(); ++i)
    reference::write_element(table.view(), i, std::cos(0.07 * static_cast<double>(i * (1 + i / 49))));
  auto path = scratch_path("table.npy");
  write_npy(path, table);
  return path;
}

/// A matrix of rank 2 beside what depends on the query alone.
std::string matrix_file() {
  HostTensor matrix(DType::f32, {6, 5});
  for (std::int64_t i = 0; i < 6; ++i)
    for (std::int64_t j = 0; j < 5; ++j)
      reference::write_element(matrix.view(), i * 5 + j,
                               static_cast<double>(10 * i * i * i + i * (j - 2) + (i % 2) * (j * j - 6)));
  auto path = scratch_path("matrix.npy");
  write_npy(path, matrix);
  return path;
}

nlohmann::json json_of(const std::string& arguments) {
  const auto result = run_command("decompose --json " + arguments);
  INFO(result.error);
  REQUIRE(result.status == 0);
  return nlohmann::json::parse(result.out);
}

std::string failure(const std::string& arguments) {
  const auto result = run_command("decompose " + arguments);
  CHECK(result.status == 1);
  return result.error;
}

}  // namespace

TEST_CASE("command: decompose a window's table, and explain the bias that it names") {
  const auto factors = scratch_path("factors.npz");
  const auto found = json_of(table_file() + " --window 4x4 --energy 0.99 -o " + factors);
  CHECK(found["expression"] == "window_relative_position(4, 4)");
  CHECK(found["heads"] == 2);
  CHECK(found["q_length"] == 16);
  CHECK(found["energy"].get<double>() >= 0.99);
  CHECK(found["by_head"][1]["singular_values"].size() == 16);
  const int rank = found["rank"];
  REQUIRE(rank > 1);
  const auto fewer = json_of(table_file() + " --window 4x4 --rank " + std::to_string(rank - 1));
  CHECK(fewer["energy"].get<double>() < 0.99);

  const NamedTensors saved = read_npz(factors);
  REQUIRE(names_of(saved) == "k_factors_window_relative_position_4_4, q_factors_window_relative_position_4_4");
  for (const auto& [name, tensor] : saved) {
    CHECK(tensor.dtype == DType::f16);
    CHECK(tensor.shape == std::vector<std::int64_t>{1, 16, 2, rank});
  }
  const auto explained = run_command("explain --arch sm_80 --bias '" + found["bias"].get<std::string>() + "'");
  CHECK(says(explained.out, "an approximation of window_relative_position(4, 4)"));
  CHECK(says(explained.out, "input:  q_factors_window_relative_position_4_4 f16"));
  // The factors fit the inputs of that bias: what is missing is the GPU alone.
  const auto run = run_command("run --arch sm_80 --heads 2 --seqlen-q 16 --input " + factors + " --bias '" +
                               found["bias"].get<std::string>() + "'");
  CHECK(says(run.error, "/nonexistent/libcuda.so.1"));
}

TEST_CASE("command: the saved factors are as far off as decompose says") {
  const auto factors = scratch_path("error.npz");
  const auto found = json_of(table_file() + " --window 4x4 --rank 3 --keep-row-means -o " + factors);
  const NamedTensors saved = read_npz(factors);
  const HostTensor table = read_npy(table_file());
  reference::Inputs inputs{{"relative_bias", table.view()}};
  for (const auto& [name, tensor] : saved) inputs.emplace(name, tensor.view());
  const Expr exact = bias::window_relative_position(4, 4);
  const Expr difference = exact - bias::approximate(exact, 3);
  for (std::int64_t h = 0; h < 2; ++h) {
    double most = 0;
    for (std::int64_t i = 0; i < 16; ++i)
      for (std::int64_t j = 0; j < 16; ++j)
        most = std::max(
            most, std::abs(reference::evaluate(
                      difference, {.head = h, .q_index = i, .kv_index = j, .q_length = 16, .kv_length = 16}, inputs)));
    CHECK(found["by_head"][static_cast<std::size_t>(h)]["rounded"]["max_abs"].get<double>() == doctest::Approx(most));
  }
}

TEST_CASE("command: decompose a matrix, with and without what the softmax ignores") {
  const auto without = json_of(matrix_file() + " --tolerance 0.05");
  CHECK(without["rank"] == 2);
  CHECK(without["row_means"] == "removed");
  CHECK(without["bias"] == "approximate(dense(), 2)");
  const auto with = json_of(matrix_file() + " --tolerance 0.05 --keep-row-means --dtype f32");
  CHECK(with["rank"] == 3);
  CHECK(with["row_means"] == "kept");
  CHECK(with["bias"] == "approximate(dense(), 3, f32)");
  const auto text = run_command("decompose " + matrix_file() + " --rank 2");
  CHECK(says(text.out, "without row means, which the softmax ignores"));
  CHECK(says(text.out, "bias    approximate(dense(), 2)"));
}

TEST_CASE("command: decompose an expression") {
  const auto slopes = scratch_path("slopes.npy");
  write_npy(slopes, HostTensor(DType::f16, {3}));
  const auto found = json_of(
      "--bias 'q_index() * kv_index() - head_scalar(slopes)' --seqlen-q 20 --seqlen-k 12 --energy 1 --input slopes=" +
      slopes);
  CHECK(found["heads"] == 3);
  CHECK(found["q_length"] == 20);
  CHECK(found["kv_length"] == 12);
  CHECK(found["rank"] == 1);
  CHECK(says(found["bias"], "approximate(q_index() * kv_index() - head_scalar(slopes), 1)"));
}

TEST_CASE("command: what decompose cannot do is said with the remedy") {
  const std::string table = table_file();
  CHECK(says(failure(table), "choose the rank by one of --rank, --energy and --tolerance"));
  CHECK(says(failure(table + " --rank 2 --energy 0.5"), "choose the rank by one of"));
  CHECK(says(failure(table + " --rank 3"), "rank 3: the bias has min(Nq, Nk) = 2"));
  CHECK(says(failure(table + " --energy 1.5"), "energy 1.5: it is the part of"));
  CHECK(says(failure("--rank 2"), "nothing to decompose; give a FILE.npy, or --bias"));
  CHECK(says(failure(table + " --window 4x4x --rank 2"), "--window 4x4x: it is height x width, such as 24x24"));
  CHECK(says(failure(table + " --window 5x5 --rank 2"), "[B|1, H|1, entries] = [1, 2, 81]"));
  CHECK(says(failure(table + " --bias 'alibi()' --rank 2"), "give what --bias reads by --input"));
  CHECK(says(failure("--bias 'alibi()' --window 4x4 --rank 2"), "describe a bias twice"));
  CHECK(says(failure("--bias 'alibi()' --rank 2"), "--bias needs --seqlen-q"));
  CHECK(says(failure("--bias 'alibi()' --seqlen-q 4 --rank 2"),
             "the bias reads slopes; give it by --input slopes=FILE.npy"));
  CHECK(says(failure("--bias 'q_index()*kv_index()' --input x=" + table + " --seqlen-q 4 --rank 2"),
             "the bias reads no x"));
  CHECK(says(failure("--bias 'log(q_index())' --seqlen-q 4 --rank 2"), "the bias is -inf at head 0, query 0, key 0"));
  CHECK(says(failure(table + " --rank 1 --dtype i32"), "factors are f16, bf16 or f32"));
  CHECK(says(failure(table + " --rank 1 --picture out.jpg"), "its name must end in .png or .svg"));
  CHECK(says(failure(table + " --rank 1 -o /nonexistent/factors.npz"), "/nonexistent/factors.npz"));
}

TEST_CASE("command: a picture is drawn, or what it takes is said") {
  const auto picture = scratch_path("picture.svg");
  const std::string decompose = "decompose " + table_file() + " --window 4x4 --rank 4 --picture ";
  const auto without = run_command(decompose + picture, "FLASHBIAS_PYTHON=/nonexistent/python");
  CHECK(without.status == 1);
  CHECK(says(without.error, "no Python with matplotlib, numpy (/nonexistent/python tried); install it"));
  CHECK_FALSE(std::filesystem::exists(picture));

  const auto drawn = run_command(decompose + picture);
  if (drawn.status != 0) {
    CHECK(says(drawn.error, "no Python with matplotlib, numpy (python3 and /usr/bin/python3 tried)"));
    return;
  }
  const std::string svg = testing::file_text(picture);
  CHECK(svg.find("window_relative_position(4, 4), without row means") != std::string::npos);
  CHECK(svg.find("Approximation of rank 4") != std::string::npos);
  CHECK(says(run_command(decompose + "/nonexistent/picture.png").error, "cannot write /nonexistent/picture.png"));
}
