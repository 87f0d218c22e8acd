// Draws the chart's dashboard for `make pictures` as Grafana does, by Grafana's own published components: its panels, its big numbers, its
// graphs, its colours and units. It is no Grafana server: queries go to Prometheus straight from here, and what only the server's code has,
// which is not published, is written below with its place in Grafana's repository.
//
// index.html?prometheus=http://127.0.0.1:4711&theme=dark&namespace=rollcall&from=1772496000&to=1772582400&scraped=60

import {
  applyFieldOverrides, applyNullInsertThreshold, createTheme, dateTime, EventBusSrv, FieldType, getDisplayValueAlignmentFactors,
  getFieldDisplayValues, identityOverrideProcessor, rangeUtil, standardFieldConfigEditorRegistry, ThemeContext, toDataFrame,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { BigValue, GlobalStyles, PanelChrome, PanelContextProvider, PortalContainer, TimeSeries, VizRepeater } from '@grafana/ui';
import { createRoot } from 'react-dom/client';

const asked = new URLSearchParams(location.search);
const theme = createTheme({ colors: { mode: asked.get('theme') === 'dark' ? 'dark' : 'light' } });
const scraped = Number(asked.get('scraped')); // seconds
const [from, to] = ['from', 'to'].map((end) => dateTime(Number(asked.get(end)) * 1000).utc());
const range = { from, to, raw: { from, to } };

// public/app/features/dashboard: 24 columns, rows of 30 px, 8 px between panels.
const WIDTH = 1600 - 2 * 16, ROW = 30, GAP = 8;
const place = ({ x, y, w, h }) => {
  const column = (WIDTH - 23 * GAP) / 24;
  return { left: x * (column + GAP), top: y * (ROW + GAP), width: Math.floor(w * column + (w - 1) * GAP), height: h * ROW + (h - 1) * GAP };
};

// public/app/plugins/panel/timeseries/config.ts and stat/module.tsx: what a panel has where the dashboard says nothing.
const DEFAULTS = {
  timeseries: {
    color: { mode: 'palette-classic' },
    custom: {
      drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, gradientMode: 'none', spanNulls: false, showPoints: 'auto',
      pointSize: 5, barAlignment: 0, barWidthFactor: 0.6, axisPlacement: 'auto', axisColorMode: 'text', axisBorderShow: false,
      axisCenteredZero: false, scaleDistribution: { type: 'linear' }, stacking: { mode: 'none', group: 'A' }, thresholdsStyle: { mode: 'off' },
      hideFrom: { tooltip: false, viz: false, legend: false },
    },
    legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] },
  },
  stat: { color: { mode: 'thresholds' }, thresholds: { mode: 'absolute', steps: [{ value: null, color: 'green' }, { value: 80, color: 'red' }] } },
};

// public/app/core/components/OptionsUI/registry.tsx: which settings there are. Their editors are of no use here.
const settings = ['unit', 'min', 'max', 'decimals', 'displayName', 'noValue', 'mappings', 'thresholds', 'color', 'links'];
const custom = Object.keys(DEFAULTS.timeseries.custom).concat('fillBelowTo', 'lineStyle', 'axisLabel', 'axisSoftMin', 'axisSoftMax', 'axisWidth', 'axisGridShow');
const registered = (path, isCustom) =>
  ({ id: isCustom ? `custom.${path}` : path, path, isCustom, name: path, process: identityOverrideProcessor, shouldApply: () => true, settings: {} });
standardFieldConfigEditorRegistry.setInit(() => [...settings.map((path) => registered(path, false)), ...custom.map((path) => registered(path, true))]);

/** Steps of a range: pkg/promlib/models/query.go. */
function steps(panel, width) {
  const step = Math.max(rangeUtil.calculateInterval(range, width, panel.interval ?? `${scraped}s`).intervalMs / 1000, scraped);
  return { step, rate: Math.max(step + scraped, 4 * scraped) };
}

/** Asks Prometheus, and gives a frame for each series, as pkg/promlib/querydata/response.go does. */
async function frames(panel, width) {
  const { step, rate } = steps(panel, width);
  const answers = panel.targets.map(async (target) => {
    const query = target.expr.replaceAll('$namespace', asked.get('namespace')).replaceAll('$__rate_interval', `${rate}s`).replaceAll('$__interval', `${step}s`);
    const end = to.unix(), start = from.unix(), whole = (time) => Math.floor(time / step) * step;
    const form = target.instant ? { query, time: end } : { query, start: whole(start), end: whole(end), step };
    const answer = await fetch(`${asked.get('prometheus')}/api/v1/${target.instant ? 'query' : 'query_range'}?${new URLSearchParams(form)}`);
    const { data, error } = await answer.json();
    if (error) throw new Error(`${panel.title}: ${error}`);
    return data.result.map(({ metric, value, values }) => {
      const points = values ?? [value];
      const legend = target.legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => metric[label] ?? '');
      return toDataFrame({
        refId: target.refId,
        fields: [
          { name: 'Time', type: FieldType.time, config: { interval: step * 1000 }, values: points.map(([time]) => time * 1000) },
          // public/app/plugins/panel/timeseries/utils.ts: what is no number is a gap.
          { name: 'Value', type: FieldType.number, labels: metric, config: { displayNameFromDS: legend || undefined },
            values: points.map(([, text]) => (Number.isFinite(Number(text)) ? Number(text) : null)) },
        ],
      });
    });
  });
  const { color, custom, thresholds } = DEFAULTS[panel.type];
  const { defaults, overrides } = panel.fieldConfig;
  // public/app/features/dashboard/state/getPanelOptionsWithDefaults.ts; a step without a value is the lowest.
  const whole = { color, thresholds, ...defaults, custom: { ...custom, ...defaults.custom } };
  if (whole.thresholds) {
    whole.thresholds = { ...whole.thresholds, steps: whole.thresholds.steps.map((one) => ({ ...one, value: one.value ?? -Infinity })) };
  }
  const fieldConfig = { defaults: whole, overrides };
  const data = applyFieldOverrides({
    data: (await Promise.all(answers)).flat(), fieldConfig, theme, timeZone: 'utc', replaceVariables: (text) => text,
  });
  return { data, fieldConfig };
}

