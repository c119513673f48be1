import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Memories } from './memories.ts';

const { Memory } = WebAssembly;
afterEach(() => {
  WebAssembly.Memory = Memory;
});

/** A machine that gives no memory of more pages. */
function refuseAbove(most: number): void {
  WebAssembly.Memory = class extends Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      if (descriptor.initial > most) throw new RangeError('could not allocate memory');
      super(descriptor);
    }
  };
}

describe('memories', () => {
  it('are smaller and more where large ones are refused', () => {
    refuseAbove(8192);
    const added: WebAssembly.Memory[] = [];
    const memories = new Memories(1 << 20, 65536, memory => added.push(memory));
    assert.equal(memories.bytes(0).length, 512 << 20);
    const blocks = ['a', 'b'].map(name => memories.own(200 << 20, name));
    assert.deepEqual(
      blocks.map(({ memory }) => memory),
      [0, 1],
    );
    assert.deepEqual(added, memories.list);
  });

  it('are missed where even small ones are', () => {
    refuseAbove(100);
    assert.throws(() => new Memories(0, 65536, () => {}), { code: 'out_of_memory', message: /256 MB/ });
  });
});
