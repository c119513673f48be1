/** The script of `bench.html`: measures what the page's address asks for. */
import { summary } from '../../bench/bench.ts';
import { RealmError } from '../../errors.ts';
import { checkRange, type Range } from '../../ranges.ts';
import type { loadModel as LoadModel, PageOptions } from '../load-in-page.ts';
import { ratesOf } from './rates.ts';
import { loadRun } from './run.ts';

export { ratesOf } from './rates.ts';
export { loadRun } from './run.ts';

/** What the page leaves as `window.realmBench`. Tokens a second are medians. */
export interface BenchReport {
  readonly backend: 'webgpu' | 'wasm';
  /** The GPU by its name; of `wasm` the kernels and threads. */
  readonly adapter: string;
  /** Tokens a second of a prompt, and of an answer. */
  readonly pp: number;
  readonly tg: number;
  readonly loadMs: number;
  /** The last answer: right ones are the same everywhere. */
  readonly text: string;
  /** What there is to say of the GPU. */
  readonly remarks?: readonly string[];
}

/** What the address asks for. */
interface Asked {
  readonly model: URL;
  readonly prompt: number;
  readonly gen: number;
  readonly rounds: number;
  readonly options: PageOptions;
}

const ranges = {
  prompt: { field: 'prompt', min: 1, max: 1_000_000, integer: true },
  gen: { field: 'gen', min: 2, max: 1_000_000, integer: true },
  rounds: { field: 'rounds', min: 1, max: 1000, integer: true },
  threads: { field: 'threads', min: 1, max: 1024, integer: true },
} as const satisfies Record<string, Range>;
const devices = { auto: 'auto', webgpu: 'gpu', wasm: 'cpu' } as const;

/**
 * Measures, after one round to warm up.
 * @throws RealmError `invalid_request` (an address that cannot be understood), and what `loadModel` and an answer throw.
 */
export async function benchPage(
  loadModel: typeof LoadModel,
  address: URL,
  onProgress: (text: string) => void = () => {},
): Promise<BenchReport> {
  const { model: url, rounds, options, ...work } = askedIn(address);
  const start = performance.now();
  const { model, run } = await loadRun(loadModel, url, work, {
    ...options,
    onProgress: ({ phase, done, total }) => onProgress(`${phase}: ${total ? Math.floor((done * 100) / total) : 0} %`),
  });
  try {
    const loadMs = performance.now() - start;
    const measured = [];
    for (let round = 0; round <= rounds; round++) {
      onProgress(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
      measured.push(await ratesOf(run, work, round));
    }
    const counted = measured.slice(1);
    const { backend, onGpu, remarks } = model.info;
    return {
      backend: onGpu ? 'webgpu' : 'wasm',
      adapter: backend.replace(/^(webgpu|wasm) /, ''),
      pp: summary(counted.map(({ prompt }) => prompt)).median,
      tg: summary(counted.map(({ gen }) => gen)).median,
      ...{ loadMs, text: counted.at(-1)!.text },
      ...(remarks && { remarks }),
    };
  } finally {
    await model.close();
  }
}

function askedIn(address: URL): Asked {
  const asked = address.searchParams;
  const model = asked.get('model');
  if (!model) throw new RealmError('invalid_request', 'model: which? the URL of a GGUF file', { param: 'model' });
  const backend = asked.get('backend') || 'auto';
  if (!Object.hasOwn(devices, backend)) {
    throw new RealmError('invalid_request', `backend: ${backend} is none; use webgpu or wasm`, { param: 'backend' });
  }
  const number = <N>(range: Range, otherwise: N): number | N => {
    const text = asked.get(range.field);
    if (!text) return otherwise;
    checkRange(Number(text), range);
    return Number(text);
  };
  const threads = number(ranges.threads, undefined);
  return {
    model: new URL(model, address),
    prompt: number(ranges.prompt, 512),
    gen: number(ranges.gen, 64),
    rounds: number(ranges.rounds, 3),
    options: {
      // Servers without ranges will do, and it is downloaded once.
      cache: true,
      device: devices[backend as keyof typeof devices],
      ...(threads !== undefined && { threads }),
    },
  };
}
