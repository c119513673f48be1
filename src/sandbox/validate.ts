import { guestFunctions, hostFunctions, looseFunctions, type Signature, valuesOf } from './abi.ts';
import { type Bytes, concatenate } from './byte-buffer.ts';
import { leb, ModuleError } from './byte-reader.ts';
import { checkFunctionBodies } from './compile-cost.ts';
import { MAX_MODULE_BYTES, MAX_TABLE_ENTRIES, PAGE_BYTES, pagesOf } from './limits.ts';
import { ExternalKind, type Limits, type ModuleLayout, printable, readModule, SectionId } from './module-reader.ts';
import { sequenceExports, sequenceFunctions } from './v2/functions.ts';

/** Reads a program and checks its interface and its size; throws ModuleError. */
export function validateProgram(bytes: Uint8Array): ModuleLayout {
  if (bytes.length > MAX_MODULE_BYTES) {
    throw new ModuleError(`it has ${bytes.length} bytes; ${MAX_MODULE_BYTES} are allowed`);
  }
  const layout = readModule(bytes);
  const version = versionOf(layout);
  for (const each of layout.imports) checkImport(each, version);
  if (layout.exports.get('memory')?.kind !== ExternalKind.memory) throw new ModuleError('it exports no memory');
  // An export may name a memory that is not there.
  if (!layout.memory) throw new ModuleError('it has no memory of its own');
  for (const name of layout.exports.keys()) checkName(name);
  for (const [name, wanted] of version === 2 ? sequenceExports : guestFunctions) checkExport(layout, name, wanted);
  for (const { min } of layout.tables) {
    if (min > MAX_TABLE_ENTRIES) {
      throw new ModuleError(`a table starts with ${min} entries; ${MAX_TABLE_ENTRIES} are allowed`);
    }
  }
  checkFunctionBodies(layout);
  return layout;
}

/** A program that exports `run` is one of ABI v2. */
function versionOf({ exports }: ModuleLayout): 1 | 2 {
  if (!exports.has('run')) return 1;
  if (exports.has('generate')) {
    throw new ModuleError('it exports both run and generate: run makes it a program of ABI v2, generate one of v1');
  }
  return 2;
}

function functionsOf(module: string, version: 1 | 2): ReadonlyMap<string, Signature> | undefined {
  if (module === 'env') return hostFunctions;
  return module === 'realm2' && version === 2 ? sequenceFunctions : undefined;
}

function checkImport({ module, name, signature }: ModuleLayout['imports'][number], version: 1 | 2): void {
  const known = functionsOf(module, version)?.get(name);
  if (known && !sameSignature(known, signature)) {
    throw new ModuleError(`it imports ${module}.${name} as ${show(signature)} instead of ${show(known)}`);
  }
  if (module === 'realm:fuel')
    throw new ModuleError(`it imports ${module}.${printable(name)}, which is the host's own`);
  if (known || (module === 'env' && looseFunctions.has(name))) return;
  if (module === 'realm2' && version === 1) {
    throw new ModuleError(`it imports realm2.${printable(name)}, which is for programs that export run`);
  }
  const offered = [...(module === 'realm2' ? sequenceFunctions : hostFunctions).keys()].join(', ');
  throw new ModuleError(
    `it imports ${printable(module)}.${printable(name)}, which does not exist; ${module === 'realm2' ? module : 'env'} offers ${offered}`,
  );
}

/** What {@link instrument} adds is called so. */
function checkName(name: string): void {
  if (name.startsWith('realm:')) {
    throw new ModuleError(`it exports ${printable(name)}; names that begin with realm: are the host's own`);
  }
}

function checkExport(layout: ModuleLayout, name: string, wanted: Signature & { required: boolean }): void {
  const found = layout.exports.get(name);
  if (!found && !wanted.required) return;
  const signature = found?.kind === ExternalKind.function ? layout.functions[found.index] : undefined;
  if (!signature) throw new ModuleError(`it exports no function ${name}`);
  if (!sameSignature(signature, wanted)) {
    throw new ModuleError(`it exports ${name} as ${show(signature)} instead of ${show(wanted)}`);
  }
}

/**
 * The same module with its memory limited to `memoryMb` and its tables to MAX_TABLE_ENTRIES, so that growing them
 * further fails in the program: V8 has no limit for one module. Custom sections are left out.
 */
export function limitModule(layout: ModuleLayout, memoryMb: number): Uint8Array<ArrayBuffer> {
  const pages = pagesOf(memoryMb);
  const { min } = layout.memory!;
  if (min > pages) {
    throw new ModuleError(`its memory starts with ${(min * PAGE_BYTES) / 1024 / 1024} MB; ${memoryMb} MB are allowed`);
  }
  const parts: Bytes[] = [[0, 97, 115, 109, 1, 0, 0, 0]];
  for (const { id, body } of layout.sections) {
    const limited =
      id === SectionId.memory
        ? [1, ...encodeLimits(layout.memory!, pages)]
        : id === SectionId.table
          ? encodeTables(layout)
          : body;
    parts.push([id, ...leb(limited.length)], limited);
  }
  return concatenate(parts);
}

function encodeTables({ tables }: ModuleLayout): number[] {
  return [...leb(tables.length), ...tables.flatMap(each => [...each.type, ...encodeLimits(each, MAX_TABLE_ENTRIES)])];
}

function encodeLimits({ min, max }: Limits, cap: number): number[] {
  return [1, ...leb(min), ...leb(Math.min(max ?? cap, cap))];
}

const sameSignature = (a: Signature, b: Signature) => a.params === b.params && a.results === b.results;

const valueNames: Record<string, string> = { i: 'i32', I: 'i64', f: 'f32', F: 'f64' };

function show({ params, results }: Signature): string {
  const names = (types: string) =>
    valuesOf(types)
      .map(type => valueNames[type] ?? 'other')
      .join(', ');
  return `(${names(params)}) -> (${names(results)})`;
}
