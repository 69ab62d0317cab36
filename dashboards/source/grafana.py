"""Builds Grafana's JSON (schema 42): variables, panels, links, layout. It knows nothing of our metrics.

A panel is a function's result without a place; `dashboard` numbers the panels and lays them out in the order given, so a
panel can be moved by moving a line.
"""

DATASOURCE = {"type": "prometheus", "uid": "$datasource"}
TAG = "inference-exporter"
GRID_WIDTH = 24

# Grafana's names. A verdict is green, yellow or red; a target is dashed in the colour of text, which no series gets.
GOOD, UNSURE, BAD, NEUTRAL, NOTHING, TARGET = "green", "yellow", "red", "text", "transparent", "text"


# === Variables ===


def datasource_variable():
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "regex": "",
        "hide": 0,
        "refresh": 1,
        "multi": False,
        "includeAll": False,
        "skipUrlSync": False,
        "options": [],
        "current": {},
    }


def query_variable(name, label, query, description, all_value=None, chosen=None):
    """Several values and All with `all_value`; one value without it. `chosen` is what a fresh browser shows."""
    several = all_value is not None
    current = {"selected": True, "text": ["All"], "value": ["$__all"]} if several else {}
    if chosen:
        current = {"selected": True, "text": chosen, "value": chosen}
    variable = {
        "name": name,
        "label": label,
        "description": description,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": f"Variable-{name}"},
        "definition": query,
        # On every change of the time range: a version that came an hour ago must be in the list.
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
        "regex": "",
        "hide": 0,
        "skipUrlSync": False,
        "options": [],
        "current": current,
    }
    if several:
        variable["allValue"] = all_value
    return variable


def custom_variable(name, label, description, values, chosen):
    options = [{"text": value, "value": value, "selected": value == chosen} for value in values]
    return {
        "name": name,
        "label": label,
        "description": description,
        "type": "custom",
        "query": ",".join(values),
        "hide": 0,
        "multi": False,
        "includeAll": False,
        "skipUrlSync": False,
        "options": options,
        "current": {"selected": True, "text": chosen, "value": chosen},
    }


# === Queries of a panel ===


def query(expr, legend="__auto", instant=False, exemplar=False, table=False, heatmap=False):
    target = {"datasource": DATASOURCE, "editorMode": "code", "expr": expr, "legendFormat": legend}
    if instant or table:
        target["instant"] = True
    else:
        target["range"] = True
    if exemplar:
        target["exemplar"] = True
    if table or heatmap:
        target["format"] = "table" if table else "heatmap"
    return target


# === What a field looks like ===


def steps(first, *following):
    """`steps(GOOD, (1, BAD))`: good below 1, bad from there on."""
    return [{"color": first, "value": None}] + [{"color": color, "value": value} for value, color in following]


def values(*texts):
    """A mapping of numbers to words: `values((0, "missed", BAD), …)`."""
    options = {str(value): {"text": text, "color": color, "index": index} for index, (value, text, color) in enumerate(texts)}
    return [{"type": "value", "options": options}]


def undefined(text):
    return [{"type": "special", "options": {"match": match, "result": {"text": text, "color": NEUTRAL}}} for match in ("nan", "null")]


def override(name, regex=False, **properties):
    """Properties of one series or column; `custom__x` stands for `custom.x`."""
    return {
        # Without slashes Grafana would match the whole name.
        "matcher": {"id": "byRegexp", "options": f"/{name}/"} if regex else {"id": "byName", "options": name},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()],
    }


def colored(name, color, regex=False, **properties):
    return override(name, regex, color={"mode": "fixed", "fixedColor": color}, **properties)


def target_line(name="target"):
    """Dashed and colourless on every dashboard, so that the eye finds it without the legend."""
    return colored(name, TARGET, regex=True, custom__lineStyle={"fill": "dash", "dash": [10, 8]}, custom__lineWidth=2, custom__fillOpacity=0)


def _colors(thresholds):
    return {step["color"] for step in thresholds or []}


# === Panels ===


