"""One drift detector of another project, as `bench verdicts` asks it: `python verdicts_peer.py NAME`.

Reads one JSON object a line: {"reference": FILE, "rows": FILE, "arl": ROWS, "stop": SCORE, "family": FILE},
the files .npy, f32 [n][features]. `family` is a reference of like rows, the same for all streams of a kind, for what is slow to set up.
Answers one line each: {"records": [[row, score], ...]}: each row at which the detector was surer than ever before.
It may stop at the score `stop`: no threshold that anyone looks at is higher. What a score is, is said at each detector.
"""

import json
import math
import os
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402  (after the settings that imports below read)
from verdicts_quick import (  # noqa: E402
    Kswin,
    agree,
    drawn_thresholds,
    exact_ks_critical,
    ks_asymptotic,
    ks_distances,
    mmd_bootstraps,
    mmd_statistics,
    page_hinkley_statistics,
    ranks,
    sorted_columns,
    wasserstein_distances,
)


class Keeper:
    """Scores as they come; keeps those that are higher than all before."""

    def __init__(self, stop):
        self.records, self.highest, self.stop = [], -math.inf, stop

    def take(self, row, score):
        score = float(score)
        if score > self.highest:
            self.highest = score
            self.records.append([row, round(min(score, 1e300), 6)])
        return self.highest >= self.stop


def windows(rows, size):
    """Windows one after the other, each with the number of its last row."""
    for end in range(size, len(rows) + 1, size):
        yield end - 1, rows[end - size : end]


checked = set()


def once(what):
    """True the first time: on its first stream a process holds the quick ways of verdicts_quick.py to the peer's own."""
    first = what not in checked
    checked.add(what)
    return first


def adwin(reference, rows, arl, keeper, family):
    """river ADWIN on each feature. Score: how sure the strictest of the levels is that alarmed, 0 for that of the run length. Its delta
    bounds a test's false alarms, and it tests each 32 rows: 32/(arl x features) is nominal, and e^-score of that a level."""
    from river._river_rust.drift import AdaptiveWindowing
    from river.drift import ADWIN

    width = rows.shape[1]
    columns = [rows[:, f].tolist() for f in range(width)]

    def first_alarm(column, delta, end):
        # What ADWIN.update calls while nothing has been detected.
        own = ADWIN(delta=delta)
        update = AdaptiveWindowing(
            delta=delta,
            clock=own.clock,
            max_buckets=own.max_buckets,
            min_window_length=own.min_window_length,
            grace_period=own.grace_period,
        ).update
        return next((i for i, alarmed in enumerate(map(update, column[:end])) if alarmed), end)

    def own_alarm(column, delta):
        detector = ADWIN(delta=delta)
        return next((i for i, x in enumerate(column) if detector.update(x) or detector.drift_detected), len(column))

    # What a tolerant level does not see, a stricter one does not either.
    for level in ADWIN_LEVELS:
        delta = level * 32 / (arl * width)
        end = len(rows)
        for column in columns:
            end = first_alarm(column, delta, end)
        if once(f"adwin {level}"):
            agree("ADWIN", end, min(own_alarm(column, delta) for column in columns))
        if end == len(rows):
            return
        # The tolerant level has alarmed by then, though it may have forgotten what it was about.
        keeper.records = [record for record in keeper.records if record[0] < end]
        keeper.take(end, -math.log(level))


# From 0.5, the most tolerant that makes sense at a run length of 10,000 rows and 16 features, past the library's default of 0.002.
ADWIN_LEVELS = [2500, 1000, 500, 250, 100, 30, 10, 3, 1, 1e-1, 1e-2, 1e-4, 1e-8, 1e-16, 1e-32]


_kswin = {}


