import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Command } from './program.js';

/** Peers that this machine has. A text is the reason why one is missing. */
export function findPeer(name: 'pytorch' | 'tfjs'): Command | string {
  return name === 'pytorch' ? findPyTorch() : findTensorFlow();
}

/** PyTorch is looked for in the Python of the PATH, then in the system's. */
function findPyTorch(): Command | string {
  for (const python of [process.env.PYTHON, 'python3', '/usr/bin/python3']) {
    if (!python || spawnSync(python, ['-c', 'import torch']).status !== 0) continue;
    return { program: 'pytorch', command: [python, 'bench/peers/pytorch.py'] };
  }
  return 'not installed (pip install torch, or apt-get install python3-torch)';
}

function findTensorFlow(): Command | string {
  try {
    createRequire(import.meta.url).resolve('@tensorflow/tfjs');
    return { program: 'tfjs', command: [process.execPath, '--import', './scripts/typescript.js', 'bench/peers/tfjs.ts'] };
  } catch {
    return 'not installed (npm install --no-save @tensorflow/tfjs)';
  }
}
