import { FUEL, instrument } from '../../src/sandbox/fuel/instrument.ts';

/** Runs instrumented modules as a place for programs does, in the smallest way. */

interface Exports {
  readonly [name: string]: WebAssembly.ExportValue;
}

interface JSPI {
  readonly Suspending: new (host: (...values: number[]) => unknown) => WebAssembly.ImportValue;
  readonly promising: (exported: unknown) => (...values: unknown[]) => Promise<unknown>;
}
const { Suspending, promising } = WebAssembly as unknown as JSPI;

export interface Metered {
  readonly exports: Exports;
  /** How often it was out of fuel. */
  readonly refuels: number;
  /** All that it has used so far. */
  readonly used: bigint;
  call(name: string, ...values: unknown[]): Promise<unknown>;
}

/** `module`, instrumented, with `slice` units for each turn; after `turns` of them its calls never end. */
export function metered(
  module: Uint8Array,
  imports: WebAssembly.Imports = {},
  { slice = 1n << 40n, turns = Number.POSITIVE_INFINITY } = {},
): Metered {
  let granted = slice;
  let refuels = 0;
  const refuel = async () => {
    while (fuel.value < 0n) {
      refuels++;
      // As the place does, that runs others meanwhile.
      if (refuels < turns) await undefined;
      else await new Promise(() => {});
      granted += slice;
      fuel.value += slice;
    }
  };
  const grow = (pages: number) => {
    try {
      return (exports.memory as WebAssembly.Memory).grow(pages >>> 0);
    } catch {
      return -1;
    }
  };
  const host = { refuel: new Suspending(refuel), grow: new Suspending(async pages => grow(pages!)) };
  const compiled = new WebAssembly.Module(instrument(module));
  const { exports } = new WebAssembly.Instance(compiled, { ...imports, [FUEL]: host });
  const fuel = exports[FUEL] as WebAssembly.Global;
  fuel.value = slice;
  return {
    exports,
    get refuels() {
      return refuels;
    },
    get used() {
      return granted - fuel.value;
    },
    call: (name, ...values) => promising(exports[name])(...values),
  };
}

/** The same module as it is. */
export function plain(module: Uint8Array, imports: WebAssembly.Imports = {}): Exports {
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(module)), imports).exports;
}
