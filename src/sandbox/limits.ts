/** What a tenant's program may cost. The figures that an operator can change are in `ProgramLimits`; the others hold for all. */

/** A compiled program. Rust and C++ programs stay under 2 MiB; V8 reads this much in some 20 ms. */
export const MAX_MODULE_BYTES = 4 * 1024 * 1024;
export const MAX_TYPES = 10_000;
export const MAX_IMPORTS = 64;
export const MAX_FUNCTIONS = 20_000;
export const MAX_EXPORTS = 1_000;
export const MAX_TABLES = 16;
/** V8 spends 8 bytes or more on an entry outside of the program's memory: 16 tables of this size are 8 MiB. */
export const MAX_TABLE_ENTRIES = 65_536;
export const MAX_GLOBALS = 10_000;
/** Data segments, and element segments; Rust and C++ have some hundred, one each for a stretch of constants. */
export const MAX_SEGMENTS = 10_000;
/** Entries of tables take a byte or more each; V8 keeps 16 bytes for one. */
export const MAX_ELEMENT_BYTES = 512 * 1024;
/** Parameters of a function or a block, and its results: a call of two bytes passes as many. Rust has up to 22. */
export const MAX_SIGNATURE_VALUES = 250;

// Function bodies. Compilers cost products: each local is looked at again wherever two ways through a function meet.
// Real programs, built for release (QuickJS, SQLite, Lua, MicroPython, tiktoken; lightningcss has 15.7 MB of code):
//   bytes of a function     up to 93,000 (lightningcss 402,000)
//   locals                  up to 57 after wasm-opt, 572 as rustc leaves them
//   blocks in blocks        116 (Lua), 278 (QuickJS), 291 (SQLite), 714 (lightningcss)
//   cost of a function      up to 241,000 (tiktoken), 65,000 (SQLite), 54,000 (QuickJS); lightningcss 682,000
//   cost of the module      1.2 million (tiktoken), 1.3 million (SQLite), 0.7 million (QuickJS); lightningcss 21 million

/** Parameters included. Code that is not optimised has a local for each value, some thousands in a large function. */
export const MAX_LOCALS = 10_000;
/** Blocks in blocks: an interpreter's switch nests one for each of its instructions. Loops in loops cost V8 their square. */
export const MAX_DEPTH = 2_000;
export const MAX_BODY_BYTES = 512 * 1024;
/** Compiling one function, in plain instructions (`compile-cost.ts`). */
export const MAX_FUNCTION_COST = 300_000;
/** Compiling all functions. */
export const MAX_COMPILE_COST = 2_500_000;

export const PAGE_BYTES = 65_536;
export const DEFAULT_MEMORY_MB = 64;

/** One text argument of a host call, and the text written back by one. */
export const MAX_TEXT_BYTES = 4 * 1024 * 1024;
/** Pieces of generated text that may wait for their reader before the generation is held back. */
export const MAX_UNREAD_PIECES = 256;

/** Characters of a program's own text that may wait for their reader before the program is held back. */
export const MAX_UNREAD_TEXT = 65_536;
/** Messages to a place where programs run that it has not dealt with, before generations for it are held back. */
export const MAX_UNHANDLED = 1024;

/** What a guest may use before the next one has its turn: some 5 ms of computing. */
export const SLICE_FUEL = 5_000_000;
/**
 * Instances in one process. V8 reserves 8 GiB of addresses for the memory of each, so a process has room for 16,365,
 * those included that have ended and are not collected yet.
 */
export const MAX_INSTANCES = 1_000;

/** Compiled programs that a process keeps beside those that run, and the bytes of their modules. */
export const MAX_KEPT_MODULES = 128;
export const MAX_KEPT_BYTES = 32 * 1024 * 1024;

/** CPU time for compiling a program, ms. The limits of `function-bodies.ts` keep honest ones far below. */
export const COMPILE_MS = 10_000;
/**
 * Resident memory of a process beside the memories of its guests: Node takes some 45 MB, compiling the largest program
 * that is let in up to 256 MB, kept modules and texts on their way the rest.
 */
export const PROCESS_MB = 640;
/** CPU time for which a process that tenants share may handle no message, ms. A slice takes some 5. */
export const HANG_MS = 10_000;
/** Queries of a tenant's programs (encode, decode, metadata) a second and in a burst; further ones are answered later. */
export const QUERIES_PER_SECOND = 1000;
export const QUERY_BURST = 10_000;

export const pagesOf = (memoryMb: number): number => Math.floor((memoryMb * 1024 * 1024) / PAGE_BYTES);
