/** A part of a whole, from 0 to 1, with its number. */
export function Meter({ name, share, text }: { readonly name: string; readonly share: number; readonly text: string }) {
  return (
    <span class="meter">
      <meter min={0} max={1} high={0.8} optimum={0} value={Math.min(Math.max(share, 0), 1)} aria-label={name} />
      <span>{text}</span>
    </span>
  );
}
