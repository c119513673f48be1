/** Every operation: a command says which by its place here. */
import { activate } from './activate.ts';
import { add } from './add.ts';
import { assign } from './assign.ts';
import { attention } from './attention.ts';
import { combine } from './combine.ts';
import { convolve } from './convolve.ts';
import { copy } from './copy.ts';
import { deltaRule } from './delta-rule.ts';
import { expertProduct } from './expert-product.ts';
import { gate } from './gate.ts';
import { headProduct } from './head-product.ts';
import { latentAttention } from './latent-attention.ts';
import { layerNorm } from './layer-norm.ts';
import type { Op } from './op.ts';
import { pack } from './pack.ts';
import { panelProduct } from './panel-product.ts';
import { product } from './product.ts';
import { quantize } from './quantize.ts';
import { quantizeHeads } from './quantize-heads.ts';
import { quantizeSlots } from './quantize-slots.ts';
import { rmsNorm } from './rms-norm.ts';
import { rope } from './rope.ts';
import { route } from './route.ts';
import { scale } from './scale.ts';
import { scan } from './scan.ts';
import { softcap } from './softcap.ts';
import { storeKv } from './store-kv.ts';
import { storeLatent } from './store-latent.ts';
import { transfer } from './transfer.ts';

// biome-ignore format: a line for each would be a page
const table = [
  quantize, product, panelProduct, rmsNorm, layerNorm, rope, storeKv, attention, gate, add, scale, softcap, copy,
  transfer, pack, route, assign, quantizeSlots, expertProduct, combine, convolve, deltaRule, scan, activate,
  quantizeHeads, headProduct, storeLatent, latentAttention,
];
for (const [i, op] of table.entries()) op.number = i;

export const ops: readonly Pick<Op, 'name' | 'run' | 'read'>[] = table;
