"""What bench/compare.py does without torch, a GPU and matplotlib."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import comparison  # noqa: E402
from results_file import ResultsFile, default_path  # noqa: E402

HEAD = {"device": "NVIDIA H100 80GB HBM3", "torch": "2.9", "commit": "abc", "date": "2026-01-01", "direction": "forward"}


def row(head_dim, causal=False, gradients=()):
    return comparison.Row(2, 4, 1024, head_dim, causal, "learned", 8, gradients)


class Comparison(unittest.TestCase):
    def test_roof_is_of_exponentials_up_to_the_tensor_cores(self):
        self.assertAlmostEqual(row(16).roof(), 266.24)
        self.assertAlmostEqual(row(32).roof(), 532.48)
        self.assertEqual(row(64).roof(), 768)
        self.assertAlmostEqual(row(16, gradients=("q", "k", "v")).roof(), 665.6)

    def test_flop_are_halved_under_a_causal_mask(self):
        self.assertAlmostEqual(row(64).tflops(1), 4 * 2 * 4 * 1024**2 * 64 / 1e9)
        self.assertAlmostEqual(row(64, causal=True).tflops(1), row(64).tflops(1) / 2)

    def test_flop_of_gradients_are_of_five_products_whatever_is_differentiated(self):
        for gradients in (("q", "k", "v"), ("q", "k", "v", "q_factors", "k_factors")):
            self.assertAlmostEqual(row(64, gradients=gradients).tflops(1), 2.5 * row(64).tflops(1))

    def test_backward_rows_are_the_forward_ones_and_those_of_learned_factors(self):
        backward = comparison.DIRECTIONS["backward"]
        self.assertEqual([name for name in backward if not name.endswith("_factors")], list(comparison.ROWS))
        self.assertEqual(backward["llm_d128_4k"].gradients, ("q", "k", "v"))
        self.assertEqual(backward["enc_d64_4k_factors"].gradients, ("q", "k", "v", "q_factors", "k_factors"))
        self.assertNotIn("pde_32k_factors", backward)

    def test_names_are_chosen_in_the_order_of_the_table(self):
        self.assertEqual(comparison.chosen("flex, flashbias", comparison.PEERS, "peer"), ["flashbias", "flex"])
        self.assertEqual(comparison.chosen("", comparison.ROWS, "row"), list(comparison.ROWS))
        with self.assertRaises(SystemExit):
            comparison.chosen("flexx", comparison.PEERS, "peer")

    def test_the_best_has_the_bias_and_is_not_ours(self):
        results = {name: {"tflops": tflops, "error": 0} for name, tflops in
                   {"flashbias": 9, "flashbias_portable": 8, "cudnn_plain": 8, "flex": 3, "factors_fa2": 5}.items()}
        results["triton"] = {"failed": "no"}
        self.assertEqual(comparison.best_with_bias(results), "factors_fa2")
        self.assertIsNone(comparison.best_with_bias({"triton": {"failed": "no"}}))

    def test_the_best_computes_the_bias_that_was_asked_for(self):
        for error in (0.2, float("nan")):
            results = {"flex": {"tflops": 3, "error": 0.001}, "factors_cudnn": {"tflops": 5, "error": error}}
            self.assertEqual(comparison.best_with_bias(results), "flex")
            del results["flex"]
            self.assertIsNone(comparison.best_with_bias(results))

    def test_ratios_are_to_cudnn_without_bias_and_to_the_best_with_it(self):
        results = {"flashbias": {"tflops": 9, "error": 0}, "cudnn_plain": {"tflops": 6, "error": 0},
                   "flex": {"tflops": 3, "error": 0}, "factors_fa2": {"tflops": 4.5, "error": 0.001}}
        self.assertEqual(comparison.ratios(results), {"cudnn_plain": 1.5, "factors_fa2": 2})
        summary = comparison.summary_of("a row", results)
        self.assertIn("1.50 x cuDNN, no bias (6)", summary)
        self.assertIn("2.00 x factors, FA2 (4)", summary)

    def test_the_portable_loop_is_beside_fa2_without_bias(self):
        results = {"flashbias_portable": {"tflops": 9}, "fa2_plain": {"tflops": 6}}
        self.assertEqual(comparison.portable_ratio(results), 1.5)
        self.assertIn("portable 9: 1.50 x FA2, no bias (6)", comparison.summary_of("a row", results))
        self.assertIsNone(comparison.portable_ratio({"fa2_plain": {"tflops": 6}}))
        self.assertIsNone(comparison.portable_ratio({"flashbias_portable": {"failed": "no"}, "fa2_plain": {"tflops": 6}}))

    def test_a_row_without_ours_has_no_ratios(self):
        results = {"flashbias": {"failed": "no"}, "cudnn_plain": {"tflops": 6, "error": 0}}
        self.assertEqual(comparison.ratios(results), {})
        self.assertIn("none TFLOP/s", comparison.summary_of("a row", results))
        self.assertEqual(comparison.ratios({"flashbias": {"tflops": 9}}), {})

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

    def test_results_of_another_commit_or_direction_are_not_mixed_in(self):
        ResultsFile(self.path, HEAD).keep("row", "flex", {"ms": 1})
        for other in ({"commit": "def"}, {"direction": "backward"}):
            with self.assertRaises(SystemExit):
                ResultsFile(self.path, HEAD | other)

    def test_what_is_told_of_all_rows_stands_beside_them(self):
        ResultsFile(self.path, HEAD).add("ratios", {"row": {"flex": 2}})
        self.assertEqual(ResultsFile(self.path, HEAD).results["ratios"], {"row": {"flex": 2}})

    def test_files_are_named_by_date_gpu_and_direction(self):
        self.assertEqual(default_path(HEAD, "compare-backward").name, "2026-01-01-h100-compare-backward.json")

    def test_without_a_path_nothing_is_written(self):
        results = ResultsFile(None, HEAD)
        results.keep("row", "flex", {"ms": 1})
        self.assertTrue(results.holds("row", "flex"))


if __name__ == "__main__":
    unittest.main()
