import type { Steps } from '../../tokenizer/steps.ts';
import type { Token, Tokenizer } from '../../tokenizer/types.ts';

/** Large answers as JSON, written in steps. */

/** Numbers of one step: about 2 ms. */
const step = 1 << 13;
const utf8 = new TextEncoder();

/** llama-server's answer of `/tokenize`; with a tokenizer it shows the pieces. */
export function* tokensJson(tokens: readonly Token[], pieces?: Tokenizer): Steps<Uint8Array<ArrayBuffer>> {
  const known = new Map<Token, string>();
  const withPiece = (id: Token, tokenizer: Tokenizer) => {
    const text = known.get(id) ?? JSON.stringify({ id, piece: piece(tokenizer, id) });
    known.set(id, text);
    return text;
  };
  const parts: string[] = [];
  for (let start = 0; start < tokens.length; start += step) {
    const some = tokens.slice(start, start + step);
    parts.push((pieces ? some.map(id => withPiece(id, pieces)) : some).join(','));
    yield;
  }
  return utf8.encode(`{"tokens":[${parts.join(',')}]}`);
}

/** The token's text, or its bytes when they are no whole characters. */
function piece(tokenizer: Tokenizer, token: Token): string | number[] {
  const bytes = tokenizer.bytes(token, { special: true });
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return [...bytes];
  }
}

/** OpenAI's answer of `/v1/embeddings`. */
export function* embeddingsJson(answer: {
  values: readonly Float32Array[];
  base64: boolean;
  model: string;
  promptTokens: number;
}): Steps<Uint8Array<ArrayBuffer>> {
  const { model, promptTokens } = answer;
  const data: string[] = [];
  for (const [index, values] of answer.values.entries()) {
    const embedding = answer.base64 ? base64(values) : [...values];
    data.push(JSON.stringify({ object: 'embedding', index, embedding }));
    yield;
  }
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
  const rest = JSON.stringify({ model, usage });
  return utf8.encode(`{"object":"list","data":[${data.join(',')}],${rest.slice(1)}`);
}

/** The values as 32-bit floats, little-endian. */
function base64({ buffer, byteOffset, byteLength }: Float32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
