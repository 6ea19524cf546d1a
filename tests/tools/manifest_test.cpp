#include "tools/manifest.hpp"

#include <doctest/doctest.h>

#include "flashbias/error.hpp"

using namespace flashbias;
using namespace flashbias::tools;

namespace {

/// A manifest whose third line holds the fields of an entry.
std::string manifest_with(const std::string& entry) { return "{\n  \"kernels\": [\n    {" + entry + "}\n  ]\n}\n"; }

std::string error_of(const std::string& text, const char* file = "m.json") {
  try {
    (void)parse_manifest(text, file);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::parse);
    return error.what();
  }
  return "no error";
}

struct RejectedManifest {
  std::string text;
  const char* message;
};

}  // namespace

TEST_CASE("manifest: entries with their shapes") {
  const auto entries =
      parse_manifest(manifest_with(R"("name": "a", "config": "head_dim=32 bias=\"alibi()\"", "source": "s",
                       "shape": {"batch": 2, "heads": 8, "kv_heads": 4, "seqlen_q": 100})"),
                     "m.json");
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].name == "a");
  CHECK(entries[0].source == "s");
  CHECK(equal(entries[0].config.bias, bias::alibi()));
  CHECK(entries[0].config.arch.is_current_device());
  REQUIRE(entries[0].shape);
  CHECK(entries[0].shape->kv_heads == 4);
  CHECK(entries[0].shape->seqlen_k == 100);
}

TEST_CASE("manifest: errors name the file, the line and the remedy") {
  const RejectedManifest cases[] = {
      {"{\n  \"kernels\": [\n    {\"name\" \"a\"}\n  ]\n}", "m.json:3:"},
      {"", "m.json:1:1: "},
      {"[]", "m.json: manifest: expected an object"},
      {"{\n\"kernels\": 1e999}", "m.json:2: number overflow"},
      {std::string(1000, '['), "m.json:1: is nested deeper than 64"},
      {"{\n\"kernles\": []}", "m.json:2: manifest: unknown field \"kernles\"; did you mean \"kernels\"?"},
      {"{\n\"kernels\": []}", "m.json:2: manifest: expected \"kernels\": [...] with at least one entry"},
      {manifest_with(""), "m.json:3: kernels[0]: field \"name\" is missing"},
      {manifest_with(R"("name": "a")"), "m.json:3: \"a\": field \"config\" is missing"},
      {manifest_with(R"("name": 7)"), "m.json:3: kernels[0]: name is 7, expected a string"},
      {manifest_with("\"name\": \"a\",\n\"config\": \"head_dim=7\""), "m.json:4: \"a\": config: head_dim is 7"},
      {manifest_with("\"name\": \"a\",\n\"config\": \"head_dmi=64\""), "m.json:4: \"a\": config: "},
      {manifest_with(R"("name": "a", "config": "arch=sm_80")"), "a manifest names no arch"},
      {manifest_with(R"("name": "a", "confg": "")"), "unknown field \"confg\"; did you mean \"config\"?"},
      {manifest_with("\"name\": \"a\",\n\"name\": \"b\""), "m.json:4: \"name\" is given twice"},
      {manifest_with(R"("name": "a", "config": "", "shape": {"batch": 1,
"head": 8})"),
       "m.json:4: \"a\": shape: unknown field \"head\"; did you mean \"heads\"?"},
      {manifest_with(R"("name": "a", "config": "", "shape": {"batch": 0, "heads": 8, "seqlen_q": 1})"),
       "batch is 0, expected a positive integer"},
      {manifest_with(R"("name": "a", "config": "", "shape": {"batch": 1, "heads": 8, "kv_heads": 3, "seqlen_q": 1})"),
       "heads is 8, no multiple of kv_heads 3"},
  };
  for (const auto& [text, message] : cases) {
    const auto error = error_of(text);
    INFO(error, "\n", text);
    CHECK(error.find(message) != std::string::npos);
  }
}

TEST_CASE("manifest: a config of lists is their product, each named by what tells it from the others") {
  const auto entries = parse_manifest(
      manifest_with(R"json("name": "a", "config": {"dtype": ["f16", "bf16"], "head_dim": [64, 128], "causal": true,
                           "bias": "alibi()"})json"),
      "m.json");
  REQUIRE(entries.size() == 4);
  CHECK(entries[0].name == "a, dtype=f16 head_dim=64");
  CHECK(entries[3].name == "a, dtype=bf16 head_dim=128");
  for (const auto& entry : entries) {
    CHECK(entry.config.causal);
    CHECK(equal(entry.config.bias, bias::alibi()));
  }
  CHECK(entries[1].config.head_dim == 128);
  CHECK(entries[1].config.dtype == DType::f16);
}

TEST_CASE("manifest: a list of gradients names them, and multiplies nothing") {
  const auto entries = parse_manifest(manifest_with(R"json("name": "a", "config": [
        {"direction": "backward", "head_dim": [64, 128], "gradients": ["q", "slopes"], "bias": "alibi()"},
        {"direction": "backward", "gradients": "q,slopes", "bias": "alibi()"}])json"),
                                      "m.json");
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].name == "a, [0] head_dim=64");
  for (const auto& entry : entries) {
    CHECK(entry.config.direction == Direction::backward);
    CHECK(entry.config.gradients == std::vector<std::string>{"q", "slopes"});
  }
}

