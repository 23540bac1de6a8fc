"""The paper's formulas and the released code's, one number at a time: slow on purpose, to be read beside the paper.

Arrays are float64 NumPy arrays with the axes of the library: frames (C, H, W), queries (D, h, w), items (N, D).
Nothing here imports the library.
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np

EPSILON = 1e-12


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Eq. 1; 0 where a vector is all zeros, as the kit defines it."""
    product = squares_a = squares_b = 0.0
    for x, y in zip(a, b, strict=True):
        product += x * y
        squares_a += x * x
        squares_b += y * y
    if squares_a == 0 or squares_b == 0:
        return 0.0
    return product / (math.sqrt(squares_a) * math.sqrt(squares_b))


def released_similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Item 1 of the differences: no roots, and the product of squares inside the sum."""
    product = squares = 0.0
    for x, y in zip(a, b, strict=True):
        product += x * y
        squares += x * x * y * y
    return (product + EPSILON) / (squares + EPSILON)


def softmax(similarities: list[float]) -> list[float]:
    """Eq. 2."""
    total = 0.0
    for s in similarities:
        total += math.exp(s)
    return [math.exp(s) / total for s in similarities]


def shrink(soft_weights: list[float], threshold: float) -> list[float]:
    """Eq. 3 and the division by the sum; the unshrunk weights where nothing survives (ours, item 2)."""
    kept = [max(s - threshold, 0) * s / (abs(s - threshold) + EPSILON) for s in soft_weights]
    total = sum(kept)
    if total == 0:
        return list(soft_weights)
    return [k / total for k in kept]


def address(query: np.ndarray, items: np.ndarray, form: str, temperature: float, threshold: float) -> np.ndarray:
    """Eq. 1 to 3 for every position: (D, h, w) and (N, D) -> weights (N, h, w)."""
    similarity = {"cosine": cosine, "released": released_similarity}[form]
    weights = np.zeros((len(items), *query.shape[1:]))
    for y, x in positions(query):
        similarities = [similarity(query[:, y, x], item) / temperature for item in items]
        weights[:, y, x] = shrink(softmax(similarities), threshold)
    return weights


def read(weights: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Eq. 4 for every position: (N, h, w) and (N, D) -> (D, h, w)."""
    read_out = np.zeros((items.shape[1], *weights.shape[1:]))
    for y, x in positions(weights):
        for i, item in enumerate(items):
            for d, value in enumerate(item):
                read_out[d, y, x] += weights[i, y, x] * value
    return read_out


def entropy(weights: np.ndarray) -> float:
    """Eq. 8 of one query's weights (N,), with 0 log 0 = 0."""
    total = 0.0
    for w in weights:
        if w > 0:
            total += -w * math.log(w)
    return total


def sparse_loss(weights: np.ndarray, form: str) -> float:
    """Eq. 8 of (B, N, h, w) as a mean over the queries, or item 9 as a mean over all entries."""
    batch, num_items, height, width = weights.shape
    total = 0.0
    for one in weights:
        for y, x in positions(one):
            for w in one[:, y, x]:
                if form == "released":
                    total += -w * math.log(w + EPSILON)
                elif w > 0:
                    total += -w * math.log(w)
    queries = batch * height * width
    return total / (queries * num_items if form == "released" else queries)


def latent_loss(query: np.ndarray, read_out: np.ndarray, margin: float, form: str) -> float:
    """Eq. 9 per query and the mean, item 10, or our 1 - cos; both (B, D, h, w)."""
    terms = []
    for z, z_hat in zip(query, read_out, strict=True):
        for y, x in positions(z):
            if form == "released":  # against every read-out of the same row
                terms += [released_similarity(z[:, y, x], z_hat[:, y, other]) for other in range(z.shape[2])]
            elif form == "attract":
                terms.append(1 - cosine(z[:, y, x], z_hat[:, y, x]))
            else:
                terms.append(max(abs(cosine(z[:, y, x], z_hat[:, y, x])) - margin, 0))
    mean = sum(terms) / len(terms)
    return max(abs(mean) - margin, 0) if form == "released" else mean


def mean_error(a: np.ndarray, b: np.ndarray, power: int) -> float:
    """Mean of |a - b|^power: item 7 with 2, item 8 with 1."""
    total = 0.0
    for x, y in zip(a.ravel(), b.ravel(), strict=True):
        total += abs(x - y) ** power
    return total / a.size


