// Every line without @ts-expect-error must compile, every line with it must not: shapes and dtypes are part of the types.
import { concat, type DType, nn, type Tensor, tensor, zeros } from 'pollux';

const { Conv2d, flatten, Linear, MaxPool2d, maxPool2d, Module, relu, Sequential } = nn;
type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<A, B>(_: Eq<A, B>) {}
type T<S extends readonly number[], D extends DType = 'float32'> = Tensor<S, D>;

const a = tensor([
  [1, 2],
  [3, 4],
]);
is<typeof a, T<readonly [2, 2]>>(true);
const rows: number[][] = [[1]];
const dyn = tensor(rows);
is<typeof dyn, T<readonly [number, number]>>(true);
const s0 = tensor(3);
is<typeof s0, T<readonly []>>(true);
const z = zeros([2, 3]);
is<typeof z, T<readonly [2, 3]>>(true);
const m = z.matmul(zeros([3, 5]));
is<typeof m, T<readonly [2, 5]>>(true);
// @ts-expect-error inner dims
z.matmul(zeros([4, 5]));
const n: number = 8;
const mb = zeros([n, 2, 3]).matmul(zeros([3, 5]));
is<typeof mb, T<readonly [number, 2, 5]>>(true);
const mb2 = zeros([8, 1, 2, 3]).matmul(zeros([4, 3, 5]));
is<typeof mb2, T<readonly [8, 4, 2, 5]>>(true);
// @ts-expect-error batch
zeros([8, 2, 3]).matmul(zeros([7, 3, 5]));
const ad = zeros([2, 1, 3]).add(zeros([4, 1]));
is<typeof ad, T<readonly [2, 4, 3]>>(true);
const adn = zeros([n, 3]).add(zeros([3]));
is<typeof adn, T<readonly [number, 3]>>(true);
// @ts-expect-error broadcast
zeros([2, 3]).add(zeros([2]));
// @ts-expect-error dtype
zeros([2]).add(zeros([2], 'bfloat16'));
const r = zeros([2, 3]).reshape([-1, 6]);
is<typeof r, T<readonly [number, 6]>>(true);
const t = z.transpose();
is<typeof t, T<readonly [3, 2]>>(true);
const t3 = zeros([2, 3, 4]).transpose([2, 0, 1]);
is<typeof t3, T<readonly [4, 2, 3]>>(true);
const su = zeros([2, 3, 4]).sum(1);
is<typeof su, T<readonly [2, 4]>>(true);
const sun = zeros([2, 3, 4]).sum(-1);
is<typeof sun, T<readonly [2, 3]>>(true);
const suk = zeros([2, 3, 4]).sum(-1, { keepDims: true });
is<typeof suk, T<readonly [2, 3, 1]>>(true);
const sa = z.sum();
is<typeof sa, T<readonly []>>(true);
const c = concat([zeros([2, 3]), zeros([5, 3])], 0);
is<typeof c, T<readonly [number, 3]>>(true);
const bf = zeros([2], 'bfloat16').cast('int32');
is<typeof bf, T<readonly [2], 'int32'>>(true);

const mlp = new Sequential(new Linear(784, 128), relu, new Linear(128, 10));
const y = mlp.forward(zeros([32, 784]));
// @ts-expect-error wrong input
mlp.forward(zeros([32, 783]));
// @ts-expect-error 128 -> 64
new Sequential(new Linear(784, 128), relu, new Linear(64, 10));
const cnn = new Sequential(new Conv2d(1, 32, 3), relu, maxPool2d(2), new Conv2d(32, 64, 3), flatten, new Linear(1600, 10));
// @ts-expect-error channels
new Sequential(new Conv2d(1, 32, 3), relu, maxPool2d(2), new Conv2d(3, 64, 3), flatten, new Linear(1600, 10));
class Residual extends Module {
  fc = new Linear(64, 64);
  forward(x: Tensor) {
    return x.add(this.fc.forward(x));
  }
}
class Strict extends Module {
  fc = new Linear(64, 32);
  forward<N extends number>(x: Tensor<readonly [N, 64]>) {
    return this.fc.forward(x);
  }
}
const net = new Sequential(new Linear(10, 64), new Residual(), new Linear(64, 10));
const net2 = new Sequential(new Linear(10, 64), new Strict(), new Linear(32, 10), net);
// @ts-expect-error strict takes 64
new Sequential(new Linear(10, 65), new Strict());
// @ts-expect-error strict gives 32
new Sequential(new Linear(10, 64), new Strict(), new Linear(64, 10));
const fnl = new Sequential(new Linear(10, 64), (x: Tensor) => x.add(1), new Linear(64, 10));
export { y, cnn, net2, fnl };
// gradual cases
is<typeof y, T<readonly [32, 10]>>(true);
const im = cnn.forward(zeros([32, 28, 28, 1]));
is<typeof im, T<readonly [32, 10]>>(true);
const f1 = new Linear(784, 10).forward(flatten(zeros([32, 28, 28, 1])));
is<typeof f1, T<readonly [32, 10]>>(true);
// @ts-expect-error rank 2 into a CNN
cnn.forward(zeros([32, 784]));
// @ts-expect-error conv after flatten
new Sequential(flatten, new Conv2d(1, 3, 3));
const dims: number[] = [2, 3];
const dz = zeros(dims);
// biome-ignore lint/suspicious/noExplicitAny: `any` is how an unknown rank is written
is<typeof dz, Tensor<any, 'float32'>>(true);
export const g1 = mlp.forward(dz),
  g2 = dz.matmul(z).add(1).sum(0),
  g3 = z.matmul(dz);
