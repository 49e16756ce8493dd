// Our tokenizers beside the published library (its Rust core), on real text in several scripts.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Tokenizer as Published } from '@anush008/tokenizers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Tokenizer, type TokenizerJson, trainBpe, trainWordPiece } from '../../src/text/index.js';

const languages = ['en', 'es', 'ru', 'bn', 'ur', 'zh', 'tr'];
const require = (await import('node:module')).createRequire(import.meta.url);
let folder: string;
let lines: string[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pollux-text-'));
  lines = [];
  for (const language of languages) {
    const file = path.join(path.dirname(require.resolve('quran-json/package.json')), 'dist', `quran_${language}.json`);
    const chapters = JSON.parse(await readFile(file, 'utf8')) as { verses: { text: string; translation: string }[] }[];
    for (const { text, translation } of chapters.flatMap(({ verses }) => verses).slice(0, 1300)) {
      lines.push(translation);
      if (language === 'en') lines.push(text);
    }
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What tokenizers stumble over. */
const odd = [
  '',
  ' ',
  '   leading and trailing   ',
  'tabs\tand\nnew\r\nlines',
  'naïve café Ångström ǅ İstanbul ΣΊΣΥΦΟΣ ﬁne ½ ²',
  'e\u0301 vs é, Z̤͔͎a̮l͖g̬o,한국어 각 각',
  'emoji 👩‍👩‍👧‍👦 🇩🇪 👍🏽 🤷‍♂️',
  'control\u0000\u0007chars\u200b\ufeff and\u00a0spaces\u3000here\u0085next',
  "don't we'll I'M they'VE 'S",
  'numbers 1234567 3.14159 1,000,000 ١٢٣ 五',
  '<s>special</s> tokens <mask> inside<mask>words [MASK] [CLS] <|endoftext|>',
  'punctuation!!! ... —«quotes»— ¿sí? 「日本語」',
  'supercalifragilistic'.repeat(10),
  'snake_case camelCase kebab-case CONSTANT_CASE',
];

async function expectSame(json: TokenizerJson, texts: readonly string[]): Promise<void> {
  const ours = new Tokenizer(json);
  const theirs = Published.fromString(JSON.stringify(json));
  const wrong: string[] = [];
  for (let first = 0; first < texts.length; first += 1000) {
    const some = texts.slice(first, first + 1000);
    const expected = await theirs.encodeBatch(some);
    for (const [i, encoding] of expected.entries()) {
      const { ids, tokens } = ours.encode(some[i]!);
      if (ids.join() !== encoding.getIds().join()) wrong.push(`${some[i]}: ${tokens.join('|')} for ${encoding.getTokens().join('|')}`);
    }
    const few = expected.map((encoding) => encoding.getIds()).filter((_, i) => texts.length < 100 || i % 20 === 0);
    for (const [i, text] of (await theirs.decodeBatch(few, true)).entries()) {
      const decoded = ours.decode(few[i]!);
      if (decoded !== text) wrong.push(`decoded ${JSON.stringify(decoded)} for ${JSON.stringify(text)}`);
    }
  }
  expect(wrong.slice(0, 5), `${wrong.length} of ${texts.length}`).toEqual([]);
}

describe('the published library gives the same ids and texts', () => {
  it('for byte-level BPE, on 10,000 lines', async () => {
    expect(lines.length).toBeGreaterThan(10_000);
    const tokenizer = await trainBpe(
      lines.filter((_, i) => i % 10 === 0),
      { vocabularySize: 3000 },
    );
    await expectSame(tokenizer.toJson(), [...odd, ...lines]);
  });

  it('for WordPiece, on 10,000 lines', async () => {
    const tokenizer = await trainWordPiece(
      lines.filter((_, i) => i % 10 === 0),
      { vocabularySize: 3000 },
    );
    await expectSame(tokenizer.toJson(), [...odd, ...lines]);
  });

  it('for BPE over characters, with unknown ones', async () => {
    const tokenizer = await trainBpe(
      lines.filter((_, i) => i % 20 === 0),
      { vocabularySize: 1500, level: 'characters', limitAlphabet: 200 },
    );
    for (const fuse_unk of [false, true]) {
      const json = tokenizer.toJson();
      await expectSame({ ...json, model: { ...json.model, fuse_unk } }, [...odd, ...lines.slice(0, 2000)]);
    }
  });

  it.each(Object.entries(shapes()))('for the parts of %s', async (_, parts) => {
    const json = (await trainBpe(lines.filter((_, i) => i % 25 === 0))).toJson();
    await expectSame({ ...json, ...parts(json) }, [...odd, ...lines.filter((_, i) => i % 25 === 0)]);
  });

  it('for a unigram model with bytes for what it lacks', async () => {
    const words = [...new Set(lines.slice(0, 400).flatMap((line) => line.split(' ')))].filter(Boolean).slice(0, 2000);
    const letters = [...new Set(words.join(''))];
    const bytes = Array.from({ length: 256 }, (_, i): [string, number] => [`<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`, 0]);
    const pieces = [...new Set([...letters, ...words.flatMap((word) => [`▁${word}`, word.slice(0, 3), word.slice(-3)])])];
    const vocab: [string, number][] = [['<unk>', 0], ['<s>', 0], ...pieces.map((piece, i): [string, number] => [piece, -3 - (i % 97) / 8])];
    for (const byte_fallback of [false, true])
      await expectSame(
        {
          added_tokens: [],
          normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' }] },
          pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
          post_processor: null,
          decoder: {
            type: 'Sequence',
            decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }],
          },
          model: { type: 'Unigram', unk_id: 0, vocab: byte_fallback ? [...vocab, ...bytes] : vocab, byte_fallback },
        },
        [...odd, ...lines.slice(0, 500), ...lines.slice(3000, 3300)],
      );
  });
});

