// Draws one dashboard: its JSON, the answers of a Prometheus, Grafana's published components.
//
// It is a preview and not Grafana: panels, time series, big values, tables, units, thresholds, mappings, overrides and
// transformations are Grafana's own code (@grafana/ui, @grafana/data); the heatmap and the state timeline, which are not
// published, and the bar of variables are drawn here in their likeness.

import React, { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import * as data from '@grafana/data';
import * as ui from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

const theme = data.createTheme({ colors: { mode: 'dark' } });
const CELL_HEIGHT = 30, GAP = 8, COLUMNS = 24;

// === Variables and queries ===

const page = new URLSearchParams(location.search);
const seconds = Number(page.get('seconds') || 1800);
const width = Number(page.get('width') || 1600);
const end = Number(page.get('end') || Math.floor(Date.now() / 1000));
const start = end - seconds;
const scrape = Number(page.get('scrape') || 5);

const RANGE = { from: data.dateTime(start * 1000), to: data.dateTime(end * 1000), raw: { from: '', to: '' } };

async function ask(path, parameters) {
  const answer = await (await fetch(`/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(parameters) })).json();
  if (answer.status !== 'success') { throw new Error(`${answer.error}: ${parameters.query}`); }
  return answer.data;
}

function expand(text, values) {
  return text.replace(/\$(?:\{(\w+)\}|([A-Za-z_]\w*))/g, (whole, braced, bare) => values[braced || bare] ?? whole);
}

async function choose(dashboard) {
  const values = { __range: `${seconds}s` }, shown = [];
  for (const variable of dashboard.templating.list) {
    if (variable.type === 'datasource') { shown.push([variable.label, 'Prometheus']); continue; }
    let value = page.get(`var-${variable.name}`);
    let label = value;
    if (!value && variable.type === 'custom') { value = label = variable.current.value; }
    if (!value && variable.multi) { value = variable.allValue; label = 'All'; }
    if (!value) {
      const [, selector, name] = expand(variable.query.query, values).match(/^label_values\((.+), *(\w+)\)$/);
      const answer = await (await fetch(`/api/v1/label/${name}/values?${new URLSearchParams({ 'match[]': selector, start, end })}`)).json();
      value = label = answer.data[0] ?? '';
    }
    values[variable.name] = value;
    shown.push([variable.label, label]);
  }
  return [values, shown];
}

const legend = (target, labels) => target.legendFormat === '__auto' ? undefined
  : target.legendFormat.replace(/{{\s*(\w+)\s*}}/g, (_, name) => labels[name] ?? '');

async function frames(panel, values) {
  const inner = Math.max(200, panel.gridPos.w / COLUMNS * width);
  const step = Math.max(1, Math.ceil(seconds / inner * 2), scrape);
  const filled = { ...values, __interval: `${step}s`, __rate_interval: `${Math.max(4 * scrape, step + scrape)}s` };
  const all = [];
  for (const target of panel.targets) {
    const query = expand(target.expr, filled);
    if (target.instant) {
      const { result } = await ask('query', { query, time: end });
      if (target.format === 'table') { all.push(tableFrame(panel, target, result)); continue; }
      result.forEach(one => all.push(series(target, one.metric, [one.value])));
    } else {
      const { result } = await ask('query_range', { query, start: Math.floor(start / step) * step, end, step });
      result.forEach(one => all.push(series(target, one.metric, one.values, step)));
    }
  }
  return all;
}

function series(target, labels, samples, step) {
  const name = legend(target, labels);
  const rows = [];
  samples.forEach(([at, value], index) => {
    // A hole in the answer is a hole in the line.
    if (step && index && at - samples[index - 1][0] > step * 1.5) { rows.push([(at - step) * 1000, null]); }
    rows.push([at * 1000, Number(value)]);
  });
  return data.toDataFrame({
    refId: target.refId,
    name,
    fields: [
      { name: 'Time', type: data.FieldType.time, values: rows.map(row => row[0]) },
      { name: 'Value', type: data.FieldType.number, labels, values: rows.map(row => row[1]), config: { displayNameFromDS: name } },
    ],
  });
}

function tableFrame(panel, target, result) {
  const names = [...new Set(result.flatMap(one => Object.keys(one.metric)))];
  const value = panel.targets.length > 1 ? `Value #${target.refId}` : 'Value';
  return data.toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: data.FieldType.time, values: result.map(() => end * 1000) },
      ...names.map(name => ({ name, type: data.FieldType.string, values: result.map(one => one.metric[name]) })),
      { name: value, type: data.FieldType.number, values: result.map(one => Number(one.value[1])) },
    ],
  });
}