TEST_CASE("manifest: gradients that are no names, or of nothing, are errors") {
  const RejectedManifest cases[] = {
      {R"("direction": "backward", "gradients": ["q", 7])", R"(expected a list of names, got ["q",7])"},
      {R"("direction": "backward", "gradients": [["q"]])", R"(expected a list of names, got [["q"]])"},
      {R"("direction": "backward", "gradients": [])", "gradients is an empty list"},
      {R"("direction": "backward", "gradients": ["slops"])", "there is no 'slops'; there are those of q, k, v, slopes"},
      {R"("gradients": ["q"])", "the direction is forward"},
  };
  for (const auto& [fields, message] : cases) {
    const auto error = error_of(manifest_with(R"json("name": "a", "config": {"bias": "alibi()", )json" + fields + "}"));
    INFO(error, "\n", fields);
    CHECK(error.find(message) != std::string::npos);
  }
}

TEST_CASE("manifest: a list of configs, as texts or objects") {
  const auto entries =
      parse_manifest(manifest_with(R"("name": "a", "config": ["head_dim=16", {"head_dim": [24, 32]}])"), "m.json");
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].name == "a, [0]");
  CHECK(entries[2].name == "a, [1] head_dim=32");
  CHECK(entries[2].config.head_dim == 32);
}

TEST_CASE("manifest: JSON may have comments") {
  const char* text = "{ // one\n\"kernels\": /* two */ [{\"name\": \"a\", \"config\": \"\"}]}";
  CHECK(parse_manifest(text, "m.json").size() == 1);
}

TEST_CASE("manifest: TOML says the same as JSON") {
  const auto entries = parse_manifest(R"toml(
[[kernels]]
name = "a"
config = 'head_dim=32 bias="alibi()"'
shape = {batch = 2, heads = 8, seqlen_q = 100}

# a product
[[kernels]]
name = "b"
[kernels.config]
dtype = ["f16", "bf16"]
causal = true
)toml",
                                      "m.toml");
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].config.head_dim == 32);
  CHECK(entries[0].shape->seqlen_k == 100);
  CHECK(entries[2].name == "b, dtype=bf16");
  CHECK(entries[2].config.causal);
}

TEST_CASE("manifest: errors in TOML and in products name the place, too") {
  CHECK(error_of("[[kernels]]\nname = \"a\"\nconfig = \n", "m.toml").starts_with("m.toml:3:"));
  CHECK(error_of("[[kernels]]\nname = \"a\"\nconfg = \"\"\n", "m.toml") ==
        "m.toml:3: \"a\": unknown field \"confg\"; did you mean \"config\"?");
  CHECK(error_of("\xef\xbb\xbb\x10", "m.toml").starts_with("m.toml:1:1: "));
  CHECK(error_of("name = é", "m.toml").starts_with("m.toml:1:"));
  CHECK(error_of("[[kernels]]\nname = 1979-05-27\n", "m.toml").starts_with("m.toml:2:8: expected a text, number"));
  const RejectedManifest cases[] = {
      {"\"name\": \"a\",\n\"config\": {\"head_dim\": [16, 7]}", "m.json:4: \"a\": config: head_dim is 7"},
      {R"("name": "a", "config": {"head_dmi": 16})", "unknown field 'head_dmi'"},
      {R"("name": "a", "config": {"head_dim": []})", "config: head_dim is an empty list"},
      {R"("name": "a", "config": {"head_dim": [[16]]})", "expected a text, an integer or a boolean, got [16]"},
      {R"("name": "a", "config": {"bias": "alibi()\" causal=\"true"})", "no value holds a \""},
      {R"("name": "a", "config": {"causal=true head_dim": 16})", "is no name of a field"},
      {R"("name": "a", "config": 16)", "expected a text, an object of fields or a list of these, got 16"},
      {R"("name": "a", "config": [])", "got []"},
  };
  for (const auto& [text, message] : cases) {
    const auto error = error_of(manifest_with(text));
    INFO(error, "\n", text);
    CHECK(error.find(message) != std::string::npos);
  }
  std::string many = "8";
  for (int i = 0; i < 200; ++i) many += ",8";
  const auto error = error_of(
      manifest_with(R"("name": "a", "config": {"head_dim_v": [)" + many + R"(], "head_dim": [)" + many + "]}"));
  CHECK(error.find("describes more than 10000 kernels") != std::string::npos);
}

TEST_CASE("manifest: the model zoo parses, and every model has a shape and a source") {
  const auto entries = read_manifest(FLASHBIAS_MODEL_ZOO);
  CHECK(entries.size() >= 8);
  for (const auto& entry : entries) {
    INFO(entry.name);
    CHECK(entry.shape.has_value());
    CHECK_FALSE(entry.source.empty());
  }
}

TEST_CASE("manifest: a file that cannot be read") {
  CHECK_THROWS_WITH_AS((void)read_manifest("/nonexistent.json"),
                       "cannot read the manifest /nonexistent.json: No such file or directory", Error);
  CHECK_THROWS_WITH_AS((void)read_manifest("/tmp"), "cannot read the manifest /tmp: Is a directory", Error);
}
