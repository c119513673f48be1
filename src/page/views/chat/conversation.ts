/** A chat as data: turns, what a stream's chunks make of them, and the messages that the server gets. */

export interface Call {
  readonly id: string;
  readonly name: string;
  /** JSON, as far as it has come. */
  readonly arguments: string;
}

export interface Alternative {
  readonly token: string;
  readonly logprob: number;
}

export interface TokenLogprob extends Alternative {
  readonly top_logprobs: readonly Alternative[];
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number };
}

export interface Answer {
  readonly kind: 'answer';
  readonly content: string;
  readonly reasoning: string;
  readonly calls: readonly Call[];
  readonly contentTokens: readonly TokenLogprob[];
  readonly reasoningTokens: readonly TokenLogprob[];
  /** Pieces that came: a token each. */
  readonly pieces: number;
  readonly startedAt: number;
  readonly firstAt?: number;
  readonly endedAt?: number;
  readonly usage?: Usage;
  readonly finish?: string;
  readonly error?: unknown;
}

export interface Question {
  readonly kind: 'question';
  readonly text: string;
}

export interface ToolResult {
  readonly kind: 'result';
  readonly callId: string;
  readonly name: string;
  readonly text: string;
}

export type Turn = Question | Answer | ToolResult;

/** What the page reads of a chunk of Chat Completions. */
export interface Chunk {
  readonly choices?: readonly {
    readonly delta?: {
      readonly content?: string | null;
      readonly reasoning_content?: string | null;
      readonly tool_calls?: readonly CallPiece[];
    };
    readonly logprobs?: { readonly content?: readonly TokenLogprob[] | null } | null;
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: Usage | null;
}

interface CallPiece {
  readonly index: number;
  readonly id?: string;
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

export const newAnswer = (startedAt: number): Answer => ({
  kind: 'answer',
  content: '',
  reasoning: '',
  calls: [],
  contentTokens: [],
  reasoningTokens: [],
  pieces: 0,
  startedAt,
});

export function addChunk(answer: Answer, { choices, usage }: Chunk, now: number): Answer {
  const choice = choices?.[0];
  const { content, reasoning_content: reasoning, tool_calls: calls = [] } = choice?.delta ?? {};
  const tokens = choice?.logprobs?.content ?? [];
  const said = Boolean(content) || Boolean(reasoning) || calls.length > 0;
  return {
    ...answer,
    content: answer.content + (content ?? ''),
    reasoning: answer.reasoning + (reasoning ?? ''),
    calls: calls.reduce(addCallPiece, answer.calls),
    ...(tokens.length > 0 && withTokens(answer, tokens, Boolean(reasoning))),
    pieces: answer.pieces + (said ? 1 : 0),
    ...(said && answer.firstAt === undefined && { firstAt: now }),
    ...(choice?.finish_reason && { finish: choice.finish_reason }),
    ...(usage && { usage }),
  };
}

function withTokens(answer: Answer, tokens: readonly TokenLogprob[], thought: boolean): Partial<Answer> {
  if (thought) return { reasoningTokens: [...answer.reasoningTokens, ...tokens] };
  return { contentTokens: [...answer.contentTokens, ...tokens] };
}

function addCallPiece(calls: readonly Call[], { index, id, function: piece = {} }: CallPiece): readonly Call[] {
  const before = calls[index] ?? { id: '', name: '', arguments: '' };
  const after = {
    id: id ?? before.id,
    name: piece.name ?? before.name,
    arguments: before.arguments + (piece.arguments ?? ''),
  };
  return Object.assign([...calls], { [index]: after });
}

/** Milliseconds are of the page's clock; the first token's time belongs to the prompt. */
export function speedOf(answer: Answer, now: number): { firstMs?: number; perSecond?: number; tokens: number } {
  const { startedAt, firstAt, endedAt = now, usage, pieces } = answer;
  const tokens = usage?.completion_tokens ?? pieces;
  if (firstAt === undefined) return { tokens };
  const seconds = (endedAt - firstAt) / 1000;
  const firstMs = firstAt - startedAt;
  return tokens > 1 && seconds > 0 ? { firstMs, tokens, perSecond: (tokens - 1) / seconds } : { firstMs, tokens };
}

/** Answers that said nothing are left out: they failed or were stopped. */
export function messagesOf(turns: readonly Turn[], system: string): object[] {
  const messages = turns.flatMap(messageOf);
  return system.trim() === '' ? messages : [{ role: 'system', content: system }, ...messages];
}

function messageOf(turn: Turn): object[] {
  switch (turn.kind) {
    case 'question':
      return [{ role: 'user', content: turn.text }];
    case 'result':
      return [{ role: 'tool', tool_call_id: turn.callId, content: turn.text }];
    case 'answer': {
      const { content, reasoning, calls } = turn;
      if (content === '' && calls.length === 0) return [];
      return [
        {
          role: 'assistant',
          content: content === '' ? null : content,
          ...(reasoning !== '' && { reasoning_content: reasoning }),
          ...(calls.length > 0 && { tool_calls: calls.map(toolCall) }),
        },
      ];
    }
    default:
      return turn satisfies never;
  }
}

const toolCall = ({ id, ...call }: Call) => ({ id, type: 'function', function: call });