def conv_same(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """TensorFlow's SAME convolution: (in, H, W) and (out, in, kh, kw) -> (out, ceil(H/s), ceil(W/s))."""
    height, width = (math.ceil(n / stride) for n in x.shape[1:])
    y = np.zeros((len(kernel), height, width))
    for i, j, u, v, row, column in _taps(x.shape[1:], kernel.shape[2:], stride):
        for o in range(kernel.shape[0]):
            for c in range(kernel.shape[1]):
                y[o, i, j] += kernel[o, c, u, v] * x[c, row, column]
    return y


def conv_transpose_same(y: np.ndarray, kernel: np.ndarray, size: tuple[int, int], stride: int) -> np.ndarray:
    """The transpose of `conv_same`: each product goes back where it came from; (in, h, w) -> (out, *size)."""
    x = np.zeros((kernel.shape[1], *size))
    for i, j, u, v, row, column in _taps(size, kernel.shape[2:], stride):
        for c in range(kernel.shape[0]):
            for o in range(kernel.shape[1]):
                x[o, row, column] += kernel[c, o, u, v] * y[c, i, j]
    return x


def batch_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> np.ndarray:
    """Batch norm in training: every channel of (B, C, H, W) by its own mean and biased variance."""
    y = np.zeros_like(x)
    for c in range(x.shape[1]):
        mean, variance = moments(x[:, c], biased=True)
        for index in np.ndindex(x[:, c].shape):
            y[:, c][index] = gamma[c] * (x[:, c][index] - mean) / math.sqrt(variance + epsilon) + beta[c]
    return y


def moving_statistics(x: np.ndarray, mean: float, variance: float, momentum: float) -> tuple[float, float]:
    """A channel's running mean and variance after one batch of it: the new variance is the unbiased one (item 14)."""
    new_mean, new_variance = moments(x, biased=False)
    return mean + momentum * (new_mean - mean), variance + momentum * (new_variance - variance)


def moments(x: np.ndarray, biased: bool) -> tuple[float, float]:
    mean = sum(x.ravel()) / x.size
    squares = sum((value - mean) ** 2 for value in x.ravel())
    return mean, squares / (x.size if biased else x.size - 1)


def adam(value: float, gradients: list[float], rate: float, form: str) -> float:
    """One number after a step for each gradient: Kingma and Ba's Algorithm 1, or TensorFlow's order (item 14)."""
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8
    m = s = 0.0
    for t, gradient in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * gradient
        s = beta2 * s + (1 - beta2) * gradient**2
        if form == "released":
            value -= rate * math.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (math.sqrt(s) + epsilon)
        else:
            value -= rate * (m / (1 - beta1**t)) / (math.sqrt(s / (1 - beta2**t)) + epsilon)
    return value


def patch_sums(error: np.ndarray, patch: tuple[int, int], stride: tuple[int, int], padding: str) -> np.ndarray:
    """Algorithm 1's convolution with ones: (H, W) -> (ph, pw); errors outside the frame count as 0."""
    (top, tops), (left, lefts) = (_starts(*side, padding) for side in zip(error.shape, patch, stride, strict=True))
    sums = np.zeros((len(tops), len(lefts)))
    for i, y in enumerate(tops):
        for j, x in enumerate(lefts):
            for row in range(y - top, y - top + patch[0]):
                for column in range(x - left, x - left + patch[1]):
                    if 0 <= row < error.shape[0] and 0 <= column < error.shape[1]:
                        sums[i, j] += error[row, column]
    return sums


def roc_auc(labels: list[int], scores: list[float]) -> float:
    """Share of (abnormal, normal) pairs in the right order, ties counting half."""
    right, pairs = 0.0, 0
    for label_a, score_a in zip(labels, scores, strict=True):
        for label_n, score_n in zip(labels, scores, strict=True):
            if label_a == 1 and label_n == 0:
                pairs += 1
                right += 1.0 if score_a > score_n else 0.5 if score_a == score_n else 0.0
    return right / pairs


def equal_error_rate(labels: list[int], scores: list[float], steps: int = 20_000) -> float:
    """Walk along the ROC curve in small steps to where misses and false alarms differ least."""
    points = [(0.0, 1.0)]  # (false alarms, misses) as the threshold falls
    for threshold in sorted(set(scores), reverse=True):
        alarms = [label for label, score in zip(labels, scores, strict=True) if score >= threshold]
        hits, positives = sum(alarms), sum(labels)
        points.append(((len(alarms) - hits) / (len(labels) - positives), 1 - hits / positives))
    best_gap, rate = 2.0, 0.0
    for (fa_0, miss_0), (fa_1, miss_1) in itertools.pairwise(points):
        for step in range(steps + 1):
            fa, miss = fa_0 + (fa_1 - fa_0) * step / steps, miss_0 + (miss_1 - miss_0) * step / steps
            if abs(fa - miss) < best_gap:
                best_gap, rate = abs(fa - miss), fa
    return rate


def covered_frame_auc(maps: list[np.ndarray], masks: list[np.ndarray]) -> float:
    """The UCSD pixel criterion at every different score as threshold; area by trapezoids from (0, 0)."""
    points = [(0.0, 0.0)]
    for threshold in sorted({score for scores in maps for score in scores.ravel()}, reverse=True):
        hits = alarms = abnormal = normal = 0
        for scores, mask in zip(maps, masks, strict=True):
            inside = [scores[p] >= threshold for p in positions(mask) if mask[p] == 1]
            if inside:
                abnormal += 1
                hits += sum(inside) / len(inside) >= 0.4
            else:
                normal += 1
                alarms += any(score >= threshold for score in scores.ravel())
        points.append((alarms / normal, hits / abnormal))
    return sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in itertools.pairwise(points))


