"""The queries that several dashboards ask. Everything comes from counters, so that pods add up before any ratio is formed.

The exporter's own window gauges are used only where no counter can give the value (areas under curves, calibration), and
then pod by pod: ratios must not be averaged.
"""

# Quality over a minute is noise: ratios take the window that the reader chose, traffic the interval of the drawing.
WINDOW, INTERVAL = "$window", "$__rate_interval"

# 97.5 % quantile of the normal distribution, and what Wilson's formula makes of it.
Z, Z_SQUARED, Z_SQUARED_HALF, Z_SQUARED_QUARTER = "1.959963984540054", "3.841458820694124", "1.920729410347062", "0.960364705173531"

MODELS = 'job=~"$job", cluster=~"$cluster", namespace=~"$namespace", model=~"$model"'
MODEL = 'job=~"$job", cluster=~"$cluster", namespace=~"$namespace", model="$model"'
VERSIONS = MODEL + ', version=~"$version"'
EXPORTERS = 'job=~"$job", cluster=~"$cluster", namespace=~"$namespace", instance=~"$instance"'


def vector(metric, scope, *more):
    return f"{metric}{{{', '.join([scope, *more])}}}"


def grown(metric, scope, *more, by="", window=WINDOW):
    return f"sum{_by(by)} (increase({vector(metric, scope, *more)}[{window}]))"


def per_second(metric, scope, *more, by=""):
    return f"sum{_by(by)} (rate({vector(metric, scope, *more)}[{INTERVAL}]))"


def _by(labels):
    return f" by ({labels})" if labels else ""


def share(part, whole):
    """Absent where the whole is 0: no traffic is no ratio, neither 0 nor NaN."""
    return f"{part} / ({whole} > 0)"


# === Outcomes ===


def outcomes(scope, by=""):
    """Labelled predictions of classifiers: beyond 16 classes their cells read `__other__`, but each is still there once."""
    return grown("inference_outcomes_total", scope, by=by)


def correct(scope, by=""):
    # Where classes are not declared, a model that was never right has no series of right answers: the 0 is for it.
    right = grown("inference_outcomes_total", scope, 'correct="true"', by=by)
    return f"({right} or 0 * {outcomes(scope, by)})"


def accuracy(scope, by=""):
    return share(correct(scope, by), outcomes(scope, by))


def wilson(scope, by, sign):
    """One end of the 95 % interval of c right ones out of n (E. B. Wilson, 1927): (c + z²/2 ± z·√(c(n−c)/n + z²/4)) / (n + z²)."""
    c, n = correct(scope, by), outcomes(scope, by)
    root = f"sqrt({c} * ({n} - {c}) / ({n} > 0) + {Z_SQUARED_QUARTER})"
    return f"({c} + {Z_SQUARED_HALF} {sign} {Z} * {root}) / ({n} + {Z_SQUARED})"


def labelled(scope, by=""):
    """Labelled predictions, whatever the task."""
    return f"{outcomes(scope, by)} or {grown('inference_absolute_error_count', scope, by=by)}"


def of_class(scope, by, side):
    """Right share of the outcomes of a class: `side` is `actual` (recall) or `predicted` (precision)."""
    result = {"actual": "tp|fn", "predicted": "tp|fp"}[side]
    by = f"{by}, class" if by else "class"

    def counted(cells, wide):
        # Beyond 16 classes the cells are all `__other__`, and counters by class take their place.
        named = f'label_replace(increase(inference_outcomes_total{{{scope}, {side}=~"$class", {side}!="__other__"{cells}}}[{WINDOW}]), "class", "$1", "{side}", "(.+)")'
        above = f'increase(inference_class_outcomes_total{{{scope}, class=~"$class", result=~"{wide}"}}[{WINDOW}])'
        return f"(sum by ({by}) ({named}) or sum by ({by}) ({above}))"

    return share(counted(', correct="true"', "tp"), counted("", result))


def mean_absolute_error(scope, by=""):
    return share(grown("inference_absolute_error_sum", scope, by=by), grown("inference_absolute_error_count", scope, by=by))


def root_mean_squared_error(scope, by=""):
    return f"sqrt({share(grown('inference_squared_error_total', scope, by=by), grown('inference_absolute_error_count', scope, by=by))})"


def bias(scope, by=""):
    over = grown("inference_error_sum_total", scope, 'direction="over"', by=by)
    under = grown("inference_error_sum_total", scope, 'direction="under"', by=by)
    return share(f"({over} - {under})", grown("inference_absolute_error_count", scope, by=by))


# === Targets ===


def target(scope, indicator, by="", strictest="max"):
    """Pods in the middle of a roll-out can disagree on a target: the strictest holds. Higher is stricter for ratios of
    right answers, lower for errors and times."""
    name = f'indicator=~"{indicator}"' if "|" in indicator else f'indicator="{indicator}"'
    return f"{strictest}{_by(by)} ({vector('inference_slo_target', scope, name)})"


def verdict(scope, by, on):
    """2: at or above the target; 1: below, but that can be chance; 0: below beyond chance (95 %). An error is 2 or 0."""
    wanted = target(scope, "accuracy", on)
    by_sample = (
        f"({accuracy(scope, by)} >= bool on ({on}) group_left () {wanted})"
        f" + ({wilson(scope, by, '+')} >= bool on ({on}) group_left () {wanted})"
    )
    by_error = f"2 * ({mean_absolute_error(scope, by)} <= bool on ({on}) group_left () {target(scope, 'mae', on, 'min')})"
    return f"({by_sample}) or ({by_error})"


# === Traffic and labels ===


def failed_share(scope, by=""):
    all_requests = grown("inference_requests_total", scope, by=by)
    failed = grown("inference_requests_total", scope, 'result="failed"', by=by)
    return share(f"({failed} or 0 * {all_requests})", all_requests)


def coverage(scope, by=""):
    joined = grown("inference_labels_total", scope, 'result="joined"', by=by)
    lost = grown("inference_predictions_unlabeled_total", scope, by=by)
    return share(joined, f"({joined} + ({lost} or 0 * {joined}))")


def quantile(share_of_all, metric, scope, by="", window=INTERVAL):
    labels = f"{by}, le" if by else "le"
    function = "rate" if window == INTERVAL else "increase"
    return f"histogram_quantile({share_of_all}, sum by ({labels}) ({function}({vector(metric + '_bucket', scope)}[{window}])))"


def alerts(state, scope):
    return f'ALERTS{{alertstate="{state}", {scope}}}'


def firing(scope):
    return alerts("firing", scope)
