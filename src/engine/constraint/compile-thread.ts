import { platform } from '#platform';
import { compilesTooLong, maxCompileMs } from '../../constrain/compile-time.ts';
import type { Constraint } from '../../constrain/constraint.ts';
import { type PortableGrammar, type PortableVocabulary, unpackVocabulary } from '../../constrain/portable.ts';
import { RealmError } from '../../errors.ts';
import type { FileSource } from '../../gguf/types.ts';
import type { ConstraintSource } from '../../output-format/constraint-source.ts';
import type { ControlTokens } from '../../output-format/control-tokens.ts';
import type { Thread } from '../../platform/platform.ts';
import { errorOf } from '../failure.ts';
import type { EngineFailure } from '../request.ts';
import type { Owner } from '../scheduler/work-turns.ts';
import { CompileQueue } from './compile-queue.ts';
import { type ConstraintCompiler, finishCompiling, type Words } from './compiler.ts';

/** What a thread is started with: to lay out the vocabulary of a model's file, or to compile. */
export interface CompilerData {
  readonly compiler: { readonly vocabularyOf?: FileSource };
}

export interface ToCompiler {
  readonly source: ConstraintSource;
  readonly control: ControlTokens;
}

export type FromCompiler =
  | { readonly kind: 'ready' }
  | { readonly kind: 'vocabulary'; readonly vocabulary: PortableVocabulary; readonly control: ControlTokens }
  | { readonly kind: 'compiled'; readonly grammar: PortableGrammar }
  | { readonly kind: 'failed'; readonly failure: EngineFailure };

/** Milliseconds that one source may take on a machine that is busy with others. */
const busyLimitMs = 4_000;
/** More of either time for each tool: agents bring hundreds. */
const toolMs = 4;

/**
 * Compiles in a thread beside the engine's, one source after the other, so that no step waits for it; whose turn it is
 * the queue says. The vocabulary is laid out in a thread of its own when the first constraint comes: it takes a second, and what that needs is then free again.
 */
export class CompileThread implements ConstraintCompiler {
  readonly #file: FileSource;
  readonly #ownerOf: (tenant: string) => Owner;
  readonly #queue = new CompileQueue(source => this.#compileNext(source));
  #words: Promise<Words> | undefined;
  #compiling: Promise<Worker> | undefined;

  constructor(file: FileSource, ownerOf: (tenant: string) => Owner) {
    this.#file = file;
    this.#ownerOf = ownerOf;
  }

  async compile(source: ConstraintSource, tenant: string): Promise<Constraint> {
    const compiled = await this.#queue.add(this.#ownerOf(tenant), source);
    const { vocabulary } = await this.#getWords();
    const steps = finishCompiling(compiled, vocabulary);
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
      await platform.nextTurn();
    }
  }

  async close(): Promise<void> {
    await (await this.#compiling?.catch(() => undefined))?.terminate();
  }

  #getWords(): Promise<Words> {
    if (!this.#words) {
      const words = this.#readWords();
      this.#words = words;
      words.catch(() => {
        this.#words = undefined;
      });
    }
    return this.#words;
  }

  async #readWords(): Promise<Words> {
    const worker = new Worker({ vocabularyOf: this.#file });
    try {
      const answer = await worker.answer();
      if (answer.kind === 'vocabulary')
        return { vocabulary: unpackVocabulary(answer.vocabulary), control: answer.control };
      throw unexpected(answer);
    } finally {
      await worker.terminate();
    }
  }

  async #compileNext(source: ConstraintSource): Promise<PortableGrammar> {
    const { control } = await this.#getWords();
    this.#compiling ??= start();
    const worker = await this.#compiling.catch(error => {
      this.#compiling = undefined;
      throw error;
    });
    try {
      const answer = await worker.ask({ source, control });
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

const toolsIn = (source: ConstraintSource): number =>
  source.kind === 'answer' ? (source.tools?.declared.length ?? 0) : 0;

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
    this.#thread = platform.startThread({ file: './compile-worker.ts', from: import.meta.url }, {
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
    const more = toolMs * toolsIn(message.source);
    const look = async (): Promise<void> => {
      const computed = (await this.#thread.cpuMs()) - before;
      if (!this.#isBusy) return;
      if (computed >= maxCompileMs + more || performance.now() - started >= busyLimitMs + more)
        limit.reject(compilesTooLong());
      else timer = setTimeout(() => look().catch(limit.reject), maxCompileMs / 5);
    };
    let timer = setTimeout(() => look().catch(limit.reject), maxCompileMs);
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
