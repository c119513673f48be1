/** A compute shader: WGSL, what it is told in each dispatch, and what it is bound to. */

export type ParamType = 'u32' | 'i32' | 'f32';
export type ParamTypes = Readonly<Record<string, ParamType>>;
/** Values for a dispatch, by name. */
export type ParamValues<P extends ParamTypes> = { readonly [K in keyof P]: number };

/** A buffer of its own behind the shared ones: weights, a layer's cache. */
export interface Binding {
  readonly name: string;
  /** WGSL, `array<vec4u>`. */
  readonly type: string;
  readonly access: 'read' | 'read_write';
}

export interface KernelSpec<P extends ParamTypes> {
  readonly name: string;
  /** Kernels that are made for many shapes, and are fused with others alike. */
  readonly family?: string;
  readonly params: P;
  /** Element of `work`, the memory of all work buffers and vectors, and of `tables`, the step's words. Default u32. */
  readonly work?: 'u32' | 'f32' | 'vec4f' | 'vec4u';
  readonly tables?: 'u32' | 'i32' | 'f32';
  readonly bindings?: readonly Binding[];
  /** Invocations of a workgroup. */
  readonly workgroup: number;
  /** WGSL outside of main: functions, workgroup variables. */
  readonly declarations?: string;
  /** Body of main, which knows `p`, `work`, `tables`, `group` and `groups` (vec3u), `lane`. */
  readonly main: string;
}

export interface Kernel<P extends ParamTypes = ParamTypes> extends KernelSpec<P> {
  readonly code: string;
}

/** Most words that a dispatch is told: dynamic offsets of uniform buffers are multiples of 256 bytes. */
export const paramWords = 64;

/**
 * `kept(x)` is x as it is. WGSL lets a compiler fuse a product with a sum and make 2 - x of 1 + (1 - x), but not through this:
 * `zero` is 0 in every dispatch, which no compiler knows. `product(a, b)` is a * b, rounded before anything is added to it.
 */
const prelude = `
fn kept(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) | p.zero); }
fn product(a: f32, b: f32) -> f32 { return kept(a * b); }
`;

/** `keptEach(x)`, `kept` of each of four. */
export const keptEach = `
fn keptEach(x: vec4f) -> vec4f { return bitcast<vec4f>(bitcast<vec4u>(x) | vec4u(p.zero)); }`;

export function defineKernel<const P extends ParamTypes>(spec: KernelSpec<P>): Kernel<P> {
  const fields = [...Object.entries(spec.params), ['zero', 'u32'] as const];
  if (fields.length > paramWords) throw new Error(`${spec.name}: ${fields.length} parameters`);
  const bindings = (spec.bindings ?? []).map(
    ({ name, type, access }, i) => `@group(1) @binding(${i}) var<storage, ${access}> ${name}: ${type};`,
  );
  const code = `
struct Params { ${fields.map(([name, type]) => `${name}: ${type}`).join(', ')} }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> work: array<${spec.work ?? 'u32'}>;
@group(0) @binding(2) var<storage, read> tables: array<${spec.tables ?? 'u32'}>;
${bindings.join('\n')}
${prelude}${spec.declarations ?? ''}
@compute @workgroup_size(${spec.workgroup})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
${spec.main}
}
`;
  return { ...spec, code };
}

/** Writes values in the order of the kernel's fields; returns where they end. */
export function writeValues<P extends ParamTypes>(
  { params }: Kernel<P>,
  values: ParamValues<P>,
  target: DataView,
  at: number,
): number {
  let offset = at;
  for (const name in params) {
    const value = values[name];
    if (params[name] === 'f32') target.setFloat32(offset, value, true);
    else target.setUint32(offset, value, true);
    offset += 4;
  }
  return offset;
}
