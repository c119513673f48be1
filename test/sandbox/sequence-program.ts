import { sequenceFunctions } from '../../src/sandbox/v2/functions.ts';
import { wasm } from './helpers.ts';

/** Programs of ABI v2 in the text format, that call what they like and answer with the codes that they got. */

const imports = [...sequenceFunctions]
  .map(([name, { params }]) => {
    const types = [...params].map(() => 'i32').join(' ');
    return `(import "realm2" "${name}" (func $${name} (param ${types}) (result i32)))`;
  })
  .join('\n');

/** Where a program may write; its texts stand from 4096 on. */
export const OUT = 16_384;
const TEXTS = 4096;
const ANSWER = 1024;
const REQUEST = 512;
const TICKET = 600;

const chat = '{"messages":[{"role":"user","content":"Hi"}]}';

/** Texts of one program, which stand in its memory. */
export class Texts {
  #all = '';

  /** The arguments `ptr len`. */
  at(text: string): string {
    const before = this.#all.length;
    this.#all += text;
    return `(i32.const ${TEXTS + before}) (i32.const ${text.length})`;
  }

  get data(): string {
    const bytes = [...Buffer.from(this.#all)].map(byte => `\\${byte.toString(16).padStart(2, '0')}`).join('');
    return `(data (i32.const ${TEXTS}) "${bytes}")`;
  }
}

/**
 * Around the body of `run`, which leaves nothing. `$say` notes a code; `$model` is the request's model, `$seq` a sequence
 * with a chat after `$begin`; `$submitted` (sequence, most tokens, flags) is a ticket, and `$waited` waits for the last.
 */
export function sequenceProgram(body: (texts: Texts) => string): Uint8Array {
  const texts = new Texts();
  const prompt = texts.at(chat);
  const code = body(texts);
  return wasm(`(module ${imports} (memory (export "memory") 4) ${texts.data}
    (global $free (mut i32) (i32.const 131072)) (global $seq (mut i32) (i32.const 0))
    (global $model (mut i32) (i32.const 0)) (global $said (mut i32) (i32.const 0))
    (func (export "realm_alloc") (param $n i32) (result i32)
      (global.set $free (i32.add (global.get $free) (local.get $n)))
      (i32.sub (global.get $free) (local.get $n)))
    (func $begin (global.set $seq (call $seq_new (global.get $model)))
      (drop (call $seq_chat (global.get $seq) ${prompt})))
    (func $submitted (param $seq i32) (param $most i32) (param $flags i32) (result i32)
      (i32.store (i32.const ${REQUEST}) (local.get $seq)) (i32.store (i32.const ${REQUEST + 4}) (local.get $most))
      (i32.store (i32.const ${REQUEST + 8}) (local.get $flags))
      (i32.store (i32.const ${TICKET}) (call $submit (i32.const ${REQUEST}) (i32.const 1)))
      (i32.load (i32.const ${TICKET})))
    (func $waited (result i32)
      (call $wait (i32.const ${TICKET}) (i32.const 1) (i32.const 0) (i32.const ${OUT}) (i32.const 65536)))
    (func $say (param $code i32)
      (i32.store8 (i32.add (i32.const ${ANSWER + 4}) (global.get $said))
        (if (result i32) (i32.lt_s (local.get $code) (i32.const 0))
          (then (i32.sub (i32.const 64) (local.get $code))) (else (i32.const 48))))
      (global.set $said (i32.add (global.get $said) (i32.const 1)))
      (i32.store (i32.const ${ANSWER}) (global.get $said)))
    (func (export "run") (param $input i32) (param $len i32) (result i32) (local $n i32) (local $m i32)
      (global.set $model (call $model_find (i32.const 0) (i32.const 0)))
      ${code} (i32.const ${ANSWER})))`);
}

/** The codes that such a program said: 0 for what was no error. */
export const codesOf = (said: string): number[] => [...said].map(char => (char === '0' ? 0 : 64 - char.charCodeAt(0)));
