"""One drift detector of another project, as `bench verdicts` asks it: `python verdicts_peer.py NAME`.

Reads one JSON object a line: {"reference": FILE, "rows": FILE, "arl": ROWS, "stop": SCORE}, both files .npy, f32 [n][features].
Answers one line each: {"records": [[row, score], ...]}: each row at which the detector was surer than ever before.
It may stop at the score `stop`: no threshold that anyone looks at is higher. What a score is, is said at each detector.
"""

import contextlib
import json
import math
import os
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402  (after the settings that imports below read)


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


def evidence(p_values):
    """-ln of the smallest p-value times their number (Bonferroni)."""
    p = min(p_values)
    return -math.log(max(p, 1e-300) * len(p_values))


def adwin(reference, rows, arl, keeper):
    """river ADWIN on each feature. Score: how many of the levels alarmed, from the most tolerant to the strictest, the nominal one.
    Its delta bounds a test's false alarms, and it tests each 32 rows: nominal is 32/(arl x features); 10x and 100x that besides."""
    from river.drift import ADWIN

    width = rows.shape[1]
    columns = [rows[:, f].tolist() for f in range(width)]
    # What a tolerant level does not see, a stricter one does not either.
    for score, level in enumerate([100, 10, 1], 1):
        delta = min(0.5, level * 32 / (arl * width))
        end = len(rows)
        for column in columns:
            detector = ADWIN(delta=delta)
            update = detector.update
            for i in range(end):
                update(column[i])
                if detector.drift_detected:
                    end = i
                    break
        if end == len(rows):
            return
        # The tolerant level has alarmed by then, though it may have forgotten what it was about.
        keeper.records = [record for record in keeper.records if record[0] < end]
        keeper.take(end, score)


def kswin(reference, rows, arl, keeper):
    """river KSWIN on each feature, at every row. Score: -ln of the p-value times the features."""
    from river.drift import KSWIN

    width = rows.shape[1]
    detectors = [KSWIN(alpha=1e-300, seed=f) for f in range(width)]
    for i, row in enumerate(rows.tolist()):
        for detector, x in zip(detectors, row):
            detector.update(x)
        if i >= 100 and keeper.take(i, evidence([detector.p_value for detector in detectors])):
            return


def page_hinkley(reference, rows, arl, keeper):
    """river PageHinkley on each feature, both ways. Score: its statistic; 50 is its default threshold, with no promise behind it."""
    from river.drift import PageHinkley

    keeper.highest = 25  # Lower ones are passed in the first few hundred rows of any stream.
    best = np.full(len(rows), -math.inf)
    for f in range(rows.shape[1]):
        detector = PageHinkley(threshold=math.inf)
        for i, x in enumerate(rows[:, f].tolist()):
            detector.update(x)
            if i < detector.min_instances:
                continue
            up = detector._sum_increase - detector._min_increase
            down = detector._max_decrease - detector._sum_decrease
            if up > best[i]:
                best[i] = up
            if down > best[i]:
                best[i] = down
    for i, score in enumerate(best.tolist()):
        if keeper.take(i, score):
            return


def alibi_ks(reference, rows, arl, keeper, size=1000):
    """alibi-detect KSDrift on windows of 1,000. Score: -ln of the smallest p-value times the features."""
    from alibi_detect.cd import KSDrift

    detector = KSDrift(reference, p_val=0.05, correction="bonferroni")
    for end, window in windows(rows, size):
        if keeper.take(end, evidence(detector.predict(window)["data"]["p_val"])):
            return


_mmd = {}


def alibi_mmd_online(reference, rows, arl, keeper, size=20, sub=1000, bootstraps=12_000):
    """alibi-detect MMDDriftOnline (TensorFlow). Score: its statistic over its threshold. Configured once, on the first 1,000 rows of
    the first reference; it would like 10 x arl bootstraps."""
    from alibi_detect.cd import MMDDriftOnline

    if arl not in _mmd:
        with contextlib.redirect_stdout(sys.stderr):
            _mmd[arl] = MMDDriftOnline(
                reference[:sub], ert=arl, window_size=size, backend="tensorflow", n_bootstraps=bootstraps, verbose=False
            )
    detector = _mmd[arl]
    detector.reset_state()
    for i in range(len(rows)):
        data = detector.predict(rows[i])["data"]
        if keeper.take(i, data["test_stat"] / data["threshold"]):
            return


def evidently_columns(reference, rows, arl, keeper, size=1000):
    """evidently's tests of numerical columns as it chooses them (KS up to 1,000 rows of reference, else Wasserstein over the standard
    deviation), on windows of 1,000. Score: share of columns that drifted; 0.5 is its default for the data set."""
    import pandas as pd
    from evidently.legacy.calculations.stattests import ks_stat_test, wasserstein_stat_test
    from evidently.legacy.core import ColumnType

    test = wasserstein_stat_test if len(reference) > 1000 else ks_stat_test
    columns = [pd.Series(reference[:, f]) for f in range(reference.shape[1])]
    for end, window in windows(rows, size):
        drifted = [
            test(column, pd.Series(window[:, f]), ColumnType.Numerical, None).drifted
            for f, column in enumerate(columns)
        ]
        if keeper.take(end, sum(drifted) / len(drifted)):
            return


def frouros_ks(reference, rows, arl, keeper, size=500):
    """frouros KSTest on each feature and windows of 500. Score: -ln of the smallest p-value times the features."""
    from frouros.detectors.data_drift import KSTest

    detectors = []
    for f in range(reference.shape[1]):
        detector = KSTest()
        detector.fit(X=reference[:, f])
        detectors.append(detector)
    for end, window in windows(rows, size):
        p = [detector.compare(X=window[:, f], method="asymp")[0].p_value for f, detector in enumerate(detectors)]
        if keeper.take(end, evidence(p)):
            return


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
        detect(np.load(job["reference"]), np.load(job["rows"]), job["arl"], keeper)
        print(json.dumps({"records": keeper.records}), flush=True)


if __name__ == "__main__":
    main()
