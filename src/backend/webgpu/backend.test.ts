import { parity } from '../parity/parity.ts';
import { createWebGpuBackend } from './backend.ts';

parity('webgpu', () => createWebGpuBackend());
