/** Text as the model wrote it; code between fences and an answer that is JSON stand in a block. */
export function RichText({ text }: { readonly text: string }) {
  const json = prettyJson(text);
  if (json !== undefined)
    return (
      <figure class="json">
        <figcaption>JSON</figcaption>
        <Code text={json} />
      </figure>
    );
  return (
    <div class="text">
      {piecesOf(text).map(({ code, text }, i) => (code ? <Code key={i} text={text} /> : <span key={i}>{text}</span>))}
    </div>
  );
}

function Code({ text }: { readonly text: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <pre tabIndex={0}>
      <code>{text}</code>
    </pre>
  );
}

/** Numbers and words alone are left as text. */
export function prettyJson(text: string): string | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined;
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return undefined;
  }
}

/** A fence that is still open is code to the end. */
function piecesOf(text: string): { code: boolean; text: string }[] {
  const parts = text.split(/^ *```[^\n]*\n?/m);
  return parts.map((text, i) => ({ code: i % 2 === 1, text })).filter(({ text }) => text !== '');
}
