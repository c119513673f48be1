import { PAGE_BYTES } from '../../src/sandbox/limits.ts';
import { passOn, program } from './helpers.ts';
import { FIRST, op, rawProgram, repeat, ValueType } from './module-builder.ts';

/** Programs that try to hurt the server. All have the interface of docs/program-abi.md; each takes a few lines. */

const i32 = (count: number) => [[count, ValueType.i32]] as const;
const pages = (count: number) => `(memory (export "memory") ${count})`;
const forever = (body: string) => `(loop $l ${body} (br $l)) (unreachable)`;
/** Streams "ok" and ends. */
const ok = `(i32.store16 (i32.const 0) (i32.const 0x6b6f))
  (drop (call $stream (i32.const 0) (i32.const 2))) (i32.const 0)`;

/** 49,990 locals meet at the ends of 20,000 ifs: 120 KB, for which V8 took more than 4 GB. */
export const localsTimesIfs = (locals = 49_990, ifs = 20_000) =>
  rawProgram([{ locals: i32(locals), code: repeat(ifs, () => [...op.get(0), ...op.if, ...op.else, ...op.end]) }]);

/** Each loop has each local for a variable, because the innermost sets all of them. */
export const localsTimesLoops = (locals = 1_000, loops = 1_900) =>
  rawProgram([
    {
      locals: i32(locals),
      code: [
        ...repeat(loops, () => op.loop),
        ...repeat(locals, at => [...op.get((at + 1) % locals), ...op.set(at)]),
        ...repeat(loops, at => [...op.get(at % locals), ...op.brIf(0), ...op.end]),
      ],
    },
  ]);

/** Values on the stack are carried like locals, and need no declaration. */
export const stackTimesIfs = (values = 10_000, ifs = 10_000) =>
  rawProgram([
    {
      code: [
        ...repeat(values, () => op.i32(1)),
        ...repeat(ifs, () => [...op.i32(1), ...op.if, ...op.end]),
        ...repeat(values, () => op.drop),
      ],
    },
  ]);

/** One body without a branch, of calls: the optimising compiler takes 7 KB for each two bytes. */
export const hugeStraightBody = (calls = 80_000) =>
  rawProgram([{ code: repeat(calls, () => op.call(FIRST + 1)) }, { code: [] }]);

/** A call of two bytes that passes 250 values and gets as many. */
export const wideCalls = (calls = 5_000, width = 250) => {
  const values = Array<number>(width).fill(ValueType.i32);
  return rawProgram([
    {
      code: [
        ...repeat(width, () => op.i32(1)),
        ...repeat(calls, () => op.call(FIRST + 1)),
        ...repeat(width, () => op.drop),
      ],
    },
    { params: values, results: values, code: repeat(width, op.get) },
  ]);
};

/** Blocks in blocks. */
export const deepNesting = (depth = 50_000) =>
  rawProgram([{ code: [...repeat(depth, () => op.block), ...repeat(depth, () => op.end)] }]);

/** Branch tables whose entries each carry some hundred locals. */
export const bigBrTable = (entries = 60_000, locals = 500, labels = 100) =>
  rawProgram([
    {
      locals: i32(locals),
      code: [
        ...repeat(labels, () => op.block),
        ...op.get(0),
        ...op.brTable(Array.from({ length: entries }, (_, at) => at % labels)),
        ...repeat(labels, () => op.end),
      ],
    },
  ]);

/** Thousands of small loops, each unrolled. */
export const manyLoops = (loops = 20_000) =>
  rawProgram([{ locals: i32(1), code: repeat(loops, () => [...op.loop, ...op.get(0), ...op.brIf(0), ...op.end]) }]);

/** Functions of medium size, each allowed, which together are not. */
export const manyMediumFunctions = (functions = 60, calls = 5_000) =>
  rawProgram(Array.from({ length: functions }, () => ({ code: repeat(calls, () => [...op.call(0), ...op.drop]) })));

/** Just inside the limits: what the compiler may be made to do by a program that is accepted. */
export const dearestAllowed = () => hugeStraightBody(11_000);

/** Just inside the limits: locals x ifs. */
export const widestAllowed = () => localsTimesIfs(5_000, 310);

/** Instructions of a millisecond and more each, in an endless loop. */
export const memoryFillForever = () =>
  program(forever(`(memory.fill (i32.const 0) (i32.const 1) (i32.const ${960 * PAGE_BYTES}))`), '', pages(960));

