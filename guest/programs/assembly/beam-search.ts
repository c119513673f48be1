/** Beam search: the likeliest whole answer that it finds. The greedy one always stays in, so none is worse than that. */
import { Request, Result, say, submit, textOfTokens, Wish } from '../../assembly/sequences';

export { realm_alloc } from '../../assembly/sequences';

const WIDTH = 4;

class Beam {
  constructor(
    readonly tokens: u32[],
    readonly score: f64,
    readonly greedy: bool,
  ) {}
}

/** The best of what has ended. */
let best: Beam | null = null;

function end(beam: Beam): void {
  if (!best || beam.score > best!.score) best = beam;
}

/** What the beams may become, the likeliest first; those that end are noted. */
function extended(beams: Beam[], results: Result[], ends: u32[]): Beam[] {
  const next: Beam[] = [];
  for (let i = 0; i < beams.length; i++) {
    for (let k = 0; k < results[i].topIds.length; k++) {
      const beam = beams[i];
      const token = results[i].topIds[k];
      const sum = beam.score + results[i].topLogprobs[k];
      if (ends.includes(token)) end(new Beam(beam.tokens, sum, false));
      else next.push(new Beam(beam.tokens.concat([token]), sum, beam.greedy && k === 0));
    }
  }
  return next.sort((a, b) => (a.score > b.score ? -1 : a.score < b.score ? 1 : 0));
}

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const ends = request.ends();
  const origin = request.sequence();
  const prompt = origin.length;
  const sequences = origin.fork(WIDTH);
  let beams: Beam[] = [new Beam([], 0, true)];
  for (let length: u32 = 0; length < request.maxTokens; length++) {
    const used = sequences.slice(0, beams.length);
    for (let i = 0; i < used.length; i++) {
      used[i].truncate(prompt);
      used[i].push(beams[i].tokens);
    }
    const next = extended(beams, submit(used, [Wish.one(WIDTH)]).wait(), ends);
    beams = next.filter((beam, i) => i < WIDTH - 1 || beam.greedy);
    // A score only falls: what has ended is better than all that can still come.
    if (beams.length === 0 || (best && best!.score >= beams[0].score)) break;
  }
  for (let i = 0; i < beams.length; i++) end(beams[i]);
  say(textOfTokens(request.model, best!.tokens));
  return 0;
}
