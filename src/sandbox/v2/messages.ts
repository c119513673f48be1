import type { ModelId } from '../model-id.ts';
import type { Position, SavedSequence, SequenceHost, Submission } from './types.ts';

/** What programs of ABI v2 and the server tell each other, beside the messages of all programs. */

/** A question for which the program is suspended; one at a time. */
export type Question =
  | { readonly ask: 'model'; readonly modelId: ModelId }
  | { readonly ask: 'find'; readonly name: string }
  | { readonly ask: 'chat'; readonly modelId: ModelId; readonly document: string }
  | {
      readonly ask: 'text';
      readonly modelId: ModelId;
      readonly text: string;
      readonly how: Parameters<SequenceHost['textTokens']>[2];
    }
  | { readonly ask: 'decode'; readonly modelId: ModelId; readonly tokens: Uint32Array }
  | {
      readonly ask: 'constraint';
      readonly modelId: ModelId;
      /** Under which it is known from then on. */
      readonly id: number;
      readonly source: AskedConstraint;
    }
  | { readonly ask: 'logits'; readonly position: Position }
  | { readonly ask: 'embed'; readonly modelId: ModelId; readonly text: string }
  | { readonly ask: 'parse'; readonly modelId: ModelId; readonly tools: string; readonly tokens: Uint32Array }
  | { readonly ask: 'save'; readonly key: string; readonly saved: SavedSequence; readonly ttlSeconds: number }
  | { readonly ask: 'open'; readonly modelId: ModelId; readonly key: string }
  | { readonly ask: 'tool'; readonly name: string; readonly input: string }
  | { readonly ask: 'adapter'; readonly modelId: ModelId; readonly name: string }
  | { readonly ask: 'budget' };

/** What each is answered with. */
export interface Answers {
  readonly model: string;
  readonly find: ModelId;
  readonly chat: Int32Array;
  readonly text: Int32Array;
  readonly decode: string;
  readonly constraint: undefined;
  readonly logits: Float32Array;
  readonly embed: Float32Array;
  readonly parse: string;
  readonly save: undefined;
  readonly open: SavedSequence | undefined;
  readonly tool: string;
  readonly adapter: undefined;
  readonly budget: string;
}

export type AskedConstraint =
  | { readonly kind: 'json_schema'; readonly schema: string }
  | { readonly kind: 'regex'; readonly pattern: string }
  | { readonly kind: 'gbnf' | 'lark'; readonly grammar: string }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'tools'; readonly tools: string; readonly choice: 'auto' | 'required' };

/** One sequence of a `submit`, as it crosses to the server. */
export interface SentSubmission extends Omit<Submission, 'constraint'> {
  /** Number of a constraint that the server knows. */
  readonly constraint?: number | undefined;
  /** Added to the logits of the next token alone. [token, value, token, value …] */
  readonly nextBias?: Float64Array | undefined;
  /** Its text is the answer's. */
  readonly streams: boolean;
}

export type FromSequences =
  | { readonly kind: 'ask'; readonly run: number; readonly question: Question }
  | {
      readonly kind: 'submit';
      readonly run: number;
      readonly ticket: number;
      readonly submissions: readonly SentSubmission[];
    }
  | { readonly kind: 'cancel_ticket'; readonly run: number; readonly ticket: number }
  | { readonly kind: 'drop_constraint'; readonly run: number; readonly id: number }
  | { readonly kind: 'emit'; readonly run: number; readonly what: EmittedKind; readonly text: string }
  | { readonly kind: 'log'; readonly run: number; readonly level: LogLevel; readonly text: string };

export type EmittedKind = Parameters<SequenceHost['emit']>[0];
export type LogLevel = Parameters<SequenceHost['log']>[0];

export type ToSequences =
  | { readonly kind: 'answer'; readonly run: number; readonly value: Answers[keyof Answers] }
  | { readonly kind: 'refused'; readonly run: number; readonly code: number; readonly message: string }
  /** What became of one sequence of a ticket. */
  | {
      readonly kind: 'submitted';
      readonly run: number;
      readonly ticket: number;
      readonly index: number;
      /** As `wait` writes it, but for ticket, index and sequence. */
      readonly record: Uint8Array;
      /** Why it failed. */
      readonly message?: string | undefined;
    };
