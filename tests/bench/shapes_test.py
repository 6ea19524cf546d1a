"""What bench/shapes.py does without a GPU."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))
import shapes  # noqa: E402


class Shapes(unittest.TestCase):
    def test_later_flags_replace_earlier_ones(self):
        self.assertEqual(shapes.merged(["--batch", "4", "--causal"], ["--batch", "1"]), ["--batch", "1", "--causal"])

    def test_every_neighbour_comes_after_its_shape(self):
        for direction in ("forward", "backward"):
            seen = set()
            for bias, head_dim, neighbour, _ in shapes.shapes(direction):
                if neighbour is not None:
                    self.assertIn((bias, head_dim, None), seen)
                self.assertNotIn((bias, head_dim, neighbour), seen)
                seen.add((bias, head_dim, neighbour))

    def test_only_the_backward_pass_is_deterministic_on_request(self):
        flags = {d: [f for *_, f in shapes.shapes(d) if "--deterministic" in f] for d in ("forward", "backward")}
        self.assertFalse(flags["forward"])
        self.assertTrue(flags["backward"])

    def test_a_cliff_is_below_half_of_its_neighbour(self):
        speeds = {("T5", 64, None): 400, ("T5", 64, "B=1"): 190, ("T5", 64, "bf16"): 210, ("T5", 32, None): 150,
                  ("T5", 24, None): 50}
        self.assertEqual([found[:3] for found in shapes.cliffs(speeds)], [("T5", 64, "B=1"), ("T5", 24, None)])

    def test_prints_what_the_command_measures_and_what_it_had_no_time_for(self):
        with tempfile.TemporaryDirectory() as directory:
            command = pathlib.Path(directory) / "flashbias"
            command.write_text('#!/bin/sh\nsleep 0.2\necho \'{"tflops": 123.4}\'\n')
            command.chmod(0o755)
            output = pathlib.Path(directory) / "shapes.txt"
            subprocess.run([sys.executable, BENCH / "shapes.py", "--command", command, "--seconds", "0.1", "-o", output],
                           check=True, capture_output=True)
            text = output.read_text()
        self.assertRegex(text, r"no bias +D=64 +123\.4\n")
        self.assertRegex(text, r"# \d+ shapes were left out\n")


if __name__ == "__main__":
    unittest.main()
