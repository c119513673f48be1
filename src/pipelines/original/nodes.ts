import { type Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';

/** A value as nodes of a document that stand where `at` does, so that mistakes in them have a place. Nodes stay as they are. */
export function nodeOf(value: unknown, at: Node): Node {
  const made = make(value, at);
  made.range ??= at.range ?? null;
  return made;
}

function make(value: unknown, at: Node): Node {
  if (value instanceof YAMLMap || value instanceof YAMLSeq || value instanceof Scalar) return value;
  if (Array.isArray(value)) {
    const list = new YAMLSeq();
    list.items = value.map(each => nodeOf(each, at));
    return list;
  }
  if (typeof value !== 'object' || value === null) return new Scalar(value);
  const mapping = new YAMLMap();
  for (const [key, each] of Object.entries(value)) {
    if (each !== undefined) mapping.items.push(new Pair(nodeOf(key, at), nodeOf(each, at)));
  }
  return mapping;
}
