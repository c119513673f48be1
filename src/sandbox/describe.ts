import { checkFunctionBodies } from './compile-cost.ts';
import { MAX_COMPILE_COST, MAX_FUNCTION_COST, PAGE_BYTES } from './limits.ts';
import { printable, readModule } from './module-reader.ts';

/** What a module is, for whoever wrote it; whether it is let in says {@link validateProgram}. */
export interface ModuleDescription {
  /** Version of the interface: its exports say which; undefined: of none. */
  readonly abi: 1 | 2 | undefined;
  /** `module.name`. */
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  /** Bytes that it starts with; undefined: it has none of its own. */
  readonly memory: number | undefined;
  /** In plain instructions, with what is allowed; undefined: it costs more than that. */
  readonly compileCost: { readonly total: number; readonly largest: number } | undefined;
  readonly allowedCost: { readonly total: number; readonly largest: number };
}

/** Throws ModuleError where the bytes are no module. */
export function describeModule(bytes: Uint8Array): ModuleDescription {
  const layout = readModule(bytes);
  const { imports, exports, memory } = layout;
  return {
    abi: exports.has('run') ? 2 : exports.has('generate') ? 1 : undefined,
    imports: imports.map(({ module, name }) => `${printable(module)}.${printable(name)}`),
    exports: [...exports.keys()].map(printable),
    memory: memory && memory.min * PAGE_BYTES,
    compileCost: costOf(layout),
    allowedCost: { total: MAX_COMPILE_COST, largest: MAX_FUNCTION_COST },
  };
}

function costOf(layout: ReturnType<typeof readModule>): ModuleDescription['compileCost'] {
  try {
    return checkFunctionBodies(layout);
  } catch {
    return undefined;
  }
}
