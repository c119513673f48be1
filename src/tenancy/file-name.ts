/** Names that Windows keeps for devices, whatever follows a dot. */
const reserved = /^(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/;

/** What stands for itself: nothing that a file system could read in another way, and one case only. */
const plain = /[a-z0-9._-]/;

/**
 * The one way from a name of outside (a tenant's, a session's) to the name of a file. Different names give different files, on
 * file systems without cases too; none leaves its folder, begins with a dot or is a device. {@link nameOfFile} turns it back.
 * Bytes that do not stand for themselves become %xx. A name of n bytes gives at most 3n: whoever takes names in bounds them.
 */
export function fileName(name: string): string {
  const device = reserved.test(name);
  const last = name.length - 1;
  const stands = (character: string, i: number): boolean =>
    plain.test(character) && !(device && i === 0) && !(character === '.' && (i === 0 || i === last));
  // Lone surrogates have no bytes of their own: names with them would meet in one file.
  if (!name.isWellFormed()) throw new RangeError('the name is no text');
  if (name === '') return '%';
  let at = 0;
  const parts = Array.from(name, character => {
    const own = stands(character, at);
    at += character.length;
    return own ? character : escaped(character);
  });
  return parts.join('');
}

/** The name that {@link fileName} gave this file; undefined: it gave none. */
export function nameOfFile(file: string): string | undefined {
  const bytes = Buffer.from(
    file.replace(/%([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
  const name = file === '%' ? '' : bytes.toString();
  return name.isWellFormed() && fileName(name) === file ? name : undefined;
}

function escaped(character: string): string {
  return [...Buffer.from(character)].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join('');
}
