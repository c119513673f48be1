import type { Names } from '../cel/expression.ts';
import type { Fields } from '../document/fields.ts';
import { suggestion } from '../document/near.ts';
import { orNull, union } from '../schema/parts.ts';
import type { JsonSchema } from '../schema/types.ts';
import type { Validator } from '../schema/validator.ts';
import type { StepKind, StepReading } from './kind.ts';
import { readName } from './names.ts';
import type { PlannedStep } from './planned.ts';
import { type Policy, readPolicy, stepFields } from './policy.ts';
import { type InnerSteps, type Shared, StepReader } from './reader.ts';

type ReadInner = (draft: Draft, fields: Fields, key: string, own: readonly string[]) => InnerSteps;

/** A step that has been read, and not yet checked: what it refers to may stand further below. */
export class Draft {
  readonly id: string;
  /** Where its id stands. */
  readonly at: number;
  readonly reader: StepReader;
  /** The steps beside it that it waits for. */
  readonly after = new Set<string>();
  /** Of a map. */
  inner: { resolve(): void } | undefined;
  /** What its output is for those that use it, once it is checked. */
  visible: JsonSchema = true;
  readonly #kind: StepKind;
  readonly #reading: StepReading;
  readonly #policy: Policy;
  readonly #validator: Validator | undefined;
  readonly #fields: Fields;

  /** Undefined for what is no step; that has been said. */
  static read(fields: Fields, shared: Shared, kinds: readonly StepKind[], readInner: ReadInner): Draft | undefined {
    const id = readName(fields, 'id', true);
    const named = kinds.filter(({ kind }) => fields.has(kind));
    const [kind, other] = named;
    if (!kind) {
      const all = kinds.map(each => each.kind);
      const key = fields.keys.find(each => ![...stepFields, 'steps'].includes(each)) ?? '';
      const hint = key === '' ? `; there are ${all.join(', ')}` : suggestion(key, all);
      fields.wrong(key === '' ? fields.at('id') : fields.at(key), `a step says what it does with one field${hint}`);
      return undefined;
    }
    if (other) fields.wrong(fields.at(other.kind), `a step is either '${kind.kind}' or '${other.kind}'`);
    fields.only([...stepFields, kind.kind, ...kind.fields], `a step of the kind '${kind.kind}'`);
    const draft = new Draft(id ?? '', fields, shared, kind, readInner);
    return id === undefined || !draft.#reading ? undefined : draft;
  }

  private constructor(id: string, fields: Fields, shared: Shared, kind: StepKind, readInner: ReadInner) {
    this.id = id;
    this.at = fields.at('id');
    this.#fields = fields;
    this.#kind = kind;
    this.reader = new StepReader(shared, (inner, key, own) => readInner(this, inner, key, own));
    fields.text('description');
    this.#validator = this.reader.schema(fields, 'output');
    this.#policy = readPolicy(fields, this.reader, this.#validator);
    this.#reading = kind.read(fields, this.reader) as StepReading;
  }

  check(names: Names): PlannedStep {
    const { when, retry, rescue, timeoutMs } = this.#policy;
    const made = this.#reading.check(names);
    const caught = this.#policy.check(names);
    if (this.#validator) this.#compare(made, this.#validator.schema);
    const output = this.#validator?.schema ?? made;
    const known = caught === undefined ? output : union([output, caught]);
    this.visible = when ? orNull(known) : known;
    return {
      id: this.id,
      kind: this.#kind.kind,
      target: this.#reading.target,
      after: [...this.after],
      output,
      nullable: when !== undefined || caught !== undefined,
      steps: this.#reading.steps,
      when,
      retry,
      rescue,
      timeoutMs,
      validator: this.#validator,
      run: context => this.#reading.run(context),
    };
  }

  /** What can never be what the document says of it. */
  #compare(made: JsonSchema, said: JsonSchema): void {
    const { types } = this.reader.shared;
    const [is, must] = [types.nameOf(made), types.nameOf(said)];
    const plain = [is, must].every(name => !/dyn|Object|map|null/.test(name));
    const numbers = [is, must].every(name => name === 'int' || name === 'double');
    if (plain && !numbers && is !== must) {
      this.#fields.wrong(this.#fields.at('output'), `the output is said to be ${must}, and is ${is}`);
    }
  }
}
