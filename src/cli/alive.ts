/** Does what nothing else keeps the process alive for: threads and processes of the sandbox hold nobody back. */
export async function keptAlive<T>(act: () => Promise<T>): Promise<T> {
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    return await act();
  } finally {
    clearInterval(alive);
  }
}
