/**
 * Which variants of the kernels are used. Each is compiled and checked on this very machine against the scalar reference,
 * bit for bit; one that disagrees is never used. Which is fastest is measured once for a machine and a version: then it
 * is remembered, and only checked.
 */
import { platform } from '#platform';
import { RealmError } from '../../errors.ts';
import { fusesDots } from '../../kernels/fused-dot.ts';
import {
  compileKernels,
  type KernelPart,
  type KernelSize,
  kernelBytes,
  sizesOf,
  type Variant,
  variants,
  variantsOf,
} from '../../kernels/module.ts';
import type { Backend } from '../backend.ts';
import { createReferenceBackend } from '../reference/reference.ts';
import { check } from '../self-test.ts';
import { type Choice, candidates, choiceOf, everywhere, type Verdict } from './choice.ts';
import { measure } from './measure.ts';
import { RememberedChoices } from './remembered.ts';

export interface Kernels {
  readonly modules: readonly WebAssembly.Module[];
  readonly choice: Choice;
}

/** A backend whose kernels can be exchanged. */
export interface Bench extends Backend {
  install(part: KernelPart, kernels: Kernels): void;
}
type CreateBench = (threads: number) => Promise<Bench>;

export function variantNamed(name: string): Variant {
  const variant = variants.find(v => v.name === name);
  const known = variants.map(v => v.name).join(', ');
  if (!variant) throw new RealmError('kernel_unavailable', `there is no kernel variant ${name}; known: ${known}`);
  return variant;
}

const compiled = new Map<string, WebAssembly.Module>();

/** Compiled once a thread. */
function moduleOf(part: KernelPart, size: KernelSize, variant: Variant): WebAssembly.Module {
  const key = `${part} ${size} ${variant.name}`;
  const module = compiled.get(key) ?? compileKernels(kernelBytes(part, size, variant), variant);
  compiled.set(key, module);
  return module;
}

/** A part's kernels, each size in the variant that is chosen for it. */
export function kernelsOf(part: KernelPart, choice: Choice): Kernels {
  return { modules: sizesOf(part).map(size => moduleOf(part, size, variantNamed(choice[size] ?? ''))), choice };
}

/** Whether each of the choices computes the reference's bits, or why it could not run. */
async function compare(part: KernelPart, choices: readonly Choice[], create: CreateBench) {
  const bench = await create(1);
  try {
    const wanted = await check(part, createReferenceBackend());
    const results = [];
    for (const choice of choices) results.push(await comparison(part, choice, bench, wanted));
    return results;
  } finally {
    await bench.close();
  }
}

async function comparison(part: KernelPart, choice: Choice, bench: Bench, wanted: Float32Array) {
  try {
    bench.install(part, kernelsOf(part, choice));
    const values = await check(part, bench);
    return { agrees: values.every((value, i) => Object.is(value, wanted[i])) };
  } catch (error) {
    return { agrees: false, error: (error as Error).message };
  }
}

/** Compiles and checks variants of a part. */
export async function judge(part: KernelPart, list: readonly Variant[], create: CreateBench): Promise<Verdict[]> {
  const choices = list.map(({ name }) => everywhere(part, name));
  const results = await compare(part, choices, create);
  return results.map((result, i) => ({ part, variant: list[i].name, ...result }));
}

/** Times the variants from which one is to be chosen. */
async function timed(part: KernelPart, verdicts: readonly Verdict[], create: CreateBench): Promise<readonly Verdict[]> {
  const names = candidates(verdicts).map(({ variant }) => variant);
  if (part === 'common' || names.length < 2) return verdicts;
  const bench = await create(Math.min(2, platform.availableParallelism()));
  try {
    const install = (name: string) => bench.install(part, kernelsOf(part, everywhere(part, name)));
    const times = await measure(part, names, bench, install);
    const timesOf = (name: string) => times[names.indexOf(name)];
    return verdicts.map(v => (names.includes(v.variant) ? { ...v, microseconds: timesOf(v.variant) } : v));
  } finally {
    await bench.close();
  }
}

