"""What the peers of verdicts_peer.py compute, over many rows at once: the same numbers, for a tenth to a hundredth of the time.

Their own calls sort the reference again at every window, or go through Python at every row. Nothing here is taken on trust: on the
first stream that a process reads, `agree` holds it to what the peer itself says, row by row or window by window.
"""

import numpy as np


def agree(what, ours, theirs, tolerance=1e-9):
    """Raises where the quick way and the peer's own differ by more than rounding."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if not np.allclose(ours, theirs, rtol=tolerance, atol=tolerance):
        raise ArithmeticError(f"{what}: the quick way says {ours}, the peer itself {theirs}")


def sorted_columns(rows):
    """Columns of [n][features], each sorted."""
    return np.ascontiguousarray(np.sort(rows, axis=0).T)


def ks_distances(reference, window):
    """Two-sample KS distance of each column of `window` [n][features] to the sorted column of the reference; ties as in scipy."""
    distances = []
    for known, seen in zip(reference, sorted_columns(window)):
        m, n = len(known), len(seen)
        # The difference of the two steps is lowest at a value of the window, and highest just before one.
        low = np.searchsorted(known, seen, "right") / m - np.searchsorted(seen, seen, "right") / n
        high = np.searchsorted(known, seen, "left") / m - np.searchsorted(seen, seen, "left") / n
        distances.append(max(-low.min(), high.max(), 0.0))
    return np.array(distances)


def ks_asymptotic(distances, m, n):
    """p-values of scipy's ks_2samp(method="asymp")."""
    from scipy.stats import kstwo

    return np.clip(kstwo.sf(distances, np.round(float(m) * n / (m + n))), 0, 1)


def exact_ks_critical(size, level):
    """The smallest distance of two samples of `size` rows whose exact p-value, by scipy's ks_2samp, is at most `level`."""
    from scipy.stats import ks_2samp

    ranks = np.arange(size)
    return next(k for k in range(size) if ks_2samp(ranks, ranks + k).pvalue <= level) / size


def wasserstein_distances(reference, window):
    """W1 of each column of `window` to the sorted column of the reference: the area between the two steps."""
    distances = []
    for known, seen in zip(reference, sorted_columns(window)):
        m, n = len(known), len(seen)
        at = np.searchsorted(known, seen, "right") + np.arange(n)
        of_window = np.zeros(m + n, dtype=bool)
        of_window[at] = True
        merged = np.empty(m + n)
        merged[at], merged[~of_window] = seen, known
        below = np.cumsum(of_window)[:-1]
        gap = (np.arange(1, m + n) - below) / m - below / n
        distances.append(float(np.abs(gap) @ np.diff(merged)))
    return np.array(distances)


def ks_equal_sizes(first, second):
    """n times the KS distance of each row of `first` [rows][n] to that of `second`; values are ranks below 32,768, equal where equal."""
    merged = np.concatenate([2 * first, 2 * second + 1], axis=1).astype(np.uint16)
    merged.sort(axis=1)
    gap = np.cumsum(1 - 2 * (merged & 1).astype(np.int8), axis=1, dtype=np.int8)
    # Between equal values there is no step to look at.
    gap[:, :-1][merged[:, 1:] >> 1 == merged[:, :-1] >> 1] = 0
    return np.abs(gap).max(axis=1)


class Kswin:
    """river's KSWIN while it does not alarm: of each 100 rows the last 30 against 30 of the others, drawn by Python's generator."""

    def __init__(self, width, window=100, size=30):
        from scipy.stats import ks_2samp

        self.window, self.size, self.drawn = window, size, [[] for _ in range(width)]
        self.generators = None
        ranks = np.arange(size)
        self.p = np.array([ks_2samp(ranks, ranks + k, method="auto").pvalue for k in range(size + 1)])

    def draw(self, tests):
        """Which rows are drawn depends on the seed alone, so one drawing does for every stream."""
        import random

        if self.generators is None:
            self.generators = [random.Random(f) for f in range(len(self.drawn))]
        for generator, drawn in zip(self.generators, self.drawn):
            while len(drawn) < tests:
                drawn.append(np.array(generator.sample(range(self.window - self.size), self.size), dtype=np.intp))

    def p_values(self, ranks, first, last):
        """[last - first][features]: of the tests at the rows `first` ... `last` - 1, none before the window is full. `ranks`: of each
        feature's values [features][rows]."""
        start, end = first - self.window + 1, last - self.window + 1
        self.draw(end)
        found = []
        for column, drawn in zip(ranks, self.drawn):
            windows = np.lib.stride_tricks.sliding_window_view(column, self.window)[start:end]
            at = np.array(drawn[start:end]) + np.arange(start, end)[:, None]
            found.append(self.p[ks_equal_sizes(column[at], windows[:, -self.size :])])
        return np.stack(found, axis=1)


