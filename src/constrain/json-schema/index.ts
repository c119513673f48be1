import { RealmError } from '../../errors.ts';
import type { Grammar, GrammarSymbol } from '../grammar.ts';
import { GrammarBuilder } from '../grammar-builder.ts';
import { JsonText } from '../json-text.ts';
import { productive } from '../productive.ts';
import type { RegexId } from '../regex.ts';
import { RegexTests } from '../regex-tests.ts';
import type { RegexStore } from '../regexes.ts';
import { Budget } from './budget.ts';
import { SchemaCompiler, writtenString } from './compile.ts';
import { Nodes } from './node.ts';
import { SchemaReader } from './reader.ts';
import { checkSize } from './size.ts';

/** The grammar of the JSON texts that a schema (2020-12, and what older drafts say differently) accepts, compact or indented. */
export function jsonSchemaGrammar(
  schema: unknown,
  builder = new GrammarBuilder(),
): Grammar & { readonly regexes: GrammarBuilder['regexes'] } {
  const start = builder.declare('start');
  builder.define(start, [[addJsonSchema(schema, builder)]]);
  return { ...productive(builder.build(start)), regexes: builder.regexes };
}

/** Adds the rules of a schema to a grammar; the symbol is that of a value. `text`: another way to write values than JSON. */
export function addJsonSchema(
  schema: unknown,
  builder: GrammarBuilder,
  text = JsonText.of(builder.regexes),
): GrammarSymbol {
  checkSize(schema);
  const nodes = new Nodes(text, new RegexTests(builder.regexes), new Budget());
  const symbol = new SchemaCompiler(builder, nodes).compile(new SchemaReader(schema, nodes).root);
  if (!symbol) throw new RealmError('grammar_invalid', 'the schema matches nothing: it contradicts itself');
  return symbol;
}

/** The texts that a schema accepts, all by themselves. */
export function stringRegex(schema: unknown, text: JsonText): RegexId {
  checkSize(schema);
  const nodes = new Nodes(text, new RegexTests(text.regexes as RegexStore), new Budget());
  const forms = new SchemaReader(schema, nodes).root.forms();
  const regex = text.regexes.or(forms.flatMap(form => (form.type === 'string' ? [writtenString(form, text)] : [])));
  if (nodes.tests.isNothing(regex))
    throw new RealmError('grammar_invalid', 'the schema matches no text: it contradicts itself');
  return regex;
}

/** `json_object`: any object. */
export const anyObject = { type: 'object' } as const;
