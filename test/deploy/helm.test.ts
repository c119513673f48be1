/** The chart without Helm: its values have the shape that they should and are a configuration, templates are YAML and name values that exist. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { routes } from '../../src/server/app.ts';
import { readConfig } from '../../src/tenancy/config.ts';

const chart = 'deploy/helm/realm';
const values = parse(readFileSync(`${chart}/values.yaml`, 'utf8'));
const schema = JSON.parse(readFileSync(`${chart}/values.schema.json`, 'utf8'));
const validate = new Ajv({ strict: false }).compile(schema);
const accepts = (document: unknown): boolean => validate(document);
const files = globSync(`${chart}/templates/*.{yaml,tpl}`).sort();
const templates = new Map(files.map(file => [basename(file), readFileSync(file, 'utf8')]));

/** The YAML around the actions: all branches, a word for what is printed, nothing for what stands on a line of its own. */
function yamlOf(template: string) {
  const text = template.replaceAll(/^\s*\{\{-.*\}\}\n/gm, '').replaceAll(/\{\{.*?\}\}/g, 'X');
  return parse(text, { uniqueKeys: false });
}

const deployment = yamlOf(templates.get('deployment.yaml')!);
const pod = deployment.spec.template.spec;
const [container] = pod.containers;

test('the values fit their schema, which knows nothing else', () => {
  assert.ok(accepts(values), JSON.stringify(validate.errors));
  for (const wrong of [
    { ...values, replica: 2 },
    { ...values, replicas: '2' },
    { ...values, config: { ...values.config, server: { ...values.config.server, port: 80 } } },
    { ...values, keda: { ...values.keda, waiting: 1 } },
  ])
    assert.ok(!accepts(wrong), JSON.stringify(wrong));
  assert.deepEqual(
    Object.keys(values).filter(key => !(key in schema.properties)),
    [],
  );
});

test('the configuration in them is one of Realm, and leaves time to stop', async () => {
  const config = await readConfig(values.config, '/etc/realm', 'values.yaml');
  assert.equal(config.limits.lameDuckMs, 5000);
  assert.ok(values.terminationGracePeriodSeconds * 1000 > config.limits.lameDuckMs + config.limits.drainMs);
  assert.match(config.store!, /^\/var\/lib\/realm\//);
  assert.ok(config.tenants);
});

test('templates are YAML, end what they begin, and name values and helpers that exist', () => {
  const helpers = [...templates.get('_helpers.tpl')!.matchAll(/define "([\w.]+)"/g)].map(([, name]) => name!);
  for (const [name, text] of templates) {
    const actions = [...text.matchAll(/\{\{-? *(\w+)/g)].map(([, word]) => word!);
    const begun = actions.filter(word => ['if', 'with', 'range', 'define'].includes(word)).length;
    assert.equal(actions.filter(word => word === 'end').length, begun, name);
    assert.equal(text.match(/\{\{/g)?.length, text.match(/\}\}/g)?.length, name);
    for (const [, path = ''] of text.matchAll(/\.Values\.([\w.]+)/g)) {
      const value = path.split('.').reduce((at, key) => at?.[key], values);
      assert.notEqual(value, undefined, `${name}: ${path}`);
    }
    for (const [, helper = ''] of text.matchAll(/include "([\w.]+)"/g)) assert.ok(helpers.includes(helper), helper);
    if (!name.endsWith('.yaml')) continue;
    const { apiVersion, kind, metadata } = yamlOf(text);
    assert.ok(apiVersion && kind && metadata.name, name);
  }
});

test('probes ask routes that are open to all, at the port of the configuration', () => {
  const probes = { startupProbe: '/health', livenessProbe: '/health', readinessProbe: '/ready' };
  for (const [probe, path] of Object.entries(probes)) {
    assert.deepEqual(container[probe].httpGet, { path, port: 'http' });
    assert.ok(routes.some(route => route.path === path && route.open));
  }
  assert.deepEqual(container.ports, [{ name: 'http', containerPort: values.config.server.port }]);
  // A few slow answers must not end a busy server.
  assert.ok(values.probes.liveness.failureThreshold * values.probes.liveness.periodSeconds >= 30);
  assert.equal(yamlOf(templates.get('service.yaml')!).spec.ports[0].targetPort, 'http');
});

test('the pod is not root, and may write to its volumes alone', () => {
  const user = /^USER (\d+):/m.exec(readFileSync('deploy/Dockerfile', 'utf8'))![1];
  assert.equal(String(pod.securityContext.runAsUser), user);
  assert.equal(pod.securityContext.runAsNonRoot, true);
  assert.deepEqual(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  const mounts = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
  assert.deepEqual(mounts, ['/etc/realm', '/var/lib/realm', '/tmp']);
  assert.deepEqual(container.args, ['serve', '--config', '/etc/realm/realm.yaml']);
  assert.equal(pod.automountServiceAccountToken, false);
});

test('what Prometheus and KEDA are told is in /metrics', () => {
  const [endpoint] = yamlOf(templates.get('servicemonitor.yaml')!).spec.endpoints;
  assert.ok(routes.some(({ path }) => path === endpoint.path));
  const [trigger] = yamlOf(templates.get('scaledobject.yaml')!).spec.triggers;
  const metrics = readFileSync('docs/metrics.md', 'utf8');
  const [, metric] = /sum\((\w+)\{/.exec(trigger.metadata.query)!;
  assert.match(metrics, RegExp(`^\\| \`${metric}\` `, 'm'));
});

const helm = process.env.HELM ?? 'helm';

// Where there is Helm it has the last word.
if (spawnSync(helm, ['version']).status === 0)
  test('Helm lints the chart and renders all of it', () => {
    execFileSync(helm, ['lint', '--strict', chart], { stdio: 'pipe' });
    const all = ['podDisruptionBudget', 'serviceMonitor', 'keda'].map(name => `${name}.enabled=true`);
    const store = 'config.server.store=postgres://realm@postgres/realm';
    const text = execFileSync(helm, ['template', 'realm', chart, '--set', [...all, store].join(',')], {
      encoding: 'utf8',
    });
    assert.equal(text.match(/^kind: /gm)?.length, 8);
  });
