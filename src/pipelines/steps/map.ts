import { setImmediate as nextTurn } from 'node:timers/promises';
import { RealmError } from '../../errors.ts';
import type { Fields } from '../document/fields.ts';
import { pipelineLimits } from '../limits.ts';
import type { StepKind } from '../plan/kind.ts';
import { readName } from '../plan/names.ts';
import type { MapItem, StepContext } from '../plan/planned.ts';
import { Values } from '../plan/values.ts';
import { itemsOf } from '../schema/parts.ts';
import type { JsonSchema } from '../schema/types.ts';

const own = ['over', 'as', 'index', 'concurrency', 'on_error', 'collect'];

/** Steps for each item of a list, several items at once; the output is the list of what comes of them. */
export const map: StepKind = {
  kind: 'map',
  fields: ['steps'],
  read(fields, reader) {
    const head = fields.fields('map');
    if (!head) return undefined;
    head.only(own, 'a map');
    const over = head.text('over', { required: true });
    const item = readName(head, 'as', true);
    const index = readName(head, 'index');
    const concurrency = head.number('concurrency', { min: 1, max: pipelineLimits.fanOut, integer: true }) ?? 4;
    const skips = readOnError(head) === 'skip';
    const names = [item, index].filter(name => name !== undefined);
    const inner = reader.innerSteps(fields, 'steps', names);
    const list = over && reader.expression(over);
    const result = head.text('collect');
    const collect = result && inner.behind.expression(result);
    if (!list || item === undefined) return undefined;
    let items: JsonSchema = true;
    const valuesOf = (outer: Values, value: unknown, i: number): Values => {
      const values = new Values(outer);
      values.set(item, value, items);
      if (index !== undefined) values.set(index, i, { type: 'integer' });
      return values;
    };
    return {
      get steps() {
        return inner.planned;
      },
      check(outer) {
        items = itemsOf(list.check(outer, reader.shared.types, 'list'));
        const within = new Map(outer).set(item, items);
        if (index !== undefined) within.set(index, { type: 'integer' });
        const known = inner.check(within);
        const made = collect ? collect.check(known, reader.shared.types) : known.get(inner.last ?? '');
        return { type: 'array', items: made ?? true };
      },
      async run(context) {
        const each = listOf(list.evaluate(context.values.cel));
        if (!each) return null;
        const made = await several(each, concurrency, context.signal, async (value, i, signal) => {
          const values = valuesOf(context.values, value, i);
          const item = { steps: inner.planned, values, index: i, isCaught: skips, signal };
          if (!(await getsThrough(context, item))) return undefined;
          return { value: collect ? collect.evaluate(values.cel) : values.json(inner.last!) };
        });
        return made.flatMap(one => (one ? [one.value] : []));
      },
    };
  },
};

/** Whether the item got through. Throws what it failed with, unless the map skips it. */
async function getsThrough(context: StepContext, item: MapItem): Promise<boolean> {
  try {
    await context.runItem(item);
    return true;
  } catch (error) {
    if (!item.isCaught || item.signal.aborted) throw error;
    return false;
  }
}

type Work<T, R> = (item: T, index: number, signal: AbortSignal) => Promise<R>;

/** What `work` makes of each, so many at once. The first failure ends all that have begun, which are waited for. */
async function several<T, R>(items: readonly T[], atOnce: number, outer: AbortSignal, work: Work<T, R>): Promise<R[]> {
  const made: R[] = [];
  const failed = new AbortController();
  const signal = AbortSignal.any([outer, failed.signal]);
  let next = 0;
  const worker = async () => {
    while (next < items.length && !signal.aborted) {
      const i = next++;
      // Steps that ask nobody would keep the event loop. Counted, so that the order of events is the same each time.
      if (i % 32 === 31) await nextTurn();
      try {
        made[i] = await work(items[i]!, i, signal);
      } catch (error) {
        failed.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  signal.throwIfAborted();
  return made;
}

/** Undefined for null: what a step that was skipped would have given. */
function listOf(value: unknown): readonly unknown[] | undefined {
  if (value === null) return undefined;
  if (!Array.isArray(value)) throw new RealmError('pipeline_failed', `'over' must be a list, and is ${typeof value}`);
  if (value.length > pipelineLimits.items) {
    const most = pipelineLimits.items;
    throw new RealmError('pipeline_failed', `the map goes over ${value.length} items, where ${most} is the most`);
  }
  return value;
}

function readOnError(fields: Fields): string | undefined {
  const text = fields.text('on_error');
  if (text && text.value !== 'skip' && text.value !== 'fail') {
    fields.wrong(text.at(0), `'on_error' is 'skip' or 'fail', not '${text.value}'`);
  }
  return text?.value;
}
