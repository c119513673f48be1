/** What somebody at a chat wants. */
export type ChatInput =
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'help' | 'clear' | 'end' }
  | { readonly kind: 'unknown'; readonly command: string };

export const chatHelp = `/help   this list
/clear  begin a new chat
/exit   end the chat, as Ctrl-D does
Ctrl-C  stop an answer; end the chat when there is none
A line that ends with \\ goes on in the next one; """ begins and ends a message of several lines.`;

const fence = '"""';
const commands: Readonly<Record<string, 'help' | 'clear' | 'end'>> = {
  '/help': 'help',
  '/?': 'help',
  '/clear': 'clear',
  '/exit': 'end',
  '/quit': 'end',
  '/bye': 'end',
};

/** Makes messages and commands of lines. */
export class ChatLines {
  #lines: string[] = [];
  #isFenced = false;

  /** A message has begun and goes on in the next line. */
  get isOpen(): boolean {
    return this.#isFenced || this.#lines.length > 0;
  }

  /** Forgets a message that has begun. */
  reset(): void {
    this.#lines = [];
    this.#isFenced = false;
  }

  /** What the line completes; undefined where there is nothing yet. */
  push(line: string): ChatInput | undefined {
    if (this.#isFenced) return this.#fenced(line);
    if (!this.isOpen) {
      const trimmed = line.trim();
      if (trimmed === '') return undefined;
      if (/^\/[a-z?]+$/.test(trimmed)) return commandOf(trimmed);
      if (trimmed.startsWith(fence)) {
        this.#isFenced = true;
        return this.#fenced(line.slice(line.indexOf(fence) + fence.length));
      }
    }
    const goesOn = line.endsWith('\\');
    this.#lines.push(goesOn ? line.slice(0, -1) : line);
    return goesOn ? undefined : this.#message();
  }

  #fenced(line: string): ChatInput | undefined {
    const isLast = line.trimEnd().endsWith(fence);
    this.#lines.push(isLast ? line.slice(0, line.lastIndexOf(fence)) : line);
    return isLast ? this.#message() : undefined;
  }

  /** Nothing where nothing was said. */
  #message(): ChatInput | undefined {
    const text = this.#lines.join('\n');
    const message = this.#isFenced ? text.replace(/^\n|\n$/g, '') : text;
    this.reset();
    return message.trim() === '' ? undefined : { kind: 'message', text: message };
  }
}

function commandOf(command: string): ChatInput {
  const kind = commands[command];
  return kind === undefined ? { kind: 'unknown', command } : { kind };
}
