/** Values of one label that a server has, until it starts again. */
const mostValues = 200;

/** What stands for all values beyond. */
export const otherValue = 'other';

/**
 * A label whose values may come from whoever creates tenants or loads models: the first ones have time series of their
 * own, all later ones share one, so that neither the server nor who reads its metrics fills up.
 */
export function closedLabel(most = mostValues): (value: string) => string {
  const known = new Set<string>();
  return value => {
    if (known.has(value)) return value;
    if (known.size >= most) return otherValue;
    known.add(value);
    return value;
  };
}
