/** Text that a file or a model wrote, made harmless for a terminal: only line breaks and tabs keep their effect. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029\p{Cs}]/gu, character =>
    character === '\n' || character === '\t' ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2));
}

/** Remarks for people: never mixed with what a program reads from standard output. */
export function remark(text: string): void {
  process.stderr.write(`${visible(text)}\n`);
}

const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** `98.4 MB`: powers of 1,000, as disks and downloads are measured. */
export function formatBytes(bytes: number): string {
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1000 ** power).toFixed(power > 2 ? 2 : 1)} ${units[power]}`;
}

/** Rows as columns of equal width; numbers (and what begins with a digit in `right` columns) to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const columns = Math.max(0, ...rows.map(row => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map(row => row[i]?.length ?? 0)));
  const cell = (text: string, i: number): string =>
    right.includes(i) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!);
  return rows.map(row => row.map(cell).join('  ').trimEnd()).join('\n');
}

/** A reader that goes away (`realm … | head`) is no error. */
export function quietBrokenPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    // The runtime joins every thread's output to these, with a listener each: as many as there are threads are no leak.
    stream.setMaxListeners(0);
    stream.on('error', error => {
      process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 0 : 1);
    });
  }
}
