/** Self-consistency (arXiv:2203.11171): several ways of thinking, and the answer that most of them come to. */
import { Request, say, submit, Wish } from '../../assembly/sequences';

export { realm_alloc } from '../../assembly/sequences';

const N = 9;

/** What an answer comes to: its last number, or else its last line. */
function conclusion(text: string): string {
  let end = text.length;
  while (end > 0 && !isDigit(text.charCodeAt(end - 1))) end--;
  if (end === 0) return text.substring(text.trim().lastIndexOf('\n') + 1).trim();
  let start = end;
  while (start > 0 && (isDigit(text.charCodeAt(start - 1)) || text.charCodeAt(start - 1) === 0x2e)) start--;
  return text.substring(start, end);
}

const isDigit = (c: i32): bool => c >= 0x30 && c <= 0x39;

export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const sequences = request.sequence().fork(N);
  for (let i = 0; i < N; i++) sequences[i].sampler('{"temperature":0.8}');
  const results = submit(sequences, [new Wish(request.maxTokens)]).wait();
  const votes = new Map<string, i32>();
  let best = '';
  for (let i = 0; i < N; i++) {
    const text = results[i].text;
    if (text === '') continue;
    const answer = conclusion(text);
    votes.set(answer, (votes.has(answer) ? votes.get(answer) : 0) + 1);
    // Of equals the one that was first there.
    if (best === '' || votes.get(answer) > votes.get(best)) best = answer;
  }
  say(best);
  return 0;
}
