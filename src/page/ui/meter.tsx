interface Props {
  readonly name: string;
  /** From 0 to 1. */
  readonly share: number;
  readonly text: string;
  /** The last fifth is a warning. */
  readonly warns?: boolean;
}

/** A part of a whole, with its number. */
export function Meter({ name, share, text, warns }: Props) {
  return (
    <span class="meter">
      <meter
        min={0}
        max={1}
        value={Math.min(Math.max(share, 0), 1)}
        aria-label={name}
        {...(warns && { high: 0.8, optimum: 0 })}
      />
      <span>{text}</span>
    </span>
  );
}
