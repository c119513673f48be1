/** A request of another API as the body of a form of ours. */
export interface Translated<Form extends string = 'chat'> {
  readonly form: Form;
  readonly body: Readonly<Record<string, unknown>>;
}
