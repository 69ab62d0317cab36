"""The exporters themselves: can what they say be believed, and what do they cost?"""

from . import grafana as g
from . import promql as q
from .shared import link, variables

LOGS = q.EXPORTERS + ', log=~"$log"'
LINES = "inference_exporter_lines_total"
NO_EXPORTER, NO_STATE = "no exporter", "no state_dir"
KNOWN = f"count_over_time(inference_exporter_build_info{{{q.EXPORTERS}}}[6h])"
UP = f"up{{{q.EXPORTERS}}} and on (job, instance) {KNOWN}"
FAILING = q.vector("inference_exporter_files", LOGS, 'state="failing"')
MANY = {"legend": "table", "legend_at": "right", "calcs": ["lastNotNull", "max"]}


def summary():
    rejected = q.grown("inference_exporter_rejected_lines_total", LOGS, window="$__range")
    lines = q.grown(LINES, LOGS, window="$__range")
    reload = q.vector("inference_exporter_config_last_reload_successful", q.EXPORTERS)
    return [
        g.stat(
            "Exporters up",
            "Exporters that answer now. Known by inference_exporter_build_info. Bad: fewer than there are pods.",
            f"sum({UP})",
            "short",
            NO_EXPORTER,
            width=3,
        ),
        g.stat(
            "Exporters down",
            "Targets that were an exporter in the last six hours (inference_exporter_build_info) and do not answer now. Bad: anything but 0.",
            f"sum(1 - ({UP}))",
            "short",
            NO_EXPORTER,
            g.steps(g.GOOD, (1, g.BAD)),
            width=3,
        ),
        g.stat(
            "Behind its log",
            "The longest that a log has not been read to its end. From inference_exporter_lag_seconds. Bad: above a minute: the exporter "
            "is starved or the disk is slow; quality is that much old.",
            f"max({q.vector('inference_exporter_lag_seconds', LOGS)})",
            "s",
            NO_EXPORTER,
            g.steps(g.GOOD, (60, g.UNSURE), (300, g.BAD)),
            width=3,
            decimals=0,
        ),
        g.stat(
            "Newest record",
            "Event time of the newest record of the log that has been quiet longest, seen from now. From "
            "inference_exporter_last_record_timestamp_seconds. Bad: longer than that log is usually quiet: nothing writes, or the path is wrong.",
            f"max(time() - max by (job, log) ({q.vector('inference_exporter_last_record_timestamp_seconds', LOGS)}))",
            "s",
            "no record yet",
            width=3,
        ),
        g.stat(
            "Rejected lines",
            "Share of the lines of this time range that should have been records and are not. From inference_exporter_rejected_lines_total and "
            "inference_exporter_lines_total. Bad: above 0.1 %: the log's format changed, and what is missing is not at random.",
            f"({rejected} or 0 * {lines}) / ({lines} > 0)",
            "percentunit",
            "no lines",
            g.steps(g.GOOD, (0.001, g.UNSURE), (0.01, g.BAD)),
            width=3,
            decimals=2,
        ),
        g.stat(
            "Lost for good",
            "Bytes of this time range that were written and will never be read. From inference_exporter_abandoned_bytes_total. Bad: anything but "
            "0: logs rotate away faster than they are read.",
            q.grown("inference_exporter_abandoned_bytes_total", LOGS, window="$__range"),
            "bytes",
            NO_EXPORTER,
            g.steps(g.GOOD, (1, g.BAD)),
            width=3,
            decimals=0,
        ),
        g.stat(
            "Config refused",
            "Exporters that go on with an older configuration, as the new one has a mistake. From "
            "inference_exporter_config_last_reload_successful. Bad: anything but 0; the exporter's own log says why.",
            f"count({reload} == 0) or 0 * count({reload})",
            "short",
            NO_EXPORTER,
            g.steps(g.GOOD, (1, g.BAD)),
            width=3,
        ),
        g.stat(
            "Values over a limit",
            "Values of this time range that a limit folded into __other__. From inference_exporter_series_overflow_total. Bad: anything but 0: "
            "a label has more values than were foreseen; totals stay right, details are lost.",
            q.grown("inference_exporter_series_overflow_total", q.EXPORTERS, window="$__range"),
            "short",
            NO_EXPORTER,
            g.steps(g.GOOD, (1, g.UNSURE)),
            width=3,
            decimals=0,
        ),
    ]


