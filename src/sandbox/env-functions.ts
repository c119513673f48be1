import { GuestError } from './abi.ts';
import { readText, readTokens, writeTextAnswer, writeTokensAnswer } from './guest-arguments.ts';
import type { GuestMemory } from './guest-memory.ts';
import { multiply } from './matmul.ts';
import type { HostQuery, HostReply } from './messages.ts';
import type { ModelId } from './model-id.ts';

/** What one run lends them. */
export interface EnvPorts {
  readonly run: number;
  /** Not there while the module's start function runs. */
  memory(): GuestMemory | undefined;
  ask(query: HostQuery): Promise<HostReply>;
  /** Counts what is computed here for the program as if the program had computed it. */
  spend(units: number): void;
}

type Body<Result> = (...args: number[]) => Result;

/**
 * The functions of module `env` beside those that generate. The signatures of most were never fixed, so a module may
 * import these with any: what is missing reads as 0. Weights, hidden states and parts of a model's computing are not for guests.
 */
export class EnvFunctions {
  readonly #ports: EnvPorts;
  /** Chosen by the program for what it generates from now on. */
  readonly #adapters = new Map<number, string>();

  constructor(ports: EnvPorts) {
    this.#ports = ports;
  }

  /** Undefined: the request's or the tenant's. */
  adapterOf(modelId: number): string | undefined {
    return this.#adapters.get(modelId >>> 0);
  }

  /** They ask the host. */
  readonly waiting = ofNumbers<Promise<number>>({
    realm_encode_tokens: async (modelId = 0, at = 0, length = 0, out = 0, room = 0) => {
      const text = readText(this.#ports.memory()!, at, length);
      if (typeof text === 'number') return text;
      const reply = await this.#ask({ kind: 'encode', modelId: (modelId >>> 0) as ModelId, text });
      return writeTokensAnswer(this.#ports.memory()!, reply, out, room);
    },
    realm_decode_tokens: async (modelId = 0, at = 0, count = 0, out = 0, room = 0) => {
      const tokens = readTokens(this.#ports.memory()!, at, count);
      if (typeof tokens === 'number') return tokens;
      const reply = await this.#ask({ kind: 'decode', modelId: (modelId >>> 0) as ModelId, tokens });
      return writeTextAnswer(this.#ports.memory()!, reply, out, room);
    },
    realm_get_model_metadata: (modelId = 0, out = 0, room = 0) => this.#describe(modelId, out, room),
    realm_get_model_info: (modelId = 0, out = 0, room = 0) => this.#describe(modelId, out, room),
    realm_host_load_model_by_name: async (at = 0, length = 0) => {
      const name = readText(this.#ports.memory()!, at, length);
      return typeof name === 'number' ? name : ((await this.#ask({ kind: 'find', name })) as number);
    },
    realm_set_lora_adapter: async (modelId = 0, at = 0, length = 0) => {
      const name = readText(this.#ports.memory()!, at, length);
      if (typeof name === 'number') return name;
      if (name === '') {
        this.#adapters.delete(modelId >>> 0);
        return 0;
      }
      const code = (await this.#ask({ kind: 'adapter', modelId: (modelId >>> 0) as ModelId, name })) as number;
      if (code === 0) this.#adapters.set(modelId >>> 0, name);
      return code;
    },
  });

  /** They are answered where the program runs. */
  readonly immediate = ofNumbers<number | bigint>({
    candle_matmul: (a = 0, b = 0, out = 0, m = 0, k = 0, n = 0) => {
      const memory = this.#ports.memory();
      if (!memory) return GuestError.invalidPointer;
      return multiply(memory, { a, b, out, m: m >>> 0, k: k >>> 0, n: n >>> 0 }, this.#ports.spend);
    },
    memory64_stats: () => BigInt(this.#ports.memory()?.byteLength ?? 0),
    realm_embed_tokens: notPermitted,
    realm_forward_layer: notPermitted,
    realm_compute_logits: notPermitted,
    memory64_load_layer: notPermitted,
  });

  async #describe(modelId: number, out: number, room: number): Promise<number> {
    const reply = await this.#ask({ kind: 'metadata', modelId: (modelId >>> 0) as ModelId });
    return writeTextAnswer(this.#ports.memory()!, reply, out, room);
  }

  #ask(query: EnvQuery): Promise<HostReply> {
    return this.#ports.ask({ ...query, run: this.#ports.run });
  }
}

type EnvQuery = { [K in HostQuery['kind']]: Omit<Extract<HostQuery, { kind: K }>, 'run'> }[HostQuery['kind']];

/** Of a module that passes i64, too. */
function ofNumbers<Result>(bodies: Record<string, Body<Result>>): Readonly<Record<string, Body<Result>>> {
  const loose = Object.entries(bodies).map(([name, body]) => [name, (...args: number[]) => body(...args.map(Number))]);
  return Object.fromEntries(loose) as Record<string, Body<Result>>;
}

function notPermitted() {
  return GuestError.notPermitted;
}
