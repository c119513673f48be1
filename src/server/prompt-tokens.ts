import { characters } from '../llm/text-logprobs.ts';
import type { Tenant } from '../tenancy/tenants.ts';
import type { GivenPrompt } from './given-prompts.ts';
import type { MeteredModel } from './metered-model.ts';
import type { Services } from './services.ts';
import type { JobOutput } from './text/jobs.ts';

interface Prompt {
  readonly tenant: Tenant;
  readonly kind: 'chat' | 'completion';
  /** The chat document, or plain text. */
  readonly prompt: string;
  /** A chat that is too long may be shortened, and leaves so many tokens to the answer. */
  readonly room?: number | undefined;
  readonly toolFormat?: string | undefined;
  readonly signal: AbortSignal;
}

type Encoded = JobOutput<'prompt'>;

interface Encoding {
  readonly model: MeteredModel;
  readonly encoded: Promise<Encoded>;
}

/** The tokens of one prompt of a request: the programs of its `n` answers mostly ask for the same one. */
export class PromptTokens {
  #last: (Pick<Prompt, 'kind' | 'prompt'> & Encoding) | undefined;

  readonly #given: GivenPrompt;
  readonly #model: MeteredModel;

  /** `given`: for this model; its tokens, if there are any, stand for its text. */
  constructor(given: GivenPrompt, model: MeteredModel) {
    this.#given = given;
    this.#model = model;
  }

  /** Whether it is the prompt that the client sent, for the model that it asked for. */
  isGiven(model: MeteredModel, prompt: string): boolean {
    return model === this.#model && prompt === this.#given.text;
  }

  /** Characters of tokens before the client's text that are none of it: the model's beginning of a text. */
  ahead(tokens: ArrayLike<number>): number {
    const { bos } = this.#model.tokenizer;
    if (this.#given.tokens || bos === undefined || tokens[0] !== bos) return 0;
    const begin = this.#model.tokenizer.decode([bos], { special: true });
    return this.#given.text.startsWith(begin) ? 0 : characters(begin);
  }

  /** Throws `context_length_exceeded` for what cannot fit, and what the service for text throws. */
  of(
    { text }: Services,
    model: MeteredModel,
    { tenant, kind, prompt, room, toolFormat, signal }: Prompt,
  ): Promise<Encoded> {
    const { tokens } = this.#given;
    if (tokens && this.isGiven(model, prompt)) return Promise.resolve({ tokens, inReasoning: false });
    const last = this.#last;
    if (last?.model === model && last.kind === kind && last.prompt === prompt) return last.encoded;
    const call = { owner: tenant, model, signal };
    const encoded = text.run('prompt', call, {
      kind,
      text: prompt,
      context: model.engine.info.context,
      parseSpecial: tenant.parseSpecial,
      room,
      toolFormat,
    });
    this.#last = { model, kind, prompt, encoded };
    return encoded;
  }
}
