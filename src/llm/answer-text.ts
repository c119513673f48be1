import type { EngineEvent, GenerateRequest, TokenLogprob } from '../engine/request.ts';
import type { Token, Tokenizer, TokenStream } from '../tokenizer/types.ts';
import { StopStrings } from './stop-strings.ts';
import { characters, PromptLogprobs, textLogprob } from './text-logprobs.ts';
import type { TextEvent, TextLogprob, TextPiece } from './types.ts';

/** Of an answer that goes on, the tokens that may hold the beginning of a character: more than it has bytes. */
const recent = 16;

type EventOf<Kind extends EngineEvent['kind']> = Extract<EngineEvent, { kind: Kind }>;

/** Makes text of what an engine says to one request. */
export class AnswerText {
  readonly #tokenizer: Tokenizer;
  readonly #stream: TokenStream;
  readonly #stops: StopStrings;
  /** Prompt and answer. */
  readonly #tokens: Token[];
  readonly #promptTokens: number;
  /** Behind so many tokens a stop string may end the text. */
  readonly #least: number;
  readonly #prompt: PromptLogprobs;
  /** Another request goes on behind this one, with a character that this one only begins. */
  readonly #goesOn: boolean;
  /** Characters decoded so far. */
  #offset = 0;

  /** `special`: those special tokens that are text. */
  constructor(tokenizer: Tokenizer, request: GenerateRequest, special: Special) {
    const { prompt, stop = [], minTokens = 0, answered = 0, keepsTail = false } = request;
    this.#tokenizer = tokenizer;
    this.#stream = tokenizer.stream({ special });
    if (answered > 0)
      for (const token of unfinished(prompt.slice(-Math.min(answered, recent)), tokenizer)) this.#stream.push(token);
    this.#goesOn = keepsTail;
    this.#stops = new StopStrings(stop);
    this.#tokens = [...prompt];
    this.#promptTokens = prompt.length;
    this.#least = prompt.length - answered + minTokens;
    this.#prompt = new PromptLogprobs(tokenizer);
    if (answered > 0 && stop.length > 0) this.#stops.goOn(this.#answered(request, special));
  }

  /** As much of the text before as a stop string may have begun in; a character has four bytes at most, and a token one at least. */
  #answered({ prompt, stop = [], answered = 0 }: GenerateRequest, special: Special): string {
    const most = 4 * Math.max(...stop.map(each => each.length));
    const from = Math.max(this.#least, prompt.length - Math.min(answered, most));
    const stream = this.#tokenizer.stream({ special });
    return prompt
      .slice(from)
      .map(token => stream.push(token))
      .join('');
  }

  /** A stop string came: nobody asks for more. */
  get stopped(): boolean {
    return this.#stops.stopped;
  }

  /** The prompt's first token has no log-probability. */
  first(): TextPiece {
    return ofPrompt(this.#tokens.slice(0, 1).map(token => this.#prompt.first(token)));
  }

  prompt({ logprobs }: EventOf<'prompt'>): TextPiece {
    return ofPrompt(logprobs.map(each => this.#prompt.next(each)));
  }

  token({ token, logprob }: EventOf<'token'>): TextPiece {
    this.#tokens.push(token);
    const decoded = this.#stream.push(token);
    const text = this.#tokens.length > this.#least ? this.#stops.push(decoded) : decoded;
    const logprobs = this.#logprobs(logprob);
    if (logprob) this.#offset += characters(decoded);
    return logprob ? { kind: 'text', text, logprobs, logprob } : { kind: 'text', text, logprobs };
  }

  /** What was held back, and the end. */
  *end({ logprob, ...end }: EventOf<'end'>): Generator<TextEvent> {
    const unfinished = this.#goesOn && end.reason === 'length' ? '' : this.#stream.end();
    const text = this.stopped ? '' : this.#stops.push(unfinished) + this.#stops.end();
    const logprobs = this.stopped ? [] : this.#logprobs(logprob);
    if (text !== '' || logprobs.length > 0) yield { kind: 'text', text, logprobs };
    const own = this.stopped ? stoppedAt(end, this.#tokens.length - this.#promptTokens) : end;
    yield { ...own, tokens: this.#tokens, stopString: this.#stops.found };
  }

  #logprobs(logprob: TokenLogprob | undefined): TextLogprob[] {
    return logprob ? [textLogprob(this.#tokenizer, logprob, this.#offset)] : [];
  }
}

type Special = ReadonlySet<Token> | false;

function ofPrompt(logprobs: readonly TextLogprob[]): TextPiece {
  return { kind: 'text', text: '', logprobs, ofPrompt: true };
}

/** The end of a text that a stop string ended after so many tokens. */
function stoppedAt(event: EventOf<'end'>, completionTokens: number): EventOf<'end'> {
  return { ...event, reason: 'stop', usage: { ...event.usage, completionTokens } };
}

/** Of tokens that text goes on behind, those that may hold the beginning of a character: what ends with one of ASCII holds none. */
function unfinished(tokens: readonly Token[], tokenizer: Tokenizer): readonly Token[] {
  return tokens.slice(1 + tokens.findLastIndex(token => (tokenizer.bytes(token).at(-1) ?? 0x80) < 0x80));
}