def seldom(metric, label):
    """Per second, of the many series only those that count; where none does, a 0 for each log says that all is well."""
    return f"{q.per_second(metric, LOGS, by=f'log, {label}')} > 0 or sum by (log) (0 * rate({q.vector(LINES, LOGS)}[{q.INTERVAL}]))"


def reading():
    by = "namespace, log"
    return [
        g.row("Reading"),
        g.timeseries(
            "Lines by log",
            "Lines read per second. From inference_exporter_lines_total. Bad: a line that falls to 0 while its model serves.",
            [g.query(q.per_second(LINES, LOGS, by=by), "{{log}}")],
            "cps",
            NO_EXPORTER,
            limits=(0, None),
            **MANY,
        ),
        g.timeseries(
            "Rejected lines by reason",
            "Lines per second that should have been records and are not. From inference_exporter_rejected_lines_total. Bad: anything that stays above "
            "0; `inference-exporter explain` says what is wrong with a line.",
            [g.query(seldom("inference_exporter_rejected_lines_total", "reason"), "{{log}} {{reason}}")],
            "cps",
            NO_EXPORTER,
            soft=(None, 1),
            limits=(0, None),
            **MANY,
        ),
        g.timeseries(
            "Behind, in time",
            "How long each log has not been read to its end. From inference_exporter_lag_seconds. Bad: rising without end.",
            [g.query(f"max by (log, instance) ({q.vector('inference_exporter_lag_seconds', LOGS)})", "{{log}} {{instance}}")],
            "s",
            NO_EXPORTER,
            width=8,
            soft=(None, 60),
            limits=(0, None),
        ),
        g.timeseries(
            "Behind, in bytes",
            "Bytes that were written and are in no line taken in yet. From inference_exporter_lag_bytes. Bad: rising without end.",
            [g.query(f"max by (log, instance) ({q.vector('inference_exporter_lag_bytes', LOGS)})", "{{log}} {{instance}}")],
            "bytes",
            NO_EXPORTER,
            width=8,
            soft=(None, 2**20),
            limits=(0, None),
        ),
        g.timeseries(
            "Values missing or invalid",
            "Mapped fields that a record did not have or that could not be used, per second. From inference_exporter_missing_values_total and "
            "inference_exporter_invalid_values_total. Bad: a step: the writer renamed a field or changed its form.",
            [
                g.query(seldom("inference_exporter_missing_values_total", "field"), "missing: {{log}} {{field}}"),
                g.query(seldom("inference_exporter_invalid_values_total", "field"), "invalid: {{log}} {{field}}"),
            ],
            "cps",
            NO_EXPORTER,
            soft=(None, 1),
            width=8,
            limits=(0, None),
        ),
        g.timeseries(
            "Files that cannot be read",
            "Files of each log that fail now, and attempts that failed in an interval, by reason. From inference_exporter_files and "
            "inference_exporter_file_errors_total. Bad: anything but 0: permissions, or a disk that fails.",
            [
                g.query(f"sum by (log) ({FAILING})", "failing now: {{log}}"),
                g.query(q.grown("inference_exporter_file_errors_total", LOGS, by="log, reason", window=q.INTERVAL), "{{reason}}: {{log}}"),
            ],
            "short",
            NO_EXPORTER,
            width=8,
            limits=(0, None),
            soft=(None, 1),
        ),
        g.timeseries(
            "Rotations",
            "How often a file of a log made place for new content in an interval. From inference_exporter_rotations_total. Bad: so often that "
            "“Lost for good” grows.",
            [g.query(q.grown("inference_exporter_rotations_total", LOGS, by="log", window=q.INTERVAL), "{{log}}")],
            "short",
            NO_EXPORTER,
            width=8,
            limits=(0, None),
            bars=True,
            stack="normal",
        ),
        g.timeseries(
            "Waiting for the other half of a join",
            "Predictions that wait for their label and labels that wait for their prediction, by exporter. From "
            "inference_predictions_pending and inference_labels_waiting. Bad: a flat ceiling at max_pending: evictions, so labels lost.",
            [
                g.query(f"sum by (instance, model) ({q.vector('inference_predictions_pending', q.EXPORTERS)})", "{{model}} {{instance}}"),
                g.query(f"sum by (instance, model) ({q.vector('inference_labels_waiting', q.EXPORTERS)})", "labels: {{model}} {{instance}}"),
            ],
            "short",
            "no labels mapped",
            limits=(0, None),
            width=8,
        ),
    ]


