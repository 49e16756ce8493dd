import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkOptions, PolluxError } from '../errors.js';
import { ioFailed } from '../io/atomic.js';
import {
  Bert,
  BertClassifier,
  bertConfig,
  BertMaskedLanguageModel,
  BertTokenClassifier,
  type ConfigJson,
  Gpt2,
  Llama,
  ResNet,
  VisionTransformer,
} from '../models/index.js';
import type { Module } from '../nn/index.js';
import { type LoadedWeights, loadWeights } from './load.js';
import { bertClassifierMap, bertMap, bertMaskedMap, gpt2Map, llamaMap, resnetMap, vitMap } from './maps.js';
import type { WeightMap } from './nameMap.js';

export interface PretrainedOptions {
  /** What a BERT is for. Default 'none': its states. A head that the files lack begins with its first values. */
  head?: 'none' | 'classifier' | 'tokenClassifier' | 'maskedLanguageModel';
  /** Of a classifier. Default: as the configuration says, else 2. */
  classes?: number;
}

/** A model with its weights, and the configuration that it was made from. */
export interface Pretrained<M extends Module = Module> extends LoadedWeights {
  readonly model: M;
  readonly config: ConfigJson;
}

interface Made {
  readonly model: Module;
  readonly map: WeightMap;
  /** What the files may lack. */
  readonly fresh?: RegExp;
}

const isTied = (config: ConfigJson): boolean => config.tie_word_embeddings === true;

/** By `model_type` of the configuration. */
const families: Record<string, (config: ConfigJson, options: PretrainedOptions) => Made> = {
  bert: makeBert,
  gpt2: (config) => ({ model: Gpt2.fromConfig(config), map: gpt2Map }),
  llama: (config) => ({ model: Llama.fromConfig(config), map: llamaMap(isTied(config)) }),
  mistral: (config) => ({ model: Llama.fromConfig(config), map: llamaMap(isTied(config)) }),
  resnet: (config) => ({ model: ResNet.fromConfig(config), map: resnetMap, fresh: /^classifier\./ }),
  vit: (config) => ({ model: VisionTransformer.fromConfig(config), map: vitMap, fresh: /^classifier\./ }),
};

function makeBert(config: ConfigJson, { head = 'none', classes }: PretrainedOptions): Made {
  const settings = bertConfig(config);
  const labels = config.id2label;
  const count = classes ?? (typeof labels === 'object' && labels !== null ? Object.keys(labels).length : 2);
  if (head === 'none') return { model: new Bert(settings), map: bertMap };
  if (head === 'maskedLanguageModel')
    return { model: new BertMaskedLanguageModel(settings), map: bertMaskedMap, fresh: /^(dense|norm|bias)/ };
  if (head === 'classifier')
    return { model: new BertClassifier(settings, count), map: bertClassifierMap(true), fresh: /^(pooler|classifier)\./ };
  if (head === 'tokenClassifier')
    return { model: new BertTokenClassifier(settings, count), map: bertClassifierMap(false), fresh: /^classifier\./ };
  throw new RangeError(`loadPretrained: head is 'none', 'classifier', 'tokenClassifier' or 'maskedLanguageModel', not '${String(head)}'.`);
}

/**
 * A model of a folder with `config.json` and `model.safetensors` (or its shards and their index), as Hugging Face lays it out: BERT,
 * GPT-2, Llama, Mistral, ResNet, ViT. It is in inference mode; `fresh` lists the parameters of a new head.
 * @throws IO_FAILED, FILE_CORRUPT; UNSUPPORTED for another family, or a setting that is not built; SHAPE_MISMATCH for weights of
 *   another architecture, with the names.
 */
export async function loadPretrained(folder: string, options: PretrainedOptions = {}): Promise<Pretrained> {
  checkOptions('loadPretrained', options, ['head', 'classes']);
  const config = await readConfig(join(folder, 'config.json'));
  const family = families[String(config.model_type)];
  if (!family)
    throw new PolluxError(
      'UNSUPPORTED',
      `loadPretrained: the model type "${String(config.model_type)}" is not known. Known: ${Object.keys(families).join(', ')}. Others load by a map of their own: loadWeights.`,
    );
  const { model, map, fresh } = family(config, options);
  const loaded = await loadWeights(model, folder, map, fresh ? { fresh } : {});
  return { model: model.eval(), config, ...loaded };
}

async function readConfig(file: string): Promise<ConfigJson> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw ioFailed('read', file, error);
  }
  try {
    return JSON.parse(text) as ConfigJson;
  } catch (cause) {
    throw new PolluxError('FILE_CORRUPT', `${file}: is no JSON: ${(cause as Error).message}.`, { cause });
  }
}
