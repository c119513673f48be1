import type { GrammarSymbol } from '../grammar.ts';
import type { RegexId } from '../regex.ts';
import { unsupported } from './budget.ts';
import type { Alternative, Compiling, Member } from './compiling.ts';
import { countedMembers } from './counted-members.ts';
import type { Layer, ObjectForm, SchemaNode } from './forms.ts';

/** Different sets of patterns that names can match. */
const maxNameClasses = 200;

/** The grammar of an object: known members in the schema's order, then others. */
export function objectAlternatives(form: ObjectForm, compiler: Compiling, path: string): readonly Alternative[] {
  const { openObject, closeObject, emptyObject, comma } = compiler.punctuation;
  const names = memberNames(form);
  const members = knownMembers(form, names, compiler);
  if (!members) return [];
  const extra = extraMember(form.layers, names, compiler, path);
  const required = members.filter(member => member.required).length;
  const empty: Alternative[] = required === 0 && form.min === 0 ? [[emptyObject]] : [];
  if (form.max === 0) return empty;
  const free =
    form.min <= Math.max(required, 1) && (extra ? form.max === Number.POSITIVE_INFINITY : form.max >= members.length);
  if (!free) {
    const counted = countedMembers({ members, extra, form, compiler, path });
    return counted ? [...empty, [openObject, counted, closeObject]] : empty;
  }
  const leaves = [...members];
  if (extra)
    leaves.push({
      symbols: [extra, compiler.repeats.between([comma, extra], 0, Number.POSITIVE_INFINITY)],
      required: false,
    });
  if (leaves.length === 0) return empty;
  return [...empty, [openObject, ...memberList(leaves, 0, leaves.length, compiler).symbols, closeObject]];
}

function memberNames(form: ObjectForm): readonly string[] {
  const names = new Set(form.layers.flatMap(layer => [...layer.properties.keys()]));
  for (const name of form.required) names.add(name);
  return [...names];
}

/** Undefined where a required member can have no value. */
function knownMembers(form: ObjectForm, names: readonly string[], compiler: Compiling): Member[] | undefined {
  const { builder, nodes, text } = compiler;
  const members: Member[] = [];
  for (const name of names) {
    nodes.budget.spend(form.layers.length);
    const required = form.required.has(name);
    const value = compiler.value(nodes.member(form.layers, name));
    if (!value && required) return undefined;
    if (!value) continue;
    const key = text.regexes.concat([text.key(text.content(name)), text.colon]);
    members.push({ symbols: [builder.lexeme(JSON.stringify(name), key, { greedy: true }), value], required });
  }
  return members;
}

/** Some of the members from one to another, at least one; as a balanced tree, so that few rules end at once. */
function memberList(members: readonly Member[], from: number, to: number, compiler: Compiling): Member {
  if (to - from === 1) return members[from]!;
  const { comma } = compiler.punctuation;
  const middle = (from + to) >> 1;
  const first = memberList(members, from, middle, compiler);
  const second = memberList(members, middle, to, compiler);
  const alternatives: Alternative[] = [[...first.symbols, comma, ...second.symbols]];
  if (!second.required) alternatives.push(first.symbols);
  if (!first.required) alternatives.push(second.symbols);
  const symbols = [compiler.builder.rule('members', alternatives)];
  return { symbols, required: first.required || second.required };
}

/** One member of a name that the schema does not know: its name says which patterns it matches, and they its value. */
function extraMember(
  layers: readonly Layer[],
  names: readonly string[],
  compiler: Compiling,
  path: string,
): GrammarSymbol | undefined {
  const { builder, nodes, text } = compiler;
  const { regexes } = text;
  const classes = nameClasses(layers, names, compiler, path);
  const alternatives = classes.flatMap(({ name, matched }): Alternative[] => {
    const node = nodes.and(layers.flatMap(layer => extraNodes(layer, matched)));
    if (node === nodes.never || nodes.tests.isNothing(name)) return [];
    const value = compiler.value(node);
    const key = regexes.concat([text.key(name), text.colon]);
    return value ? [[builder.lexeme('name', key, { greedy: true }), value]] : [];
  });
  return alternatives.length === 0 ? undefined : builder.rule('member', alternatives);
}

function extraNodes(layer: Layer, matched: ReadonlySet<RegexId>): SchemaNode[] {
  const nodes = layer.patterns.filter(pattern => matched.has(pattern.name)).map(pattern => pattern.node);
  return nodes.length > 0 ? nodes : [layer.additional];
}

/** Names cut by every pattern into those that match it and those that do not. */
function nameClasses(
  layers: readonly Layer[],
  names: readonly string[],
  { nodes, text }: Compiling,
  path: string,
): { name: RegexId; matched: ReadonlySet<RegexId> }[] {
  const { regexes } = text;
  if (layers.some(layer => layer.patterns.length === 0 && layer.additional === nodes.never)) return [];
  const known = regexes.or(names.map(name => text.spellings(name)));
  let classes = [{ name: names.length === 0 ? text.anyText : text.complement(known), matched: new Set<RegexId>() }];
  for (const pattern of new Set(layers.flatMap(layer => layer.patterns.map(({ name }) => name)))) {
    const other = text.complement(pattern);
    classes = classes.flatMap(({ name, matched }) => [
      { name: regexes.and([name, pattern]), matched: new Set([...matched, pattern]) },
      { name: regexes.and([name, other]), matched },
    ]);
    classes = classes.filter(({ name }) => !nodes.tests.isNothing(name));
    nodes.budget.spend(classes.length);
    if (classes.length > maxNameClasses)
      throw unsupported('patternProperties', path, 'its patterns overlap in too many ways');
  }
  return classes;
}
