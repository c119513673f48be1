/** What the parts of the split backend work with. */
import type { Backend } from '../backend.ts';
import { Owner } from '../owner.ts';
import type { Both, Handles, SplitMatrix, SplitOwner, Use } from './handles.ts';
import type { Placement, Side } from './placement.ts';
import { Stages } from './stages.ts';

export const eachSide = [0, 1] as const;

export class Sides {
  readonly backends: Both<Backend>;
  readonly placement: Placement;
  readonly stages: Stages;
  readonly owner: SplitOwner = new Owner<Handles>('split');

  constructor(backends: Both<Backend>, placement: Placement) {
    this.backends = backends;
    this.placement = placement;
    this.stages = new Stages(backends);
  }

  both<T>(work: (backend: Backend, side: Side) => T): Both<T> {
    return [work(this.backends[0], 0), work(this.backends[1], 1)];
  }

  /** Where a matrix is; one on both sides is where it finds its input. */
  sideOf({ on }: SplitMatrix, reads: readonly Use[]): Side {
    if (on[0] && on[1]) return this.stages.where(reads);
    return on[0] ? 0 : 1;
  }
}
