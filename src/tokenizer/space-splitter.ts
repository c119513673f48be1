/**
 * SentencePiece vocabularies merge over whole texts. But where no token holds a ▁ after another character, no merge can
 * cross that place, so the words on both sides can be merged (and remembered) one by one with the same result. `texts`
 * are all texts that merges can make; the few characters that do come before a ▁ in one of them keep their neighbour.
 */
export function spaceSplitter(texts: readonly string[]): (text: string) => string[] {
  const joining = new Set<string>();
  for (const text of texts) {
    if (!text.includes('▁', 1)) continue;
    for (const [, before = ''] of text.matchAll(/([^▁])▁/gu)) joining.add(before);
  }
  return text => cut(text, joining);
}

function cut(text: string, joining: ReadonlySet<string>): string[] {
  const words: string[] = [];
  let start = 0;
  for (let at = text.indexOf('▁', 1); at > 0; at = text.indexOf('▁', at + 1)) {
    const before = text[at - 1];
    if (before === '▁' || joining.has(lastCharacter(text, at))) continue;
    words.push(text.slice(start, at));
    start = at;
  }
  words.push(text.slice(start));
  return words;
}

function lastCharacter(text: string, end: number): string {
  const isPair = end > 1 && /[\uDC00-\uDFFF]/.test(text.charAt(end - 1));
  return text.slice(end - (isPair ? 2 : 1), end);
}
