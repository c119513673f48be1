import { Automaton } from '../../constrain/automaton.ts';
import { type Constraint, compile } from '../../constrain/constraint.ts';
import { type PortableGrammar, packGrammar, unpackGrammar } from '../../constrain/portable.ts';
import type { Vocabulary } from '../../constrain/vocabulary.ts';
import { grammarOf } from '../../output-format/compile.ts';
import type { ConstraintSource } from '../../output-format/constraint-source.ts';
import type { Steps } from '../../tokenizer/steps.ts';

/** Makes constraints of what requests say. */
export interface ConstraintCompiler {
  /** Throws `schema_unsupported`, `grammar_invalid`, `grammar_limit`. */
  compile(source: ConstraintSource): Promise<Constraint>;
  close(): Promise<void>;
}

/** Compiles on the thread that asks: where there is but one. */
export function localCompiler(vocabulary: () => Vocabulary): ConstraintCompiler {
  return {
    compile: async source => {
      const { grammar, regexes } = grammarOf(source);
      return compile(grammar, regexes, vocabulary());
    },
    close: async () => {},
  };
}

/** The half of compiling that no engine waits for; what the other half could fail at has been tried. */
export function compileAway(source: ConstraintSource): PortableGrammar {
  const { grammar, regexes } = grammarOf(source);
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
