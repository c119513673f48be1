import { type Signature, valuesOf } from './abi.ts';
import { ModuleError } from './byte-reader.ts';
import { type Arity, type BodyContext, BodyReader, type BodySize } from './function-bodies.ts';
import { MAX_BODY_BYTES, MAX_COMPILE_COST, MAX_DEPTH, MAX_FUNCTION_COST, MAX_LOCALS } from './limits.ts';
import type { ModuleLayout } from './module-reader.ts';

/** What compiling all functions costs; throws ModuleError when one, or all of them together, cost too much. */
export function checkFunctionBodies(layout: ModuleLayout): number {
  const context = contextOf(layout);
  const imported = layout.imports.length;
  let total = 0;
  for (const [at, body] of layout.bodies.entries()) total += checkBody(body, imported + at, context);
  if (total > MAX_COMPILE_COST) {
    throw new ModuleError(
      `compiling all its functions costs about ${total} plain instructions; ${MAX_COMPILE_COST} are allowed`,
    );
  }
  return total;
}

function checkBody(body: Uint8Array, index: number, context: BodyContext): number {
  if (body.length > MAX_BODY_BYTES) {
    throw new ModuleError(`function ${index} has ${body.length} bytes; ${MAX_BODY_BYTES} are allowed`);
  }
  const size = new BodyReader(body, index, context).read();
  const cost = costOf(size);
  if (cost > MAX_FUNCTION_COST) {
    throw new ModuleError(
      `compiling function ${index} (${size.bytes} bytes, ${size.locals} locals, ${size.joins} blocks, branches and calls) ` +
        `costs about ${cost} plain instructions; ${MAX_FUNCTION_COST} are allowed: split it, or compile it with optimisation`,
    );
  }
  return cost;
}

/**
 * What compiling a function costs, in plain instructions (an addition with a load and a store): about 0.4 KB of V8's
 * memory and 1 to 3 µs of its optimising compiler each. The weights are measured, for the dearest code of each kind.
 */
export function costOf({ work, joinedValues, loopValues, passedValues }: BodySize): number {
  return work + Math.ceil(joinedValues / 16) + loopValues + 2 * passedValues;
}

/** What {@link BodyReader} has to know of the module. */
export function contextOf({ types, functions }: ModuleLayout): BodyContext {
  const arities = new Map<Signature, Arity>(types.map(type => [type, arityOf(type)]));
  const own = (signature: Signature) => arities.get(signature)!;
  return { types: types.map(own), functions: functions.map(own), maxDepth: MAX_DEPTH, maxLocals: MAX_LOCALS };
}

const arityOf = ({ params, results }: Signature): Arity => ({
  params: valuesOf(params).length,
  results: valuesOf(results).length,
});