/** Parts in the manner of well-known models, beside a trained BPE model. */
function shapes(): Record<string, (json: TokenizerJson) => Partial<TokenizerJson>> {
  const gpt4 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  // The published library numbers added tokens itself, after those of the model.
  const added = (json: TokenizerJson, content: string, place: number, more: object = {}) => ({
    ...{
      id: Object.keys(json.model.vocab as object).length + place,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    },
    ...more,
  });
  return {
    'Llama 3': (json) => ({
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Split', pattern: { Regex: gpt4 }, behavior: 'Isolated', invert: false },
          { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
        ],
      },
      model: { ...json.model, ignore_merges: true },
    }),
    RoBERTa: (json) => ({
      added_tokens: [added(json, '<s>', 0), added(json, '</s>', 1), added(json, '<mask>', 2, { lstrip: true })],
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      post_processor: {
        type: 'RobertaProcessing',
        sep: ['</s>', Object.keys(json.model.vocab as object).length + 1],
        cls: ['<s>', Object.keys(json.model.vocab as object).length],
        trim_offsets: true,
        add_prefix_space: true,
      },
    }),
    'added tokens of every kind': (json) => ({
      normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }] },
      added_tokens: [
        added(json, 'Inside', 0, { normalized: true, special: false }),
        added(json, 'kebab', 1, { single_word: true, special: false }),
        added(json, '[MASK]', 2, { lstrip: true, rstrip: true }),
        added(json, '<mask>', 3, { rstrip: true }),
        added(json, 'snake', 4, { single_word: true, special: false }),
      ],
    }),
    'digits and punctuation apart': () => ({
      normalizer: {
        type: 'Sequence',
        normalizers: [{ type: 'NFD' }, { type: 'StripAccents' }, { type: 'Strip', strip_left: true, strip_right: true }],
      },
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'WhitespaceSplit' },
          { type: 'Punctuation', behavior: 'MergedWithPrevious' },
          { type: 'Digits', individual_digits: true },
          { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
        ],
      },
    }),
  };
}

