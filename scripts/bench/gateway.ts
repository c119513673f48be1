/**
 * What the server costs: an engine that answers at once behind the real listener, keys, store, metering and programs, held to one
 * processor. `npm run bench:gateway -- [--model FILE] [--portkey DIR] [--rounds 3] [--seconds 5]`
 */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { summary } from '../../src/bench/bench.ts';
import { table } from '../../src/cli/output.ts';
import { freePort } from '../../test/support/free-port.ts';
import type { LoadSeen } from './gateway/load.ts';
import { cpuSeconds, load, start, startServer, stop } from './gateway/processes.ts';
import type { ScriptedAddress, ScriptedSettings } from './gateway/scripted-server.ts';
import { junk, soak } from './gateway/soak.ts';
import { expect, type Figure, factFigure, number, ratioFigure } from './tenants/figures.ts';

interface Options {
  readonly model?: string;
  readonly portkey?: string;
  readonly portkeyNode?: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly clients: number;
  readonly soak?: number;
  readonly junk?: number;
  readonly profile?: string;
}

/** What was seen of a server in each round. `perCpuSecond`: what it would do with a processor of its own, if others take theirs. */
type Seen = LoadSeen & { readonly perCpuSecond: number };

interface Asked {
  readonly child: ChildProcess;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly plain: Seen[];
  readonly streamed: Seen[];
  /** One client alone: how long the first byte takes. */
  readonly alone: Seen[];
}

const messages = [{ role: 'user', content: 'Tell me about the sea, in one sentence.' }];
const bodyOf = (stream: boolean) => JSON.stringify({ model: 'scripted', messages, max_tokens: 16, stream });

const asked = (child: ChildProcess, url: string, headers: Record<string, string>): Asked => {
  return { child, url: `${url}/v1/chat/completions`, headers, plain: [], streamed: [], alone: [] };
};

async function round({ child, url, headers, ...seen }: Asked, { seconds, clients }: Options): Promise<void> {
  const ask = async (stream: boolean, clients: number): Promise<Seen> => {
    const before = await cpuSeconds(child);
    const each = await load({ url, headers, body: bodyOf(stream), clients, warmSeconds: 0, seconds });
    expect(Object.keys(each.others).length === 0, JSON.stringify(each.others));
    return { ...each, perCpuSecond: each.sent / ((await cpuSeconds(child)) - before) };
  };
  seen.plain.push(await ask(false, clients));
  seen.streamed.push(await ask(true, clients));
  seen.alone.push(await ask(true, 1));
}

/** V8 compiles what is used often; a server that has just begun is measured by nobody. */
async function warm({ url, headers }: Asked, { seconds, clients }: Options): Promise<void> {
  for (const stream of [false, true])
    await load({ url, headers, body: bodyOf(stream), clients, warmSeconds: 0, seconds: 2 * seconds });
}

