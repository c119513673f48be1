import { isMap, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import { placeOf, toJson } from '../document/fields.ts';
import type { Mistakes } from '../document/mistakes.ts';
import { suggestion } from '../document/near.ts';
import { keywords } from './keywords.ts';
import type { JsonSchema } from './types.ts';
import { Validator } from './validator.ts';

/** The schema of a node of the document, all mistakes in it named. Undefined where there are some. */
export function readSchema(node: Node, mistakes: Mistakes): Validator | undefined {
  const checked = { ok: true };
  check(node, {
    wrong: (at, what) => {
      checked.ok = false;
      mistakes.add(at, what);
    },
  });
  if (!checked.ok) return undefined;
  try {
    return new Validator(toJson(node) as JsonSchema);
  } catch (error) {
    mistakes.add(placeOf(node), `the schema cannot be used: ${(error as Error).message}`);
    return undefined;
  }
}

interface Report {
  readonly wrong: (at: number, what: string) => void;
}

/** `isChoice`: not every value must fit it. */
function check(node: Node | null | undefined, report: Report, isChoice = false): void {
  if (isScalar(node) && typeof node.value === 'boolean') return;
  if (!isMap(node)) return report.wrong(placeOf(node), 'a schema is a mapping, true or false');
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : '';
    const keyword = Object.hasOwn(keywords, name) ? keywords[name] : undefined;
    const at = placeOf(key as Node);
    if (!keyword) {
      report.wrong(
        at,
        `'${name}' is no keyword of schemas that pipelines know${suggestion(name, Object.keys(keywords))}`,
      );
      continue;
    }
    const found = keyword.value.safeParse(toJson((value as Node | null) ?? undefined) ?? null);
    if (!found.success) report.wrong(placeOf((value ?? key) as Node), `'${name}': ${found.error.issues[0]?.message}`);
    else checkInner(name, value as Node, report, isChoice);
    if (name === 'pattern' && isChoice) report.wrong(at, "'pattern' cannot stand in a choice or a definition");
    if (keyword.of) checkType(node, name, keyword.of, at, report);
  }
}

function checkInner(name: string, value: Node, report: Report, isChoice: boolean): void {
  const oneEach = ['properties', '$defs'].includes(name) && isMap(value);
  const inner = oneEach ? value.items.map(pair => pair.value as Node | null) : [];
  if (['anyOf', 'oneOf', 'allOf', 'prefixItems'].includes(name) && isSeq(value)) inner.push(...(value.items as Node[]));
  if (['items', 'additionalProperties', 'propertyNames'].includes(name)) inner.push(value);
  const choices = ['anyOf', 'oneOf', 'allOf', '$defs', 'propertyNames'].includes(name);
  for (const each of inner) check(each, report, isChoice || choices);
}

/** A keyword that says something of objects alone is no use, and surprising, where anything else is let through. */
function checkType(node: YAMLMap, name: string, type: string, at: number, report: Report): void {
  const said = toJson(node.get('type', true) as Node | undefined);
  const types = Array.isArray(said) ? said : [said];
  if (types.includes(type) || (type === 'number' && types.includes('integer'))) return;
  report.wrong(at, `'${name}' is for values of the type ${type}; write 'type: ${type}' beside it`);
}
