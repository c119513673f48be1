import { passOn, program } from './helpers.ts';

const memory64 = '(memory (export "memory") 960)';
const table = '(table $t 60000 funcref)';
const forever = (body: string) => `(loop $l ${body} (br $l)) (i32.const 0)`;

/** Programs that do their worst, each from a few lines. */
export const hostilePrograms: Record<string, Uint8Array> = {
  infiniteLoop: program(forever('')),
  memoryFillLoop: program(forever('(memory.fill (i32.const 0) (i32.const 1) (i32.const 60000000))'), '', memory64),
  tableFillLoop: program(forever('(table.fill $t (i32.const 0) (ref.null func) (i32.const 60000))'), table),
  cheapCallLoop: program(forever('(drop (call $metadata (i32.const 0) (i32.const 0) (i32.const 0)))')),
  pieces: program(`(loop $l (drop (call $stream (i32.const 0) (i32.const 1)))
    (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 500000)))) (i32.const 0)`),
  encodeLoop: program(
    forever('(drop (call $encode (local.get $model) (i32.const 0) (i32.const 4000000) (i32.const 0) (i32.const 0)))'),
    '',
    memory64,
  ),
  computeThenCall: program(`(loop $l
      (loop $m (br_if $m (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 500000000))))
      (local.set $n (i32.const 0))
      (drop (call $metadata (i32.const 0) (i32.const 0) (i32.const 0)))
      (br $l)) (i32.const 0)`),
  longAnswers: program(`${passOn} (i32.const 0)`),
};
