import type { RopeSpec } from '../backend.ts';

const f = Math.fround;

/** Factor on the cosines and sines of a position. */
export const magnitudeAt = ({ magnitude, temperature }: RopeSpec, position: number): number =>
  temperature ? magnitude * temperature(position) : magnitude;

/** Rotates one head in place by the angles of `position`. */
export function rotate(head: Float32Array, position: number, rope: RopeSpec): void {
  const pairs = rope.dimensions / 2;
  const magnitude = magnitudeAt(rope, position);
  for (let i = 0; i < pairs; i++) {
    const angle = position * rope.frequencies[i];
    const cos = f(Math.cos(angle) * magnitude);
    const sin = f(Math.sin(angle) * magnitude);
    const [a, b] = rope.style === 'adjacent' ? [2 * i, 2 * i + 1] : [i, i + pairs];
    const x0 = head[a];
    const x1 = head[b];
    head[a] = f(f(x0 * cos) - f(x1 * sin));
    head[b] = f(f(x0 * sin) + f(x1 * cos));
  }
}