// === Field configuration ===

const PROPERTIES = ['unit', 'min', 'max', 'decimals', 'displayName', 'noValue', 'color', 'thresholds', 'mappings', 'links',
  'custom.lineWidth', 'custom.lineStyle', 'custom.fillOpacity', 'custom.fillBelowTo', 'custom.width', 'custom.cellOptions', 'custom.stacking',
  'custom.thresholdsStyle', 'custom.drawStyle', 'custom.lineInterpolation', 'custom.showPoints', 'custom.spanNulls', 'custom.axisPlacement',
  'custom.align', 'custom.inspect', 'custom.minWidth', 'custom.axisSoftMin', 'custom.axisSoftMax'];

function registry() {
  const items = PROPERTIES.map(id => ({
    id, path: id.replace(/^custom\./, ''), isCustom: id.startsWith('custom.'), name: id,
    process: value => value, shouldApply: () => true, getItemsCount: () => 0, editor: () => null, override: () => null, settings: {},
  }));
  return new data.FieldConfigOptionsRegistry(() => items);
}

function configured(panel, prepared) {
  // JSON has no -Infinity, and a first step of null stands for it.
  const steps = [panel.fieldConfig.defaults, ...panel.fieldConfig.overrides.flatMap(one => one.properties.map(property => property.value))]
    .flatMap(config => config?.thresholds?.steps?.[0] || config?.steps?.[0] || []);
  steps.filter(step => step.value === null).forEach(step => { step.value = -Infinity; });
  return named(data.applyFieldOverrides({
    data: prepared, fieldConfig: panel.fieldConfig, replaceVariables: text => text, theme, fieldConfigRegistry: registry(), timeZone: 'utc',
  }));
}

function named(prepared) {
  data.cacheFieldDisplayNames(prepared);
  return prepared;
}

function transformed(panel, prepared) {
  const transformations = panel.transformations || [];
  if (!transformations.length) { return Promise.resolve(prepared); }
  return new Promise(resolve => data.transformDataFrame(transformations, prepared, { interpolate: text => text }).subscribe(resolve));
}

// === Panels ===

function Panel({ panel, values, marks, width, height }) {
  const [state, set] = useState(null);
  useEffect(() => {
    frames(panel, values)
      .then(found => transformed(panel, found))
      .then(found => set({ frames: configured(panel, found) }))
      .catch(error => set({ error: String(error.stack || error) }))
      .finally(() => { window.drawn = (window.drawn || 0) + 1; });
  }, []);
  return (
    <ui.PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
      {(w, h) => {
        if (!state) { return null; }
        if (state.error) { console.error(panel.title, state.error); return <pre style={{ color: 'red' }}>{state.error}</pre>; }
        const Kind = KINDS[panel.type];
        const empty = !state.frames.some(frame => frame.length);
        if (empty && panel.type !== 'stat') { return <Empty text={panel.fieldConfig.defaults.noValue} h={h} />; }
        return <Kind panel={panel} frames={state.frames} marks={marks} w={w} h={h} />;
      }}
    </ui.PanelChrome>
  );
}

const Empty = ({ text, h }) => (
  <div style={{ height: h, display: 'flex', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary }}>{text}</div>
);

function Stat({ panel, frames, w, h }) {
  const field = frames[0]?.fields[1];
  const config = { ...panel.fieldConfig.defaults };
  const process = data.getDisplayProcessor({ field: field || { config, type: data.FieldType.number }, theme, timeZone: 'utc' });
  const value = field ? process(field.values[field.values.length - 1]) : { text: config.noValue, numeric: NaN, color: theme.colors.text.secondary };
  const options = panel.options;
  return (
    <ui.BigValue value={value} width={w} height={h} theme={theme} colorMode={field ? options.colorMode : 'none'} graphMode="none"
      justifyMode={options.justifyMode} textMode={options.textMode} />
  );
}

