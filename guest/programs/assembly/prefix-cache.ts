/** An explicit prefix cache: a call names a long text once and asks about it many times; only the first one computes it. */
import { field, textOf } from '../../assembly/json';
import { emit, Request, Sequence, STREAM, Wish } from '../../assembly/sequences';

export { realm_alloc } from '../../assembly/sequences';

const HOUR: u32 = 3600;

/** FNV-1a of a text, as a key. */
function keyOf(text: string): string {
  let hash: u64 = ((<u64>0xcbf29ce4) << 32) | 0x84222325;
  for (let i = 0; i < text.length; i++) hash = (hash ^ <u64>text.charCodeAt(i)) * 0x100000001b3;
  return 'document-' + hash.toString(16);
}

/** The input: {"document": "...", "question": "..."}. */
export function run(ptr: usize, len: u32): usize {
  const request = new Request(ptr, len);
  const document = textOf(field(request.input, 'document'));
  const key = keyOf(document);
  const kept = Sequence.open(request.model, key);
  emit(3, kept ? '{"prefix":"kept"}' : '{"prefix":"computed"}');
  const sequence = kept ? kept : Sequence.of(request.model);
  if (!kept) {
    sequence.text(document, 2);
    // No token: the prompt is computed, and that is all.
    sequence.generate(new Wish(0));
    sequence.save(key, HOUR);
  }
  sequence.text('\nQuestion: ' + textOf(field(request.input, 'question')) + '\nAnswer: ');
  const wish = new Wish(request.maxTokens);
  wish.flags = STREAM;
  wish.stops = ['\n'];
  sequence.generate(wish);
  return 0;
}
