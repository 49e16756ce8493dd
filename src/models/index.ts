export { articleCnn, mnistCnn } from './mnist.js';
