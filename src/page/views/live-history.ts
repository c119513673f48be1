import { useRef } from 'preact/hooks';
import type { Live } from '../api/types.ts';
import type { Series } from '../ui/chart.tsx';

export interface History {
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly speed: readonly Series[];
  readonly requests: readonly Series[];
}

/** Ten minutes of a question each two seconds. */
const longest = 300;
/** As many as there are colours. */
const mostLines = 6;

interface Sample {
  readonly time: number;
  readonly live: Live;
}

/** What was seen since the view was opened; the server keeps no such history. */
export function useHistory(live: Live | undefined): History {
  const samples = useRef<readonly Sample[]>([]);
  const last = samples.current.at(-1);
  if (live && last?.live !== live)
    samples.current = [...samples.current, { time: Date.now() / 1000, live }].slice(-longest);
  return historyOf(samples.current);
}

export function historyOf(samples: readonly Sample[]): History {
  const speedOf = (id: string) => ({
    name: id,
    values: samples.map(({ live }) => live.tenants.find(each => each.id === id)?.tokens_per_second ?? null),
  });
  const total = (what: 'running' | 'waiting') =>
    samples.map(({ live }) => live.tenants.reduce((sum, tenant) => sum + tenant[what], 0));
  return {
    times: samples.map(({ time }) => time),
    speed: busiest(samples).map(speedOf),
    requests: [
      { name: 'running', values: total('running') },
      { name: 'waiting', values: total('waiting') },
    ],
  };
}

/** Those with most tokens in all that was seen, by name, so that a line keeps its colour. */
function busiest(samples: readonly Sample[]): string[] {
  const tokens = new Map<string, number>();
  for (const { live } of samples)
    for (const { id, tokens_per_second } of live.tenants)
      tokens.set(id, (tokens.get(id) ?? 0) + (tokens_per_second ?? 0));
  const ranked = [...tokens].sort(([, a], [, b]) => b - a).slice(0, mostLines);
  return ranked.map(([id]) => id).sort();
}
