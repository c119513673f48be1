import type { JsonSchema } from './schema/types.ts';

/** What a step of a checked plan is, for whoever shows it. How it runs is known in this folder only. */
export interface Step {
  readonly id: string;
  readonly kind: 'model' | 'wasm' | 'tool' | 'template' | 'branch' | 'map';
  /** What it calls: the model, the program, the tool. */
  readonly target?: string | undefined;
  /** Ids of the steps that it waits for. */
  readonly after: readonly string[];
  /** What its output is, as far as that is known. */
  readonly output: JsonSchema;
  /** A `when` may skip it, or a `catch` give its default: the output may be null. */
  readonly nullable: boolean;
  /** Of a map. */
  readonly steps?: readonly Step[] | undefined;
}