def cost():
    process = {scope: q.vector(scope, q.EXPORTERS) for scope in ("process_resident_memory_bytes", "process_open_fds")}
    known = f"and on (job, instance) {KNOWN}"
    return [
        g.row("Cost"),
        g.timeseries(
            "CPU",
            "Cores that each exporter uses, from process_cpu_seconds_total. Bad: near its limit: reading falls behind.",
            [g.query(f"sum by (instance) (rate({q.vector('process_cpu_seconds_total', q.EXPORTERS)}[{q.INTERVAL}]) {known})", "{{instance}}")],
            "short",
            NO_EXPORTER,
            width=6,
            limits=(0, None),
        ),
        g.timeseries(
            "Memory",
            "Resident memory of each exporter, from process_resident_memory_bytes. Bad: near its limit; bounded by what `check` says.",
            [g.query(f"sum by (instance) ({process['process_resident_memory_bytes']} {known})", "{{instance}}")],
            "bytes",
            NO_EXPORTER,
            width=6,
            limits=(0, None),
        ),
        g.timeseries(
            "Open files",
            "File descriptors of each exporter, from process_open_fds. Bad: rising without end.",
            [g.query(f"sum by (instance) ({process['process_open_fds']} {known})", "{{instance}}")],
            "short",
            NO_EXPORTER,
            width=6,
            limits=(0, None),
        ),
        g.timeseries(
            "Series",
            "Samples about models and logs in each exporter's exposition. From inference_exporter_series. Bad: growing from day to day: a label "
            "takes values without end.",
            [g.query(f"sum by (instance) ({q.vector('inference_exporter_series', q.EXPORTERS)})", "{{instance}}")],
            "short",
            NO_EXPORTER,
            width=6,
            limits=(0, None),
        ),
        g.timeseries(
            "Scrapes",
            "How long a scrape took for Prometheus, and how long the exposition took to write (mean). From scrape_duration_seconds and "
            "inference_exporter_scrape_duration_seconds. Bad: near the scrape's timeout.",
            [
                g.query(f"max by (instance) ({q.vector('scrape_duration_seconds', q.EXPORTERS)} {known})", "scrape {{instance}}"),
                g.query(
                    q.share(
                        q.per_second("inference_exporter_scrape_duration_seconds_sum", q.EXPORTERS, by="instance"),
                        q.per_second("inference_exporter_scrape_duration_seconds_count", q.EXPORTERS, by="instance"),
                    ),
                    "writing {{instance}}",
                ),
            ],
            "s",
            NO_EXPORTER,
            width=8,
            limits=(0, None),
        ),
        g.timeseries(
            "Age of the checkpoint",
            "How long ago all there was to keep was known to be on disk, and checkpoints that failed in an interval. From "
            "inference_exporter_checkpoint_last_success_timestamp_seconds. Bad: rising: a crash now would lose that much.",
            [
                g.query(
                    f"time() - max by (instance) ({q.vector('inference_exporter_checkpoint_last_success_timestamp_seconds', q.EXPORTERS)})", "{{instance}}"
                )
            ],
            "s",
            NO_STATE,
            width=8,
            limits=(0, None),
        ),
        g.timeseries(
            "Failed checkpoints",
            "Checkpoints that could not be written or used, in an interval. From inference_exporter_checkpoint_failures_total. Bad: anything but 0: "
            "the disk is full or read-only.",
            [g.query(q.grown("inference_exporter_checkpoint_failures_total", q.EXPORTERS, by="instance", window=q.INTERVAL), "{{instance}}")],
            "short",
            NO_STATE,
            width=8,
            limits=(0, None),
        ),
    ]


