import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface Props {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly value: string;
  onValue(value: string): void;
}

/** Whatever takes a text, with what it is called. */
function Labelled({
  label,
  hint,
  children,
}: {
  readonly label: string;
  readonly hint?: string | undefined;
  children(id: string, hintId: string | undefined): ComponentChildren;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id, hint ? `${id}-hint` : undefined)}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

/** What is the browser's own of a field. */
interface Native {
  readonly type?: 'text' | 'number' | 'password' | 'date' | 'datetime-local';
  readonly min?: number;
  readonly step?: number | 'any';
  readonly required?: boolean;
  readonly autocomplete?: 'off';
  readonly placeholder?: string;
}

export function Field({ label, hint, value, onValue, ...native }: Props & Native) {
  return (
    <Labelled label={label} hint={hint}>
      {(id, hintId) => (
        <input
          // Preact's types of inputs depend on `type`, which only the caller knows.
          {...(native as object)}
          id={id}
          aria-describedby={hintId}
          value={value}
          onInput={({ currentTarget }) => onValue(currentTarget.value)}
        />
      )}
    </Labelled>
  );
}

export function TextArea({ label, hint, value, onValue, rows = 3 }: Props & { readonly rows?: number }) {
  return (
    <Labelled label={label} hint={hint}>
      {(id, hintId) => (
        <textarea
          id={id}
          rows={rows}
          aria-describedby={hintId}
          spellcheck={false}
          value={value}
          onInput={({ currentTarget }) => onValue(currentTarget.value)}
        />
      )}
    </Labelled>
  );
}

interface SelectProps extends Props {
  /** Values with what they are called. */
  readonly options: readonly (readonly [string, string])[];
}

export function Select({ label, hint, value, onValue, options }: SelectProps) {
  return (
    <Labelled label={label} hint={hint}>
      {(id, hintId) => (
        <select
          id={id}
          aria-describedby={hintId}
          value={value}
          onChange={({ currentTarget }) => onValue(currentTarget.value)}
        >
          {options.map(([option, title]) => (
            <option key={option} value={option}>
              {title}
            </option>
          ))}
        </select>
      )}
    </Labelled>
  );
}

interface CheckProps {
  readonly label: string;
  readonly checked: boolean;
  onChecked(checked: boolean): void;
}

export function Check({ label, checked, onChecked }: CheckProps) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={({ currentTarget }) => onChecked(currentTarget.checked)} />
      {label}
    </label>
  );
}
