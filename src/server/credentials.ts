/** The `Authorization` of a request; Anthropic's clients send the key alone, in a header of its own. */
export function credentials(headers: Headers): string | undefined {
  const key = headers.get('x-api-key');
  return headers.get('authorization') ?? (key === null ? undefined : `Bearer ${key}`);
}
