import { RealmError } from '../errors.ts';
import type { Metadata } from '../gguf/types.ts';
import { type BuiltinName, builtinFor, builtinTemplates } from './builtin-templates.ts';
import { textArgument } from './jinja/arguments.ts';
import { fromJson } from './jinja/data.ts';
import { render } from './jinja/interpreter.ts';
import { exceeded, templateLimits } from './jinja/limits.ts';
import { parse } from './jinja/parser.ts';
import type { Statement } from './jinja/syntax.ts';
import { Callable, type Value } from './jinja/values.ts';
import { missingBeginning } from './missing-beginning.ts';
import { strftime } from './strftime.ts';
import { adapt, findHabits } from './template-habits.ts';
import { changeSearched } from './template-texts.ts';
import type { ChatMessage, ChatTemplate, RenderOptions, TemplateHabits, Tokenizer } from './types.ts';

const PARAM = 'tokenizer.chat_template';

export interface ChatTemplateOptions {
  /** Use this built-in template, whatever the file has. */
  name?: BuiltinName;
  /** The template's own text instead of the file's. */
  source?: string | undefined;
  /** Milliseconds since 1970, for `strftime_now`. Default Date.now. */
  now?: () => number;
  /** Milliseconds that only grow, for the time limit. Default performance.now. */
  clock?: () => number;
}

/**
 * The chat template of a model file, or a built-in one when it has none (see builtin-templates.ts for the choice).
 * Throws `template_limit` for a source that is too large and `template_invalid` for one that does not parse; so does
 * `render`, `template_invalid` also when the template itself refuses the messages (`raise_exception`).
 */
export function chatTemplate(
  metadata: Metadata,
  tokenizer: Tokenizer,
  options: ChatTemplateOptions = {},
): ChatTemplate {
  const { name, source } = chooseTemplate(metadata, tokenizer, options);
  const program = guarded(() => compile(source));
  const special = { bos_token: tokenText(tokenizer, tokenizer.bos), eos_token: tokenText(tokenizer, tokenizer.eos) };
  const { now = Date.now, clock = () => performance.now() } = options;
  const programFor = variants(program, source);
  const renderAsIs = (messages: readonly ChatMessage[], options: RenderOptions = {}) => {
    const { addGenerationPrompt = true, tools, variables, searched } = options;
    return guarded(() => {
      const all = {
        ...variables,
        ...special,
        messages,
        ...toolVariables(tools),
        add_generation_prompt: addGenerationPrompt,
      };
      return render(programFor(searched), [...plain(all), ...globals(now)], clock);
    });
  };
  let found: TemplateHabits | undefined;
  const template: ChatTemplate = {
    name,
    source,
    get habits() {
      found ??= findHabits(renderAsIs);
      return found;
    },
    render(messages, options = {}) {
      const text = renderAsIs(adapt(messages, template.habits), options);
      if (options.addGenerationPrompt === false || messages.at(-1)?.role !== 'tool') return text;
      return text + missingBeginning(text, (turns, more) => renderAsIs(adapt(turns, template.habits), more), options);
    },
  };
  return template;
}

/** A template that nobody can use: the model answers all but chats. */
export function brokenTemplate(error: RealmError): ChatTemplate {
  const render = () => {
    throw new RealmError(error.code, `${error.message} (models[].chat_template in realm.yaml can replace it)`, {
      param: PARAM,
      cause: error,
    });
  };
  return { name: 'broken', source: '', habits: { content: 'text', system: 'own' }, render };
}

/** The program by what becomes of the texts that it searches; each is compiled once. */
function variants(program: Statement[], source: string): (searched: RenderOptions['searched']) => Statement[] {
  const known = new WeakMap<(text: string) => string, Statement[]>();
  return searched => {
    if (!searched) return program;
    const variant = known.get(searched) ?? compile(source, searched);
    known.set(searched, variant);
    return variant;
  };
}

function chooseTemplate(metadata: Metadata, tokenizer: Tokenizer, options: ChatTemplateOptions) {
  if (options.source !== undefined) return { name: 'given', source: options.source };
  const own = metadata.get('tokenizer.chat_template');
  if (options.name === undefined && typeof own === 'string' && own.trim() !== '') return { name: 'file', source: own };
  const hasToken = (text: string) => tokenizer.encode(text, { addSpecial: false, parseSpecial: true }).length === 1;
  const name =
    options.name ?? builtinFor(hasToken, metadata.get('general.architecture'), metadata.get('tokenizer.ggml.model'));
  if (!Object.hasOwn(builtinTemplates, name)) {
    const known = Object.keys(builtinTemplates).join(', ');
    throw new RealmError('template_invalid', `there is no built-in template '${name}': use one of ${known}`);
  }
  return { name, source: builtinTemplates[name].source };
}

function compile(source: string, searched?: (text: string) => string): Statement[] {
  if (source.length > templateLimits.source) throw exceeded('has more than', templateLimits.source, 'characters');
  const program = parse(source);
  if (searched) changeSearched(program, searched);
  return program;
}

/** Templates test `tools` for none; Firefunction wants them as text and cannot do without. */
function toolVariables(tools: unknown[] | undefined): Record<string, unknown> {
  return { tools: tools ?? null, functions: tools ? JSON.stringify(tools, null, 2) : '' };
}

/** What chat templates expect to find beside Jinja's own functions. */
function globals(now: () => number): [string, Value][] {
  const date = new Date(now());
  return [
    ['datetime', strftime('%b %d %Y %H:%M:%S GMT', date)],
    ['strftime_now', new Callable('strftime_now', ({ positional: [format] }) => strftime(textArgument(format), date))],
  ];
}

/** Variables as plain data, whatever else their objects are. */
function plain(variables: Record<string, unknown>): [string, Value][] {
  return Object.entries(JSON.parse(JSON.stringify(variables))).map(([name, value]) => [name, fromJson(value)]);
}

/** Every failure as a refusal; running out of stack or of string length is a limit like the counted ones. */
export function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RealmError) throw error;
    if (error instanceof RangeError) {
      throw new RealmError('template_limit', 'the chat template nests too deep or makes a text that is too long', {
        param: PARAM,
        cause: error,
      });
    }
    const message = error instanceof Error ? error.message : String(error);
    throw new RealmError('template_invalid', `the chat template fails: ${message}`, { param: PARAM, cause: error });
  }
}

function tokenText(tokenizer: Tokenizer, token: Tokenizer['bos']): string {
  return token === undefined ? '' : tokenizer.text(token);
}
