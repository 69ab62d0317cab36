"""The dashboards' source: `grafana` builds JSON, `promql` builds queries, one module a dashboard puts them together."""