/** public/app/plugins/panel/stat/StatPanel.tsx */
function Stat({ panel, data, fieldConfig, width, height }) {
  const { reduceOptions, colorMode, graphMode = 'area', justifyMode = 'auto', textMode = 'auto', text } = panel.options;
  const values = () =>
    getFieldDisplayValues({ fieldConfig, reduceOptions, data, theme, timeZone: 'utc', sparkline: graphMode !== 'none', replaceVariables: (words) => words });
  const draws = ({ value, alignmentFactors, width, height, count }) => (
    <BigValue value={value.display} count={count} sparkline={value.sparkline} {...{ colorMode, graphMode, justifyMode, textMode, text, alignmentFactors, width, height, theme }} wideLayout />
  );
  return <VizRepeater getValues={values} getAlignmentFactors={getDisplayValueAlignmentFactors} renderValue={draws} source={data}
    width={width} height={height} itemSpacing={3} renderCounter={0} autoGrid orientation="auto" />;
}

/** public/app/plugins/panel/timeseries/TimeSeriesPanel.tsx, utils.ts and PanelDataErrorView.tsx */
function Graph({ panel, data, fieldConfig, width, height }) {
  if (!data.length) {
    const words = { width, height, display: 'flex', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary };
    return <div style={words}>{fieldConfig.defaults.noValue ?? 'No data'}</div>;
  }
  const gaps = data.map((frame) => applyNullInsertThreshold({ frame, refFieldPseudoMin: from.valueOf(), refFieldPseudoMax: to.valueOf() }));
  return <TimeSeries frames={gaps} structureRev={1} timeRange={range} timeZone="utc" width={width} height={height}
    legend={{ ...DEFAULTS.timeseries.legend, ...panel.options?.legend }} />;
}

function Dashboard({ dashboard, drawn }) {
  const bottom = Math.max(...drawn.map(({ panel }) => place(panel.gridPos).top + place(panel.gridPos).height));
  const bus = new EventBusSrv();
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PortalContainer />
      <PanelContextProvider value={{ eventsScope: 'dashboard', eventBus: bus }}>
        <div style={{ background: theme.colors.background.canvas, color: theme.colors.text.primary, padding: '8px 16px 16px' }}>
          <div style={{ display: 'flex', justifyContent: 'space-between', height: 40, alignItems: 'center' }}>
            <b>{dashboard.title}</b>
            <span>Namespace: {asked.get('namespace')} · {from.format('YYYY-MM-DD HH:mm')} to {to.format('YYYY-MM-DD HH:mm')} UTC</span>
          </div>
          <div style={{ position: 'relative', height: bottom }}>
            {drawn.map(({ panel, ...got }) => {
              const { left, top, width, height } = place(panel.gridPos);
              const Draws = panel.type === 'stat' ? Stat : Graph;
              return (
                <div key={panel.id} style={{ position: 'absolute', left, top }}>
                  <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
                    {(width, height) => <Draws {...{ panel, width, height }} {...got} />}
                  </PanelChrome>
                </div>
              );
            })}
          </div>
        </div>
      </PanelContextProvider>
    </ThemeContext.Provider>
  );
}

window.__grafana_public_path__ = '/';
await initPluginTranslations('grafana', []);
await document.fonts.load('500 14px Inter');
const dashboard = await (await fetch('dashboard.json')).json();
const drawn = await Promise.all(
  dashboard.panels.map(async (panel) => ({ panel, ...(await frames(panel, place(panel.gridPos).width)) })),
);
/** Panels without a value. */
window.empty = drawn.filter(({ data }) => !data.some(({ fields }) => fields[1].values.some((value) => value !== null))).map(({ panel }) => panel.title);
createRoot(document.getElementById('dashboard')).render(<Dashboard {...{ dashboard, drawn }} />);
const graphs = drawn.filter(({ panel, data }) => panel.type === 'timeseries' && data.length).length;
const there = (query) => document.querySelectorAll(query).length;
const frame = () => new Promise(requestAnimationFrame);
do await frame(); while (there('.uplot canvas') < graphs || there('svg') < drawn.length);
await frame();
window.drawn = true;
