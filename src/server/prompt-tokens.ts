import type { LoadedModel } from '../llm/load.ts';
import type { Tenant } from '../tenancy/tenants.ts';
import type { GivenPrompt } from './given-prompts.ts';
import type { Services } from './services.ts';
import type { JobOutput } from './text/jobs.ts';

interface Prompt {
  readonly tenant: Tenant;
  readonly kind: 'chat' | 'completion';
  /** The chat document, or plain text. */
  readonly prompt: string;
  /** A chat that is too long may be shortened, and leaves so many tokens to the answer. */
  readonly room?: number | undefined;
  readonly signal: AbortSignal;
}

type Encoded = JobOutput<'prompt'>;

/** The tokens of one prompt of a request: the programs of its `n` answers mostly ask for the same one. */
export class PromptTokens {
  #last: { readonly model: LoadedModel; readonly prompt: string; readonly encoded: Promise<Encoded> } | undefined;

  readonly #given: GivenPrompt;
  readonly #model: LoadedModel;

  /** `given`: for this model; its tokens, if there are any, stand for its text. */
  constructor(given: GivenPrompt, model: LoadedModel) {
    this.#given = given;
    this.#model = model;
  }

  /** Throws `context_length_exceeded` for what cannot fit, and what the service for text throws. */
  of({ text }: Services, model: LoadedModel, { tenant, kind, prompt, room, signal }: Prompt): Promise<Encoded> {
    const { text: givenText, tokens } = this.#given;
    if (tokens && model === this.#model && prompt === givenText) return Promise.resolve({ tokens, inReasoning: false });
    if (this.#last?.model === model && this.#last.prompt === prompt) return this.#last.encoded;
    const call = { owner: tenant, model, signal };
    const encoded = text.run('prompt', call, {
      kind,
      text: prompt,
      context: model.engine.info.context,
      parseSpecial: tenant.parseSpecial,
      room,
    });
    this.#last = { model, prompt, encoded };
    return encoded;
  }
}
