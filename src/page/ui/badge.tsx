type Tone = 'plain' | 'good' | 'busy' | 'bad';

/** A state in one word. */
export function Badge({ tone = 'plain', children }: { readonly tone?: Tone; readonly children: string }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}
