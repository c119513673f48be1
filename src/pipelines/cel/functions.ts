/** The functions of CEL that expressions may call. All cost no more than their arguments are long, but those in {@link searches}. */
export const functions: ReadonlySet<string> = new Set([
  ...['size', 'type', 'dyn', 'has', 'string', 'int', 'uint', 'double', 'bool', 'bytes', 'timestamp', 'duration'],
  ...['startsWith', 'endsWith', 'contains', 'lowerAscii', 'upperAscii', 'trim', 'matches'],
  ...['indexOf', 'lastIndexOf', 'substring', 'split', 'join'],
  ...['getDate', 'getDayOfMonth', 'getDayOfWeek', 'getDayOfYear', 'getFullYear', 'getHours', 'getMilliseconds'],
  ...['getMinutes', 'getMonth', 'getSeconds'],
]);

export const macros: ReadonlySet<string> = new Set(['map', 'filter', 'all', 'exists', 'exists_one']);

/** They look for a text in another, which can cost the product of their lengths. */
export const searches: ReadonlySet<string> = new Set(['contains', 'indexOf', 'lastIndexOf', 'split']);
