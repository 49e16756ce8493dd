#!/usr/bin/env node
import { runCommand } from './program.js';

// Not process.exit: what is still being written to a pipe must get there.
process.exitCode = await runCommand(process.argv.slice(2));
