/** The services of compose speak of files, ports, routes and configuration that exist, and of each other. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { routes } from '../../src/server/app.ts';
import { loadConfig } from '../../src/tenancy/config.ts';

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: object;
  readonly read_only?: boolean;
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly stop_grace_period?: string;
}

const read = (file: string) => parse(readFileSync(join('deploy', file), 'utf8')) as unknown;
const { services, volumes } = read('compose.yaml') as {
  services: Record<'realm' | 'postgres' | 'redis' | 'prometheus' | 'grafana', Service>;
  volumes: Record<string, object>;
};
const config = await loadConfig('deploy/compose/realm/realm.yaml');

test('files that services mount exist, and volumes are named', () => {
  for (const [name, service] of Object.entries(services)) {
    for (const volume of service.volumes ?? []) {
      const [from = ''] = volume.split(':');
      assert.ok(from.startsWith('./') ? existsSync(join('deploy', from)) : from in volumes, `${name}: ${volume}`);
    }
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {}))
      if (condition === 'service_healthy') assert.ok(services[other as 'redis'].healthcheck, other);
    // None can be reached from other machines.
    for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:/, name);
    assert.match(service.image, /^[\w./-]+:[\w.]+$/, 'an image of no version is another one tomorrow');
  }
  const { context, dockerfile } = services.realm.build!;
  assert.ok(existsSync(join('deploy', context, dockerfile)));
});

test('the configuration of Realm fits its container and the other services', () => {
  assert.equal(config.host, '0.0.0.0');
  assert.ok(services.realm.ports!.some(port => port.endsWith(`:${config.port}`)));
  assert.ok(config.tenants, 'without tenants a server that others reach does not start');
  const store = new URL(config.store!);
  assert.equal(store.hostname, 'postgres');
  assert.equal(store.username, services.postgres.environment!.POSTGRES_USER);
  assert.equal(store.pathname, `/${services.postgres.environment!.POSTGRES_DB}`);
  assert.equal(store.password, '');
  assert.equal(services.realm.environment!.PGPASSWORD, services.postgres.environment!.POSTGRES_PASSWORD);
  assert.equal(new URL(config.redis!).hostname, 'redis');
  assert.match(config.sessions!.path, /^\/var\/lib\/realm\//);
  assert.ok(services.realm.volumes!.includes('models:/var/lib/realm'));
});

test('Realm runs in a read-only container with time to stop', () => {
  const { read_only, tmpfs, cap_drop, stop_grace_period } = services.realm;
  assert.deepEqual({ read_only, tmpfs, cap_drop }, { read_only: true, tmpfs: ['/tmp'], cap_drop: ['ALL'] });
  const { lameDuckMs, drainMs } = config.limits;
  assert.ok(Number.parseInt(stop_grace_period!, 10) * 1000 > lameDuckMs + drainMs);
});

test('Prometheus reads the metrics of Realm with a key, and its rules; Grafana asks Prometheus', () => {
  const prometheus = read('compose/prometheus.yaml') as {
    rule_files: string[];
    scrape_configs: {
      job_name: string;
      metrics_path: string;
      authorization: { credentials_file: string };
      static_configs: { targets: string[] }[];
    }[];
  };
  const [scrape] = prometheus.scrape_configs;
  // The rules of alerts look for this name.
  assert.equal(scrape!.job_name, 'realm');
  assert.ok(routes.some(({ path }) => path === scrape!.metrics_path));
  assert.deepEqual(scrape!.static_configs[0]!.targets, [`realm:${config.port}`]);
  const mounted = (service: Service) => service.volumes!.map(volume => volume.split(':')[1]!);
  for (const file of [...prometheus.rule_files, scrape!.authorization.credentials_file])
    assert.ok(
      mounted(services.prometheus).some(target => file.startsWith(target)),
      file,
    );
  const { datasources } = read('compose/grafana/datasource.yaml') as { datasources: { url: string }[] };
  assert.equal(new URL(datasources[0]!.url).hostname, 'prometheus');
  const { providers } = read('compose/grafana/dashboards.yaml') as { providers: { options: { path: string } }[] };
  assert.ok(mounted(services.grafana).includes(`${providers[0]!.options.path}/realm.json`));
});
