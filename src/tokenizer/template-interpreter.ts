import { RealmError } from '../errors.ts';
import { type Environment, Interpreter, type Node, type Value } from './jinja.ts';

/**
 * A template comes with the model file, so it may be hostile. These bounds are far above what honest ones need: a chat of
 * a thousand messages through the largest template known takes about a tenth of the steps.
 */
export const templateLimits = {
  /** Characters of source; the largest known template has 17,000. */
  source: 256 * 1024,
  /** Characters of any text, the prompt included. */
  text: 4 * 1024 * 1024,
  /** Items of any list. */
  items: 128 * 1024,
  /** Numbers of one range(). */
  range: 100_000,
  /** Steps: a node evaluated, 1,024 characters touched, 32 values of a structure visited, an eighth of a loop's turn. */
  steps: 2_000_000,
  /** Nodes evaluated inside each other; macros that call themselves end here. */
  depth: 500,
  /** Characters that one filter or call could make of its operand and its largest argument. */
  product: 16 * 1024 * 1024,
  /** Looked at every few thousand steps; one step, such as a filter over the longest text, can go on for longer. */
  milliseconds: 2000,
} as const;

/** What one evaluation of a node has seen so far: the sizes of its operand and of its largest argument. */
interface Frame {
  readonly node: Node;
  /** What a member is taken from. */
  object?: Value;
  operand: number;
  argument: number;
}

/** Filters that look at the top of their operand only, so that its size does not matter. */
const SHALLOW_FILTERS = new Set([
  'length',
  'count',
  'first',
  'last',
  'list',
  'default',
  'd',
  'items',
  'safe',
  'int',
  'float',
]);
/** Methods of the same sort. */
const SHALLOW_METHODS = new Set(['get', 'items', 'keys', 'values']);
/** Filters whose integer argument says how many spaces to write. */
const WIDTH_FILTERS = new Set(['indent', 'tojson']);
const STEPS_A_TURN = 8;
const CHARACTERS_A_STEP = 1024;
const VALUES_A_STEP = 32;

/**
 * The interpreter of `@huggingface/jinja` with a meter. Every node goes through `evaluate`, so that is where steps, depth
 * and time are counted and results measured. What the library does inside one node is bounded beforehand: by the size of
 * the operands, followed through shared parts (a list of itself twice, forty times over, is small only until it is
 * printed), and by operand times argument, since replacing each character by a long text multiplies.
 */
export class MeteredInterpreter extends Interpreter {
  readonly #clock: () => number;
  readonly #deadline: number;
  readonly #bodies: ReadonlyMap<Node, number>;
  readonly #frames: Frame[] = [];
  /** The size of what a method belongs to, by the method, which a template may keep under another name. */
  readonly #methods = new WeakMap<Value, number>();
  #steps = 0;
  #nextLook = 0;

  /** `bodies` are the sizes that {@link bodySizes} gives for the program to run; `clock` gives milliseconds. */
  constructor(environment: Environment, bodies: ReadonlyMap<Node, number>, clock: () => number) {
    super(environment);
    this.#bodies = bodies;
    this.#clock = clock;
    this.#deadline = clock() + templateLimits.milliseconds;
  }

