/** What the SDKs offer beside what the classic programs use of them. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { findRust } from '../../guest/build-rust.ts';
import { compiled, type Language } from '../guest/compiled.ts';
import { options, rig } from './helpers.ts';
import { scripted } from './scripted-sequences.ts';

const { sandbox, load, call } = rig();
after(() => sandbox.close());

async function offers(language: Language): Promise<void> {
  const script = scripted(() => ({ a: 0.5, b: 0.3, c: 0.1, d: 0.05 }));
  const program = await load(await compiled(language, 'sdk'));
  const prompt = JSON.stringify({ messages: [{ role: 'user', content: 'Q' }] });
  const said = await Array.fromAsync(call({ program, prompt, host: script.host, options }));
  assert.deepEqual(said.join('').trimEnd().split('\n'), [
    'a', // the largest of the logits
    '1', // "babbles" has more of b than of other letters
    '1000', // budget
    '1 true cb', // what is complete first; the mask is of one token, the bias of all
    '3 cb', // cancelled
    '2', // constrained
    'b', // and not any more
    '0 10 10', // a stop token is no part of an answer; two scores and two alternatives for each of five
    'true true', // without biases b is the second
    'fb',
  ]);
  assert.ok(script.submissions.every(({ adapter }) => adapter === 'legal'));
  const masked = script.submissions.filter(({ mask }) => mask !== undefined);
  assert.deepEqual([masked.length, script.open()], [2, 0]);
}

test('waiting for any, masks, biases, logits, embeddings, budgets in AssemblyScript', () => offers('assembly'));

const noRust = !(await findRust()) && 'no rustc with the target wasm32-unknown-unknown';
test('and in Rust', { skip: noRust }, () => offers('rust'));