async function startPortkey(folder: string, upstream: string, node: string | undefined): Promise<Asked> {
  const port = await freePort();
  const script = `${folder}/node_modules/@portkey-ai/gateway/build/start-server.js`;
  const child = start(0, [script, `--port=${port}`, '--headless'], node);
  child.stdout?.resume();
  const url = `http://127.0.0.1:${port}`;
  const answers = () =>
    fetch(url).then(
      () => true,
      () => false,
    );
  for (let tries = 0; tries < 100 && !(await answers()); tries++) await sleep(100);
  const provider = { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${upstream}/v1` };
  return asked(child, url, { ...provider, authorization: 'Bearer x' });
}

const of = (seen: readonly Seen[], what: 'perSecond' | 'perCpuSecond') => seen.map(each => each[what]);
const times = (seen: readonly Seen[], share: 'p50' | 'p99') => seen.map(({ firstMs }) => firstMs[share]);

function rateFigure(work: string, seen: readonly Seen[], least: number): Figure {
  const { median, min, max } = summary(of(seen, 'perSecond'));
  const cpu = number(summary(of(seen, 'perCpuSecond')).median);
  const said = `${number(median)}/s (${number(min)}..${number(max)}); ${cpu} in a second of computing`;
  return factFigure(work, said, `${least}/s or more`, median >= least);
}

function addedFigure(realm: Asked, bare: Asked, share: 'p50' | 'p99', most: number): Figure {
  const added = summary(times(realm.alone, share).map((ms, i) => ms - times(bare.alone, share)[i]!));
  const seen = `${number(added.median)} ms (${number(added.min)}..${number(added.max)})`;
  return factFigure(`added to the first byte, ${share}`, seen, `${most} ms or less`, added.median <= most);
}

function peerFigure(work: string, realm: readonly Seen[], peer: readonly Seen[]): Figure {
  const ratios = of(realm, 'perCpuSecond').map((rate, i) => rate / of(peer, 'perCpuSecond')[i]!);
  const its = `it: ${number(summary(of(peer, 'perSecond')).median)}/s, ${number(summary(of(peer, 'perCpuSecond')).median)}`;
  return ratioFigure(`${work} in a second of computing, beside Portkey's gateway`, ratios, { least: 1.5 }, its);
}

async function bench(options: Options): Promise<void> {
  const settings: ScriptedSettings = options.model ? { model: options.model } : {};
  const flags = ['--expose-gc', ...(options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : [])];
  const server = await startServer<ScriptedAddress>(0, 'scripted-server', settings, flags);
  const { url, keys } = server.address;
  const figures: Figure[] = [];
  if (options.junk) figures.push(...(await junk(server, options.junk)));
  if (options.soak) figures.push(...(await soak(server, options.soak, bodyOf(false))));
  if (!options.junk && !options.soak) {
    const upstream = await startServer<{ url: string }>(1, 'upstream');
    const realm = asked(server.child, url, { authorization: `Bearer ${keys[0]}` });
    const bare = asked(upstream.child, upstream.address.url, {});
    const portkey = options.portkey
      ? await startPortkey(options.portkey, upstream.address.url, options.portkeyNode)
      : undefined;
    const all = [realm, bare, ...(portkey ? [portkey] : [])];
    for (const each of all) await warm(each, options);
    for (let i = 0; i < options.rounds; i++) {
      for (const each of all) await round(each, options);
      console.error(`round ${i + 1} of ${options.rounds}`);
    }
    figures.push(
      rateFigure('plain answers on one core', realm.plain, 1500),
      rateFigure('streamed answers of 16 tokens on one core', realm.streamed, 600),
      addedFigure(realm, bare, 'p50', 1),
      addedFigure(realm, bare, 'p99', 5),
    );
    if (portkey) {
      figures.push(peerFigure('plain answers', realm.plain, portkey.plain));
      figures.push(peerFigure('streamed answers', realm.streamed, portkey.streamed));
      await stop(portkey.child);
    }
    await stop(upstream.child);
  }
  await stop(server.child);
  const rows = figures.map(({ work, seen, wanted, reached }) => [work, seen, wanted, reached ? 'reached' : 'missed']);
  console.log(table([['what', 'seen', 'wanted', ''], ...rows]));
}

const program = new Command('gateway')
  .description('Measure what the server costs before an engine that answers at once.')
  .option('--model <file>', "a model's file, for its tokenizer and template; default: a synthetic one")
  .option('--portkey <folder>', 'where @portkey-ai/gateway is installed, to be measured in the same run')
  .option('--portkey-node <path>', 'the Node that it runs on; it fails on some newer than 20')
  .option('--rounds <n>', 'rounds in which all take turns', Number, 3)
  .option('--seconds <n>', 'of each measurement', Number, 5)
  .option('--clients <n>', 'that ask at once', Number, 32)
  .option('--soak <n>', 'so many requests: whether the heap stays as it is', Number)
  .option('--junk <n>', 'so many model names and keys that nobody knows: whether metrics stay small', Number)
  .option('--profile <folder>', "write the server's CPU profile there")
  .action(bench);
await program.parseAsync();
