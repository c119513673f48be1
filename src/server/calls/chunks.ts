/** What /v1/ws makes of the chunks of a streamed answer: pieces for whoever reads along, and the whole for everybody. */

/** As Chat Completions and Completions stream them; of the fields those that are read here. */
export interface Chunk {
  readonly model?: string;
  readonly choices: readonly ChunkChoice[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
  readonly session?: object;
  readonly error?: object;
}

interface ChunkChoice {
  readonly index: number;
  /** Of a completion. */
  readonly text?: string;
  readonly delta?: {
    readonly content?: string | null;
    readonly reasoning_content?: string;
    readonly tool_calls?: readonly CallPiece[];
  };
  readonly logprobs: object | null;
  readonly finish_reason: string | null;
}

interface CallPiece {
  readonly index: number;
  readonly id?: string;
  readonly function: { readonly name?: string; readonly arguments: string };
}

/** One of an answer's choices until now. */
interface Choice {
  text: string;
  reasoning_content?: string;
  tool_calls?: { id: string; type: 'function'; function: { name: string; arguments: string } }[];
  finish_reason: string | null;
}

/** A choice's next piece; undefined where it says nothing. */
export function pieceOf({ text, delta, logprobs, index }: ChunkChoice): object | undefined {
  const said = text ?? delta?.content ?? '';
  const { reasoning_content, tool_calls } = delta ?? {};
  if (said === '' && !reasoning_content && !tool_calls && logprobs === null) return undefined;
  return {
    choice: index,
    text: said,
    ...(reasoning_content && { reasoning_content }),
    ...(tool_calls && { tool_calls }),
    ...(logprobs && { logprobs }),
  };
}

/** An answer as far as it has come. */
export class Whole {
  readonly #choices: Choice[] = [];
  readonly #started = performance.now();
  #model: string | undefined;
  #usage: NonNullable<Chunk['usage']> | undefined;
  #session: object | undefined;

  add({ choices, model, usage, session }: Chunk): void {
    this.#model ??= model;
    if (usage) this.#usage = usage;
    if (session) this.#session = session;
    for (const each of choices) this.#addTo(this.#choiceAt(each.index), each);
  }

  /** The first choice as the answer itself, and all where there are several. */
  done(requestId: string | null): object {
    const [first] = this.#choices;
    return {
      text: '',
      ...first,
      ...(this.#choices.length > 1 && { choices: this.#choices }),
      tokens_generated: this.#usage?.completion_tokens ?? 0,
      prompt_tokens: this.#usage?.prompt_tokens ?? 0,
      usage: this.#usage,
      time_ms: Math.round(performance.now() - this.#started),
      model: this.#model,
      request_id: requestId,
      ...(this.#session && { session: this.#session }),
    };
  }

  #choiceAt(index: number): Choice {
    for (let i = this.#choices.length; i <= index; i++) this.#choices.push({ text: '', finish_reason: null });
    return this.#choices[index]!;
  }

  #addTo(choice: Choice, { text, delta, finish_reason }: ChunkChoice): void {
    choice.text += text ?? delta?.content ?? '';
    choice.finish_reason = finish_reason ?? choice.finish_reason;
    if (delta?.reasoning_content) choice.reasoning_content = (choice.reasoning_content ?? '') + delta.reasoning_content;
    for (const { index, id, function: piece } of delta?.tool_calls ?? []) {
      choice.tool_calls ??= [];
      choice.tool_calls[index] ??= { id: id ?? '', type: 'function', function: { name: '', arguments: '' } };
      const { function: called } = choice.tool_calls[index];
      called.name += piece.name ?? '';
      called.arguments += piece.arguments;
    }
  }
}