def flood(found: np.ndarray) -> list[set[tuple[int, int]]]:
    """Connected components (8 neighbours) of a bool (H, W), as sets of pixels."""
    left, regions = {p for p in positions(found) if found[p]}, []
    while left:
        region, border = set(), [left.pop()]
        while border:
            y, x = border.pop()
            region.add((y, x))
            beside = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= beside
            border += beside
        regions.append(region)
    return regions


def region_criteria(
    maps: list[np.ndarray], truth: list[dict[int, set[tuple[int, int]]]], thresholds: list[float]
) -> tuple[float, float]:
    """RBDC and TBDC of one clip; truth: per frame, object -> its pixels. Overlap and share of a track: 0.1.

    The thresholds fall until false positives first pass one per frame.
    """
    curve = []  # (false positives per frame, rate of regions, rate of tracks)
    objects = sorted({name for regions in truth for name in regions})
    for threshold in sorted(thresholds, reverse=True):
        false, found = 0, {name: [] for name in objects}
        for scores, regions in zip(maps, truth, strict=True):
            detected = flood(scores >= threshold)
            for name, pixels in regions.items():
                found[name].append(any(_overlap(pixels, region) >= 0.1 for region in detected))
            for region in detected:
                false += all(_overlap(pixels, region) < 0.1 for pixels in regions.values())
        if false > len(maps):
            break
        every = [hit for hits in found.values() for hit in hits]
        tracks = [sum(hits) / len(hits) >= 0.1 for hits in found.values()]
        curve.append((false / len(maps), sum(every) / len(every), sum(tracks) / len(tracks)))
    return _area_below(curve, 1), _area_below(curve, 2)


def _overlap(a: set[tuple[int, int]], b: set[tuple[int, int]]) -> float:
    return len(a & b) / len(a | b)


def _area_below(curve: list[tuple[float, float, float]], column: int) -> float:
    """From 0 to 1 by trapezoids, from (0, 0): the highest rate of the points that are not to the right, with the lowest
    and the highest of those at one place."""
    stops = sorted({point[0] for point in curve} | {0.0, 1.0})
    area = left_rate = 0.0
    for left, right in itertools.pairwise(stops):
        at_left = max([left_rate, *(point[column] for point in curve if point[0] == left)])
        inside = [point[column] for point in curve if point[0] == right]
        first_at_right = max(at_left, inside[0]) if inside else at_left
        area += (right - left) * (at_left + first_at_right) / 2
        left_rate = max([at_left, *inside])
    return area


def positions(grid: np.ndarray) -> Iterator[tuple[int, int]]:
    """Every (y, x) of an array (..., h, w)."""
    for y in range(grid.shape[-2]):
        for x in range(grid.shape[-1]):
            yield y, x


def _starts(n: int, window: int, stride: int, padding: str) -> tuple[int, list[int]]:
    """Zeros before a side of n pixels, and where each window starts on the padded side."""
    if padding == "valid":
        return 0, list(range(0, n - window + 1, stride))
    count = math.ceil(n / stride)
    return max((count - 1) * stride + window - n, 0) // 2, [i * stride for i in range(count)]


def _taps(size: tuple[int, ...], kernel: tuple[int, ...], stride: int) -> Iterator[tuple[int, ...]]:
    """(output row, column, kernel row, column, input row, column) of every product inside a SAME convolution."""
    (top, tops), (left, lefts) = (_starts(n, k, stride, "same") for n, k in zip(size, kernel, strict=True))
    for (i, y), (j, x) in ((a, b) for a in enumerate(tops) for b in enumerate(lefts)):
        for u in range(kernel[0]):
            for v in range(kernel[1]):
                row, column = y - top + u, x - left + v
                if 0 <= row < size[0] and 0 <= column < size[1]:
                    yield i, j, u, v, row, column