def kswin(reference, rows, arl, keeper, family, block=1000):
    """river KSWIN on each feature, at every row. Score: -ln of the p-value times the features."""
    from river.drift import KSWIN

    width = rows.shape[1]
    quick, ranked = _kswin.setdefault(width, Kswin(width)), ranks(rows)
    if once("kswin"):
        tests = quick.p_values(ranked, 99, 400)
        for f in range(width):
            detector = KSWIN(alpha=1e-300, seed=f)
            own = [detector.p_value for x in rows[:400, f].tolist() if not detector.update(x)]
            agree("KSWIN", -np.log(tests[:, f]), -np.log(own[99:]))
    for first in range(99, len(rows), block):
        p_values = quick.p_values(ranked, first, min(first + block, len(rows)))
        for i, p in enumerate(p_values.min(axis=1).tolist()):
            if keeper.take(first + i, -math.log(p * width)):
                return


def page_hinkley(reference, rows, arl, keeper, family):
    """river PageHinkley on each feature, both ways. Score: its statistic; 50 is its default threshold, with no promise behind it."""
    from river.drift import PageHinkley

    keeper.highest = 25  # Lower ones are passed in the first few hundred rows of any stream.
    own = PageHinkley(threshold=math.inf)
    best = page_hinkley_statistics(rows, own.delta, own.alpha)
    if once("page-hinkley"):
        found = np.full(len(rows), -math.inf)
        for column in rows.T.tolist():
            detector = PageHinkley(threshold=math.inf)
            for i, x in enumerate(column):
                detector.update(x)
                up = detector._sum_increase - detector._min_increase
                found[i] = max(found[i], up, detector._max_decrease - detector._sum_decrease)
        agree("PageHinkley", best, found)
    for i in range(own.min_instances - 1, len(rows)):
        if keeper.take(i, best[i]):
            return


def ks_on_windows(name, reference, rows, keeper, size, own):
    """Score: -ln of the smallest p-value times the features, by scipy's asymptotic KS, as `own` (window -> p-values) has it."""
    known, greatest = sorted_columns(reference), -1.0
    for end, window in windows(rows, size):
        distances = ks_distances(known, window)
        if end < 3 * size and once(f"{name} {len(reference)} {end}"):
            agree(name, ks_asymptotic(distances, len(reference), size), own(window), 1e-6)
        # The smallest p-value is that of the greatest distance.
        if distances.max() <= greatest:
            continue
        greatest = distances.max()
        p = float(ks_asymptotic(greatest, len(reference), size))
        if keeper.take(end, -math.log(max(p, 1e-300) * len(distances))):
            return


def alibi_ks(reference, rows, arl, keeper, family, size=1000):
    """alibi-detect KSDrift on windows of 1,000."""

    def own(window):
        from alibi_detect.cd import KSDrift

        return KSDrift(reference, p_val=0.05, correction="bonferroni").predict(window)["data"]["p_val"]

    ks_on_windows("KSDrift", reference, rows, keeper, size, own)


_mmd = {}


def alibi_mmd_online(reference, rows, arl, keeper, family, size=20, sub=1000):
    """alibi-detect MMDDriftOnline (TensorFlow). Score: its statistic over its threshold. Configured once for each kind of rows, on the
    first 1,000 rows of the family's reference, with the bootstraps that its documentation asks for: ten times the run length."""
    if family not in _mmd:
        _mmd[family] = mmd_online(np.load(family)[:sub], arl, size, 10 * arl)
    detector = _mmd[family]
    x_ref, chosen = np.asarray(detector.x_ref), detector.ref_inds.numpy()
    sigma = float(detector.kernel.sigma.numpy()[0])
    statistics = mmd_statistics(
        x_ref[chosen], x_ref[detector.init_test_inds.numpy()], float(detector.k_xx_sub_sum), 1 / (2 * sigma**2), rows
    )
    thresholds = [detector.get_threshold(t) for t in range(1, size)]
    thresholds = np.array(thresholds + [detector.get_threshold(size)] * (len(rows) - len(thresholds)))
    scores = statistics / thresholds
    if once(f"mmd {family}"):
        detector.reset_state()
        for i in range(60):
            data = detector.predict(rows[i])["data"]
            agree("MMDDriftOnline", scores[i], data["test_stat"] / data["threshold"], 1e-3)
    for i, score in enumerate(scores.tolist()):
        if keeper.take(i, score):
            return