function Series({ panel, frames, marks, w, h }) {
  const options = panel.options.legend;
  const items = { displayMode: options.displayMode, placement: options.placement, showLegend: true, calcs: options.calcs };
  return (
    <ui.TimeSeries frames={frames} width={w} height={h} timeRange={RANGE} timeZone="utc" legend={items} structureRev={1}
      tweakScale={o => o} tweakAxis={o => o}>
      {config => { annotate(config, marks); return null; }}
    </ui.TimeSeries>
  );
}

/** Vertical lines, dashed, as Grafana draws annotations. */
function annotate(config, marks) {
  if (config.annotated) { return; }
  config.annotated = true;
  config.addHook('draw', plot => {
    const { ctx, bbox } = plot;
    ctx.save();
    for (const mark of marks) {
      const x = plot.valToPos(mark.at, 'x', true);
      if (x < bbox.left || x > bbox.left + bbox.width) { continue; }
      ctx.strokeStyle = ctx.fillStyle = theme.visualization.getColorByName(mark.color);
      ctx.setLineDash([5, 5]);
      ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
      ctx.beginPath(); ctx.moveTo(x - 5, bbox.top + bbox.height + 6); ctx.lineTo(x + 5, bbox.top + bbox.height + 6);
      ctx.lineTo(x, bbox.top + bbox.height); ctx.fill();
    }
    ctx.restore();
  });
}

const Table = ({ frames, w, h }) => <TableNG data={frames[0]} width={w} height={h} cellHeight="sm" structureRev={1} timeRange={RANGE} />;

/** Rows of coloured cells; rows from the bottom. */
function Grid({ w, h, rows, left, cell }) {
  const high = Math.min(40, (h - 24) / rows.length);
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(part => [left + part * (w - left), new Date((start + part * seconds) * 1000).toISOString().slice(11, 16)]);
  const every = Math.ceil(14 / high);
  return (
    <svg width={w} height={h} shapeRendering="crispEdges" fontSize={12} fontFamily={theme.typography.fontFamily}>
      {rows.map((row, index) => {
        // What leaves room is drawn from the top.
        const y = high * rows.length < h - 24 ? high * (rows.length - index - 1) : h - 24 - (index + 1) * high;
        return (
          <g key={index}>
            {index % every === 0 && <text x={left - 6} y={y + high / 2 + 4} textAnchor="end" fill={theme.colors.text.secondary}>{row.name}</text>}
            {row.samples.map(([at, until, value], number) => {
              const x = left + (at - start) / seconds * (w - left);
              const wide = (until - at) / seconds * (w - left);
              return <rect key={number} x={Math.max(left, x)} y={y} width={Math.max(0.5, wide)} height={Math.max(1, high - row.gap)} fill={cell(value)} />;
            })}
          </g>
        );
      })}
      {ticks.map(([x, text], index) => <text key={index} x={x} y={h - 6} textAnchor={index === 4 ? 'end' : index ? 'middle' : 'start'} fill={theme.colors.text.secondary}>{text}</text>)}
    </svg>
  );
}

function spans(frame, merge) {
  const [times, values] = [frame.fields[0].values, frame.fields[1].values];
  const step = times.length > 1 ? times[1] - times[0] : 1000;
  const found = [];
  for (let index = 0; index < times.length; index++) {
    const last = found[found.length - 1];
    if (values[index] === null) { continue; }
    // Equal neighbours are one span.
    if (merge && last && last[2] === values[index] && last[1] >= times[index] / 1000) { last[1] = (times[index] + step) / 1000; } else { found.push([times[index] / 1000, (times[index] + step) / 1000, values[index]]); }
  }
  return found;
}

