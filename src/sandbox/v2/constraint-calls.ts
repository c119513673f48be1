import type { SequenceGuest } from './guest.ts';
import { MAX_SOURCE_BYTES } from './limits.ts';
import type { AskedConstraint } from './messages.ts';
import { parseObject, wrong } from './sampler.ts';
import { HeldConstraint } from './sequence.ts';
import { idle } from './sequence-calls.ts';

/** Calls of constraints. Their sources stay at the server, under the handle's number. */

async function constraint_new(
  guest: SequenceGuest,
  modelId: number,
  kind: number,
  at: number,
  length: number,
): Promise<number> {
  guest.constraints.checkRoom();
  const source = readSource(kind, guest.arguments.text(at, length, MAX_SOURCE_BYTES));
  const model = await guest.model(modelId);
  const { place } = guest;
  const drop = (id: number) => place.post({ kind: 'drop_constraint', run: place.run, id });
  const handle = guest.constraints.add(id => new HeldConstraint(id, model.id, drop));
  try {
    await guest.ask({ ask: 'constraint', modelId: model.id, id: handle, source });
  } catch (error) {
    guest.constraints.delete(handle);
    throw error;
  }
  return handle;
}

function readSource(kind: number, text: string): AskedConstraint {
  switch (kind) {
    case 1:
      return { kind: 'json_schema', schema: text };
    case 2:
      return { kind: 'regex', pattern: text };
    case 3:
      return { kind: 'gbnf', grammar: text };
    case 4:
      return { kind: 'lark', grammar: text };
    case 5:
      return { kind: 'choice', choices: readTexts(text) };
    case 6:
      return readTools(text);
    default:
      throw wrong(`there is no kind of constraint ${kind >>> 0}; they are 1 to 6`);
  }
}

function readTools(text: string): AskedConstraint {
  const { tools, choice = 'auto' } = parseObject(text);
  if (!Array.isArray(tools)) throw wrong('tools must be a list, as in Chat Completions');
  if (choice !== 'auto' && choice !== 'required') throw wrong("choice must be 'auto' or 'required'");
  return { kind: 'tools', tools: JSON.stringify(tools), choice };
}

/** A JSON array of strings. */
export function readTexts(text: string): string[] {
  const { texts } = parseObject(`{"texts":${text}}`);
  if (Array.isArray(texts) && texts.every(each => typeof each === 'string')) return texts;
  throw wrong('it must be a JSON array of strings');
}

function constraint_free(guest: SequenceGuest, handle: number): number {
  guest.constraints.get(handle).release();
  guest.constraints.delete(handle);
  return 0;
}

function seq_constrain(guest: SequenceGuest, handle: number, constraint: number): number {
  const sequence = idle(guest, handle);
  const held = constraint === 0 ? undefined : guest.constraints.get(constraint);
  if (held && held.model !== sequence.model.id) throw wrong('the constraint was made for another model');
  sequence.constrain(held);
  return 0;
}

export const constraintCalls = { constraint_new, constraint_free, seq_constrain };
