"""What bench/compare.py does without torch, a GPU and matplotlib."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import comparison  # noqa: E402
from results_file import ResultsFile  # noqa: E402

HEAD = {"device": "H100", "torch": "2.9", "commit": "abc", "date": "2026-01-01"}


class Comparison(unittest.TestCase):
    def test_roof_is_of_exponentials_up_to_the_tensor_cores(self):
        self.assertAlmostEqual(comparison.roof(16), 266.24)
        self.assertAlmostEqual(comparison.roof(32), 532.48)
        self.assertEqual(comparison.roof(64), 768)

    def test_flop_are_halved_under_a_causal_mask(self):
        row = comparison.Row(2, 4, 1024, 64, False, "learned", 8)
        causal = comparison.Row(2, 4, 1024, 64, True, "learned", 8)
        self.assertAlmostEqual(row.tflops(1), 4 * 2 * 4 * 1024**2 * 64 / 1e9)
        self.assertAlmostEqual(causal.tflops(1), row.tflops(1) / 2)

    def test_names_are_chosen_in_the_order_of_the_table(self):
        self.assertEqual(comparison.chosen("flex, flashbias", comparison.PEERS, "peer"), ["flashbias", "flex"])
        self.assertEqual(comparison.chosen("", comparison.ROWS, "row"), list(comparison.ROWS))
        with self.assertRaises(SystemExit):
            comparison.chosen("flexx", comparison.PEERS, "peer")

    def test_the_best_has_the_bias_and_is_not_ours(self):
        results = {"flashbias": {"tflops": 9}, "cudnn_plain": {"tflops": 8}, "flex": {"tflops": 3},
                   "factors_fa2": {"tflops": 5}, "triton": {"failed": "no"}}
        self.assertEqual(comparison.best_with_bias(results), "factors_fa2")
        self.assertIsNone(comparison.best_with_bias({"triton": {"failed": "no"}}))

    def test_failures_stand_in_the_table(self):
        self.assertEqual(comparison.reason_of(RuntimeError("one\ntwo")), "one")
        self.assertEqual(comparison.reason_of(MemoryError()), "MemoryError")
        self.assertIn("failed: one", comparison.line_of("flex", {"failed": "one"}))


class Results(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = str(pathlib.Path(self.directory.name) / "new" / "results.json")

    def test_what_is_kept_is_on_disk_at_once_and_gone_on_with(self):
        ResultsFile(self.path, HEAD).keep("row", "flex", {"failed": "it did"})
        again = ResultsFile(self.path, {**HEAD, "date": "2026-01-02"})
        self.assertTrue(again.holds("row", "flex"))
        self.assertFalse(again.holds("row", "flashbias"))
        again.keep("row", "flashbias", {"ms": 1})
        self.assertEqual(set(ResultsFile(self.path, HEAD).results["rows"]["row"]), {"flex", "flashbias"})

    def test_results_of_another_commit_are_not_mixed_in(self):
        ResultsFile(self.path, HEAD).keep("row", "flex", {"ms": 1})
        with self.assertRaises(SystemExit):
            ResultsFile(self.path, {**HEAD, "commit": "def"})

    def test_without_a_path_nothing_is_written(self):
        results = ResultsFile(None, HEAD)
        results.keep("row", "flex", {"ms": 1})
        self.assertTrue(results.holds("row", "flex"))


if __name__ == "__main__":
    unittest.main()
