/** What ABI v2 is good for: guest/programs/assembly and guest/programs/rust have each. */
export const classicPrograms = [
  'best-of-n',
  'self-consistency',
  'beam-search',
  'tree-of-thought',
  'tool-agent',
  'json-repair',
  'watermark',
  'draft-by-lookup',
  'prefix-cache',
] as const;
