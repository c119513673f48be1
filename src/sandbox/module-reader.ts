import type { Signature } from './abi.ts';
import { ByteReader, ModuleError } from './byte-reader.ts';
import {
  MAX_ELEMENT_BYTES,
  MAX_EXPORTS,
  MAX_FUNCTIONS,
  MAX_GLOBALS,
  MAX_IMPORTS,
  MAX_SEGMENTS,
  MAX_SIGNATURE_VALUES,
  MAX_TABLES,
  MAX_TYPES,
} from './limits.ts';

/** Minimum and, if declared, maximum: of pages, or of entries. */
export interface Limits {
  readonly min: number;
  readonly max: number | undefined;
}

export interface Section {
  readonly id: number;
  readonly body: Uint8Array;
}

/** What the sandbox needs to know of a module. V8 checks all the rest when it compiles it. */
export interface ModuleLayout {
  readonly sections: readonly Section[];
  readonly imports: readonly { readonly module: string; readonly name: string; readonly signature: Signature }[];
  readonly exports: ReadonlyMap<string, { readonly kind: number; readonly index: number }>;
  readonly types: readonly Signature[];
  /** Signatures of all functions, imported ones first; those of one type are the same object. */
  readonly functions: readonly Signature[];
  readonly memory: Limits | undefined;
  readonly tables: readonly (Limits & { readonly type: Uint8Array })[];
  /** Locals and instructions of its own functions. */
  readonly bodies: readonly Uint8Array[];
}

export const SectionId = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;
/** As the sections of a module must follow each other. */
export const sectionOrder: readonly number[] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
export const ExternalKind = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;
const kindNames = ['function', 'table', 'memory', 'global', 'tag'];
const valueTypes = new Map([
  [0x7f, 'i'],
  [0x7e, 'I'],
  [0x7d, 'f'],
  [0x7c, 'F'],
]);

/** Reads a module's outline (https://webassembly.github.io/spec/core/binary/modules.html); throws ModuleError. */
export function readModule(bytes: Uint8Array): ModuleLayout {
  const reader = new ByteReader(bytes);
  const header = bytes.length >= 8 ? reader.take(8).join() : '';
  if (header !== '0,97,115,109,1,0,0,0') throw new ModuleError('it is no WebAssembly module (version 1)');
  const sections = readSections(reader);
  const section = (id: number) => new ByteReader(sections.find(other => other.id === id)?.body ?? new Uint8Array([0]));
  /** All of a section: nothing may hide behind what its count says. */
  const whole = <T>(id: number, read: (reader: ByteReader) => T): T => {
    const reader = section(id);
    const content = read(reader);
    if (!reader.done) throw new ModuleError(`section ${id} goes on behind its end`);
    return content;
  };
  checkCounts(section);
  const types = whole(SectionId.type, readTypes);
  const imports = whole(SectionId.import, each => readImports(each, types));
  const own = whole(SectionId.function, each => readFunctions(each, types));
  return {
    sections,
    imports,
    types,
    functions: [...imports.map(each => each.signature), ...own],
    exports: whole(SectionId.export, readExports),
    memory: whole(SectionId.memory, readMemory),
    tables: whole(SectionId.table, readTables),
    bodies: whole(SectionId.code, each => readBodies(each, own.length)),
  };
}

/** Sections that are not read, but whose entries cost V8 many times their bytes. */
function checkCounts(section: (id: number) => ByteReader): void {
  section(SectionId.global).count('globals', MAX_GLOBALS);
  section(SectionId.data).count('data segments', MAX_SEGMENTS);
  const elements = section(SectionId.element);
  elements.count('element segments', MAX_SEGMENTS);
  if (elements.bytes.length > MAX_ELEMENT_BYTES) {
    const { length } = elements.bytes;
    throw new ModuleError(`its element segments have ${length} bytes; ${MAX_ELEMENT_BYTES} are allowed`);
  }
  if (section(SectionId.tag).u32() > 0) throw new ModuleError('it uses exceptions; compile it without');
}