/** The same with memory.copy. */
export const memoryCopyForever = () =>
  program(forever(`(memory.copy (i32.const 1) (i32.const 0) (i32.const ${960 * PAGE_BYTES - 1}))`), '', pages(960));

/** The same with the largest table there may be. */
export const tableFillForever = () =>
  program(forever('(table.fill $t (i32.const 0) (ref.null func) (i32.const 65536))'), '(table $t 65536 funcref)');

/** Computes for ever. */
export const endlessLoop = () => program(forever(''));

/** Computes for ever in its start function, before anything is called. */
export const endlessStart = () => program(ok, `(func $s ${forever('')}) (start $s)`);

/** Gives way again and again, and never ends. */
export const endlessHostCalls = () =>
  program(forever('(drop (call $metadata (local.get $model) (i32.const 0) (i32.const 0)))'));

/** `pieces` pieces of one byte each. */
export const manyPieces = (pieces = 500_000) =>
  program(`(loop $l (drop (call $stream (i32.const 0) (i32.const 1)))
    (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const ${pieces})))) ${ok}`);

/** Pieces without a byte, for ever. */
export const emptyPieces = () => program(forever('(drop (call $stream (i32.const 0) (i32.const 0)))'));

/** Has 4 MiB of spaces encoded again and again. */
export const encodeForever = (bytes = 4 * 1024 * 1024) =>
  program(
    `(memory.fill (i32.const 0) (i32.const 32) (i32.const ${bytes}))
    ${forever(`(drop (call $encode (local.get $model) (i32.const 0) (i32.const ${bytes}) (i32.const 0) (i32.const 0)))`)}`,
    '',
    pages(Math.ceil(bytes / PAGE_BYTES) + 1),
  );

/** Has a million tokens decoded again and again. */
export const decodeForever = (tokens = 1_000_000) =>
  program(
    forever(`(drop (call $decode (local.get $model) (i32.const 0) (i32.const ${tokens}) (i32.const 0) (i32.const 0)))`),
    '',
    pages(Math.ceil((tokens * 4) / PAGE_BYTES) + 1),
  );

/** Takes all memory that it may have and writes to every page. */
export const growToCap = () =>
  program(`(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (memory.fill (i32.const 0) (i32.const 1) (i32.mul (memory.size) (i32.const ${PAGE_BYTES}))) ${ok}`);

/** Calls itself until the stack is full. */
export const endlessRecursion = () =>
  program(
    '(call $f (i32.const 1))',
    '(func $f (param i32) (result i32) (i32.add (i32.const 1) (call $f (local.get 0))))',
  );

/** The well-behaved one: computes for about `ms`, then streams "ok". */
export const computeThenOk = (ms = 100) =>
  program(`(local $x i32) (local.set $x (i32.const 1))
    (loop $l (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))
      (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const ${ms * 700_000}))))
    (i32.store (i32.const 4) (local.get $x)) ${ok}`);

/** Computes for most of its slice, asks something cheap, and goes on so. */
export const computeBetweenCalls = (rounds = 500_000_000) =>
  program(
    forever(`(local.set $n (i32.const 0))
      (loop $m (br_if $m (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const ${rounds}))))
      (drop (call $metadata (i32.const 0) (i32.const 0) (i32.const 0)))`),
  );

/** Passes its requests on to the model: many of them keep many programs waiting. */
export const longAnswers = () => program(`${passOn} (i32.const 0)`);

/** Refused before anything is compiled. */
export const compileBombs = {
  localsTimesIfs,
  localsTimesLoops,
  stackTimesIfs,
  hugeStraightBody,
  wideCalls,
  deepNesting,
  bigBrTable,
  manyLoops,
  manyMediumFunctions,
} as const;

/** All of them by name, with their usual size. */
export const hostilePrograms: Readonly<Record<string, () => Uint8Array>> = {
  ...compileBombs,
  dearestAllowed,
  widestAllowed,
  memoryFillForever,
  memoryCopyForever,
  tableFillForever,
  endlessLoop,
  endlessStart,
  endlessHostCalls,
  manyPieces,
  emptyPieces,
  encodeForever,
  decodeForever,
  growToCap,
  endlessRecursion,
  computeThenOk,
  computeBetweenCalls,
  longAnswers,
};
