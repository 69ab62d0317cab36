"""What the dashboards have in common: their variables, annotations and the links between them."""

from . import grafana as g
from . import promql as q

PREFIX = "inference-"
SCRAPED = 'job=~"$job", cluster=~"$cluster", namespace=~"$namespace"'
ON = "cluster, namespace, model"
NO_LABELS = "no labels in the window"
NO_TRAFFIC = "no traffic"

VERDICTS = g.values((0, "BELOW TARGET", g.BAD), (1, "below, may be chance", g.UNSURE), (2, "on target", g.GOOD))


# === Variables ===


def variables(*names):
    """In the order of `names`, after those that say whose metrics are looked at."""
    made = {
        "models": g.query_variable(
            "model", "Model", f"label_values(inference_model_info{{{SCRAPED}}}, model)", "Models as the exporter names them.", ".+"
        ),
        "model": g.query_variable(
            "model", "Model", f"label_values(inference_model_info{{{SCRAPED}}}, model)", "The one model that is shown."
        ),
        "version": g.query_variable(
            "version",
            "Version",
            f'label_values(inference_model_info{{{SCRAPED}, model=~"$model"}}, version)',
            "Versions of the model; all of them count as one unless a panel says “by version”.",
            ".*",
        ),
        "baseline": g.query_variable(
            "baseline",
            "Compared with",
            f'label_values(inference_model_info{{{SCRAPED}, model="$model"}}, version)',
            "The version that the others are measured against, usually the one in production.",
        ),
        "class": g.query_variable(
            "class",
            "Class",
            f'label_values(inference_recall_ratio{{{SCRAPED}, model="$model"}}, class)',
            "Classes in the panels by class.",
            ".*",
        ),
        "window": g.custom_variable(
            "window",
            "Window",
            "How far back each point of a quality ratio looks. Longer is steadier and later; below 200 labels it is mostly noise.",
            ["5m", "15m", "1h", "6h", "1d", "7d"],
            "1h",
        ),
        "exporter_window": g.query_variable(
            "exporter_window",
            "Exporter's window",
            f'label_values(inference_window_samples{{{SCRAPED}, model="$model"}}, window)',
            "The windows that the exporter is configured with, for what no counter can give (areas under curves, calibration).",
        ),
        "instance": g.query_variable(
            "instance", "Instance", f"label_values(inference_exporter_build_info{{{SCRAPED}}}, instance)", "Exporters, one a pod.", ".+"
        ),
        "log": g.query_variable(
            "log", "Log", f"label_values(inference_exporter_lines_total{{{SCRAPED}}}, log)", "Logs as the configuration names them.", ".+"
        ),
    }
    source = "inference_exporter_build_info"
    return [
        g.datasource_variable(),
        g.query_variable("cluster", "Cluster", f"label_values({source}, cluster)", "Empty where no scrape sets a cluster.", ".*"),
        g.query_variable("namespace", "Namespace", f'label_values({source}{{cluster=~"$cluster"}}, namespace)', "Where the pods run.", ".*"),
        g.query_variable(
            "job",
            "Job",
            f'label_values({source}{{cluster=~"$cluster", namespace=~"$namespace"}}, job)',
            "Scrape jobs of the exporter.",
            ".+",
        ),
        *(made[name] for name in names),
    ]


# === Annotations ===


def annotations(scope, firing):
    return [
        g.annotation(
            "New version",
            "blue",
            f"min by (namespace, model, version) ({q.vector('inference_model_first_seen_timestamp_seconds', scope)}) * 1000",
            "{{model}} {{version}}",
            "first request of this version",
            # Where the marker stands is the sample's value, so it is exact whenever the scrape was.
            value_is_time=True,
        ),
        g.annotation("Firing alerts", "red", q.firing(firing), "{{alertname}}", "{{model}} {{severity}}"),
    ]


MODEL_ANNOTATIONS = annotations(q.MODEL, 'cluster=~"$cluster", namespace=~"$namespace", model="$model"')
FLEET_ANNOTATIONS = annotations(q.MODELS, 'cluster=~"$cluster", namespace=~"$namespace", model=~"$model"')


# === Links ===


def link(title, dashboard, **values):
    """To another dashboard, with the time and what is chosen here; `values` overrule."""
    chosen = "".join(f"&var-{name}={value}" for name, value in values.items())
    kept = "".join(f"&${{{name}:queryparam}}" for name in ("datasource", "cluster", "job") if name not in values)
    return {"title": title, "url": f"/d/{PREFIX}{dashboard}/{dashboard}?${{__url_time_range}}{kept}{chosen}", "targetBlank": False}


def links_of_a_row(*dashboards):
    """From a row of a table with the columns Namespace and Model."""
    where = {"namespace": "${__data.fields.Namespace}", "model": "${__data.fields.Model}"}
    return [link(f"{name.capitalize()} of ${{__data.fields.Model}}", name, **where) for name in dashboards]


def links_of_a_line(*dashboards):
    """From a series with the labels namespace and model."""
    where = {"namespace": "${__field.labels.namespace}", "model": "${__field.labels.model}"}
    return [link(f"{name.capitalize()} of ${{__field.labels.model}}", name, **where) for name in dashboards]
