import type { StepKind } from '../plan/kind.ts';
import { branch } from './branch.ts';
import { map } from './map.ts';
import { model } from './model.ts';
import { template } from './template.ts';
import { tool } from './tool.ts';
import { wasm } from './wasm.ts';

/** All kinds of steps. */
export const stepKinds: readonly StepKind[] = [model, wasm, tool, template, branch, map];
