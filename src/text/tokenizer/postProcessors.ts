import { field, isObject, malformed, type Part, partAt, partsAt, unknownKind } from './json.js';

/** Tokens of one sequence, or of a pair joined with special tokens. Lists of equal length. */
export interface TokenRun {
  ids: number[];
  typeIds: number[];
  /** 1 for a token that the post-processor put there. */
  special: number[];
  /** Places in the text, [start, end) in UTF-16 units; [0, 0] for special tokens. Only if asked for. */
  offsets?: [number, number][];
}

/** Adds special tokens round a sequence or a pair; `counts` says how many. */
export interface PostProcessor {
  apply(first: TokenRun, second: TokenRun | undefined): TokenRun;
  added(pair: boolean): number;
}

type Slot = { readonly ids: readonly number[]; readonly typeId: number } | { readonly sequence: 'A' | 'B'; readonly typeId: number };

/** What a list of slots makes of the sequences. */
function fill(slots: readonly Slot[], first: TokenRun, second: TokenRun | undefined): TokenRun {
  const tracked = first.offsets !== undefined;
  const run: TokenRun = { ids: [], typeIds: [], special: [], ...(tracked && { offsets: [] }) };
  for (const slot of slots) {
    const source = 'ids' in slot ? undefined : slot.sequence === 'A' ? first : second;
    const ids = 'ids' in slot ? slot.ids : (source?.ids ?? []);
    for (const [i, id] of ids.entries()) {
      run.ids.push(id);
      run.typeIds.push(slot.typeId);
      run.special.push(source ? source.special[i]! : 1);
      if (tracked) run.offsets!.push(source ? source.offsets![i]! : [0, 0]);
    }
  }
  return run;
}

const specials = (slots: readonly Slot[]): number => slots.reduce((sum, slot) => sum + ('ids' in slot ? slot.ids.length : 0), 0);

const ofSlots = (single: readonly Slot[], pair: readonly Slot[]): PostProcessor => ({
  apply: (first, second) => fill(second ? pair : single, first, second),
  added: (isPair) => specials(isPair ? pair : single),
});

const a: Slot = { sequence: 'A', typeId: 0 };

/** Without a post-processor a pair is one sequence after the other. */
export const plain: PostProcessor = ofSlots([a], [a, { sequence: 'B', typeId: 1 }]);

function tokenAt(where: string, part: Part, name: string): Slot & { ids: readonly number[] } {
  const value = part[name];
  if (!Array.isArray(value) || !Number.isInteger(value[1])) throw malformed(`${where}.${name}`, 'must be a token and its number');
  return { ids: [value[1] as number], typeId: 0 };
}

function bert(part: Part, where: string): PostProcessor {
  const [cls, sep] = [tokenAt(where, part, 'cls'), tokenAt(where, part, 'sep')];
  return ofSlots([cls, a, sep], [cls, a, sep, { sequence: 'B', typeId: 1 }, { ...sep, typeId: 1 }]);
}

function roberta(part: Part, where: string): PostProcessor {
  const [cls, sep] = [tokenAt(where, part, 'cls'), tokenAt(where, part, 'sep')];
  return ofSlots([cls, a, sep], [cls, a, sep, sep, { sequence: 'B', typeId: 0 }, sep]);
}

function template(part: Part, where: string): PostProcessor {
  const known = part.special_tokens ?? {};
  if (!isObject(known)) throw malformed(`${where}.special_tokens`, 'must be an object');
  const slots = (name: 'single' | 'pair'): Slot[] => {
    const list = part[name];
    if (!Array.isArray(list)) throw malformed(`${where}.${name}`, 'must be a list');
    return list.map((entry: unknown, i): Slot => {
      const [kind, value] = isObject(entry) ? (Object.entries(entry)[0] ?? []) : [];
      if (!isObject(value)) throw malformed(`${where}.${name}[${i}]`, 'must be { Sequence } or { SpecialToken }');
      const typeId = field(`${where}.${name}[${i}]`, value, 'type_id', 0);
      if (kind === 'Sequence') return { sequence: value.id === 'B' ? 'B' : 'A', typeId };
      const token = known[String(value.id)];
      if (!isObject(token) || !Array.isArray(token.ids))
        throw malformed(`${where}.special_tokens`, `lacks "${String(value.id)}", which the template uses`);
      return { ids: token.ids as number[], typeId };
    });
  };
  return ofSlots(slots('single'), slots('pair'));
}

const kinds: Record<string, (part: Part, where: string) => PostProcessor> = {
  BertProcessing: bert,
  // It only trims offsets, which the pieces already carry.
  ByteLevel: () => plain,
  RobertaProcessing: roberta,
  Sequence(part, where) {
    const made = partsAt(`${where}.processors`, part.processors).map((inner, i) => make(inner, `${where}[${i}]`));
    return made.find((each) => each !== plain) ?? plain;
  },
  TemplateProcessing: template,
};

function make(part: Part, where: string): PostProcessor {
  const kind = kinds[part.type];
  if (!kind) throw unknownKind(where, part.type, Object.keys(kinds));
  return kind(part, where);
}

/** What adds the special tokens, from the `post_processor` of tokenizer.json. @throws FILE_CORRUPT, UNSUPPORTED */
export function makePostProcessor(json: unknown): PostProcessor {
  const part = partAt('post_processor', json);
  return part ? make(part, 'post_processor') : plain;
}
