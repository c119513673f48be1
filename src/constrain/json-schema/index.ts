import { RealmError } from '../../errors.ts';
import type { Grammar, GrammarSymbol } from '../grammar.ts';
import { GrammarBuilder } from '../grammar-builder.ts';
import { JsonText } from '../json-text.ts';
import { productive } from '../productive.ts';
import { RegexTests } from '../regex-tests.ts';
import { Budget } from './budget.ts';
import { SchemaCompiler } from './compile.ts';
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

/** Adds the rules of a schema to a grammar; the symbol is that of a value. */
export function addJsonSchema(schema: unknown, builder: GrammarBuilder): GrammarSymbol {
  checkSize(schema);
  const nodes = new Nodes(
    new JsonText(builder.regexes),
    new RegexTests(builder.regexes),
    new Budget(builder.regexes.deadline),
  );
  const symbol = new SchemaCompiler(builder, nodes).compile(new SchemaReader(schema, nodes).root);
  if (!symbol) throw new RealmError('grammar_invalid', 'the schema matches nothing: it contradicts itself');
  return symbol;
}

/** `json_object`: any object. */
export const anyObject = { type: 'object' } as const;
