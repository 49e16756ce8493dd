import { PolluxError } from '../errors.js';
import { Parameter, type Tensor } from '../tensor/index.js';
import type { Attachment } from './attachment.js';
import { Module } from './module.js';

/** Makes a layer's weight of other parameters: `forward` gives the weight, each time that the layer reads it. */
export abstract class Parametrization extends Module implements Attachment {
  /** @param field name of the layer's field that it stands for. */
  constructor(readonly field: string) {
    super();
  }

  abstract override forward(): Tensor;

  install(layer: Module): void {
    // Not enumerable: what the walk finds are the parameters that it is made of.
    Object.defineProperty(layer, this.field, { configurable: true, enumerable: false, get: () => this.forward() });
  }
}

/**
 * Puts a parametrisation in the place of a layer's parameter. Its parameters and buffers are found under the parameter's name:
 * `weight.direction`. Optimizers must be made afterwards. Returns the layer.
 */
export function parametrize<M extends Module>(layer: M, field: string, make: (parameter: Parameter) => Parametrization): M {
  const parameter = (layer as Record<string, unknown>)[field];
  if (!(parameter instanceof Parameter))
    throw new PolluxError(
      'INVALID_ARGUMENT',
      `parametrize: '${field}' of ${layer.constructor.name} is no parameter${layer.attachments.has(field) ? ', it is parametrised already' : ''}.`,
    );
  layer.attach(field, make(parameter));
  return layer;
}

/** Makes a plain parameter of a parametrised one again, with its present value. Optimizers must be made afterwards. Returns the layer. */
export function removeParametrization<M extends Module>(layer: M, field = 'weight'): M {
  const made = layer.attachments.get(field);
  if (!(made instanceof Parametrization))
    throw new PolluxError('INVALID_ARGUMENT', `removeParametrization: '${field}' of ${layer.constructor.name} is not parametrised.`);
  const value = made.inMode(false, () => made.forward());
  const parameter = new Parameter(value.shape, () => value.value, value.dtype);
  parameter.assign(value);
  layer.attach(field, undefined);
  Object.defineProperty(layer, field, { configurable: true, enumerable: true, writable: true, value: parameter });
  return layer;
}
