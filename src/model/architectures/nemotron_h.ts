import { defineArchitecture } from '../architecture.ts';
import { nemotronCache, nemotronEpsilon, nemotronLayers } from '../nemotron-h.ts';

/** Nemotron-H and Nano 2: layers of Mamba-2, of feed-forward networks and, a few, of attention that does not rotate. arXiv:2504.03624 */
export const nemotronH = defineArchitecture({
  name: 'nemotron_h',
  needs: ['states'],
  mixedLayers: true,
  epsilon: nemotronEpsilon,
  cache: nemotronCache,
  layers: nemotronLayers,
});