def _panel(kind, title, description, targets, width, height, unit, empty, **more):
    for letter, target in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", targets, strict=False):
        target["refId"] = letter
    defaults = {"unit": unit, "noValue": empty, "mappings": more.pop("mappings", []) + undefined(empty), **more.pop("defaults", {})}
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "size": (width, height),
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])},
        **more,
    }


def stat(title, description, expr, unit, empty, thresholds=None, width=4, decimals=None, mappings=(), links=()):
    """One number. Its background is coloured only where a colour means something."""
    defaults = {"thresholds": {"mode": "absolute", "steps": thresholds or steps(NEUTRAL)}, "color": {"mode": "thresholds"}}
    if decimals is not None:
        defaults["decimals"] = decimals
    if links:
        defaults["links"] = list(links)
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "auto",
        "textMode": "value",
        # A limit that only dims what is said colours the figure, a verdict the whole field.
        "colorMode": "none" if not thresholds and not mappings else "value" if NEUTRAL in _colors(thresholds) else "background",
        "graphMode": "none",
        "justifyMode": "center",
    }
    targets = [query(expr, instant=True)]
    return _panel(
        "stat", title, description, targets, width, 4, unit, empty, mappings=list(mappings), defaults=defaults, options=options
    )


def timeseries(title, description, targets, unit, empty, width=12, height=8, stack=None, overrides=(), limits=(None, None), bars=False, **more):
    """Lines or bars; `stack` is "normal" or "percent". `thresholds` draws lines and areas."""
    custom = {
        "drawStyle": "bars" if bars else "line",
        "lineInterpolation": "linear",
        "lineWidth": 1 if stack else 2,
        "fillOpacity": 40 if stack or bars else 0,
        "showPoints": "auto" if more.pop("points", False) else "never",
        "spanNulls": False,
        "stacking": {"mode": stack or "none", "group": "A"},
        "axisPlacement": "auto",
        "thresholdsStyle": {"mode": "off"},
    }
    defaults = {"color": {"mode": "palette-classic"}, "custom": custom}
    # Where all is well a line lies at 0: the soft limits keep the axis from making mountains of it.
    for key, limit in zip(("axisSoftMin", "axisSoftMax"), more.pop("soft", (None, None)), strict=True):
        if limit is not None:
            custom[key] = limit
    for key, limit in zip(("min", "max"), limits, strict=True):
        if limit is not None:
            defaults[key] = limit
    if thresholds := more.pop("thresholds", None):
        custom["thresholdsStyle"] = {"mode": "line+area"}
        defaults["thresholds"] = {"mode": "absolute", "steps": thresholds}
    if (decimals := more.pop("decimals", None)) is not None:
        defaults["decimals"] = decimals
    if links := more.pop("links", ()):
        defaults["links"] = list(links)
    options = {
        "legend": {
            "displayMode": more.pop("legend", "list"),
            "placement": more.pop("legend_at", "bottom"),
            "showLegend": True,
            "calcs": more.pop("calcs", []),
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel(
        "timeseries",
        title,
        description,
        targets,
        width,
        height,
        unit,
        empty,
        defaults=defaults,
        overrides=list(overrides),
        options=options,
        **more,
    )


def table(title, description, columns, unit, empty, sort=None, width=24, height=9, overrides=(), links=(), hidden=(), keys=()):
    """`columns`: (header, query) of instant vectors with the same labels, merged into one row a label set.

    `keys` are the labels that stay, as (label, header). `sort` is (header, descending).
    """
    targets = [query(expr, table=True) for _, expr in columns]
    renamed = {f"Value #{letter}": header for letter, (header, _) in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", columns, strict=False)}
    if len(columns) == 1:
        renamed = {"Value": columns[0][0]}
    renamed.update(dict(keys))
    order = {name: position for position, name in enumerate([*dict(keys), *(name for name in renamed if name.startswith("Value"))])}
    transformations = [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {"excludeByName": {name: True for name in ("Time", *hidden)}, "indexByName": order, "renameByName": renamed},
        },
    ]
    if sort:
        transformations.append({"id": "sortBy", "options": {"fields": {}, "sort": [{"field": sort[0], "desc": sort[1]}]}})
    defaults = {"custom": {"align": "auto", "minWidth": 84, "cellOptions": {"type": "auto"}, "inspect": False}, "color": {"mode": "thresholds"}}
    defaults["thresholds"] = {"mode": "absolute", "steps": steps(NEUTRAL)}
    if links:
        defaults["links"] = list(links)
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""}}
    return _panel(
        "table",
        title,
        description,
        targets,
        width,
        height,
        unit,
        empty,
        defaults=defaults,
        overrides=list(overrides),
        options=options,
        transformations=transformations,
    )


