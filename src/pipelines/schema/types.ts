/** A JSON Schema (2020-12) as the document has it. `true` is anything. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };
