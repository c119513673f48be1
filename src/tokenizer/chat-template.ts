import { RealmError } from '../errors.ts';
import type { Metadata } from '../gguf/types.ts';
import { type BuiltinName, builtinFor, builtinTemplates } from './builtin-templates.ts';
import { Environment, type Node, parse, tokenize } from './jinja.ts';
import { strftime } from './strftime.ts';
import { applyFixups } from './template-fixups.ts';
import { adapt, findHabits } from './template-habits.ts';
import { bodySizes, exceeded, MeteredInterpreter, templateLimits } from './template-interpreter.ts';
import { changeSearched } from './template-texts.ts';
import type { ChatMessage, ChatTemplate, RenderOptions, TemplateHabits, Tokenizer } from './types.ts';

const PARAM = 'tokenizer.chat_template';
/** The library's whitespace control looks through a run of spaces once for each of them. */
const MAX_SPACES = 2048;

export interface ChatTemplateOptions {
  /** Use this built-in template, whatever the file has. */
  name?: BuiltinName;
  /** The template's own text instead of the file's. */
  source?: string;
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
        ...globals(now),
        ...special,
        messages: sharable(messages),
        ...toolVariables(tools),
        add_generation_prompt: addGenerationPrompt,
      };
      return run(programFor(searched), all, clock);
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
    render: (messages, options) => renderAsIs(adapt(messages, template.habits), options),
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
function variants(program: Compiled, source: string): (searched: RenderOptions['searched']) => Compiled {
  const known = new WeakMap<(text: string) => string, Compiled>();
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

interface Compiled {
  readonly tree: Node;
  readonly bodies: ReadonlyMap<Node, number>;
}

function compile(source: string, searched?: (text: string) => string): Compiled {
  if (source.length > templateLimits.source) throw exceeded('has more than', templateLimits.source, 'characters');
  if (source.split(/\S+/).some(spaces => spaces.length > MAX_SPACES)) {
    throw exceeded('has a run of more than', MAX_SPACES, 'spaces');
  }
  const tree = applyFixups(parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true })));
  if (searched) changeSearched(tree, searched);
  return { tree, bodies: bodySizes(tree) };
}

function run({ tree, bodies }: Compiled, variables: Record<string, unknown>, clock: () => number): string {
  const environment = new Environment();
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);
  return String(new MeteredInterpreter(environment, bodies, clock).run(tree).value);
}

/** Templates test `tools` for none; Firefunction wants them as text and cannot do without. */
function toolVariables(tools: unknown[] | undefined): Record<string, unknown> {
  return { tools: tools ?? null, functions: tools ? JSON.stringify(tools, null, 2) : '' };
}

/** What templates expect to find; the library's own `range` has no limit. */
function globals(now: () => number): Record<string, unknown> {
  return {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range,
    raise_exception: (message: unknown) => {
      throw new RealmError('template_invalid', `the chat template refuses these messages: ${message}`, {
        param: 'messages',
      });
    },
    datetime: strftime('%b %d %Y %H:%M:%S GMT', new Date(now())),
    strftime_now: (format: unknown) => strftime(String(format), new Date(now())),
  };
}

function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= templateLimits.range))
    throw exceeded('counts over a range of more than', templateLimits.range, 'numbers');
  return Array.from({ length }, (_, i) => start + i * step);
}

/** The messages as plain data: the library takes every own field of an object, whatever it is. */
function sharable(messages: readonly ChatMessage[]): unknown {
  return JSON.parse(JSON.stringify(messages));
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
