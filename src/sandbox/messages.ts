import type { ModelId } from './model-id.ts';
import type { GenOptions, ProgramLimits, RunKind } from './types.ts';
import type { FromSequences, ToSequences } from './v2/messages.ts';

/** What the server tells a place where programs run; they travel in arrays. `run` names the program's run. */
export type ToGuest =
  /** Compiles a program, once for each place; answered by `compiled`. */
  | { readonly kind: 'compile'; readonly run: number; readonly digest: string; readonly bytes: Uint8Array }
  | {
      readonly kind: 'start';
      readonly run: number;
      /** Whose run it is: each has its share of the place. */
      readonly tenant: string;
      readonly weight?: number | undefined;
      /** Of a program that was compiled there. */
      readonly digest: string;
      readonly prompt: string;
      readonly modelId: ModelId;
      readonly options: GenOptions;
      readonly limits: ProgramLimits;
      /** What the prompt is, for programs of ABI v2. */
      readonly input?: RunKind | undefined;
    }
  /** A piece of the generation that the program asked for, if it wants to see them. */
  | { readonly kind: 'text'; readonly run: number; readonly text: string }
  /** The end of it: 0, or an error code for the guest; `text` is the answer's beginning if it was to be kept. */
  | { readonly kind: 'generated'; readonly run: number; readonly code: number; readonly text: string }
  /** The answer to encode, decode or metadata. */
  | { readonly kind: 'reply'; readonly run: number; readonly value: HostReply }
  /** So many characters of the program's own text have found their reader. */
  | { readonly kind: 'read'; readonly run: number; readonly length: number }
  | { readonly kind: 'cancel'; readonly run: number }
  | ToSequences
  /** No run will begin with that module until it is compiled again. */
  | { readonly kind: 'forget'; readonly run: number; readonly digest: string }
  /** Asks for nothing but to be handled: a place that does not hangs. */
  | { readonly kind: 'ping'; readonly run: number };

export type HostReply = number | string | readonly number[] | Int32Array;

/** What a place where programs run tells the server. */
export type FromGuest =
  /** Undefined: it compiles; else V8's words. */
  | { readonly kind: 'compiled'; readonly run: number; readonly error: string | undefined }
  | { readonly kind: 'text'; readonly run: number; readonly text: string }
  | {
      readonly kind: 'generate';
      readonly run: number;
      readonly modelId: ModelId;
      readonly prompt: string;
      /** That the program has chosen. */
      readonly adapter: string | undefined;
      readonly options: Partial<GenOptions>;
      /** What becomes of each piece: it is sent to the program, streamed to the client right away, or neither. */
      readonly pieces: 'send' | 'stream' | 'hold';
      /** How much of the answer the program wants at the end, in bytes. */
      readonly keepBytes: number;
    }
  /** The program has seen enough of its generation. */
  | { readonly kind: 'stop'; readonly run: number }
  | HostQuery
  | FromSequences
  | { readonly kind: 'end'; readonly run: number; readonly outcome: Outcome };

export type HostQuery =
  | { readonly kind: 'encode'; readonly run: number; readonly modelId: ModelId; readonly text: string }
  | { readonly kind: 'decode'; readonly run: number; readonly modelId: ModelId; readonly tokens: Uint32Array }
  | { readonly kind: 'metadata'; readonly run: number; readonly modelId: ModelId }
  | { readonly kind: 'find'; readonly run: number; readonly name: string }
  | { readonly kind: 'adapter'; readonly run: number; readonly modelId: ModelId; readonly name: string };

/** `handled`: how many more of the messages to it are done with, so that the watchdog knows which one takes long. */
export interface FromGuestBatch {
  readonly handled: number;
  readonly messages: readonly FromGuest[];
}

export interface Outcome {
  readonly kind: 'done' | 'trapped' | 'out_of_memory' | 'out_of_fuel' | 'failed' | 'killed';
  readonly message: string;
  /** What it has used. */
  readonly fuel: number;
  /** The size of its memory at the end, bytes: memories never shrink. */
  readonly memory: number;
  /** A generation failed, and the program neither streamed anything after it nor got another one to succeed. */
  readonly hostFailed: boolean;
}
