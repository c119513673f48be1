import binaryen from 'assemblyscript/binaryen';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import { createSandbox, type SandboxOptions } from '../../src/sandbox/sandbox.ts';
import type { GenOptions, ProgramCall, ProgramHost, RunLimits, Sandbox } from '../../src/sandbox/types.ts';
import { defaultRunLimits } from '../../src/tenancy/program-limits.ts';

/** Assembles a module from the text format. */
export function wasm(text: string): Uint8Array {
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.All);
  try {
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

export const imports = `
  (import "env" "realm_host_generate" (func $generate (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "realm_stream_token" (func $stream (param i32 i32) (result i32)))
  (import "env" "realm_encode_tokens" (func $encode (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "realm_decode_tokens" (func $decode (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "realm_get_model_metadata" (func $metadata (param i32 i32 i32) (result i32)))`;

/** A program around the body of its generate ($prompt $len $model $options -> i32); `more` adds definitions. */
export function program(body: string, more = '', memory = '(memory (export "memory") 1)'): Uint8Array {
  return wasm(`(module ${imports} ${memory} ${more}
    (func (export "realm_new") (result i32) (i32.const 0))
    (func (export "generate") (param $prompt i32) (param $len i32) (param $model i32) (param $options i32) (result i32)
      (local $n i32)
      ${body}))`);
}

/** Hands the request to the model and asks for no copy of the answer. */
export const passOn = `(drop (call $generate (local.get $model) (local.get $prompt) (local.get $len)
  (local.get $options) (i32.const 0) (i32.const 0)))`;

export const streamTokens = `(func (export "realm_on_token") (param i32 i32) (result i32)
  (call $stream (local.get 0) (local.get 1)))`;

export const options: GenOptions = {
  maxTokens: 100,
  temperature: 0.7,
  topP: 0.9,
  topK: 40,
  repetitionPenalty: 1.1,
  seed: 0n,
  stopTokens: [],
};

type Source = (call: Parameters<ProgramHost['generate']>[0], signal: AbortSignal) => AsyncIterable<string>;

/** A host whose model answers with `pieces`; what it was asked stands in `calls`. */
export function fakeHost(
  pieces: readonly string[] = ['Hello', ', ', 'world'],
  { generate, ...more }: Partial<Omit<ProgramHost, 'generate'>> & { generate?: Source } = {},
) {
  const calls: { modelId: ModelId; prompt: string; options: Partial<GenOptions> }[] = [];
  const saying: Source = async function* () {
    for (const piece of pieces) {
      await new Promise(resolve => setImmediate(resolve));
      yield piece;
    }
  };
  const host: ProgramHost = {
    generate: async (call, signal, onText) => {
      calls.push(call);
      for await (const piece of (generate ?? saying)(call, signal)) await onText(piece);
    },
    encode: async (_model, text) => [...text].map(char => char.codePointAt(0)!),
    decode: async (_model, tokens) => String.fromCodePoint(...tokens.map(token => token % 0xd800)),
    metadata: model => JSON.stringify({ model }),
    ...more,
  };
  return { host, calls };
}

/** Answers forever, a piece every `pauseMs`, until it is told to stop; `state` tells whether it was. */
export function endlessHost(pauseMs = 1) {
  const state = { aborted: false, pieces: 0 };
  const { host } = fakeHost([], {
    async *generate(_call, signal) {
      signal.addEventListener('abort', () => {
        state.aborted = true;
      });
      while (!signal.aborted) {
        await new Promise(resolve => setTimeout(resolve, pauseMs));
        state.pieces++;
        yield 'x';
      }
    },
  });
  return { host, state };
}

type Overrides = Partial<Omit<ProgramCall, 'limits'>> & { limits?: Partial<ProgramCall['limits']> };

export interface Rig {
  readonly sandbox: Sandbox;
  load(bytes: Uint8Array, trusted?: boolean): ReturnType<Sandbox['load']>;
  /** Loads the program and runs it; the pieces that it streamed. */
  run(bytes: Uint8Array, overrides?: Overrides): Promise<string[]>;
  call(overrides: Overrides & Pick<ProgramCall, 'program'>): AsyncIterable<string>;
}

export function rig(sandboxOptions: SandboxOptions = {}, usual: Partial<RunLimits> = {}): Rig {
  return rigOf(createSandbox(sandboxOptions), usual);
}

export function rigOf(sandbox: Sandbox, usual: Partial<RunLimits> = {}): Rig {
  const self: Rig = {
    sandbox,
    load: (bytes, trusted = false) => sandbox.load('test', bytes, { trusted, memoryMb: 4 }),
    run: async (bytes, overrides) => Array.fromAsync(self.call({ program: await self.load(bytes), ...overrides })),
    call: ({ limits, ...rest }) =>
      sandbox.run({
        tenant: 'tenant',
        prompt: 'Say hello',
        modelId: 7 as ModelId,
        options,
        host: fakeHost().host,
        signal: new AbortController().signal,
        ...rest,
        limits: { ...defaultRunLimits, ...usual, memoryMb: 4, deadlineMs: 20_000, sliceMs: 1000, ...limits },
      }),
  };
  return self;
}
