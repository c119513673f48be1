/** The data of each frame of an event stream; undefined for a sign that the stream lives. */
export async function* frames({ body }: Response): AsyncGenerator<string | undefined> {
  let rest = '';
  for await (const text of body!.pipeThrough(new TextDecoderStream())) {
    const whole = (rest + text).split('\n\n');
    rest = whole.pop()!;
    for (const frame of whole) {
      const data = dataOf(frame);
      if (data !== '[DONE]') yield data;
    }
  }
}

function dataOf(frame: string): string | undefined {
  return frame.startsWith(':') ? undefined : frame.slice(frame.indexOf('data: ') + 'data: '.length);
}
