// The pages of docs/reference: one for each room of the API.
import path from 'node:path';
import ts from 'typescript';
import { docOf, membersOf } from './api.js';

/** Rooms whose names alone do not say what they hold. */
const titles = {
  tensor: 'Tensors and what makes them',
  functions: 'Compiling, gradients, evaluation',
  errors: 'Errors',
  files: 'Files',
  train: 'Training',
};
/** Files of the room of tensors that are about functions of tensors. */
const functionFiles = ['compile', 'gradients', 'scan', 'defineOp', 'evaluate', 'tracing', 'threads'];
const functionNames = ['noGrad', 'evaluate', 'tidy', 'memory', 'devices'];

/** The page on which an export is described. */
function pageOf({ paths, file }) {
  const [space] = paths.find((name) => name.includes('.'))?.split('.') ?? [];
  const folder = path.basename(path.dirname(file));
  if (space === 'datasets' || space === 'transforms') return 'data';
  if (space) return space;
  if (folder === 'tensor') {
    return functionFiles.includes(path.basename(file, '.ts')) || functionNames.includes(paths[0]) ? 'functions' : 'tensor';
  }
  if (folder === 'io') return 'files';
  if (folder === 'src') return 'errors';
  return { graph: 'tensor', runtime: 'functions' }[folder] ?? folder;
}

const oneLine = (text) => text.replace(/\s+/g, ' ').trim();
const withoutComments = (text) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*\n/gm, '');
const tidy = (text) =>
  withoutComments(text)
    .replace(/\n\s*\n/g, '\n')
    .trim();
const format =
  ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.WriteArrowStyleSignature | ts.TypeFormatFlags.UseSingleQuotesForStringLiteralType;

