/** What a pipeline may be at most. A document comes from whoever may add pipelines, its input from any client. */
export const pipelineLimits = {
  /** Characters of a document. */
  document: 256 * 1024,
  /** Mappings and lists inside each other. */
  nesting: 64,
  /** Lists and objects inside each other in any value of a run: expressions and templates go down by recursion. */
  values: 128,
  /** Mistakes that are named; the rest is counted. */
  mistakes: 50,
  /** Steps, those of maps included. */
  steps: 64,
  /** Lists of steps inside each other. */
  depth: 4,
  /** Items that a map may go over. */
  items: 10_000,
  /** Calls of the host that a run makes at once. */
  fanOut: 256,
  /** Steps of rendering a template: a tenth of what a chat may take, about 100 ms. */
  templateSteps: 200_000,
  retries: 10,
  /** Milliseconds between two tries. */
  delay: 60_000,
  /** Milliseconds; timers have 31 bits. */
  timeout: 2 ** 31 - 1,
} as const;

/** What an expression may be, and cost when it is computed. */
export const expressionLimits = {
  characters: 10_000,
  /** Nodes of its tree, and how deep it is. */
  nodes: 1000,
  depth: 48,
  /** Macros (`map`, `filter`, `all`, …) inside each other. */
  macros: 2,
  /** Items that a macro goes through. */
  items: 256,
  /** Nodes computed; 128 characters and 32 values looked through count as one. About 10 ms in all. */
  steps: 50_000,
} as const;
