"""What bench/compare.py compares, and what can be told of its results without a GPU."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    batch: int
    heads: int
    tokens: int
    head_dim: int
    causal: bool
    bias: str
    rank: int

    def tflops(self, milliseconds):
        """4 B H N^2 D, half of it under a causal mask, and nothing for the bias."""
        flop = 4 * self.batch * self.heads * self.tokens**2 * self.head_dim * (0.5 if self.causal else 1)
        return flop / milliseconds / 1e9


ROWS = {
    "llm_d128_4k": Row(4, 16, 4096, 128, True, "alibi", 2),
    "llm_d128_16k": Row(1, 16, 16384, 128, True, "alibi", 2),
    "llm_d64_4k": Row(4, 32, 4096, 64, True, "alibi", 2),
    "llm_d64_16k": Row(1, 32, 16384, 64, True, "alibi", 2),
    "enc_d128_4k": Row(4, 16, 4096, 128, False, "learned", 16),
    "enc_d64_4k": Row(4, 32, 4096, 64, False, "learned", 16),
    "gpt2_16k": Row(1, 50, 16384, 32, True, "alibi", 2),
    "paper_r8_16k": Row(2, 4, 16384, 32, False, "learned", 8),
    "pde_32k": Row(1, 8, 32186, 16, False, "distance", 5),
    "swin_576": Row(256, 16, 576, 32, False, "learned", 16),
    "af3_tri_768": Row(768, 4, 768, 32, False, "learned", 32),
    "af3_tri_768_r96": Row(768, 4, 768, 32, False, "learned", 96),
}


@dataclass(frozen=True)
class Peer:
    title: str
    has_bias: bool


PEERS = {
    "flashbias": Peer("flashbias", True),
    "flashbias_plain": Peer("flashbias, no bias", False),
    "cudnn_plain": Peer("cuDNN, no bias", False),
    "fa2_plain": Peer("FA2, no bias", False),
    "flex": Peer("FlexAttention", True),
    "dense_efficient": Peer("dense, efficient", True),
    "dense_cudnn": Peer("dense, cuDNN", True),
    "factors_fa2": Peer("factors, FA2", True),
    "factors_cudnn": Peer("factors, cuDNN", True),
    "triton": Peer("FlashBias Triton", True),
}

OURS = "flashbias"
PLAIN = "cudnn_plain"

EXPONENTIALS = 4.16  # T/s, of ex2 on all multiprocessors of an H100, measured
MATRIX_TFLOPS = 768  # of wgmma in f16, measured


def roof(head_dim):
    """TFLOP/s that attention cannot exceed: a score takes 4 D FLOP and an exponential."""
    return min(MATRIX_TFLOPS, EXPONENTIALS * 4 * head_dim)


def chosen(names, known, what):
    """Names of a comma-separated list in the order of the table; all where it is empty."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in known:
            raise SystemExit(f"there is no {what} '{name}'; there are {', '.join(known)}")
    return [name for name in known if not wanted or name in wanted]


def reason_of(error):
    """The first line of what an exception says."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def speed(results, peer):
    """TFLOP/s of a peer in a row, or nothing where it has none."""
    return results.get(peer, {}).get("tflops")


def best_with_bias(results):
    """The fastest peer but ours that has the bias, exact or not, by name; nothing where all failed."""
    peers = [name for name, peer in PEERS.items() if peer.has_bias and name != OURS and speed(results, name)]
    return max(peers, key=lambda name: speed(results, name), default=None)


def line_of(peer, result):
    title = f"  {PEERS[peer].title:20}"
    if "failed" in result:
        return f"{title} failed: {result['failed'][:120]}"
    return (f"{title} {result['ms']:9.3f} ms {result['tflops']:6.0f} TFLOP/s  first {result['first_s']:6.2f} s  "
            f"error {result['error']:.1e}")
