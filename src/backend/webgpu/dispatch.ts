/** A kernel's run over workgroups, and several of them that run as one. */
import { type Kernel, type ParamTypes, writeValues } from './kernel.ts';

export type Groups = readonly [x: number, y?: number, z?: number];

export interface Dispatch {
  readonly kernel: Kernel;
  readonly groups: Groups;
  readonly params: Readonly<Record<string, number>>;
  /** The kernel's own. */
  readonly buffers: readonly GPUBuffer[];
  /** What it does in one, see {@link Fusion}: it is told what each of these would be, one after the other. */
  readonly parts?: readonly Dispatch[];
}

export interface Surroundings {
  /** What follows. */
  readonly next: Dispatch | undefined;
  /** Most of memory that a workgroup shares. */
  readonly workgroupBytes: number;
}

/** Kernels that stand one behind the other in steps, and one that does the work of all of them with the same bits. */
export interface Fusion {
  /** Kernels, or families of them. */
  readonly kernels: readonly (Kernel | string)[];
  /** Undefined where these do not follow from each other as the kernel takes it. */
  readonly fuse: (parts: readonly Dispatch[], where: Surroundings) => Dispatch | undefined;
}

/** The same work in fewer dispatches. `workgroupBytes`: see {@link Surroundings}. */
export type Fuse = (dispatches: readonly Dispatch[], workgroupBytes: number) => readonly Dispatch[];

/** The parameters of parts, each under its part's name: `norm_x`. */
export function paramsOf(parts: Readonly<Record<string, Kernel>>): ParamTypes {
  const fields = Object.entries(parts).flatMap(([part, { params }]) =>
    Object.entries(params).map(([name, type]) => [`${part}_${name}`, type] as const),
  );
  return Object.fromEntries(fields);
}

/** Writes a dispatch's values in the order of its kernel's fields, behind them the zero. */
export function writeParams(dispatch: Dispatch, target: DataView, at: number): void {
  const { kernel, params, parts } = dispatch;
  let end = at;
  if (parts) for (const part of parts) end = writeValues(part.kernel, part.params, target, end);
  else end = writeValues(kernel, params, target, end);
  target.setUint32(end, 0, true);
}