/** Types as they are written down, and those that the checker infers where none is. No path of a machine may enter a page. */
function typeWriter(checker) {
  const clean = (text) => text.replace(/import\("[^"]*"\)\./g, '');
  const typeOf = (node) => clean(checker.typeToString(checker.getTypeAtLocation(node), node, format));
  const resultOf = (node) => {
    const signature = checker.getSignatureFromDeclaration(node);
    return clean(checker.typeToString(checker.getReturnTypeOfSignature(signature), node, format));
  };
  return { typeOf, resultOf };
}

/** A function, method, constructor or accessor without its body. */
function signature(node, { resultOf }) {
  const source = node.getSourceFile().text;
  const start = (ts.getModifiers(node)?.at(-1)?.end ?? node.getStart()) - node.getStart();
  const text = tidy(source.slice(node.getStart(), node.body ? node.body.getStart() : node.end).slice(start))
    .replace(/[;{]$/, '')
    .trim();
  return node.type || ts.isConstructorDeclaration(node) ? text : `${text}: ${resultOf(node)}`;
}

/** Overloads: with several declarations the last is the implementation, which nobody calls by its own signature. */
const overloads = (nodes) => (nodes.length > 1 && nodes.at(-1).body ? nodes.slice(0, -1) : nodes);

function memberLine({ name, nodes, isStatic }, writer) {
  const doc = oneLine(docOf(nodes).join(' '));
  const first = nodes[0];
  const written = ts.isMethodDeclaration(first)
    ? overloads(nodes).map((node) => oneLine(signature(node, writer)))
    : [
        `${name}${first.questionToken ? '?' : ''}: ${oneLine(first.type ? tidy(first.type.getText()) : ts.isAccessor(first) ? writer.resultOf(first) : writer.typeOf(first))}`,
      ];
  const code = written.map((text) => `\`${isStatic ? 'static ' : ''}${text}\``).join(', ');
  return `- ${code}${doc ? `: ${doc}` : ''}`;
}

/** Members of a class: its own, and those of bases that have no entry of themselves. A tensor's page shows them all. */
function shownMembers(node, file, { names, exported }) {
  const all = membersOf(node, file, names);
  return node.name.text === 'Tensor' ? all : all.filter(({ owner }) => owner === node || !exported.has(owner));
}

function classText(node, file, context) {
  const { writer } = context;
  const constructor = node.members.filter(ts.isConstructorDeclaration);
  const hidden = constructor.some((one) => /@internal/.test(one.getFullText()));
  const types = node.typeParameters ? `<${node.typeParameters.map((one) => tidy(one.getText())).join(', ')}>` : '';
  const heritage = (node.heritageClauses ?? []).map((clause) => ` ${oneLine(clause.getText())}`).join('');
  const head = `class ${node.name.text}${types}${heritage}`;
  const made = hidden ? [] : overloads(constructor).map((one) => signature(one, writer).replace(/^constructor/, `new ${node.name.text}`));
  const members = shownMembers(node, file, context);
  const sorted = members.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return [`\`\`\`ts\n${[head, ...made].join('\n')}\n\`\`\``, sorted.map((member) => memberLine(member, writer)).join('\n')];
}

/** What stands in the page for one export. */
function entryText(one, context) {
  const [first] = one.nodes;
  const { writer } = context;
  const parts = [`### ${one.paths[0]}`];
  const aliases = one.paths.slice(1).map((name) => `\`${name}\``);
  if (aliases.length) parts.push(`Also ${aliases.join(', ')}.`);
  parts.push(...docOf(one.nodes));
  if (ts.isClassDeclaration(first)) parts.push(...classText(first, one.file, context));
  else if (ts.isFunctionDeclaration(first)) {
    parts.push(
      `\`\`\`ts\n${overloads(one.nodes)
        .map((node) => signature(node, writer))
        .join('\n')}\n\`\`\``,
    );
  } else if (ts.isVariableDeclaration(first)) {
    const type = first.type ? tidy(first.type.getText()) : writer.typeOf(first);
    parts.push(`\`\`\`ts\nconst ${first.name.text}: ${type}\n\`\`\``);
  } else {
    const text = first.getSourceFile().text.slice(first.getStart(), first.end);
    parts.push(`\`\`\`ts\n${text.replace(/^export /, '')}\n\`\`\``);
  }
  return parts.filter(Boolean).join('\n\n');
}

function group(list, keyOf) {
  const groups = new Map();
  for (const one of list) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

/** Where headings of one page lead, as GitHub forms it: those that differ in case alone are numbered. */
function anchors(headings) {
  const seen = new Map();
  return headings.map((heading) => {
    const slug = heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times ? `${slug}-${times}` : slug;
  });
}

const isType = ({ nodes: [node] }) => ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);
const byName = (a, b) => (a.paths[0] < b.paths[0] ? -1 : 1);

/** All pages by file name: those of the rooms, and README.md, which lists them. */
export function pagesOf(api, { names, checker }) {
  const rooms = group(api, pageOf);
  const exported = new Set(api.map(({ nodes }) => nodes[0]));
  const context = { names, exported, writer: typeWriter(checker) };
  const pages = new Map();
  const index = [
    '# Reference',
    '',
    'Every export of the package, from the sources and their comments. `npm run docs` writes these pages.',
    '',
  ];
  for (const [room, entries] of [...rooms].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const values = entries.filter((one) => !isType(one)).toSorted(byName);
    const types = entries.filter(isType).toSorted(byName);
    const title = titles[room] ?? `\`${room}\``;
    const text = [`# ${title}`, ...values.map((one) => entryText(one, context))];
    if (types.length) text.push('## Types', ...types.map((one) => entryText(one, context)));
    pages.set(`${room}.md`, `${text.join('\n\n')}\n`);
    const headings = values.map(({ paths: [name] }) => name);
    const links = anchors(headings).map((slug, i) => `[${headings[i].replace(`${room}.`, '')}](${room}.md#${slug})`);
    index.push(`## [${title}](${room}.md)`, '', links.join(' · '), '');
  }
  pages.set('README.md', index.join('\n'));
  return pages;
}
