/** The SDK: what most programs need around the host's functions (env.ts). */
import { realm_stream_token } from './env';

/** The request's options, as `optionsPtr` points to them. */
@unmanaged
export class GenOptions {
  maxTokens: u32;
  temperature: f32;
  topP: f32;
  topK: u32;
  repetitionPenalty: f32;
  /** 0: random. */
  seed: u64;
  stopTokenCount: u8;
  stopTokensPtr: u32;
}

/** Reads a text that the host placed in memory. */
export function readText(ptr: u32, len: u32): string {
  return String.UTF8.decodeUnsafe(ptr, len);
}

/** Adds `text` to the answer. */
export function stream(text: string): i32 {
  const bytes = String.UTF8.encode(text);
  return realm_stream_token(<u32>changetype<usize>(bytes), <u32>bytes.byteLength);
}

/** Room for the host's texts: the prompt, the options, and the pieces given to realm_on_token. Export it. */
export function realm_alloc(len: u32): u32 {
  return <u32>heap.alloc(len);
}

/** Called once, before generate. Export it. */
export function realm_new(): u32 {
  return 0;
}
