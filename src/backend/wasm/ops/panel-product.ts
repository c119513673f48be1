import { tilesOf } from '../../../kernels/activation.ts';
import { defineOp } from './op.ts';
import { groupBytes, productParams } from './product.ts';

/** The same for many tokens: `together` groups are unpacked at a time, then all tiles pass over them. Items: row groups. */
export const panelProduct = defineOp({
  name: 'panelProduct',
  params: { ...productParams, together: 'i32' },
  items: ({ groups }) => groups,
  chunk: ({ together }, groups, turns) => Math.max(1, Math.floor(Math.ceil(groups / turns) / together)) * together,
  run: at => (m, context, first, count, ints) => {
    const { panel, scratch } = context;
    const [type, blocks, perToken] = [ints[at.type], ints[at.blocks], ints[at.perToken]];
    const [stride, accumulate, together] = [ints[at.outStride], ints[at.accumulate], ints[at.together]];
    const kernels = m.panels[type];
    const tiles = tilesOf(ints[at.rows], context.maxTile);
    for (let group = first; group < first + count; group += together) {
      const groups = Math.min(together, first + count - group);
      m.unpackers[type](ints[at.weights] + group * ints[at.groupStride], blocks, groups, panel);
      const column = group * groupBytes;
      const bias = ints[at.bias] && ints[at.bias] + column;
      let x = ints[at.x];
      let out = ints[at.out] + column;
      for (const tile of tiles) {
        kernels[tile](panel, blocks, groups, x, out, stride, bias, accumulate, scratch);
        x += tile * perToken;
        out += tile * stride;
      }
    }
  },
});
