import type { Token } from '../tokenizer/types.ts';

/** A token and the bytes that it stands for. */
export interface TokenBytes {
  readonly token: Token;
  /** One character for each byte: such strings sort like the bytes. */
  readonly text: string;
}

/**
 * The bytes of a vocabulary as a tree, laid flat depth first: a node's first child is the next node, `skip` is the next
 * one outside of it. Without a root.
 */
export class TokenTrie {
  // All [nodes].
  readonly bytes: Uint8Array;
  readonly depth: Uint16Array;
  readonly skip: Int32Array;
  /** The token that ends here, or -1. */
  readonly token: Int32Array;
  /** Tokens of the same bytes as another: by the one that the tree has. */
  readonly twins: ReadonlyMap<Token, readonly Token[]>;
  /** How long the longest token is. */
  readonly height: number;

  /** `tokens` in the order of their texts, none of them empty. */
  constructor(tokens: readonly TokenBytes[]) {
    const shared = sharedLengths(tokens);
    const count = tokens.reduce((nodes, { text }, index) => nodes + text.length - shared[index], 0);
    this.bytes = new Uint8Array(count);
    this.depth = new Uint16Array(count);
    this.skip = new Int32Array(count);
    this.token = new Int32Array(count).fill(-1);
    const twins = new Map<Token, Token[]>();
    this.twins = twins;
    const path: number[] = [];
    let nodes = 0;
    let height = 0;
    for (let at = 0; at < tokens.length; at++) {
      const { token, text } = tokens[at];
      while (path.length > shared[at]) this.skip[path.pop()!] = nodes;
      for (let index = shared[at]; index < text.length; index++) {
        this.bytes[nodes] = text.charCodeAt(index);
        this.depth[nodes] = index;
        path.push(nodes++);
      }
      height = Math.max(height, text.length);
      const node = path.at(-1)!;
      const same = this.token[node] as Token;
      if (same < 0) this.token[node] = token;
      else twins.set(same, [...(twins.get(same) ?? []), token]);
    }
    while (path.length > 0) this.skip[path.pop()!] = nodes;
    this.height = height;
  }

  get nodes(): number {
    return this.bytes.length;
  }
}

/**
 * The longest token that `bytes` go on with from `at`; none where they end before it is known, unless no more can come: a
 * longer one might be the right one if more came.
 */
export function longestToken(trie: TokenTrie, bytes: Uint8Array, at: number, isWhole: boolean): Token | undefined {
  let token: Token | undefined;
  let node = 0;
  let end = trie.bytes.length;
  for (let next = at; ; next++) {
    if (next === bytes.length && node < end) return isWhole ? token : undefined;
    while (node < end && trie.bytes[node] !== bytes[next]) node = trie.skip[node]!;
    if (node >= end) return token;
    if (trie.token[node]! >= 0) token = trie.token[node] as Token;
    end = trie.skip[node]!;
    node++;
  }
}

/** How many bytes each text shares with the one before it. */
function sharedLengths(tokens: readonly TokenBytes[]): Int32Array {
  const lengths = new Int32Array(tokens.length);
  for (let at = 1; at < tokens.length; at++) lengths[at] = sharedLength(tokens[at - 1].text, tokens[at].text);
  return lengths;
}

function sharedLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  return length;
}
