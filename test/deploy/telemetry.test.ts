/** The page of metrics, the rules of alerts and the dashboard speak of what /metrics has. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';
import { errorCodes } from '../../src/errors.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';

const promtool = process.env.PROMTOOL ?? 'promtool';
const hasPromtool = spawnSync(promtool, ['--version']).status === 0;

const programs = { processes: 0, runs: 0, waiting: 0, submissions: 0, residentBytes: 0, cpuMs: 0 };
const page = await createMetrics().page({ models: [], programs, openRequests: 0 }, { operator: true });
const types = new Map([...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));

/** The series that an expression may name: a histogram has three. */
const series = new Set(
  [...types].flatMap(([name, type]) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map(end => name + end) : name,
  ),
);
/** Prometheus' own. */
series.add('up');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

const alerts = (
  parse(readFileSync('deploy/prometheus/alerts.yaml', 'utf8')) as { groups: { rules: Rule[] }[] }
).groups.flatMap(({ rules }) => rules);

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const dashboard = JSON.parse(readFileSync('deploy/grafana/realm.json', 'utf8')) as {
  panels: Panel[];
  templating: { list: { definition?: string }[] };
};
const expressions = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));

/** Names in an expression that are those of metrics. */
const named = (expr: string): string[] => expr.match(/\b(?:realm|gen_ai|process|nodejs)_\w+|\bup\b/g) ?? [];

test('docs/metrics.md lists each metric with its type and what to do about it, and no other', () => {
  const rows = [...readFileSync('docs/metrics.md', 'utf8').matchAll(/^\| `(\w+)` +\| (\w+) +\|(.*)\|$/gm)];
  assert.deepEqual(
    rows.map(([, name, type]) => `${name} ${type}`).sort(),
    [...types].map(([name, type]) => `${name} ${type}`).sort(),
  );
  for (const [, name, , rest = ''] of rows) {
    const cells = rest.split('|').map(cell => cell.trim());
    assert.ok(cells.at(-1) !== '' && cells.at(-2) !== '', `${name} says nothing`);
  }
});

test('alerts name metrics and codes that exist, and say what to do', () => {
  assert.ok(alerts.length >= 10);
  for (const { alert, expr, labels, annotations } of alerts) {
    const names = named(expr);
    assert.ok(names.length > 0, alert);
    assert.deepEqual(
      names.filter(name => !series.has(name)),
      [],
      alert,
    );
    for (const [, codes = ''] of expr.matchAll(/code=~?"([^"]+)"/g))
      assert.deepEqual(
        codes.split('|').filter(code => !(code in errorCodes)),
        [],
        alert,
      );
    assert.match(labels.severity, /^(critical|warning|info)$/);
    assert.ok(annotations.summary && annotations.description, alert);
  }
});

test('panels of the dashboard name metrics that exist', () => {
  assert.ok(expressions.length >= 20);
  for (const { title, expr } of expressions)
    assert.deepEqual(
      named(expr).filter(name => !series.has(name)),
      [],
      title,
    );
  for (const { definition = '' } of dashboard.templating.list)
    assert.deepEqual(
      named(definition).filter(name => !types.has(name)),
      [],
      definition,
    );
});

test('Prometheus reads them, and finds no fault with the page', {
  skip: !hasPromtool && 'there is no promtool',
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'realm-rules-'));
  try {
    const rules = expressions.map(({ expr }, i) => {
      const plain = expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, '.*');
      return { record: `panel:${i}`, expr: plain };
    });
    const file = join(folder, 'panels.yaml');
    writeFileSync(file, stringify({ groups: [{ name: 'panels', rules }] }));
    execFileSync(promtool, ['check', 'rules', file, 'deploy/prometheus/alerts.yaml'], { stdio: 'pipe' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
