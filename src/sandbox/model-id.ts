/** The number by which a program names a model: its place in the server's list. What a program says may be no model's. */
export type ModelId = number & { readonly __model: never };