/** SentencePiece's table of replacements, with the children of each node in a block of their own. */
function charsMapOf(replacements: Record<string, string>): string {
  const units: number[] = Array(256).fill(0);
  const texts: Buffer[] = [];
  let size = 0;
  const build = (place: number, entries: [bytes: number[], at: number][]): void => {
    const base = units.length;
    for (let i = 0; i < 256; i++) units.push(0);
    units[place] = units[place]! | ((place ^ base) << 10);
    for (const label of new Set(entries.flatMap(([bytes]) => bytes.slice(0, 1)))) {
      units[base ^ label] = label;
      build(
        base ^ label,
        entries.filter(([bytes]) => bytes[0] === label).map(([bytes, at]) => [bytes.slice(1), at]),
      );
    }
    const leaf = entries.find(([bytes]) => !bytes.length);
    if (leaf) {
      units[place] = units[place]! | (1 << 8);
      units[base] = 0x80000000 + leaf[1];
    }
  };
  const entries = Object.entries(replacements).map(([from, to]): [number[], number] => {
    const at = size;
    texts.push(Buffer.from(`${to}\0`));
    size += texts.at(-1)!.length;
    return [[...Buffer.from(from)], at];
  });
  build(0, entries);
  const trie = Buffer.alloc(4 + 4 * units.length);
  trie.writeUInt32LE(4 * units.length);
  for (const [i, unit] of units.entries()) trie.writeUInt32LE(unit >>> 0, 4 + 4 * i);
  return Buffer.concat([trie, ...texts]).toString('base64');
}

it('replaces by SentencePiece tables as the published library does', async () => {
  const precompiled_charsmap = charsMapOf({ ﬁ: 'fi', '½': '1/2', '\t': ' ', Å: 'A', 'e\u0301': 'é', '「': '"', 각: 'gak', '👍🏽': '+1' });
  const json = (await trainBpe(lines.slice(0, 300))).toJson();
  await expectSame({ ...json, normalizer: { type: 'Precompiled', precompiled_charsmap } }, odd);
  expect(() => new Tokenizer({ ...json, normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } })).toThrow('no table');
});

