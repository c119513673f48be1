import { defineFloats } from './define.ts';

/** IEEE 754 binary16. */
export const F16 = defineFloats({
  name: 'F16',
  id: 1,
  type: 'F16',
  decode({ view }, target, count) {
    for (let i = 0; i < count; i++) target[i] = view.getFloat16(2 * i, true);
  },
});
