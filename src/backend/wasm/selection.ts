/**
 * Which variant of the kernels is used. Each is compiled, checked on this very machine against the scalar reference, bit
 * for bit, and timed; the fastest that agrees is taken. One that disagrees is never used.
 */
import { RealmError } from '../../errors.ts';
import { compileKernels, type KernelPart, type Variant, variants, variantsOf } from '../../kernels/module.ts';
import type { Backend } from '../backend.ts';
import { createReferenceBackend } from '../reference/reference.ts';
import { check, exercise } from './self-test.ts';

export interface Kernels {
  readonly module: WebAssembly.Module;
  /** Name of the variant. */
  readonly variant: string;
}

/** How a variant did. */
export interface Verdict {
  readonly part: KernelPart;
  readonly variant: string;
  /** Bits equal to the reference's. */
  readonly agrees: boolean;
  /** Of a small fixed piece of work; absent when it was not timed. */
  readonly microseconds?: number;
  /** Why it could not run at all. */
  readonly error?: string;
}

/** A backend of one thread whose kernels can be exchanged. */
export interface Bench extends Backend {
  install(part: KernelPart, kernels: Kernels): void;
}
type CreateBench = () => Promise<Bench>;

export function variantNamed(name: string): Variant {
  const variant = variants.find(v => v.name === name);
  const known = variants.map(v => v.name).join(', ');
  if (!variant) throw new RealmError('kernel_unavailable', `there is no kernel variant ${name}; known: ${known}`);
  return variant;
}

const compiled = new Map<string, Kernels>();

/** A part's kernels in one variant, compiled once a process. */
export function kernelsOf(part: KernelPart, variant: Variant): Kernels {
  const key = `${part} ${variant.name}`;
  const known = compiled.get(key);
  if (known) return known;
  const kernels = { module: compileKernels(part, variant), variant: variant.name };
  compiled.set(key, kernels);
  return kernels;
}

/** Rounds in which the variants are timed in turn, so that a busy moment does not decide. */
const rounds = 8;

/** Compiles, checks and times variants of a part. */
export async function judge(part: KernelPart, candidates: readonly Variant[], create: CreateBench): Promise<Verdict[]> {
  const bench = await create();
  try {
    const wanted = await check(part, createReferenceBackend());
    const verdicts = [];
    for (const variant of candidates) verdicts.push(await checked(part, variant, bench, wanted));
    return await timed(part, verdicts, bench);
  } finally {
    await bench.close();
  }
}

async function checked(part: KernelPart, variant: Variant, bench: Bench, wanted: Float32Array): Promise<Verdict> {
  try {
    bench.install(part, kernelsOf(part, variant));
    const values = await check(part, bench);
    return { part, variant: variant.name, agrees: values.every((value, i) => Object.is(value, wanted[i])) };
  } catch (error) {
    return { part, variant: variant.name, agrees: false, error: (error as Error).message };
  }
}

async function timed(part: KernelPart, verdicts: readonly Verdict[], bench: Bench): Promise<Verdict[]> {
  const best = verdicts.map(() => Number.POSITIVE_INFINITY);
  if (verdicts.filter(({ agrees }) => agrees).length > 1) {
    const work = await exercise(part, bench);
    for (let round = 0; round < rounds; round++) {
      for (const [i, { agrees, variant }] of verdicts.entries()) {
        if (!agrees) continue;
        bench.install(part, kernelsOf(part, variantNamed(variant)));
        best[i] = Math.min(best[i], await work());
      }
    }
  }
  return verdicts.map((verdict, i) => (Number.isFinite(best[i]) ? { ...verdict, microseconds: best[i] } : verdict));
}

/** How much faster a variant must be than those before it in the list: less is noise. */
const clearly = 0.97;

/** The one to use: the first of those that agree, or a later one that is clearly faster. */
export function fastest(verdicts: readonly Verdict[]): Verdict | undefined {
  const good = verdicts.filter(({ agrees }) => agrees);
  return good.reduce<Verdict | undefined>((best, verdict) => {
    const faster = (verdict.microseconds ?? 0) < clearly * (best?.microseconds ?? Number.POSITIVE_INFINITY);
    return best && !faster ? best : verdict;
  }, undefined);
}

/** Choices of this process. */
const chosen = new Map<KernelPart, Promise<Kernels>>();

/** The fastest variant of a part that agrees with the reference, or `forced`, if that agrees. Throws `kernel_unavailable`. */
export function chooseKernels(part: KernelPart, create: CreateBench, forced?: Variant): Promise<Kernels> {
  if (forced) return choose(part, [[forced]], create);
  // The same kernels without the re-vectoriser are never faster: they are tried when the others fail.
  const all = variantsOf(part);
  const tiers = [all.filter(v => v.revectorize), all.filter(v => !v.revectorize)];
  const choice = chosen.get(part) ?? choose(part, tiers, create);
  chosen.set(part, choice);
  return choice;
}

async function choose(part: KernelPart, tiers: readonly Variant[][], create: CreateBench): Promise<Kernels> {
  const verdicts: Verdict[] = [];
  for (const tier of tiers) {
    verdicts.push(...(await judge(part, tier, create)));
    const best = fastest(verdicts);
    if (best) return kernelsOf(part, variantNamed(best.variant));
  }
  const why = verdicts.map(({ variant, error }) => `${variant} ${error ?? 'computes other bits'}`).join('; ');
  throw new RealmError('kernel_unavailable', `no ${part} kernels work on this machine: ${why}`);
}