const ad1 = z.add(2);
is<typeof ad1, T<readonly [2, 3]>>(true);
const widen: Tensor<readonly [number, 3]> = z;
const widen2: Tensor = z;
const narrow: Tensor<readonly [2, 3]> = widen2;
// @ts-expect-error number is not 2
const bad: Tensor<readonly [2, 3]> = widen;
const ok: Tensor<readonly [2, 3]> = widen.expect([2, 3]);
export function gen<N extends number, M extends number>(x: Tensor<readonly [N, M, 64], 'float32'>) {
  return new Linear(64, 10).forward(x);
}
export const gg = gen(zeros([7, 5, 64]));
is<typeof gg, T<readonly [7, 5, 10]>>(true);
export const nested = new Sequential(mlp, new Linear(10, 2));
// @ts-expect-error nested gives 10
new Sequential(mlp, new Linear(11, 2));
const layers: nn.Linear<number, number>[] = [new Linear(2, 3)];
export const dynSeq = new Sequential(...layers).forward(zeros([2, 2]));
export { bad, ok, narrow };
class Two extends Module {
  forward(a: Tensor, b: Tensor) {
    return a.add(b);
  }
}
// @ts-expect-error two inputs
new Sequential(new Two());
class Lstm extends Module {
  forward(x: Tensor): [Tensor, Tensor] {
    return [x, x];
  }
}
// @ts-expect-error two outputs
new Sequential(new Lstm());
const lenet = new Sequential(
  new Conv2d(1, 6, 5),
  relu,
  new MaxPool2d(2),
  new Conv2d(6, 16, 5),
  relu,
  new MaxPool2d(2),
  flatten,
  new Linear(400, 120),
  relu,
  new Linear(120, 10),
);
const lo = lenet.forward(zeros([n, 32, 32, 1]));
is<typeof lo, T<readonly [number, 10]>>(true);
// @ts-expect-error pool wants rank 4
new Sequential(new Conv2d(1, 6, 5), flatten, new MaxPool2d(2));
const w = new Linear(3, 4).weight.transpose();
is<typeof w, T<readonly [3, 4]>>(true);
// any does not leak in where it should not
// @ts-expect-error [2,5] is not [2,6]
const leak1: Tensor<readonly [2, 6]> = m;
// @ts-expect-error output of a Sequential stays checked
const leak2: Tensor<readonly [32, 11]> = mlp.forward(zeros([32, 784]));
export { leak1, leak2 };
const decoder = new Sequential(
  new nn.ConvTranspose2d(16, 8, 4, { stride: 2 }),
  nn.upsample({ scale: 2 }),
  new nn.DepthwiseSeparableConv2d(8, 4, 3),
  nn.globalAvgPool,
  new Linear(4, 2),
);
const decoded = decoder.forward(zeros([5, 4, 4, 16]));
is<typeof decoded, T<readonly [5, 2]>>(true);
// @ts-expect-error upsampling keeps 8 channels
new Sequential(new nn.ConvTranspose2d(16, 8, 4), nn.upsample({ scale: 2 }), new Conv2d(4, 2, 3));
const tones = new Sequential(new nn.Conv1d(2, 6, 3), nn.maxPool1d(2), new nn.Conv1d(6, 3, 3), nn.globalMaxPool);
const heard = tones.forward(zeros([5, 100, 2]));
is<typeof heard, T<readonly [5, 3]>>(true);
// @ts-expect-error pooling keeps 6 channels
new Sequential(new nn.Conv1d(2, 6, 3), nn.maxPool1d(2), new nn.Conv1d(3, 3, 3));
// @ts-expect-error images into a layer of sequences
new nn.Conv1d(3, 4, 3).forward(zeros([5, 8, 8, 3]));
