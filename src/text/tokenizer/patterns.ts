import { PolluxError } from '../../errors.js';

/** A pattern of tokenizer.json: literal text, or a regular expression in Oniguruma's syntax. */
export type PatternJson = { readonly String: string } | { readonly Regex: string };

const word = '\\p{L}\\p{M}\\p{Nd}\\p{Pc}';
/** Shorthands whose meaning differs in JavaScript; each can stand within a class. */
const shorthands: Record<string, string> = { s: '\\p{White_Space}', S: '\\P{White_Space}', d: '\\p{Nd}', D: '\\P{Nd}', h: '0-9a-fA-F' };
const anchors: Record<string, string> = { A: '(?<![^])', z: '(?![^])', Z: '(?=\\n?(?![^]))' };
const named: Record<string, string> = {
  alpha: '\\p{L}\\p{M}',
  alnum: '\\p{L}\\p{M}\\p{Nd}',
  digit: '\\p{Nd}',
  lower: '\\p{Ll}',
  upper: '\\p{Lu}',
  punct: '\\p{P}\\p{S}',
  space: '\\p{White_Space}',
  word,
};
const escapes = /\\(x\{[0-9a-fA-F]+\}|[pP]\{[^}]*\}|.)/s;
const meaningful = /[\^$\\.*+?()[\]{}|/]/;

/** The letter and the others that fold to it, for `(?i:...)`, which Node 20 does not know. */
function everyCase(letter: string): string {
  const forms = new Set([letter, letter.toLowerCase(), letter.toUpperCase()]);
  if (forms.has('s')) forms.add('\u017f');
  if (forms.has('k')) forms.add('\u212a');
  return [...forms].filter((form) => [...form].length === 1).join('');
}

/** Rewrites one expression from left to right. */
class Translation {
  #at = 0;
  #out = '';
  /** One entry for each open group: whether case is ignored within it. */
  readonly #folding: boolean[] = [false];

  constructor(readonly source: string) {}

  get result(): string {
    while (this.#at < this.source.length) this.#step();
    return this.#out;
  }

  #refuse(what: string): never {
    throw new PolluxError(
      'UNSUPPORTED',
      `tokenizer.json: the pattern ${this.source} uses ${what}, which JavaScript's patterns cannot say.`,
    );
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    const sticky = new RegExp(pattern.source, 'suy');
    sticky.lastIndex = this.#at;
    const match = sticky.exec(this.source);
    if (match) this.#at = sticky.lastIndex;
    return match ?? undefined;
  }

  #step(): void {
    const escape = this.#take(escapes);
    if (escape) {
      this.#out += this.#escaped(escape[1]!, false);
      return;
    }
    if (this.#take(/\[/)) {
      this.#out += this.#class();
      return;
    }
    const group = this.#take(/\((\?(i?):|\?>)?/);
    if (group) {
      this.#folding.push(group[2] === 'i' || this.#folding.at(-1)!);
      // An atomic group is taken as an ordinary one: none of the patterns in use depends on the difference.
      this.#out += group[1] ? '(?:' : '(';
      return;
    }
    if (this.#take(/\)/)) {
      this.#folding.pop();
      this.#out += ')';
      return;
    }
    // A possessive quantifier, likewise.
    const quantifier = this.#take(/([*+?])\+/);
    if (quantifier) {
      this.#out += quantifier[1];
      return;
    }
    const letter = this.#take(/./s)![0];
    if (letter === '.') this.#out += '[^\\n]';
    else this.#out += this.#folding.at(-1) && /\p{L}/u.test(letter) ? `[${everyCase(letter)}]` : letter;
  }

  /** What an escape stands for, in or outside of a class. */
  #escaped(name: string, within: boolean): string {
    if (name.startsWith('x{')) return `\\u${name.slice(1)}`;
    if (name.length > 1) return `\\${name}`;
    if (name === 'w') return within ? word : `[${word}]`;
    if (name === 'W') return within ? this.#refuse('\\W in a class') : `[^${word}]`;
    if (shorthands[name]) return within || name !== 'h' ? shorthands[name] : `[${shorthands[name]}]`;
    if (!within && anchors[name]) return anchors[name];
    if (name === 'G') this.#refuse('\\G');
    // With the flag u only what has a meaning may be escaped.
    return /[\p{L}\p{N}]/u.test(name) || meaningful.test(name) || (within && name === '-') ? `\\${name}` : name;
  }

  /** The rest of a class, whose bracket was taken. */
  #class(): string {
    let body = this.#take(/\^/) ? '^' : '';
    for (let first = true; ; first = false) {
      if (this.#at >= this.source.length) this.#refuse('a class without an end');
      if (!first && this.#take(/\]/)) return `[${body}]`;
      const posix = this.#take(/\[:(\^?)(\w+):\]/);
      if (posix) {
        const set = named[posix[2]!];
        if (!set || posix[1]) this.#refuse(posix[0]);
        body += set;
        continue;
      }
      if (this.#take(/&&/)) this.#refuse('an intersection of classes');
      if (this.#take(/\[/)) this.#refuse('a class within a class');
      const escape = this.#take(escapes);
      if (escape) {
        body += this.#escaped(escape[1]!, true);
        continue;
      }
      const range = this.#folding.at(-1) ? this.#take(/([a-zA-Z])-([a-zA-Z])/) : undefined;
      if (range) {
        body += `${range[0].toLowerCase()}${range[0].toUpperCase()}`;
        continue;
      }
      const letter = this.#take(/./s)![0];
      if (this.#folding.at(-1) && /\p{L}/u.test(letter)) body += everyCase(letter);
      else body += letter === '-' || letter === '^' || !meaningful.test(letter) ? letter : `\\${letter}`;
    }
  }
}

/** A JavaScript pattern that finds all that `pattern` matches. @throws UNSUPPORTED for what JavaScript cannot say. */
export function compilePattern(pattern: PatternJson): RegExp {
  if ('String' in pattern) return new RegExp(pattern.String.replace(/[\^$\\.*+?()[\]{}|/]/g, '\\$&'), 'gu');
  const source = new Translation(pattern.Regex).result;
  try {
    return new RegExp(source, 'gu');
  } catch (cause) {
    throw new PolluxError('UNSUPPORTED', `tokenizer.json: the pattern ${pattern.Regex} is none that JavaScript understands.`, { cause });
  }
}