/** What was chosen for a part, and why. */
export interface Selection {
  /** Absent: nothing agrees with the reference. */
  readonly choice?: Choice | undefined;
  /** An earlier start's choice, one of now, or there was nothing to choose from. */
  readonly source: 'remembered' | 'measured' | 'only one';
  /** Why it will be measured again at the next start. */
  readonly forgotten?: Error | undefined;
  readonly verdicts: readonly Verdict[];
}

/** Chooses for a part whose variants are checked: what is remembered, or what measures best. */
export async function select(
  part: KernelPart,
  verdicts: readonly Verdict[],
  create: CreateBench,
  memory: RememberedChoices,
  fresh = false,
): Promise<Selection> {
  const known = fresh ? undefined : await recall(part, memory);
  const good = new Set(candidates(verdicts).map(({ variant }) => variant));
  if (known && Object.values(known).every(name => good.has(name)))
    return { choice: known, source: 'remembered', verdicts };
  const measured = await timed(part, verdicts, create);
  const choice = choiceOf(part, measured);
  if (!measured.some(({ microseconds }) => microseconds)) return { choice, source: 'only one', verdicts };
  const forgotten = choice && (await memory.remember(part, choice));
  return { choice, source: 'measured', forgotten, verdicts: measured };
}

const vectorized = (part: KernelPart): readonly Variant[] =>
  platform.revectorizes ? variantsOf(part).filter(v => v.revectorize) : [];

/** Where there is one candidate only, nothing need be remembered. */
const hasChoice = (part: KernelPart): boolean => part !== 'common' && vectorized(part).length > 1;

const recall = async (part: KernelPart, memory: RememberedChoices): Promise<Choice | undefined> =>
  hasChoice(part) ? await memory.recall(part) : undefined;

/** Choices of this thread. */
const chosen = new Map<KernelPart, Promise<Kernels>>();

/** The fastest variants of a part that agree with the reference, or `forced`, if that agrees. Throws `kernel_unavailable`. */
export function chooseKernels(part: KernelPart, create: CreateBench, forced?: Variant): Promise<Kernels> {
  if (forced) return choose(part, [[forced]], create);
  const choice = chosen.get(part) ?? chooseAnew(part, create);
  chosen.set(part, choice);
  return choice;
}

/** What {@link chooseKernels} does once a thread. */
export async function chooseAnew(
  part: KernelPart,
  create: CreateBench,
  memory = new RememberedChoices(),
): Promise<Kernels> {
  const known = await recall(part, memory);
  // Only what was chosen is compiled and checked.
  if (known && (await compare(part, [known], create))[0].agrees) return kernelsOf(part, known);
  return choose(part, tiersOf(part), create, memory);
}

/**
 * Without the re-vectoriser one instruction says which variant is fastest, and nothing is measured: a page cannot wait
 * for that at every visit.
 */
function tiersOf(part: KernelPart): readonly (readonly Variant[])[] {
  const others = variantsOf(part).filter(v => !v.revectorize);
  if (platform.revectorizes) return [vectorized(part), others];
  const order = fusesDots()
    ? others.toSorted((a, b) => Number(b.dot === 'dotadd') - Number(a.dot === 'dotadd'))
    : others;
  return order.map(variant => [variant]);
}

/** The one that is tried first: it is compiled in any case. */
export const firstVariant = (part: KernelPart): Variant => tiersOf(part).flat()[0]!;

/** The first of the tiers in which a variant agrees decides. */
async function choose(
  part: KernelPart,
  tiers: readonly (readonly Variant[])[],
  create: CreateBench,
  memory?: RememberedChoices,
): Promise<Kernels> {
  const verdicts: Verdict[] = [];
  for (const tier of tiers) {
    verdicts.push(...(await judge(part, tier, create)));
    const choice = memory ? (await select(part, verdicts, create, memory, true)).choice : choiceOf(part, verdicts);
    if (choice) return kernelsOf(part, choice);
  }
  const why = verdicts.map(({ variant, error }) => `${variant} ${error ?? 'computes other bits'}`).join('; ');
  throw new RealmError('kernel_unavailable', `no ${part} kernels work on this machine: ${why}`);
}