  override evaluate(node: Node | undefined, environment: Environment): Value {
    if (!node) return super.evaluate(node, environment);
    this.#charge(1 + (this.#bodies.get(node) ?? 0));
    const parent = this.#frames.at(-1);
    if (this.#frames.length >= templateLimits.depth)
      throw exceeded('nests deeper than', templateLimits.depth, 'levels');
    const frame: Frame = { node, operand: 0, argument: 0 };
    this.#frames.push(frame);
    try {
      const value = super.evaluate(node, environment);
      this.#weigh(value);
      if (frame.object && value.type === 'FunctionValue' && !SHALLOW_METHODS.has(String(node.property?.value))) {
        this.#methods.set(value, this.#size(frame.object));
      }
      if (parent) this.#relate(parent, frame, value);
      return value;
    } finally {
      this.#frames.pop();
    }
  }

  #charge(steps: number): void {
    this.#steps += steps;
    if (this.#steps > templateLimits.steps) throw exceeded('takes more than', templateLimits.steps, 'steps');
    if (this.#steps < this.#nextLook) return;
    this.#nextLook = this.#steps + 4096;
    if (this.#clock() > this.#deadline) throw exceeded('takes more than', templateLimits.milliseconds, 'ms');
  }

  /** The cost of touching the top of a value. */
  #weigh(value: Value): void {
    if (typeof value.value === 'string') {
      if (value.value.length > templateLimits.text) throw tooLong();
      this.#charge(value.value.length / CHARACTERS_A_STEP);
    } else if (Array.isArray(value.value)) {
      if (value.value.length > templateLimits.items)
        throw exceeded('makes a list of more than', templateLimits.items, 'items');
      this.#charge(value.value.length / VALUES_A_STEP);
    }
  }

  /** Tells the node that asked for `value` how large it is, where that node's work depends on it. */
  #relate(parent: Frame, frame: Frame, value: Value): void {
    const role = roleOf(parent.node, frame.node);
    if (role === 'loop') {
      this.#charge(STEPS_A_TURN * itemsOf(value));
    } else if (role === 'operand') {
      parent.operand += this.#methods.get(value) ?? this.#size(value);
    } else if (role === 'object') {
      parent.object = value;
    } else if (role === 'argument') {
      parent.argument = Math.max(parent.argument, this.#size(value));
    } else if (role === 'width' && typeof value.value === 'number') {
      parent.argument = Math.max(parent.argument, value.value);
    } else if (role === 'printed') {
      this.#size(value);
    }
    if (parent.operand * parent.argument > templateLimits.product) throw tooLong();
  }

  /** The characters that a value prints as, about: shared parts count each time, nested ones once for each level. */
  #size(value: Value): number {
    let size = 0;
    let visited = 0;
    const waiting: [Value, number][] = [[value, 1]];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const inner: unknown = next[0].value;
      const depth = next[1];
      size += depth * (typeof inner === 'string' ? inner.length + 2 : 4);
      if (Array.isArray(inner)) for (const item of inner) waiting.push([item, depth + 1]);
      else if (inner instanceof Map) {
        for (const [key, item] of inner) {
          size += depth * String(key).length;
          waiting.push([item, depth + 1]);
        }
      }
      if (size > templateLimits.text) throw tooLong();
      if (++visited % VALUES_A_STEP === 0) this.#charge(1);
    }
    return size;
  }
}

type Role = 'loop' | 'object' | 'operand' | 'argument' | 'width' | 'printed' | undefined;
/** What `child` is to the work of `parent`. */
function roleOf(parent: Node, child: unknown): Role {
  switch (parent.type) {
    case 'FilterExpression':
      return child === parent.operand ? operandRole(parent.filter!) : argumentRole(parent.filter!);
    case 'FilterStatement':
      return isArgument(parent.filter!.args, child) ? argumentRole(parent.filter!) : 'operand';
    case 'CallExpression':
    case 'CallStatement': {
      const call = parent.call ?? parent;
      if (child === call.callee) return 'operand';
      return isArgument(call.args, child) ? 'argument' : 'printed';
    }
    case 'MemberExpression':
      return child === parent.object ? 'object' : undefined;
    case 'BinaryExpression':
      return /^(\+|~|in|not in)$/.test(parent.operator!.value) ? 'printed' : undefined;
    case 'For':
      return child === parent.iterable || child === parent.iterable!.lhs ? 'loop' : 'printed';
    case 'Program':
    case 'If':
    case 'Set':
      return 'printed';
    default:
      return undefined;
  }
}

function itemsOf({ value }: Value): number {
  return Array.isArray(value) ? value.length : value instanceof Map ? value.size : 0;
}

function operandRole(filter: Node): Role {
  return SHALLOW_FILTERS.has(nameOf(filter)) ? undefined : 'operand';
}

function argumentRole(filter: Node): Role {
  return WIDTH_FILTERS.has(nameOf(filter)) ? 'width' : 'argument';
}

/** The name of a filter, with or without arguments. */
function nameOf(filter: Node): string {
  return String(filter.callee?.value ?? filter.value);
}

function isArgument(args: readonly Node[] | undefined, child: unknown): boolean {
  return (args ?? []).some(arg => arg === child || arg.value === child || arg.argument === child);
}

/**
 * The sizes of the bodies of a program's macros and call blocks: the library looks through a body each time that it
 * meets the definition, which must cost steps.
 */
export function bodySizes(program: Node): Map<Node, number> {
  const sizes = new Map<Node, number>();
  measure(program, sizes);
  return sizes;
}

function measure(part: unknown, sizes: Map<Node, number>): number {
  if (typeof part !== 'object' || part === null) return 0;
  const children = part instanceof Map ? [...part].flat() : Object.values(part);
  let size = 1;
  for (const child of children) size += measure(child, sizes);
  const type = (part as { type?: unknown }).type;
  if (type === 'Macro' || type === 'CallStatement') sizes.set(part as Node, size);
  return size;
}

function tooLong(): RealmError {
  return exceeded('makes more than', templateLimits.text, 'characters');
}

/** The refusal of a template that passes a bound. */
export function exceeded(what: string, limit: number, unit: string): RealmError {
  return new RealmError(
    'template_limit',
    `the chat template ${what} ${limit} ${unit}: use another template or a shorter chat`,
    {
      param: 'tokenizer.chat_template',
    },
  );
}
