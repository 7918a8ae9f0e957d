"""Drift statistics by numpy and scipy, timed beside our kernels: `python kernels_peer.py`.

Reads one JSON object a line: {"kernel": NAME, "ms": BUDGET}; answers {"ns": TIME} of the shortest call, or null where there is no such kernel.
"""

import itertools
import json
import sys
import time

import numpy as np
from scipy import stats

random = np.random.default_rng(1)
rows = random.standard_normal((10_000, 16)).astype(np.float32)
edges = [np.sort(rows[:, f])[np.arange(1, 128) * len(rows) // 128] for f in range(16)]
a, b = random.standard_normal(10_000), random.standard_normal(10_000)
x, y = rows[:1000], rows[1000:2000]
batches = itertools.cycle(np.split(rows, 10))
weights = random.standard_normal((16, 128)).astype(np.float32)


def bins(inner):
    batch = next(batches)
    return [np.bincount(np.searchsorted(inner[f], batch[:, f], side="right"), minlength=len(inner[f]) + 1) for f in range(16)]


def mmd2():
    """Unbiased, with a Gaussian kernel; products by BLAS."""
    squares = (x * x).sum(1), (y * y).sum(1)

    def kernel(u, v, uu, vv):
        return np.exp(-0.03 * (uu[:, None] + vv[None, :] - 2 * (u @ v.T)))

    n = len(x)
    xx, yy, xy = kernel(x, x, squares[0], squares[0]), kernel(y, y, squares[1], squares[1]), kernel(x, y, *squares)
    return (xx.sum() - n) / (n * (n - 1)) + (yy.sum() - n) / (n * (n - 1)) - 2 * xy.mean()


def fourier():
    angles = next(batches) @ weights
    return np.cos(angles).sum(0), np.sin(angles).sum(0)


KERNELS = {
    "bins 128": lambda: bins(edges),
    "ks": lambda: stats.ks_2samp(a, b, method="exact"),
    "ks, limit": lambda: stats.ks_2samp(a, b, method="asymp"),
    "mmd2": mmd2,
    "rff": fourier,
}

for line in sys.stdin:
    job = json.loads(line)
    call = KERNELS.get(job["kernel"])
    if call is None:
        print("null", flush=True)
        continue
    times, until = [], time.perf_counter() + job["ms"] / 1000
    while len(times) < 2 or time.perf_counter() < until:
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    print(json.dumps({"ns": min(times)}), flush=True)
