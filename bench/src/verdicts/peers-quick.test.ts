/** verdicts_quick.py against the definitions, with ties and extremes; what needs scipy, a process of the bench holds to the peers itself. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const python = process.env.VEDETTE_TEST_PYTHON;
const peers = fileURLToPath(new URL("../../peers", import.meta.url));

const script = `
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import verdicts_quick as quick

generator = np.random.default_rng(3)

def step(sample, at):
    return (sample[None, :] <= at[:, None]).mean(axis=1)

for m, n, digits in [(7, 5, 0), (50, 20, 1), (200, 30, 6), (1, 1, 6)]:
    known = generator.standard_normal((m, 3)).round(digits).astype("f4")
    seen = (generator.standard_normal((n, 3)) + 0.5).round(digits).astype("f4")
    distances, areas = [], []
    for a, b in zip(known.T, seen.T):
        points = np.sort(np.concatenate([a, b]))
        gaps = np.abs(step(a, points) - step(b, points))
        distances.append(gaps.max())
        areas.append((gaps[:-1] * np.diff(points.astype(float))).sum())
    quick.agree("ks", quick.ks_distances(quick.sorted_columns(known), seen), distances)
    quick.agree("w1", quick.wasserstein_distances(quick.sorted_columns(known), seen), areas, 1e-6)

values = generator.integers(0, 12, (40, 60))
equal = [max(abs((a[None] <= x).sum() - (b[None] <= x).sum()) for x in range(12)) for a, b in zip(values[:, :30], values[:, 30:])]
quick.agree("equal sizes", quick.ks_equal_sizes(values[:, :30], values[:, 30:]), equal)
assert [list(column) for column in quick.ranks(np.array([[3.0], [-1.0], [3.0], [-0.0], [0.0]]))] == [[2, 0, 2, 1, 1]]

known, rows = generator.standard_normal((30, 4)), generator.standard_normal((12, 4))
initial, gamma = known[:5], 0.3
kernel = lambda a, b: np.exp(-gamma * ((a[:, None] - b[None]) ** 2).sum(axis=2))
found = quick.mmd_statistics(known, initial, 0.25, gamma, rows, block=7)
for i in range(len(rows)):
    window = np.concatenate([initial, rows[: i + 1]])[-5:]
    inside = (kernel(window, window).sum() - 5) / 20
    quick.agree("mmd", found[i], 0.25 + inside - 2 * kernel(known, window).mean())

whole = kernel(known, known)
drawn = np.stack([generator.permutation(30)[:9] for _ in range(3)])
found = quick.mmd_bootstraps(whole, drawn, 5)
for last, statistics in zip(drawn, found):
    rest = known[np.setdiff1d(np.arange(30), last)]
    constant = (kernel(rest, rest).sum() - 21) / (21 * 20)
    for w, statistic in enumerate(statistics):
        window = known[last[w : w + 5]]
        inside = (kernel(window, window).sum() - 5) / 20
        quick.agree("bootstraps", statistic, constant + inside - 2 * kernel(rest, window).mean())

try:
    quick.agree("apart", [1.0, 2.0], [1.0, 2.1])
except ArithmeticError as error:
    print(f"told: {error}")
`;

test.skipIf(!python)("peers' numbers over many rows at once are those of the definitions", async () => {
  const { stdout } = await promisify(execFile)(python!, ["-c", script, peers]);
  expect(stdout).toMatch(/^told: apart: the quick way says/);
});
