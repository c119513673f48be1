import { RealmError } from '../../errors.ts';

/**
 * SentencePiece's precompiled character map: a double-array trie (darts-clone) from byte sequences to normalised ones.
 * Layout: u32 length of the array in bytes, its u32 nodes, then the replacements as NUL-terminated strings.
 * A node packs its label (bits 0-7), whether a value follows (8), an offset (10-30, shifted by 8 when bit 9 is set);
 * a value node has bit 31 and the place of a replacement.
 */
export class Charsmap {
  readonly #nodes: Uint32Array;
  readonly #replacements: Uint8Array;

  /** Throws `model_invalid`. */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = bytes.length < 4 ? -1 : view.getUint32(0, true);
    if (length < 4 || length % 4 !== 0 || 4 + length >= bytes.length) throw damaged();
    this.#nodes = Uint32Array.from({ length: length / 4 }, (_, i) => view.getUint32(4 + i * 4, true));
    this.#replacements = bytes.subarray(4 + length);
  }

  /** The longest entry that begins at text[start]: how many bytes it covers, and what replaces them. */
  match(text: Uint8Array, start: number): { length: number; replacement: Uint8Array } | undefined {
    let length = 0;
    let value = 0;
    let node = offset(this.#node(0));
    for (let at = start; at < text.length && text[at] !== 0; at++) {
      node ^= text[at];
      const packed = this.#node(node);
      if ((packed & 0x800000ff) !== text[at]) break;
      node ^= offset(packed);
      if ((packed >>> 8) & 1) {
        length = at - start + 1;
        value = this.#node(node) & 0x7fffffff;
      }
    }
    return length > 0 ? { length, replacement: this.#replacement(value) } : undefined;
  }

  #node(index: number): number {
    if (index < 0 || index >= this.#nodes.length) throw damaged();
    return this.#nodes[index];
  }

  #replacement(start: number): Uint8Array {
    const end = this.#replacements.indexOf(0, start);
    if (start >= this.#replacements.length || end < 0) throw damaged();
    return this.#replacements.subarray(start, end);
  }
}

function offset(packed: number): number {
  return (packed >>> 10) << ((packed & 0x200) >>> 6);
}

function damaged(): RealmError {
  return new RealmError('model_invalid', 'tokenizer.ggml.precompiled_charsmap is damaged: use another model file', {
    param: 'tokenizer.ggml.precompiled_charsmap',
  });
}
