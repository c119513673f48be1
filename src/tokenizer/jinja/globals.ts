import { RealmError } from '../../errors.ts';
import { bind, intArgument } from './arguments.ts';
import { exceeded, type Meter, templateLimits } from './limits.ts';
import { text } from './printing.ts';
import { type Call, Callable, Dict, iterate, TemplateError, Thing, typeName, type Value, View } from './values.ts';

/** Jinja2's own functions, and `raise_exception`. `lipsum` is not among them: it gives another text each time. */
export function globals(meter: Meter): [string, Value][] {
  return [
    ['range', new Callable('range', call => range(call))],
    ['dict', new Callable('dict', call => dict(call, meter))],
    ['namespace', new Callable('namespace', call => new Thing('Namespace', attributes(dict(call, meter))))],
    ['cycler', new Callable('cycler', ({ positional }) => cycler(positional))],
    ['joiner', new Callable('joiner', joiner)],
    ['raise_exception', new Callable('raise_exception', call => refuse(call, meter))],
  ];
}

function range(call: Call): View {
  const [first, second, third] = bind('range', 'start! stop step', call);
  for (const each of call.positional) {
    if (typeof each !== 'bigint' && typeof each !== 'boolean')
      throw new TemplateError(`range needs integers, not ${typeName(each)}`);
  }
  const [start, stop] =
    call.positional.length < 2 ? [0, intArgument(first, 0)] : [intArgument(first, 0), intArgument(second, 0)];
  const step = intArgument(third, 1);
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= templateLimits.range))
    throw exceeded('counts over a range of more than', templateLimits.range, 'numbers');
  const items = Array.from({ length }, (_, i) => BigInt(start + i * step));
  return new View('range', items, `range(${start}, ${stop}${step === 1 ? '' : `, ${step}`})`);
}

function dict({ positional, named }: Call, meter: Meter): Dict {
  if (positional.length > 1) throw new TemplateError('dict takes one argument');
  const made = new Dict();
  const [from] = positional;
  if (from instanceof Dict) for (const [key, value] of from.pairs()) made.set(key, value);
  else if (positional.length > 0) {
    if (from === undefined) throw new TemplateError('dict needs pairs, not an undefined value');
    for (const pair of iterate(from, meter)) {
      const items = iterate(pair, meter);
      if (items.length !== 2) throw new TemplateError('dict needs pairs');
      made.set(items[0], items[1]);
    }
  }
  for (const [key, value] of named) made.set(key, value);
  return made;
}

function attributes(from: Dict): [string, Value][] {
  return from.pairs().map(([key, value]) => [String(key), value]);
}

function cycler(items: readonly Value[]): Thing {
  if (items.length === 0) throw new TemplateError('at least one item has to be provided');
  let at = 0;
  const thing: Thing = new Thing('Cycler', [
    [
      'next',
      new Callable('next', () => {
        const now = items[at];
        at = (at + 1) % items.length;
        thing.attributes.set('current', items[at]);
        return now;
      }),
    ],
    [
      'reset',
      new Callable('reset', () => {
        at = 0;
        thing.attributes.set('current', items[0]);
        return null;
      }),
    ],
    ['current', items[0]],
  ]);
  return thing;
}

function joiner({ positional: [separator = ', '] }: Call): Callable {
  let used = false;
  return new Callable('joiner', () => {
    if (used) return separator;
    used = true;
    return '';
  });
}

/** How a template refuses a chat. */
function refuse(call: Call, meter: Meter): never {
  const [message] = bind('raise_exception', 'message!', call);
  const why = text(message, meter);
  throw new RealmError('template_invalid', `the chat template refuses these messages: ${why}`, { param: 'messages' });
}
