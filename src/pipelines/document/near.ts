/** The end of a message about a name that nobody knows: which one may be meant, or which there are. */
export function suggestion(name: string, known: Iterable<string>): string {
  const names = [...new Set(known)];
  const near = names
    .map(each => ({ each, distance: distance(name.toLowerCase(), each.toLowerCase()) }))
    .filter(({ each, distance }) => distance <= (Math.min(name.length, each.length) + 1) / 3)
    .sort((a, b) => a.distance - b.distance)[0];
  if (near) return `; did you mean '${near.each}'?`;
  if (names.length === 0) return '';
  const shown = names.slice(0, 12).join(', ');
  return `; there ${names.length === 1 ? 'is' : 'are'} ${shown}${names.length > 12 ? ', …' : ''}`;
}

/** Characters put in, left out, changed or swapped between two names (Damerau's distance, no more than once at a place). */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 4 || a.length > 64) return Number.POSITIVE_INFINITY;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + change);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}
