import { RealmError } from '../errors.ts';
import { guarded } from './chat-template.ts';
import { finish, type Steps } from './steps.ts';
import { type TemplateTexts, textsOf } from './template-texts.ts';
import type {
  ChatMessage,
  ChatTemplate,
  Prompt,
  PromptOptions,
  RenderOptions,
  TextRange,
  Token,
  Tokenizer,
} from './types.ts';
import { type Marking, ValueMarks } from './value-marks.ts';

/** What a template renders. */
interface Chat {
  readonly messages: readonly ChatMessage[];
  readonly options: RenderOptions;
}

/** The end of a message that is to go on. It cannot come from JSON text as a character that anybody means. */
const OPEN_END = '\ufdd0\ufdd1';
/** A name, as roles and keys are; it is no part of what people write. */
const NAME = /^\w{1,64}$/;

/** The tokens of a chat. */
export function chatTokens(
  template: ChatTemplate,
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: PromptOptions = {},
): Token[] {
  return promptTokens(tokenizer, chatPrompt(template, tokenizer, messages, options));
}

/** The tokens of a rendered chat, which may begin with the beginning-of-text token already. */
export function promptTokens(tokenizer: Tokenizer, prompt: Prompt): Token[] {
  return finish(promptTokensInSteps(tokenizer, prompt));
}

export function promptTokensInSteps(tokenizer: Tokenizer, { text, values }: Prompt): Steps<Token[]> {
  const { bos } = tokenizer;
  const begins = bos !== undefined && text.startsWith(tokenizer.text(bos));
  return tokenizer.encodeInSteps(text, { addSpecial: !begins, parseSpecial: true, values });
}

/**
 * A chat as text, and where control tokens in it are not the template's: whatever comes from messages, tools and
 * variables is a value, except names such as roles, of which templates make tokens.
 *
 * The text is what the template renders. To find the values in it the chat is rendered again with every character of
 * them changed for a private one: where the two texts differ are the values. A template that looks into the values may
 * render something else then. So the next tries leave the texts alone that the template looks for, and letters, and the last
 * one changes nothing but a character of each control token in a value; what it renders is the prompt, whatever it is.
 */
export function chatPrompt(
  template: ChatTemplate,
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: PromptOptions = {},
): Prompt {
  // biome-ignore lint/complexity/noExcessiveCognitiveComplexity: the tries go from best to last, in one place.
  return guarded(() => {
    const { parseSpecial = false, locate = false, continueFinalMessage = false, tools, variables } = options;
    const { addGenerationPrompt = !continueFinalMessage } = options;
    if (addGenerationPrompt && continueFinalMessage) throw bothEnds();
    const chat: Chat = {
      messages: continueFinalMessage ? opened(messages) : messages,
      options: { addGenerationPrompt, tools, variables },
    };
    const render = ({ messages, options }: Chat) => cut(template.render(messages, options), continueFinalMessage);
    const text = render(chat);
    if (parseSpecial) return { text, values: [] };
    const { marks, texts, composes } = analysisOf(template, tokenizer);
    const values = valuesOf(chat);
    if (!locate && !composes && !values.some(value => marks.canTouch(value))) return { text, values: [] };
    const marked = (marking: Marking, searched?: Marking) => render(mark(chat, marking, searched));
    const hasControls = values.some(value => marks.hasControl(value));
    for (const marking of markingsOf(marks, texts)) {
      // A template that looks for a control token finds a marked one only where it looks for such; its own, otherwise.
      for (const searched of hasControls ? [undefined, marks.controls] : [undefined]) {
        const ranges = attempt(() => marks.ranges(text, marked(marking, searched)));
        if (ranges) return { text, values: ranges };
      }
    }
    if (!hasControls) return { text, values: [] };
    const safe = marked(marks.controls);
    const unmarked = marks.unmark(safe);
    return { text: unmarked, values: marks.ranges(unmarked, safe) ?? [] };
  });
}

/** From all of a value to a character of each control token in it. */
function markingsOf(marks: ValueMarks, { searched }: TemplateTexts): readonly Marking[] {
  const most = [true, false].map(letters => marks.except(searched, { letters }));
  return [marks.all, ...most, marks.controls];
}

interface Analysis {
  readonly marks: ValueMarks;
  readonly texts: TemplateTexts;
  /** The template makes control tokens out of its own text and names. */
  readonly composes: boolean;
}

const marksOf = new WeakMap<Tokenizer, ValueMarks>();
const analyses = new WeakMap<ChatTemplate, Analysis>();

function analysisOf(template: ChatTemplate, tokenizer: Tokenizer): Analysis {
  const marks = marksOf.get(tokenizer) ?? new ValueMarks(tokenizer.controlTexts);
  marksOf.set(tokenizer, marks);
  const known = analyses.get(template);
  if (known?.marks === marks) return known;
  const texts = textsOf(template.source);
  const found = { marks, texts, composes: texts.written.some(text => marks.canBegin(text)) };
  analyses.set(template, found);
  return found;
}

/** A template may refuse what is marked. */
function attempt(work: () => TextRange[] | undefined): TextRange[] | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function mark({ messages, options }: Chat, marking: Marking, searched: Marking | undefined): Chat {
  const change = (value: unknown) => changeTexts(value, marking);
  return {
    messages: messages.map(message => change(message) as ChatMessage),
    options: {
      ...options,
      tools: options.tools && (change(options.tools) as unknown[]),
      variables: options.variables && (change(options.variables) as Record<string, unknown>),
      searched,
    },
  };
}

/** All texts of a chat that are values. */
function valuesOf({ messages, options }: Chat): string[] {
  const values: string[] = [];
  const collect: Marking = value => {
    values.push(value);
    return value;
  };
  changeTexts([messages, options.tools ?? [], options.variables ?? {}], collect);
  return values;
}

/** The same data with other texts: values, and keys that are no names. */
function changeTexts(data: unknown, change: Marking): unknown {
  if (typeof data === 'string') return change(data);
  if (typeof data !== 'object' || data === null) return data;
  if (Array.isArray(data)) return data.map(item => changeTexts(item, change));
  const entries = Object.entries(data).map(([key, value]) => {
    const isRole = key === 'role' && NAME.test(String(value));
    return [NAME.test(key) ? key : change(key), isRole ? value : changeTexts(value, change)];
  });
  return Object.fromEntries(entries);
}

/** The messages with a mark at the end of the last; the space shows whether the template trims. */
function opened(messages: readonly ChatMessage[]): ChatMessage[] {
  const final = messages.at(-1)!;
  return [...messages.slice(0, -1), { ...final, content: `${final.content}${OPEN_END} ` }];
}

function cut(text: string, isOpen: boolean): string {
  if (!isOpen) return text;
  const end = text.lastIndexOf(OPEN_END);
  if (end < 0) {
    const message = 'the chat template does not write the final message, so it cannot be continued';
    throw new RealmError('template_invalid', message, { param: 'continue_final_message' });
  }
  const isTrimmed = text[end + OPEN_END.length] !== ' ';
  return isTrimmed ? text.slice(0, end).trimEnd() : text.slice(0, end);
}

function bothEnds(): RealmError {
  const message =
    'add_generation_prompt and continue_final_message cannot both be true: the answer either begins a message or continues one';
  return new RealmError('invalid_request', message, { param: 'continue_final_message' });
}
