/** Of `await using` bundles have a translation, which needs this symbol; not every browser has it. */
if (!Symbol.asyncDispose) Object.defineProperty(Symbol, 'asyncDispose', { value: Symbol.for('Symbol.asyncDispose') });
