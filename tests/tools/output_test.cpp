#include "tools/output.hpp"

#include <doctest/doctest.h>

using namespace flashbias::tools;

TEST_CASE("output: columns are as wide as their cells, numbers stand right") {
  Table table({"name", "count"});
  table.add({"a", "12"});
  table.add({"longer", "3"});
  CHECK(table.text() == "name    count\na          12\nlonger      3\n");
}

TEST_CASE("output: bytes") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(1536) == "1.5 KiB");
  CHECK(bytes_text(3 << 20) == "3.0 MiB");
}