def ranks(rows):
    """[features][rows]: of each value among those of its column, equal where they are equal."""
    return [np.unique(column, return_inverse=True)[1].astype(np.uint16) for column in rows.T]


def page_hinkley_statistics(rows, delta, alpha):
    """river's PageHinkley at every row: the larger of its two statistics, over the features."""
    from scipy.signal import lfilter

    counts = np.arange(1, len(rows) + 1)[:, None]
    deviation = rows.astype(float) - np.cumsum(rows, axis=0, dtype=float) / counts
    rise = lfilter([1], [1, -alpha], deviation - delta, axis=0)
    fall = lfilter([1], [1, -alpha], deviation + delta, axis=0)
    up = rise - np.minimum.accumulate(rise, axis=0)
    down = np.maximum(np.maximum.accumulate(fall, axis=0), -1) - fall
    return np.maximum(up, down).max(axis=1)


def squared_distances(a, b):
    distances = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    return np.maximum(distances, 1e-30)


def mmd_statistics(known, initial, constant, gamma, rows, block=2000):
    """alibi-detect's online MMD² after each row: `known` against the window that begins as `initial` and then slides over the rows.
    `constant` is the part of the reference alone."""
    size = len(initial)
    all_rows = np.concatenate([initial, rows])
    across = np.concatenate(
        [
            np.exp(-gamma * squared_distances(known, all_rows[i : i + block])).mean(axis=0, dtype=float)
            for i in range(0, len(all_rows), block)
        ]
    )

    def sums_of(values, length):
        total = np.concatenate([[0.0], np.cumsum(values, dtype=float)])
        return total[length:] - total[:-length]

    inside = np.zeros(len(rows) + 1)
    for lag in range(1, size):
        near = np.exp(-gamma * ((all_rows[lag:] - all_rows[:-lag]) ** 2).sum(axis=1))
        inside += 2 * sums_of(near, size - lag)
    # The first window is the initial one, before any row.
    return (constant + inside / (size * (size - 1)) - 2 * sums_of(across, size) / size)[1:]


def mmd_bootstraps(kernel, drawn, size):
    """[bootstraps][size]: MMD² of each window of `size` among the 2·size - 1 reference rows `drawn` [bootstraps][...] to all the others."""
    n, extended = len(kernel), 2 * size - 1
    kernel = kernel.astype(float)
    np.fill_diagonal(kernel, 0)
    total, columns = kernel.sum(), kernel.sum(axis=0)
    rest = n - extended
    a, b = np.arange(size), np.arange(size) + size
    found = []
    for some in np.array_split(drawn, max(1, len(drawn) // 500)):
        block = kernel[some[:, :, None], some[:, None, :]]
        across = columns[some] - block.sum(axis=1)
        known = (total - block.sum(axis=(1, 2)) - 2 * across.sum(axis=1)) / (rest * (rest - 1))
        # Sums over squares on the diagonal, from those over corners.
        corner = np.zeros((len(some), extended + 1, extended + 1))
        corner[:, 1:, 1:] = block.cumsum(axis=1).cumsum(axis=2)
        inside = (corner[:, b, b] - corner[:, a, b] - corner[:, b, a] + corner[:, a, a]) / (size * (size - 1))
        sums = np.concatenate([np.zeros((len(some), 1)), across.cumsum(axis=1)], axis=1)
        found.append(known[:, None] + inside - 2 * (sums[:, b] - sums[:, a]) / (rest * size))
    return np.concatenate(found)


def drawn_thresholds(statistics, share, quantile):
    """Of each window in turn, the quantile 1 - share among the bootstraps that no earlier one has stopped."""
    thresholds = []
    for w in range(statistics.shape[1]):
        thresholds.append(quantile(statistics[:, w], 1 - share))
        statistics = statistics[statistics[:, w] < thresholds[-1]]
    return thresholds

