/** Columns of a row whose products are one chain of additions; the chains' sums are added up: docs/numerics.md. */
export const segmentColumns = 1024;