function readBodies(reader: ByteReader, functions: number): Uint8Array[] {
  const count = reader.u32();
  if (count !== functions) throw new ModuleError(`it has ${functions} functions and the bodies of ${count}`);
  return list(count, () => reader.take(reader.u32()));
}

/** All sections but the custom ones: some of those steer V8's compiler. */
function readSections(reader: ByteReader): Section[] {
  const sections: Section[] = [];
  let last = -1;
  while (!reader.done) {
    const id = reader.byte();
    const body = reader.take(reader.u32());
    if (id === SectionId.custom) continue;
    if (sections.some(other => other.id === id)) throw new ModuleError(`section ${id} occurs twice`);
    const place = sectionOrder.indexOf(id);
    if (place < 0) throw new ModuleError(`section ${id} is unknown`);
    if (place < last) throw new ModuleError(`section ${id} stands in the wrong place`);
    last = place;
    sections.push({ id, body });
  }
  return sections;
}

function readTypes(reader: ByteReader): Signature[] {
  return list(reader.count('types', MAX_TYPES), () => {
    if (reader.byte() !== 0x60) throw new ModuleError('it uses garbage-collected types; compile it without them');
    return { params: readValueTypes(reader), results: readValueTypes(reader) };
  });
}

function readValueTypes(reader: ByteReader): string {
  return list(reader.count('values in a signature', MAX_SIGNATURE_VALUES), () => {
    const type = reader.valueType();
    const [first = 0] = type;
    return valueTypes.get(first) ?? `<${type.join(' ')}>`;
  }).join('');
}

function readImports(reader: ByteReader, types: readonly Signature[]): ModuleLayout['imports'] {
  return list(reader.count('imports', MAX_IMPORTS), () => {
    const module = reader.name();
    const name = reader.name();
    const kind = reader.byte();
    if (kind !== ExternalKind.function) {
      const what = `${kindNames[kind] ?? 'something unknown'} ${printable(module)}.${printable(name)}`;
      throw new ModuleError(`it imports the ${what}; it may import functions of env only, and must export its memory`);
    }
    return { module, name, signature: signatureAt(types, reader.u32()) };
  });
}

function readFunctions(reader: ByteReader, types: readonly Signature[]): Signature[] {
  return list(reader.count('functions', MAX_FUNCTIONS), () => signatureAt(types, reader.u32()));
}

function readExports(reader: ByteReader): ModuleLayout['exports'] {
  const entries = list(reader.count('exports', MAX_EXPORTS), () => {
    const name = reader.name();
    return [name, { kind: reader.byte(), index: reader.u32() }] as const;
  });
  return new Map(entries);
}

function readMemory(reader: ByteReader): Limits | undefined {
  const count = reader.u32();
  if (count > 1) throw new ModuleError(`it has ${count} memories; one is allowed`);
  return count === 0 ? undefined : readLimits(reader, 'memory');
}

function readTables(reader: ByteReader): ModuleLayout['tables'] {
  return list(reader.count('tables', MAX_TABLES), () => {
    if (reader.bytes[reader.at] === 0x40) throw new ModuleError('it has a table with an initial value');
    return { type: reader.valueType(), ...readLimits(reader, 'table') };
  });
}

function readLimits(reader: ByteReader, what: string): Limits {
  const flags = reader.byte();
  if (flags & 2) throw new ModuleError(`its ${what} is shared; compile it without threads`);
  if (flags & 4) throw new ModuleError(`its ${what} has 64-bit addresses; compile it for wasm32`);
  if (flags > 1) throw new ModuleError(`its ${what} is of an unknown kind (flags ${flags})`);
  return { min: reader.u32(), max: flags === 1 ? reader.u32() : undefined };
}

function signatureAt(types: readonly Signature[], index: number): Signature {
  const signature = types[index];
  if (!signature) throw new ModuleError(`it has no type ${index}`);
  return signature;
}

function list<T>(count: number, read: () => T): T[] {
  return Array.from({ length: count }, read);
}

/** A name from a module, safe to print. */
export function printable(name: string): string {
  return name.slice(0, 80).replace(/[^\x20-\x7e]/g, '?');
}