def inventory():
    on = "job, instance"
    builds = q.vector("inference_exporter_build_info", q.EXPORTERS)
    columns = [
        ("Up", f"max by (namespace, {on}) ({UP})"),
        ("Started", f"max by (namespace, {on}) ({q.vector('process_start_time_seconds', q.EXPORTERS)} and on ({on}) {builds}) * 1000"),
        ("Configured", f"max by (namespace, {on}) ({q.vector('inference_exporter_config_last_reload_success_timestamp_seconds', q.EXPORTERS)}) * 1000"),
        ("Logs", f"count by (namespace, {on}) ({q.vector('inference_exporter_lag_bytes', q.EXPORTERS)})"),
        ("Memory", f"max by (namespace, {on}) ({q.vector('process_resident_memory_bytes', q.EXPORTERS)} and on ({on}) {builds})"),
        ("Checkpoint", f"max by (namespace, {on}) ({q.vector('inference_exporter_checkpoint_size_bytes', q.EXPORTERS)})"),
        ("Writing it took", f"max by (namespace, {on}) ({q.vector('inference_exporter_checkpoint_duration_seconds', q.EXPORTERS)})"),
    ]
    up = g.values((0, "DOWN", g.BAD), (1, "up", g.GOOD))
    return g.table(
        "Exporters",
        "One row an exporter: whether it answers, since when it runs, when it took over its configuration, how many logs it reads, what it holds and keeps. From "
        "inference_exporter_build_info, inference_exporter_config_last_reload_success_timestamp_seconds, inference_exporter_lag_bytes, "
        "inference_exporter_checkpoint_size_bytes and inference_exporter_checkpoint_duration_seconds. Bad: DOWN; or a start a few minutes ago that nobody asked for.",
        columns,
        "short",
        "–",
        sort=("Up", False),
        height=6,
        keys=[("namespace", "Namespace"), ("job", "Job"), ("instance", "Instance")],
        overrides=[
            g.override("Namespace", links=[link("Fleet of ${__data.fields.Namespace}", "fleet", namespace="${__data.fields.Namespace}")]),
            g.override("Up", mappings=up, custom__cellOptions={"type": "color-background", "mode": "basic"}, custom__width=90),
            *(g.override(name, unit="dateTimeAsIso") for name in ("Started", "Configured")),
            *(g.override(name, unit="bytes") for name in ("Memory", "Checkpoint")),
            g.override("Writing it took", unit="s"),
        ],
    )


def annotations():
    started = f"{q.vector('process_start_time_seconds', q.EXPORTERS)} and on (job, instance) {q.vector('inference_exporter_build_info', q.EXPORTERS)}"
    taken_over = q.vector("inference_exporter_config_last_reload_success_timestamp_seconds", q.EXPORTERS)
    return [
        g.annotation("Start of an exporter", "blue", f"({started}) * 1000", "{{instance}} started", "", value_is_time=True),
        g.annotation("New configuration", "purple", f"{taken_over} * 1000", "{{instance}} configured", "", value_is_time=True),
        g.annotation("Firing alerts", "red", q.firing('cluster=~"$cluster", namespace=~"$namespace"'), "{{alertname}}", "{{severity}}"),
    ]


def dashboard():
    return g.dashboard(
        "inference-exporter",
        "Inference / Exporter health",
        "The exporters themselves: can what they say be believed, and what do they cost?",
        variables("instance", "log"),
        annotations(),
        [*summary(), inventory(), *reading(), *cost()],
    )
