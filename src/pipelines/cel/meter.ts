import { RealmError } from '../../errors.ts';
import { expressionLimits } from '../limits.ts';
import { searches } from './functions.ts';
import { type CelCall, type CelNode, callOf, childrenOf, comprehensionOf, type Evaluate } from './tree.ts';

const CHARACTERS_A_STEP = 128;
const VALUES_A_STEP = 32;
/** Places of a search that cost a step, each with the text that is looked for. */
const PRODUCTS_A_STEP = 4096;
/** Dates in other time zones are slow. */
const CALL_STEPS = 5;

/**
 * Counts what computing an expression costs, and ends it: the library has limits for what it parses only. Each node of
 * the tree is computed through the meter, which charges for what comes out and looks at what goes into macros and
 * comparisons.
 */
export class ExpressionMeter {
  #left = 0;
  /** Kept, because the library takes errors for values in `||` and `all`. */
  #refusal: RealmError | undefined;

  /** Puts itself between the nodes; they have been type-checked. `replace` has nodes that are computed in another way. */
  watch(node: CelNode, replace: (node: CelNode) => Evaluate | undefined): void {
    for (const child of childrenOf(node)) this.watch(child, replace);
    if (node.meta.alternate) return;
    const call = callOf(node);
    const loop = comprehensionOf(node);
    if (loop) this.#limitItems(loop.iterable);
    if (call && searches.has(call.name)) this.#chargeProduct(call);
    if (node.op === '==' || node.op === '!=' || node.op === 'in')
      for (const side of childrenOf(node)) this.#weigh(side);
    const own = node.meta.macro ? Object.getPrototypeOf(node).evaluate : node.meta.evaluate;
    const compute: Evaluate = replace(node) ?? own;
    const steps = call ? CALL_STEPS : 1;
    node.evaluate = (evaluator, self, context) => {
      this.charge(steps);
      const made = compute.call(node, evaluator, self, context);
      if (typeof made === 'string') this.charge(made.length / CHARACTERS_A_STEP);
      else if (Array.isArray(made)) this.charge(made.length / VALUES_A_STEP);
      return made;
    };
  }

  /** What `compute` gives. Throws `pipeline_failed` for one that goes on too long. */
  run<T>(compute: () => T): T {
    this.#left = expressionLimits.steps;
    this.#refusal = undefined;
    const made = settled(compute);
    if (this.#refusal) throw this.#refusal as RealmError;
    return made();
  }

  charge(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw this.#refuse(`takes more than ${expressionLimits.steps} steps`);
  }

  #refuse(what: string): RealmError {
    this.#left = -1;
    this.#refusal ??= new RealmError('pipeline_failed', `the expression ${what}; let a program do it`);
    return this.#refusal;
  }

  #after(node: CelNode, look: (value: unknown) => void): void {
    const before = node.meta.alternate ? node.evaluate.bind(node) : node.evaluate;
    node.evaluate = (evaluator, self, context) => {
      const value = before.call(node, evaluator, self, context);
      look(value);
      return value;
    };
  }

  #limitItems(iterable: CelNode): void {
    this.#after(iterable, value => {
      const items = Array.isArray(value) ? value.length : Object.keys(value ?? {}).length;
      if (items > expressionLimits.items) {
        throw this.#refuse(`goes through a list of ${items} items, where ${expressionLimits.items} is the most`);
      }
    });
  }

  #chargeProduct({ receiver, args }: CelCall): void {
    let text = 0;
    let wanted = 0;
    const product = () => this.charge((text * (wanted + 64)) / PRODUCTS_A_STEP);
    const length = (value: unknown) => (typeof value === 'string' ? value.length : 0);
    // The library computes arguments first; either order charges the product that counts.
    if (args[0]) {
      this.#after(args[0], value => {
        wanted = length(value);
      });
    }
    if (receiver) {
      this.#after(receiver, value => {
        text = length(value);
        product();
      });
    }
  }

  /** A comparison looks at all that a value has in it. */
  #weigh(side: CelNode): void {
    this.#after(side, value => this.charge(this.#weight(value)));
  }

  #weight(value: unknown): number {
    let weight = 0;
    const stack: unknown[] = [value];
    while (stack.length > 0 && weight < this.#left) {
      const each = stack.pop();
      if (typeof each === 'string') weight += each.length / CHARACTERS_A_STEP;
      else if (typeof each === 'object' && each !== null) {
        const inner = Array.isArray(each) ? each : Object.values(each);
        weight += inner.length / 4;
        if (weight < this.#left) for (const one of inner) stack.push(one);
      }
    }
    return weight;
  }
}

/** Gives, or throws, what `compute` did. */
function settled<T>(compute: () => T): () => T {
  try {
    const value = compute();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
