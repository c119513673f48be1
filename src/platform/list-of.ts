/** The numbers as a plain list. Array.from() asks an iterator, which takes 14 times as long: 160 us for 4,000 tokens. */
export function listOf(numbers: ArrayLike<number>, from = 0): number[] {
  const list = new Array<number>(numbers.length - from);
  for (let i = 0; i < list.length; i++) list[i] = numbers[from + i]!;
  return list;
}