def matrix(title, description, expr, row, column, empty, width=8, height=8):
    """One query as a cross table: a row for each value of the label `row`, a column for each of `column`."""
    panel = table(title, description, [("Value", expr)], "none", empty, width=width, height=height)
    panel["transformations"] = [
        {"id": "groupingToMatrix", "options": {"rowField": row, "columnField": column, "valueField": "Value", "emptyValue": "zero"}}
    ]
    panel["fieldConfig"]["defaults"]["decimals"] = 0
    return panel


def heatmap(title, description, expr, unit, empty, width=12, height=8, exemplar=False):
    """The buckets of a histogram over time; `expr` is a sum by (le)."""
    options = {
        "calculate": False,
        "color": {"mode": "scheme", "scheme": "Blues", "steps": 32, "reverse": False, "exponent": 0.5, "fill": "dark-blue"},
        "cellGap": 1,
        "cellValues": {"unit": "short"},
        "filterValues": {"le": 1e-9},
        "rowsFrame": {"layout": "auto"},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": False},
        "exemplars": {"color": "orange"},
    }
    targets = [query(expr, "{{le}}", heatmap=True, exemplar=exemplar)]
    return _panel("heatmap", title, description, targets, width, height, unit, empty, options=options, defaults={"custom": {}})


def state_timeline(title, description, expr, legend, empty, mappings, width=12, height=8):
    options = {
        "mergeValues": True,
        "showValue": "never",
        "alignValue": "left",
        "rowHeight": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    defaults = {"custom": {"lineWidth": 0, "fillOpacity": 80}, "color": {"mode": "thresholds"}}
    defaults["thresholds"] = {"mode": "absolute", "steps": steps(NEUTRAL)}
    return _panel(
        "state-timeline",
        title,
        description,
        [query(expr, legend)],
        width,
        height,
        "short",
        empty,
        mappings=mappings,
        defaults=defaults,
        options=options,
    )


def row(title):
    return {"type": "row", "title": title, "size": (GRID_WIDTH, 1), "collapsed": False, "panels": []}


# === The dashboard ===


def annotation(name, color, expr, title, text, value_is_time=False):
    return {
        "name": name,
        "enable": True,
        "hide": False,
        "iconColor": color,
        "datasource": DATASOURCE,
        "expr": expr,
        "step": "60s",
        "useValueForTime": value_is_time,
        "titleFormat": title,
        "textFormat": text,
    }


def dashboard(uid, title, description, variables, annotations, panels, since="now-6h"):
    return {
        "id": None,
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG, "machine-learning"],
        "schemaVersion": 42,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "weekStart": "",
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "refresh": "1m",
        "links": [
            {
                "title": "Inference dashboards",
                "type": "dashboards",
                "tags": [TAG],
                # In sight rather than in a list: at night one click is better than two.
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "external link",
                "tooltip": "",
                "url": "",
            }
        ],
        "templating": {"list": variables},
        "annotations": {"list": annotations},
        "panels": list(_laid_out(panels)),
    }


def _laid_out(panels):
    """From left to right and from top to bottom, as one reads; a panel that does not fit begins a new line."""
    x = y = line_height = 0
    for number, panel in enumerate(panels, start=1):
        width, height = panel["size"]
        if x + width > GRID_WIDTH:
            x, y, line_height = 0, y + line_height, 0
        placed = {key: value for key, value in panel.items() if key != "size"}
        yield {"id": number, **placed, "gridPos": {"h": height, "w": width, "x": x, "y": y}}
        x, line_height = x + width, max(line_height, height)