def mmd_online(reference, arl, size, bootstraps):
    """A detector whose thresholds are found as it finds them, but for the time that it takes."""
    import tensorflow as tf
    from alibi_detect.cd.tensorflow.mmd_online import MMDDriftOnlineTF
    from alibi_detect.utils.tensorflow.misc import quantile

    last = 2 * size - 1

    class Quick(MMDDriftOnlineTF):
        def _configure_thresholds(self):
            found = mmd_bootstraps(self.k_xx.numpy(), self.drawn(), self.window_size)
            self.thresholds = drawn_thresholds(found, self.fpr, lambda x, p: quantile(tf.constant(x), p))

        def drawn(self):
            generator, order = np.random.default_rng(7), np.arange(self.n)
            some = [generator.permuted(np.tile(order, (500, 1)), axis=1)[:, -last:] for _ in range(self.n_bootstraps // 500)]
            return np.concatenate(some)

    class SameDraws(Quick):
        def drawn(self):
            order = tf.range(self.n)
            return np.stack([tf.random.shuffle(order).numpy()[-last:] for _ in range(self.n_bootstraps)])

    def made(kind, ert, count):
        tf.random.set_seed(7)
        return kind(reference, ert=ert, window_size=size, n_bootstraps=count, verbose=False)

    if once("mmd thresholds"):
        own = made(MMDDriftOnlineTF, 20, 100)
        agree("MMDDriftOnline's thresholds", made(SameDraws, 20, 100).thresholds, own.thresholds, 1e-4)
    return made(Quick, arl, bootstraps)


def evidently_columns(reference, rows, arl, keeper, family, size=1000):
    """evidently's tests of numerical columns as it chooses them (KS up to 1,000 rows of reference, else Wasserstein over the standard
    deviation), on windows of 1,000. Score: share of columns that drifted; 0.5 is its default for the data set."""
    known = sorted_columns(reference)
    by_distance = len(reference) > 1000
    deviations = np.maximum(np.std(reference.astype(float), axis=0), 0.001)
    # The exact p-value of equal sizes is a matter of the distance alone.
    critical = None if by_distance else exact_ks_critical(size, 0.05)
    for end, window in windows(rows, size):
        if by_distance:
            drifted = wasserstein_distances(known, window) / deviations >= 0.1
        else:
            drifted = ks_distances(known, window) >= critical - 1e-9
        if end < 3 * size and once(f"evidently {len(reference)} {end}"):
            agree("evidently", drifted, evidently_verdicts(reference, window, by_distance))
        if keeper.take(end, drifted.mean()):
            return


def evidently_verdicts(reference, window, by_distance):
    import pandas as pd
    from evidently.legacy.calculations.stattests import ks_stat_test, wasserstein_stat_test
    from evidently.legacy.core import ColumnType

    test = wasserstein_stat_test if by_distance else ks_stat_test
    pairs = [(pd.Series(known), pd.Series(seen)) for known, seen in zip(reference.T, window.T)]
    return [test(known, seen, ColumnType.Numerical, None).drifted for known, seen in pairs]


def frouros_ks(reference, rows, arl, keeper, family, size=500):
    """frouros KSTest on each feature and windows of 500."""

    def own(window):
        from frouros.detectors.data_drift import KSTest

        p_values = []
        for f in range(window.shape[1]):
            detector = KSTest()
            detector.fit(X=reference[:, f])
            p_values.append(detector.compare(X=window[:, f], method="asymp")[0].p_value)
        return p_values

    ks_on_windows("KSTest", reference, rows, keeper, size, own)


DETECTORS = {
    "alibi-ks": alibi_ks,
    "alibi-mmd-online": alibi_mmd_online,
    "evidently": evidently_columns,
    "frouros-ks": frouros_ks,
    "river-adwin": adwin,
    "river-kswin": kswin,
    "river-page-hinkley": page_hinkley,
}


def main():
    detect = DETECTORS[sys.argv[1]]
    for line in sys.stdin:
        job = json.loads(line)
        keeper = Keeper(job["stop"])
        detect(np.load(job["reference"]), np.load(job["rows"]), job["arl"], keeper, job["family"])
        print(json.dumps({"records": keeper.records}), flush=True)


if __name__ == "__main__":
    main()
