import { platform } from '#platform';
import type { Constraint } from '../../constrain/constraint.ts';
import { type PortableGrammar, type PortableVocabulary, unpackVocabulary } from '../../constrain/portable.ts';
import type { Vocabulary } from '../../constrain/vocabulary.ts';
import { RealmError } from '../../errors.ts';
import type { FileSource } from '../../gguf/types.ts';
import type { ConstraintSource } from '../../output-format/constraint-source.ts';
import type { Thread } from '../../platform/platform.ts';
import { errorOf } from '../failure.ts';
import type { EngineFailure } from '../request.ts';
import { type ConstraintCompiler, finishCompiling } from './compiler.ts';

/** What a thread is started with: to lay out the vocabulary of a model's file, or to compile. */
export interface CompilerData {
  readonly compiler: { readonly vocabularyOf?: FileSource };
}

export interface ToCompiler {
  readonly source: ConstraintSource;
}

export type FromCompiler =
  | { readonly kind: 'ready' }
  | { readonly kind: 'vocabulary'; readonly vocabulary: PortableVocabulary }
  | { readonly kind: 'compiled'; readonly grammar: PortableGrammar }
  | { readonly kind: 'failed'; readonly failure: EngineFailure };

/** Milliseconds that one source may compute, and that it may take on a machine that is busy with others. */
const limitMs = 250;
const busyLimitMs = 4_000;

/**
 * Compiles in a thread beside the engine's, one source after the other, so that no step waits for it. The vocabulary is
 * laid out in a thread of its own when the first constraint comes: it takes a second, and what that needs is then free again.
 */
export class CompileThread implements ConstraintCompiler {
  readonly #file: FileSource;
  #vocabulary: Promise<Vocabulary> | undefined;
  #compiling: Promise<Worker> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: FileSource) {
    this.#file = file;
  }

  async compile(source: ConstraintSource): Promise<Constraint> {
    const vocabulary = this.#getVocabulary();
    // Whoever waits for it hears of it below.
    vocabulary.catch(() => {});
    const compiled = this.#last.then(() => this.#compileNext(source));
    this.#last = compiled.catch(() => {});
    const grammar = await compiled;
    const steps = finishCompiling(grammar, await vocabulary);
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
      await platform.nextTurn();
    }
  }

  async close(): Promise<void> {
    await (await this.#compiling?.catch(() => undefined))?.terminate();
  }

  #getVocabulary(): Promise<Vocabulary> {
    if (!this.#vocabulary) {
      const vocabulary = this.#readVocabulary();
      this.#vocabulary = vocabulary;
      vocabulary.catch(() => {
        this.#vocabulary = undefined;
      });
    }
    return this.#vocabulary;
  }

  async #readVocabulary(): Promise<Vocabulary> {
    const worker = new Worker({ vocabularyOf: this.#file });
    try {
      const answer = await worker.answer();
      if (answer.kind === 'vocabulary') return unpackVocabulary(answer.vocabulary);
      throw unexpected(answer);
    } finally {
      await worker.terminate();
    }
  }

  async #compileNext(source: ConstraintSource): Promise<PortableGrammar> {
    this.#compiling ??= start();
    const worker = await this.#compiling.catch(error => {
      this.#compiling = undefined;
      throw error;
    });
    try {
      const answer = await worker.ask({ source });
      if (answer.kind === 'compiled') return answer.grammar;
      if (answer.kind === 'failed') throw errorOf(answer.failure);
      throw unexpected(answer);
    } catch (error) {
      // One that is at it still, or has died, is of no more use.
      if (worker.isBusy) {
        this.#compiling = undefined;
        await worker.terminate();
      }
      throw error;
    }
  }
}

async function start(): Promise<Worker> {
  const worker = new Worker({});
  const answer = await worker.answer();
  if (answer.kind === 'ready') return worker;
  throw unexpected(answer);
}

const tooLong = (): RealmError =>
  new RealmError('grammar_limit', `the schema or grammar takes longer than ${limitMs} ms to compile: make it simpler`);

const unexpected = (answer: FromCompiler): RealmError =>
  answer.kind === 'failed'
    ? errorOf(answer.failure)
    : new RealmError('internal_error', `the thread that compiles constraints answered with ${answer.kind}`);

/** The thread, asked one thing at a time. */
class Worker {
  readonly #thread: Thread;
  #answer = Promise.withResolvers<FromCompiler>();
  #isBusy = true;

  constructor(compiler: CompilerData['compiler']) {
    this.#thread = platform.startThread(new URL('./compile-worker.ts', import.meta.url), {
      compiler,
    } satisfies CompilerData);
    this.#thread.unref();
    this.#thread.onMessage(message => {
      this.#isBusy = false;
      this.#answer.resolve(message as FromCompiler);
    });
    this.#thread.onEnd(reason =>
      this.#answer.reject(new RealmError('engine_failed', `the thread that compiles constraints ${reason}`)),
    );
    this.#answer.promise.catch(() => {});
  }

  /** It has not answered yet. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Throws `grammar_limit` where it takes too long. */
  async ask(message: ToCompiler): Promise<FromCompiler> {
    this.#isBusy = true;
    this.#answer = Promise.withResolvers();
    this.#answer.promise.catch(() => {});
    const limit = Promise.withResolvers<never>();
    const before = await this.#thread.cpuMs();
    const started = performance.now();
    const look = async (): Promise<void> => {
      const computed = (await this.#thread.cpuMs()) - before;
      if (!this.#isBusy) return;
      if (computed >= limitMs || performance.now() - started >= busyLimitMs) limit.reject(tooLong());
      else timer = setTimeout(() => look().catch(limit.reject), limitMs / 5);
    };
    let timer = setTimeout(() => look().catch(limit.reject), limitMs);
    this.#thread.post(message);
    try {
      return await Promise.race([this.answer(), limit.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  answer(): Promise<FromCompiler> {
    return this.#answer.promise;
  }

  terminate(): Promise<void> {
    return this.#thread.terminate();
  }
}
