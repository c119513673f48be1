import type { Names } from '../cel/expression.ts';
import type { Fields } from '../document/fields.ts';
import { suggestion } from '../document/near.ts';
import { pipelineLimits } from '../limits.ts';
import { stepKinds } from '../steps/index.ts';
import { Draft } from './draft.ts';
import { inOrder } from './order.ts';
import type { PlannedStep } from './planned.ts';
import { type InnerSteps, type Shared, StepReader } from './reader.ts';

/** Steps that stand beside each other. */
export class StepList implements InnerSteps {
  readonly #shared: Shared;
  readonly #outer: StepList | undefined;
  /** The map that the steps belong to. */
  readonly #owner: Draft | undefined;
  /** Names that have values here beside the steps. */
  readonly #own: readonly string[];
  readonly #drafts: Draft[] = [];
  readonly behind: StepReader;
  #planned: readonly PlannedStep[] = [];

  constructor(fields: Fields, key: string, shared: Shared, own: readonly string[], outer?: StepList, owner?: Draft) {
    this.#shared = shared;
    this.#own = own;
    this.#outer = outer;
    this.#owner = owner;
    this.behind = new StepReader(shared, () => {
      throw new Error('an expression has no steps');
    });
    const each = fields.list(key);
    if (each.length === 0) fields.wrong(fields.at(key), `'${key}' needs at least one step`);
    if (this.#depth > pipelineLimits.depth) {
      fields.wrong(fields.at(key), `steps stand inside each other more than ${pipelineLimits.depth} levels deep`);
    } else for (const one of each) this.#read(one);
  }

  get planned(): readonly PlannedStep[] {
    return this.#planned;
  }

  get last(): string | undefined {
    return this.#drafts.at(-1)?.id;
  }

  get #depth(): number {
    return this.#outer ? 1 + this.#outer.#depth : 1;
  }

  #read(fields: Fields): void {
    this.#shared.steps++;
    if (this.#shared.steps > pipelineLimits.steps) {
      if (this.#shared.steps === pipelineLimits.steps + 1) {
        fields.wrong(fields.at('id'), `a pipeline has ${pipelineLimits.steps} steps at most`);
      }
      return;
    }
    const draft = Draft.read(fields, this.#shared, stepKinds, (made, inner, key, own) => {
      const list = new StepList(inner, key, this.#shared, own, this, made);
      made.inner = list;
      return list;
    });
    if (!draft) return;
    const before = this.#shared.places.get(draft.id);
    if (before) return fields.wrong(fields.at('id'), `there is a step '${draft.id}' already`);
    this.#shared.places.set(draft.id, this.#owners);
    this.#drafts.push(draft);
  }

  get #owners(): string[] {
    return this.#owner && this.#outer ? [...this.#outer.#owners, this.#owner.id] : [];
  }

  /** Finds what each name refers to; a step inside a map makes the map wait. Once all is read. */
  resolve(): void {
    for (const draft of this.#drafts) {
      draft.inner?.resolve();
      for (const [name, at] of draft.reader.references) this.#refer(draft, name, at);
    }
    for (const [name, at] of this.behind.references) this.#refer(undefined, name, at);
  }

  #refer(user: Draft | undefined, name: string, at: number): void {
    let by = user;
    for (let list: StepList | undefined = this; list; by = list.#owner, list = list.#outer) {
      if (list.#own.includes(name)) return;
      const found = list.#drafts.find(({ id }) => id === name);
      if (!found) continue;
      if (found !== by) by?.after.add(name);
      else if (by === user) this.#wrong(at, `the step '${name}' cannot use its own output`);
      else this.#wrong(at, `the map '${name}' has no output while its own steps run`);
      return;
    }
    this.#wrong(at, this.#unknown(name));
  }

  #unknown(name: string): string {
    const [map] = this.#shared.places.get(name) ?? [];
    const outside = this.#visible.includes(map ?? '') ? `; use '${map}', the list of what comes of it` : '';
    if (map !== undefined) return `the step '${name}' stands in the map '${map}' and cannot be used outside${outside}`;
    return `there is no '${name}' here${suggestion(name, this.#visible)}`;
  }

  get #visible(): string[] {
    const outer = this.#outer ? this.#outer.#visible : [];
    return [...this.#own, ...this.#drafts.map(({ id }) => id), ...outer];
  }

  check(names: Names): Names {
    const known = new Map(names);
    const { order, circle } = inOrder(this.#drafts);
    if (circle) {
      const ids = circle.map(({ id }) => id);
      this.#wrong(circle[0]!.at, `steps wait for each other in a circle: ${[...ids, ids[0]].join(' -> ')}`);
    }
    this.#planned = order.map(draft => {
      const planned = draft.check(known);
      known.set(draft.id, draft.visible);
      return planned;
    });
    return known;
  }

  #wrong(at: number, what: string): void {
    this.#shared.mistakes.add(at, what);
  }
}
