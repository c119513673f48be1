import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModuleError } from '../../src/sandbox/byte-reader.ts';
import { limitModule, validateProgram } from '../../src/sandbox/validate.ts';
import { compileBombs, hostilePrograms } from './hostile-modules.ts';

describe('hostile programs', () => {
  for (const [name, make] of Object.entries(compileBombs)) {
    test(`${name} is refused before it is compiled`, () => {
      assert.throws(
        () => validateProgram(make()),
        (error: unknown) => {
          assert.ok(error instanceof ModuleError, String(error));
          assert.match(error.message, /\d+.*; \d+ are allowed|more than \d+ deep/);
          return true;
        },
      );
    });
  }

  test('all others are programs', () => {
    for (const [name, make] of Object.entries(hostilePrograms)) {
      if (name in compileBombs) continue;
      assert.ok(WebAssembly.validate(limitModule(validateProgram(make()), 64)), name);
    }
  });

  test('the bombs are valid WebAssembly, when they are small', () => {
    const small = [
      compileBombs.localsTimesIfs(10, 10),
      compileBombs.localsTimesLoops(10, 10),
      compileBombs.stackTimesIfs(10, 10),
      compileBombs.hugeStraightBody(10),
      compileBombs.wideCalls(10, 10),
      compileBombs.deepNesting(10),
      compileBombs.bigBrTable(10, 10, 3),
      compileBombs.manyLoops(10),
      compileBombs.manyMediumFunctions(3, 10),
    ];
    assert.equal(small.length, Object.keys(compileBombs).length);
    for (const bytes of small) assert.ok(WebAssembly.validate(limitModule(validateProgram(bytes), 64)));
  });
});
