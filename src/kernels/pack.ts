/** One kernel per format: eight rows from the file's layout into the interleaved one of layout.ts, or of its expanded form. */

import type { QuantFormat } from '../quant/format.ts';
import { Func, type I32, i32 } from './assembler.ts';
import { packExpanded } from './expand.ts';
import { groupRows, layoutOf, packParams } from './layout.ts';
import { type Regroup, regroupOf } from './regroup.ts';

export function pack(format: QuantFormat): Func<typeof packParams> {
  const regroup = regroupOf(format);
  if (format.expanded && !regroup) return packExpanded(format, format.expanded);
  const { blockBytes, moves } = layoutOf(format);
  const f = new Func(`pack_${format.name}`, packParams);
  const { source, rowBytes, blocks, target } = f.params;
  const row = f.local('i32');
  f.for(blocks, () => {
    f.set(row, source);
    for (let r = 0; r < groupRows; r++) {
      for (const { from, to, bytes, count } of moves)
        for (let i = 0; i < count; i++)
          copy(f, row, from + i * bytes, target, to + (i * groupRows + r) * bytes, bytes, regroup);
      f.advance(row, rowBytes);
    }
    f.advance(source, blockBytes);
    f.advance(target, blockBytes * groupRows);
  });
  return f;
}

/** Words of four bytes are weights where these are regrouped. */
function copy(
  f: Func<typeof packParams>,
  source: I32,
  from: number,
  target: I32,
  to: number,
  bytes: 1 | 2 | 4,
  regroup?: Regroup,
): void {
  if (bytes === 4) f.store32(target, regroup ? regroup(f, i32.load(source, from)) : i32.load(source, from), to);
  else if (bytes === 2) f.store16(target, i32.load16u(source, from), to);
  else f.store8(target, i32.load8u(source, from), to);
}