describe('training', () => {
  it('learns the merges that the published library learns', async () => {
    const text = lines.filter((_, i) => i % 40 === 0).map((line) => line.trim());
    const file = path.join(folder, 'text.txt');
    await writeFile(file, text.join('\n'));
    const parts = { added_tokens: [], normalizer: null, post_processor: null, decoder: null };
    const empty = { type: 'BPE', dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false, vocab: {}, merges: [] };
    const theirs = Published.fromString(
      JSON.stringify({ version: '1.0', truncation: null, padding: null, ...parts, pre_tokenizer: { type: 'Whitespace' }, model: empty }),
    );
    theirs.train([file]);
    const saved = path.join(folder, 'published.json');
    theirs.save(saved);
    const expected = JSON.parse(await readFile(saved, 'utf8')) as { model: { vocab: Record<string, number>; merges: [string, string][] } };
    const ours = (await trainBpe(text, { level: 'characters', specialTokens: [] })).toJson().model as unknown as typeof expected.model;
    expect(ours.merges.length).toBeGreaterThan(1000);
    expect(ours.merges.map((pair) => pair.join(' '))).toEqual(
      expected.model.merges.map((pair) => (typeof pair === 'string' ? pair : pair.join(' '))),
    );
    expect(ours.vocab).toEqual(expected.model.vocab);
  });

  it('leaves the event loop free, and takes async texts', async () => {
    async function* texts() {
      yield* lines.slice(0, 1500);
    }
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    const tokenizer = await trainBpe(texts(), { vocabularySize: 1000 });
    clearInterval(timer);
    expect(tokenizer.vocabularySize).toBe(1000);
    expect(longest).toBeLessThan(150);
  });

  it('names what it cannot learn from', async () => {
    await expect(trainBpe([])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(trainWordPiece(['  ', ''])).rejects.toThrow('no words');
    await expect(trainBpe(['a'], { vocabularySize: 10 })).rejects.toThrow(RangeError);
    await expect(trainWordPiece(['a'], { specialTokens: ['[PAD]'] })).rejects.toThrow('[UNK]');
    await expect(trainBpe('text' as unknown as string[])).rejects.toThrow(TypeError);
  });
});

describe('encoding', () => {
  it('says where each token stands', async () => {
    const tokenizer = await trainWordPiece(['the quick brown fox jumps over the lazy dog'], { vocabularySize: 200 });
    const text = 'The  QUICK fox 😀 jumps';
    const { tokens, offsets, specialTokens } = tokenizer.encode(text, { offsets: true });
    expect(tokens).toEqual(['[CLS]', 'the', 'quick', 'fox', '[UNK]', 'jumps', '[SEP]']);
    expect(offsets!.map(([start, end]) => text.slice(start, end))).toEqual(['', 'The', 'QUICK', 'fox', '😀', 'jumps', '']);
    expect(specialTokens).toEqual([1, 0, 0, 0, 0, 0, 1]);
  });

  it('joins pairs, cuts the longer, pads batches', async () => {
    const tokenizer = await trainWordPiece(['one two three four five'], { vocabularySize: 100 });
    const pair = tokenizer.encode('one two three four', { pair: 'five', maxLength: 6 });
    expect(pair.tokens).toEqual(['[CLS]', 'one', 'two', '[SEP]', 'five', '[SEP]']);
    expect(pair.typeIds).toEqual([0, 0, 0, 0, 1, 1]);
    const batch = tokenizer.encodeBatch(['one', '', 'one two three'], { padToMultipleOf: 4 });
    expect(batch.ids.shape).toEqual([3, 8]);
    expect([...batch.lengths.data]).toEqual([3, 2, 5]);
    expect([...batch.mask.data.subarray(0, 8)]).toEqual([1, 1, 1, 0, 0, 0, 0, 0]);
    const left = tokenizer.encodeBatch(['one', 'two three'], { padSide: 'left', addSpecialTokens: false });
    expect([...left.mask.data]).toEqual([0, 1, 1, 1]);
    expect(() => tokenizer.encodeBatch(['one two three'], { padTo: 3 })).toThrow('maxLength: 3');
    expect(() => tokenizer.encode('one', { maxLength: 1 })).toThrow('leaves no room');
    expect(tokenizer.encodeBatch([]).ids.shape).toEqual([0, 0]);
  });

  it('saves what it loads', async () => {
    const tokenizer = await trainBpe(lines.slice(0, 300), { vocabularySize: 600 });
    const file = path.join(folder, 'tokenizer.json');
    await tokenizer.save(file);
    const again = await Tokenizer.load(file);
    expect(again.toJson()).toEqual(tokenizer.toJson());
    expect(again.decode(again.encode('Praise be to 😀').ids)).toBe('Praise be to 😀');
    expect(() => again.decode([1_000_000])).toThrow('outside the vocabulary');
  });

  it.each([
    ['{', 'no JSON'],
    ['[]', 'is missing'],
    ['{"model": {"type": "BPE", "vocab": {"a": "b"}, "merges": []}}', 'model.vocab["a"]'],
    ['{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}', 'names "b"'],
    ['{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [1]}}', 'model.merges[0]'],
    ['{"model": {"type": "Magic"}}', 'unknown type "Magic"'],
    ['{"model": {"type": "WordPiece", "vocab": {}}}', 'unknown token'],
    ['{"model": {"type": "Unigram", "vocab": [["a"]]}}', 'model.vocab[0]'],
    ['{"model": {"type": "BPE", "vocab": {}, "merges": []}, "normalizer": {"type": "Nothing"}}', 'normalizer is of the unknown type'],
    ['{"model": {"type": "BPE", "vocab": {}, "merges": []}, "pre_tokenizer": {"type": "Sequence"}}', 'pre_tokenizer.pretokenizers'],
    ['{"model": {"type": "BPE", "vocab": {}, "merges": []}, "added_tokens": [{}]}', 'added_tokens[0]'],
  ])('names what is wrong in %s', (text, message) => {
    expect(() => Tokenizer.parse(text)).toThrow(message);
  });
});
