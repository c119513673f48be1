import { RealmError } from '../../errors.ts';

const maxSize = 512 * 1024;
const maxDepth = 300;

/** Refuses schemas that are too large or too deep, without going down by recursion. */
export function checkSize(schema: unknown): void {
  let size = 0;
  const stack: { value: unknown; depth: number }[] = [{ value: schema, depth: 0 }];
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { value, depth } = next;
    size += typeof value === 'string' ? value.length + 2 : 4;
    if (depth > maxDepth) throw new RealmError('grammar_limit', `the schema nests deeper than ${maxDepth}`);
    if (Array.isArray(value)) {
      size += value.length;
      if (size <= maxSize) for (const child of value) stack.push({ value: child, depth: depth + 1 });
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, child] of Object.entries(value)) {
        size += key.length + 3;
        stack.push({ value: child, depth: depth + 1 });
      }
    }
    if (size > maxSize) throw new RealmError('grammar_limit', 'the schema is larger than 512 KB');
  }
}
