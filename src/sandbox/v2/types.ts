import type { FinishReason, Sampling, TokenLogprob } from '../../engine/request.ts';
import type { ConstraintSource } from '../../output-format/constraint-source.ts';
import type { ModelId } from '../model-id.ts';

/** What a program of ABI v2 may ask of the host, beside what v1 may. Calls run in the server, for one run. Errors become codes in the guest. */
export interface SequenceHost {
  /** A chat document (`{"messages": [...], "tools": [...]}`) as the model's template writes it. */
  chatTokens(modelId: ModelId, document: string): Promise<Int32Array>;
  /** `special`: control tokens are read as such. `begin`: with the tokens that the vocabulary begins a text with. */
  textTokens(modelId: ModelId, text: string, how: { special: boolean; begin: boolean }): Promise<Int32Array>;
  /** Compiles it; throws what is wrong with it. */
  checkConstraint(modelId: ModelId, source: ConstraintSource): Promise<void>;
  /** What a chat's answer with these tools is held to, in the model's output format. `tools`: JSON text, as in Chat Completions. */
  toolConstraint(modelId: ModelId, tools: string, choice: 'auto' | 'required'): Promise<ConstraintSource>;
  /** Runs one sequence on. `onText`: what it adds is the answer's text as it comes. */
  submit(
    submission: Submission,
    signal: AbortSignal,
    onText?: (text: string) => Promise<void> | undefined,
  ): Promise<Submitted>;
  /** The row behind the last token. [vocabulary] */
  logits(position: Position, signal: AbortSignal): Promise<Float32Array>;
  embed(modelId: ModelId, text: string, signal: AbortSignal): Promise<Float32Array>;
  /** Whole tokens of an answer in the model's output format, read as the APIs do. */
  parse(modelId: ModelId, tools: string, tokens: Uint32Array): Promise<string>;
  /** Under the tenant's quota, for its later runs. Throws `quota`. */
  save(key: string, saved: SavedSequence, ttlSeconds: number): Promise<void>;
  /** Undefined: nobody has saved it, or it is over. */
  open(modelId: ModelId, key: string): Promise<SavedSequence | undefined>;
  /** Calls one of the tools that the operator allows the tenant; input and answer are JSON. Throws `permission_denied`. */
  tool(name: string, input: string, signal: AbortSignal): Promise<string>;
  /** JSON: what is left of the tenant's budgets and of the run's limits. */
  budget(): Promise<string>;
  /** Throws `model_not_found`. */
  findModel(name: string): Promise<ModelId>;
  /** Whether the tenant may use it. Throws `adapter_not_found`. */
  checkAdapter(modelId: ModelId, name: string): Promise<void>;
  /** What is neither content nor an answer of the model's. `text`: of `tool_call` and `event` JSON. */
  emit(kind: 'reasoning' | 'tool_call' | 'event', text: string): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', text: string): void;
}

/** Where a sequence stands. */
export interface Position {
  readonly modelId: ModelId;
  readonly adapter?: string | undefined;
  /** All of them. The server's own book says which of them the run has paid for. */
  readonly tokens: Uint32Array;
}

/** What becomes of a sequence at one `submit`. */
export interface Submission extends Position {
  /** The last so many tokens belong to the answer: constraint, penalties and seed go on behind them. */
  readonly answered: number;
  readonly maxTokens: number;
  readonly minTokens: number;
  /** Absent fields: the request's own. The seed is always said where the request has one, another for each sequence. */
  readonly sampling: Sampling;
  readonly stopTokens: readonly number[];
  readonly stop: readonly string[];
  /** The tokens that the vocabulary names as ends end nothing. */
  readonly ignoreEnds: boolean;
  /** The token that ends the answer is the last of `Submitted.tokens`. */
  readonly keepEnd?: boolean | undefined;
  readonly constraint?: ConstraintSource | undefined;
  /** Of the next token alone: a bit for each that may come, lowest first. */
  readonly mask?: Uint32Array | undefined;
  /** Guesses of what comes. */
  readonly draft?: Uint32Array | undefined;
  /** Alternatives with each token; undefined: no log-probabilities. */
  readonly topLogprobs?: number | undefined;
  /** Tokens whose log-probabilities are wanted at each position. */
  readonly scored?: readonly number[] | undefined;
}

export interface Submitted {
  readonly tokens: Uint32Array;
  readonly reason: FinishReason;
  /** The stop string that ended it; its tokens are among `tokens`. */
  readonly stopString?: string | undefined;
  /** One for each token, if they were asked for. */
  readonly logprobs?: readonly TokenLogprob[] | undefined;
  /** [tokens, scored] */
  readonly scores?: Float32Array | undefined;
}

export interface SavedSequence {
  readonly tokens: Uint32Array;
  readonly answered: number;
  readonly adapter?: string | undefined;
}
