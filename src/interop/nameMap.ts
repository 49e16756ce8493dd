import type { LayoutChange } from './layouts.js';

/** One line of a map: where the tensors of these names go. */
export interface WeightRule {
  /** A name in the file; `*` stands for one part of it, such as the number of a layer. */
  readonly from: string;
  /** Ours, with the same `*`; several: equal parts along the first axis, such as queries, keys and values. None: not used. */
  readonly to: string | readonly string[];
  /** How the axes change, before a cut into parts. */
  readonly change?: LayoutChange;
}

/** How the names and layouts of a published family of models become ours. */
export interface WeightMap {
  readonly rules: readonly WeightRule[];
  /** Prefixes that names may have in front, such as 'transformer.': files of a model with a head have them, others have not. */
  readonly prefixes?: readonly string[];
}

/** Where one tensor goes. */
export interface Placement {
  readonly to: readonly string[];
  readonly change: LayoutChange | undefined;
}

interface Compiled {
  readonly pattern: RegExp;
  readonly rule: WeightRule;
}

const escape = (text: string): string => text.replace(/[\^$\\.+?()[\]{}|/]/g, '\\$&');

/** Applies a map: the first rule that matches a name counts. */
export class NameMap {
  readonly #rules: readonly Compiled[];
  readonly #prefixes: readonly string[];

  constructor({ rules, prefixes = [] }: WeightMap) {
    this.#rules = rules.map((rule) => ({ pattern: new RegExp(`^${escape(rule.from).replaceAll('*', '([^.]+)')}$`), rule }));
    this.#prefixes = ['', ...prefixes];
  }

  /** Undefined for a name that no rule knows. */
  find(name: string): Placement | undefined {
    for (const prefix of this.#prefixes) {
      if (!name.startsWith(prefix)) continue;
      const bare = name.slice(prefix.length);
      for (const { pattern, rule } of this.#rules) {
        const match = pattern.exec(bare);
        if (!match) continue;
        let part = 1;
        const ours = [rule.to].flat().map((to) => {
          part = 1;
          return to.replace(/\*/g, () => match[part++]!);
        });
        return { to: ours, change: rule.change };
      }
    }
    return undefined;
  }
}

/** Rules of a weight and a bias that go together. */
export const both = (from: string, to: string, change?: LayoutChange): WeightRule[] => [
  { from: `${from}.weight`, to: `${to}.weight`, ...(change && { change }) },
  { from: `${from}.bias`, to: `${to}.bias` },
];
