// Lets node run a TypeScript file: `node --import ./scripts/typescript.js FILE`. Types are stripped file by file as they are
// read, and `import './x.js'` finds x.ts. Node 20 cannot do this itself, and our classes need more than stripping anyway.
import { register } from 'node:module';

register('./lib/typescript-hooks.js', import.meta.url);
