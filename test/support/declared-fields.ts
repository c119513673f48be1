/** The fields that a client's own type declarations have: what it may send. */
import { readFileSync } from 'node:fs';

/** Names of the fields of an interface in a file of `node_modules`; those of what it extends are not among them. */
export function declaredFields(file: string, name: string): string[] {
  const text = readFileSync(`node_modules/${file}`, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  const head = new RegExp(`interface ${name}\\b[^{]*\\{`).exec(text);
  if (head === null) throw new Error(`${file} has no interface ${name}`);
  const names: string[] = [];
  let depth = 1;
  for (const line of text.slice(head.index + head[0].length).split('\n')) {
    const field = depth === 1 ? /^\s*(?:readonly )?['"]?(\w+)['"]?\??:/.exec(line)?.[1] : undefined;
    if (field !== undefined) names.push(field);
    depth += (line.match(/[{(]/g)?.length ?? 0) - (line.match(/[})]/g)?.length ?? 0);
    if (depth < 1) return names;
  }
  throw new Error(`interface ${name} does not end`);
}
