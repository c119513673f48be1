/**
 * The real server before a scripted engine, in a process of its own: listener, keys, store, metering and programs are those of
 * `realm serve`. Takes the settings as JSON, prints where it listens, and answers SIGTERM by draining.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../../../src/server/start.ts';
import { createKey } from '../../../src/tenancy/keys.ts';
import { syntheticBytes } from '../../synthetic/model.ts';
import { loadScripted } from './scripted-engine.ts';

export interface ScriptedSettings {
  /** A model's file, for its tokenizer and template; absent: a synthetic one. */
  readonly model?: string;
  /** Tenants, each with one key. Default 1. */
  readonly tenants?: number;
  /** More lines of `server:` in realm.yaml. */
  readonly server?: Readonly<Record<string, unknown>>;
  /** More of each tenant. */
  readonly tenant?: Readonly<Record<string, unknown>>;
}

/** What it prints. */
export interface ScriptedAddress {
  readonly url: string;
  readonly keys: readonly string[];
  readonly adminKey: string;
}

const settings: ScriptedSettings = JSON.parse(process.argv[2] ?? '{}');
const folder = await mkdtemp(join(tmpdir(), 'realm-gateway-'));
const model = settings.model ?? join(folder, 'model.gguf');
if (!settings.model) await writeFile(model, syntheticBytes({ with: { layers: 1 } }));
const keys = Array.from({ length: settings.tenants ?? 1 }, (_, i) => createKey(`t${i}`));
const admin = createKey('admin');
// JSON is YAML.
const config = {
  server: { store: join(folder, 'realm.db'), admin_keys: [admin.hash], ...settings.server },
  models: [{ id: 'scripted', path: model }],
  tenants: keys.map(({ hash }, i) => ({ id: `t${i}`, keys: [hash], ...settings.tenant })),
};
const configPath = join(folder, 'realm.yaml');
await writeFile(configPath, JSON.stringify(config));
const server = await startServer({ configPath, port: 0, loader: loadScripted });
const address: ScriptedAddress = { url: server.url, keys: keys.map(({ key }) => key), adminKey: admin.key };
console.log(JSON.stringify(address));
process.once('SIGTERM', async () => {
  await server.close();
  await rm(folder, { recursive: true });
  process.exit(0);
});
process.on('message', question => {
  if (question !== 'memory') return;
  globalThis.gc?.();
  process.send?.(process.memoryUsage());
});
