import { Automaton } from '../../constrain/automaton.ts';
import { type Constraint, compile } from '../../constrain/constraint.ts';
import { type PortableGrammar, packGrammar, unpackGrammar } from '../../constrain/portable.ts';
import { type Vocabulary, vocabularyOf } from '../../constrain/vocabulary.ts';
import { grammarOf } from '../../output-format/compile.ts';
import type { ConstraintSource } from '../../output-format/constraint-source.ts';
import { type ControlTokens, controlTokens } from '../../output-format/control-tokens.ts';
import type { Steps } from '../../tokenizer/steps.ts';
import type { Tokenizer } from '../../tokenizer/types.ts';

/** What grammars are about: a model's tokens, and those of them that are no text. */
export interface Words {
  readonly vocabulary: Vocabulary;
  readonly control: ControlTokens;
}

export function wordsOf(tokenizer: Tokenizer): Words {
  return { vocabulary: vocabularyOf(tokenizer), control: controlTokens(tokenizer) };
}

/** Makes constraints of what requests say. */
export interface ConstraintCompiler {
  /** Throws `schema_unsupported`, `grammar_invalid`, `grammar_limit`, `queue_full`. */
  compile(source: ConstraintSource, tenant: string): Promise<Constraint>;
  close(): Promise<void>;
}

/** Compiles on the thread that asks: where there is but one. */
export function localCompiler(words: () => Words): ConstraintCompiler {
  return {
    compile: async source => {
      const { vocabulary, control } = words();
      const { grammar, regexes } = grammarOf(source, control);
      return compile(grammar, regexes, vocabulary);
    },
    close: async () => {},
  };
}

/** The half of compiling that no engine waits for; what the other half could fail at has been tried. */
export function compileAway(source: ConstraintSource, control: ControlTokens): PortableGrammar {
  const { grammar, regexes } = grammarOf(source, control);
  const packed = packGrammar(grammar, regexes);
  new Automaton(grammar, regexes, 1);
  return packed;
}

/** The other half, in steps between which the engine may have its own. */
export function* finishCompiling(packed: PortableGrammar, vocabulary: Vocabulary): Steps<Constraint> {
  const { grammar, regexes } = yield* unpackGrammar(packed);
  yield;
  return compile(grammar, regexes, vocabulary);
}
