import { isScalar, type Node, Scalar } from 'yaml';

/** A text of the document, and where each of its characters stands. */
export interface Text {
  readonly value: string;
  /** The place in the document of a character of the value. */
  at(index: number): number;
}

/** Numbers and booleans are texts too, as they are written: `output: 3` is an expression. Undefined for all else. */
export function textOf(node: Node, source: string): Text | undefined {
  if (!isScalar(node) || node.value === null || !node.range) return undefined;
  const [start, end] = node.range;
  const value = typeof node.value === 'string' ? node.value : source.slice(start, end);
  return { value, at: index => placeIn(source.slice(start, end), node.type ?? '', value, index) + start };
}

/**
 * A plain text stands as it is. In others a character may be written longer than it is, and lines are indented: then the
 * line is right, and the column is that of the word, or the line's beginning.
 */
function placeIn(written: string, type: string, value: string, index: number): number {
  const quoted = type === Scalar.QUOTE_DOUBLE || type === Scalar.QUOTE_SINGLE;
  const skipped = quoted ? 1 : 0;
  if (written.startsWith(value, skipped)) return skipped + index;
  const block = type === Scalar.BLOCK_LITERAL || type === Scalar.BLOCK_FOLDED;
  const from = block ? written.indexOf('\n') + 1 : skipped;
  const word = /^\S+/.exec(value.slice(index))?.[0] ?? '';
  const before = word === '' ? 0 : countOf(value.slice(0, index), word);
  let found = from - 1;
  for (let i = 0; i <= before && word !== ''; i++) found = written.indexOf(word, found + 1);
  return Math.max(found, from);
}

function countOf(text: string, word: string): number {
  let count = 0;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) count++;
  return count;
}