function Heatmap({ panel, frames, w, h }) {
  const ordered = frames.map(frame => ({ le: Number(frame.fields[1].labels.le.replace('+Inf', 'Infinity')), frame })).sort((a, b) => a.le - b.le);
  const format = data.getValueFormat(panel.options.yAxis.unit);
  // Prometheus counts cumulatively; a cell is what its bucket adds.
  const below = new Map();
  let most = 0;
  const rows = ordered.map(({ le, frame }) => {
    const times = frame.fields[0].values;
    const samples = spans(frame, false).map(([at, until, value]) => {
      const own = Math.max(0, value - (below.get(at) || 0));
      below.set(at, value);
      most = Math.max(most, own);
      return [at, until, own];
    }).filter(sample => sample[2] > 1e-9);
    const shown = format(le, 1);
    return { name: le === Infinity ? '+Inf' : shown.text + (shown.suffix || ''), samples, gap: 1, times };
  });
  const used = rows.map((row, index) => row.samples.length ? index : -1).filter(index => index >= 0);
  const visible = rows.slice(Math.max(0, Math.min(...used) - 1), Math.max(...used) + 2);
  return <Grid w={w} h={h} left={56} rows={visible} cell={value => `rgba(110, 170, 255, ${0.12 + 0.88 * Math.sqrt(value / most)})`} />;
}

function Timeline({ panel, frames, w, h }) {
  const rows = frames.map(frame => ({ name: frame.name, samples: spans(frame, true), gap: 6 }));
  const mapping = panel.fieldConfig.defaults.mappings[0].options;
  return <Grid w={w} h={h} left={260} rows={rows} cell={value => theme.visualization.getColorByName(mapping[value]?.color || 'gray')} />;
}

const KINDS = { stat: Stat, timeseries: Series, table: Table, heatmap: Heatmap, 'state-timeline': Timeline };

// === The page ===

function Dashboard({ dashboard, values, shown, marks }) {
  const cell = width / COLUMNS;
  const place = grid => ({ position: 'absolute', left: grid.x * cell, top: grid.y * (CELL_HEIGHT + GAP), width: grid.w * cell - GAP, height: grid.h * (CELL_HEIGHT + GAP) - GAP });
  const bottom = Math.max(...dashboard.panels.map(panel => panel.gridPos.y + panel.gridPos.h));
  return (
    <div style={{ padding: GAP, width: width + GAP, background: theme.colors.background.canvas, color: theme.colors.text.primary }}>
      <div style={{ display: 'flex', gap: 16, alignItems: 'center', height: 44, flexWrap: 'wrap' }}>
        <b style={{ fontSize: 18 }}>{dashboard.title}</b>
        {shown.map(([label, value]) => (
          <span key={label} style={{ border: `1px solid ${theme.colors.border.medium}`, padding: '2px 8px' }}>
            <span style={{ color: theme.colors.text.secondary }}>{label} </span>{value || '–'}
          </span>
        ))}
      </div>
      <div style={{ position: 'relative', height: bottom * (CELL_HEIGHT + GAP) }}>
        {dashboard.panels.map(panel => {
          const style = place(panel.gridPos);
          return (
            <div key={panel.id} style={style}>
              {panel.type === 'row' ? <h4 style={{ margin: '8px 0' }}>⌄ {panel.title}</h4>
                : <Panel panel={panel} values={values} marks={marks} width={style.width} height={style.height} />}
            </div>
          );
        })}
      </div>
    </div>
  );
}

async function annotations(dashboard, values) {
  const marks = [];
  for (const one of dashboard.annotations.list) {
    const step = Math.max(60, Math.ceil(seconds / 500));
    const { result } = await ask('query_range', { query: expand(one.expr, values), start, end, step });
    for (const found of result) {
      const [at, value] = found.values[0];
      marks.push({ at: one.useValueForTime ? Number(value) : at * 1000, color: one.iconColor });
    }
  }
  return marks;
}

async function main() {
  const dashboard = await (await fetch(`/dashboards/${page.get('dashboard')}.json`)).json();
  data.standardTransformersRegistry.setInit(() => Object.values(data.standardTransformers).filter((one, index, all) => all.findIndex(other => other.id === one.id) === index).map(transformation => ({
    id: transformation.id, name: transformation.name, transformation: () => Promise.resolve(transformation), editor: () => null,
  })));
  const [values, shown] = await choose(dashboard);
  const marks = await annotations(dashboard, values);
  window.wanted = dashboard.panels.filter(panel => panel.type !== 'row').length;
  createRoot(document.getElementById('root')).render(
    <data.ThemeContext.Provider value={theme}>
      <ui.GlobalStyles />
      <ui.PortalContainer />
      <Dashboard dashboard={dashboard} values={values} shown={shown} marks={marks} />
    </data.ThemeContext.Provider>
  );
}

main().catch(error => { document.body.textContent = window.failed = String(error.stack || error); });
