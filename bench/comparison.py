"""What bench/compare.py compares, and what can be told of its results without a GPU."""

from dataclasses import dataclass, replace

OPERANDS = ("q", "k", "v")
FACTORS = ("q_factors", "k_factors")


@dataclass(frozen=True)
class Row:
    batch: int
    heads: int
    tokens: int
    head_dim: int
    causal: bool
    bias: str
    rank: int
    gradients: tuple = ()  # of what; none: the forward pass

    @property
    def products(self):
        """Of matrices, 2 D FLOP a score each: q k^T and P v; backward q k^T and d_out v^T, then those for q, k and v."""
        return 5 if self.gradients else 2

    def tflops(self, milliseconds):
        """2 B H N^2 D for each product, half of it under a causal mask, and nothing for the bias."""
        flop = 2 * self.products * self.batch * self.heads * self.tokens**2 * self.head_dim * (0.5 if self.causal else 1)
        return flop / milliseconds / 1e9

    def roof(self):
        """TFLOP/s that it cannot exceed: a score takes 2 D FLOP for each product, and an exponential."""
        return min(MATRIX_TFLOPS, EXPONENTIALS * 2 * self.products * self.head_dim)


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


def backward_rows():
    """Each row with the gradients of q, k and v, and where factors are learned, a row with theirs, too."""
    rows = {}
    for name, row in ROWS.items():
        rows[name] = replace(row, gradients=OPERANDS)
        if row.bias == "learned":
            rows[f"{name}_factors"] = replace(row, gradients=OPERANDS + FACTORS)
    return rows


DIRECTIONS = {"forward": ROWS, "backward": backward_rows()}


@dataclass(frozen=True)
class Peer:
    title: str
    has_bias: bool


PEERS = {
    "flashbias": Peer("flashbias", True),
    "flashbias_plain": Peer("flashbias, no bias", False),
    "flashbias_portable": Peer("flashbias, portable", True),
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
PORTABLE = "flashbias_portable"
PORTABLE_PLAIN = "fa2_plain"  # written for the same instructions

EXPONENTIALS = 4.16  # T/s, of ex2 on all multiprocessors of an H100, measured
MATRIX_TFLOPS = 768  # of wgmma in f16, measured
LARGE_ERROR = 0.01  # beyond, a kernel computes another bias


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


def computes_the_bias(result):
    """Whether an output is of the bias that was asked for, and not of another one."""
    return result["error"] <= LARGE_ERROR


def best_with_bias(results):
    """The fastest peer but ours that has the bias and whose output is right, by name; nothing where there is none."""
    peers = [name for name, peer in PEERS.items() if peer.has_bias and name not in (OURS, PORTABLE)
             and speed(results, name) and computes_the_bias(results[name])]
    return max(peers, key=lambda name: speed(results, name), default=None)


def ratios(results):
    """Our speed in a row over that of cuDNN without bias and of the best other with the bias, by peer."""
    ours = speed(results, OURS)
    return {peer: ours / speed(results, peer) for peer in (PLAIN, best_with_bias(results)) if ours and speed(results, peer)}


def portable_ratio(results):
    """The speed of our portable loop in a row over that of FlashAttention-2 without bias; nothing where one is missing."""
    ours, plain = speed(results, PORTABLE), speed(results, PORTABLE_PLAIN)
    return ours / plain if ours and plain else None


def summary_of(name, results):
    """A line on a row: ours, and how it compares."""
    ours = speed(results, OURS)
    compared = [f"{ratio:.2f} x {PEERS[peer].title} ({speed(results, peer):.0f})"
                for peer, ratio in ratios(results).items()]
    if portable := portable_ratio(results):
        compared.append(f"portable {speed(results, PORTABLE):.0f}: {portable:.2f} x {PEERS[PORTABLE_PLAIN].title} "
                        f"({speed(results, PORTABLE_PLAIN):.0f})")
    return f"{name:24} {f'{ours:.0f}' if ours else 'none':>4} TFLOP/s  {'  '.join(compared)}".rstrip()


def line_of(peer, result):
    title = f"  {PEERS[peer].title:20}"
    if "failed" in result:
        return f"{title} failed: {result['failed'][:120]}"
    return (f"{title} {result['ms']:9.3f} ms {result['tflops']:6.0f} TFLOP/s  first {result['first_s']:6.2f} s  "
            f"error {result['error']:.1e}")
