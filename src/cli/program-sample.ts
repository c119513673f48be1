import { asRealmError, type RealmError } from '../errors.ts';
import type { ModelId } from '../sandbox/model-id.ts';
import type { GenOptions, Program, Sandbox } from '../sandbox/types.ts';
import { defaultRunLimits } from '../tenancy/program-limits.ts';
import { type Asked, standIn } from './stand-in.ts';

/** What a program took for one small chat, with a stand-in for the model. */
export interface Sample extends Asked {
  readonly fuel: number;
  /** Bytes, at the end: memories never shrink. */
  readonly memory: number;
  /** What ended it before its own end. */
  readonly error: RealmError | undefined;
}

export const sampleChat = '{"messages":[{"role":"user","content":"Say hello"}]}';

const options: GenOptions = {
  maxTokens: 64,
  temperature: 0,
  topP: 1,
  topK: 0,
  repetitionPenalty: 1,
  seed: 1n,
  stopTokens: [],
};
/** For a program that waits for what never comes. */
const deadlineMs = 10_000;

export async function sampleRun(sandbox: Pick<Sandbox, 'run'>, program: Program, memoryMb: number): Promise<Sample> {
  const asked: Asked = { requests: 0, tokens: 0 };
  let use = { fuel: 0, memory: 0 };
  const call = {
    tenant: 'sample',
    program,
    limits: { ...defaultRunLimits, memoryMb, deadlineMs, sliceMs: deadlineMs },
    modelId: 1 as ModelId,
    options,
    prompt: sampleChat,
    host: standIn(asked),
    signal: new AbortController().signal,
    used: (used: typeof use) => {
      use = used;
    },
  };
  try {
    for await (const _ of sandbox.run(call));
    return { ...use, ...asked, error: undefined };
  } catch (error) {
    return { ...use, ...asked, error: asRealmError(error) };
  }
}
