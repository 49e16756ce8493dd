// The public API as the sources declare it: what src/index.ts exports, with its documentation. It only parses, which takes less
// than a second; types that are not written down are left to a caller that has a checker.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const parsed = new Map();

/** The syntax tree of a file, parsed once. */
function parse(file) {
  if (!parsed.has(file)) parsed.set(file, ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true));
  return parsed.get(file);
}

/** Where `./name.js` in a file leads: its source; nothing for packages. */
const target = (file, specifier) =>
  specifier.text.startsWith('.') ? path.join(path.dirname(file), specifier.text.replace(/\.js$/, '.ts')) : undefined;

const isExported = (node) => ts.canHaveModifiers(node) && ts.getModifiers(node)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword);

/** Names of a module: `declared` in it, `imported` into it, `exported` from it (by name), and the modules it exports whole. */
function readModule(file, sourceOf) {
  const found = { declared: new Map(), imported: new Map(), exported: new Map(), whole: [] };
  const declare = (name, node, statement) => {
    const list = found.declared.get(name) ?? [];
    list.push(node);
    found.declared.set(name, list);
    if (isExported(statement)) found.exported.set(name, { file, name });
  };
  for (const node of sourceOf(file).statements) {
    if (ts.isVariableStatement(node)) {
      for (const one of node.declarationList.declarations) if (ts.isIdentifier(one.name)) declare(one.name.text, one, node);
    } else if (ts.isImportDeclaration(node) && node.importClause) {
      const from = target(file, node.moduleSpecifier);
      const names = node.importClause.namedBindings;
      if (!from || !names) continue;
      if (ts.isNamespaceImport(names)) found.imported.set(names.name.text, { namespace: from });
      else for (const one of names.elements) found.imported.set(one.name.text, { file: from, name: (one.propertyName ?? one.name).text });
    } else if (ts.isExportDeclaration(node)) {
      const from = node.moduleSpecifier ? target(file, node.moduleSpecifier) : file;
      if (!node.exportClause) found.whole.push(from);
      else if (ts.isNamespaceExport(node.exportClause)) found.exported.set(node.exportClause.name.text, { namespace: from });
      else
        for (const one of node.exportClause.elements)
          found.exported.set(one.name.text, { file: from, name: (one.propertyName ?? one.name).text });
    } else if (node.name && ts.isIdentifier(node.name)) declare(node.name.text, node, node);
  }
  return found;
}

/** Resolves names across modules. `sourceOf(file)` gives syntax trees: a checker's, or those parsed here. */
export function resolver(sourceOf = parse) {
  const modules = new Map();
  const moduleOf = (file) => {
    if (!modules.has(file)) modules.set(file, readModule(file, sourceOf));
    return modules.get(file);
  };

  /** Declarations of a name as a module sees it: { file, nodes } or { namespace }. */
  function resolve(file, name) {
    const at = moduleOf(file);
    const nodes = at.declared.get(name);
    if (nodes) return { file, nodes };
    const from = at.imported.get(name) ?? at.exported.get(name);
    if (from) return from.namespace ? from : resolve(from.file, from.name);
    for (const whole of at.whole) {
      const found = exportsOf(whole).get(name);
      if (found) return found;
    }
    return undefined;
  }

  /** Exports of a module by name. */
  function exportsOf(file) {
    const all = new Map();
    for (const whole of moduleOf(file).whole) for (const [name, what] of exportsOf(whole)) all.set(name, what);
    for (const [name, from] of moduleOf(file).exported) {
      const what = from.namespace ? from : resolve(from.file, from.name);
      if (what) all.set(name, what);
    }
    return all;
  }

  return { resolve, exportsOf };
}

const jsDocOf = (node) => {
  const owner = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  return owner.jsDoc?.at(-1);
};

/** Documentation of a declaration or member: its text, then each of its tags. Empty if there is none. */
export function docOf(nodes) {
  const doc = nodes.map(jsDocOf).find(Boolean);
  if (!doc) return [];
  const text = (comment) => (ts.getTextOfJSDocComment(comment) ?? '').replace(/\s*\n\s*/g, '\n').trim();
  const lines = (doc.tags ?? []).map((tag) => {
    const name = tag.name && ts.isIdentifier(tag.name) ? ` \`${tag.name.text}\`` : '';
    const label = { param: 'Argument', throws: 'Throws', returns: 'Returns', example: 'Example' }[tag.tagName.text] ?? tag.tagName.text;
    return `${label}${name}: ${text(tag.comment).replaceAll('\n', ' ').replace(/^- /, '')}`;
  });
  return [text(doc.comment), ...lines].filter(Boolean);
}

const hidden = [ts.SyntaxKind.PrivateKeyword, ts.SyntaxKind.ProtectedKeyword];

/** Is a member of a class for its users? `layerName` speaks to the compiler alone. */
function isPublic(member) {
  if (!member.name || !(ts.isIdentifier(member.name) || /^\[Symbol\./.test(member.name.getText()))) return false;
  if (member.name.getText() === 'layerName') return false;
  if (ts.getModifiers(member)?.some((m) => hidden.includes(m.kind) || m.kind === ts.SyntaxKind.OverrideKeyword)) return false;
  return !member.jsDoc?.some((doc) => doc.tags?.some((tag) => tag.tagName.text === 'internal'));
}

/** Public members of a class and of the classes it extends, by name: [{ name, nodes, isStatic }], the class's own first. */
export function membersOf(node, file, { resolve }) {
  const found = new Map();
  for (let at = { node, file }; at; ) {
    for (const member of at.node.members) {
      if (ts.isConstructorDeclaration(member) || !isPublic(member)) continue;
      const isStatic = Boolean(ts.getModifiers(member)?.some((m) => m.kind === ts.SyntaxKind.StaticKeyword));
      const key = `${isStatic ? 'static ' : ''}${member.name.getText()}`;
      const entry = found.get(key) ?? { name: member.name.getText(), isStatic, owner: at.node, nodes: [] };
      if (entry.owner === at.node) entry.nodes.push(member);
      found.set(key, entry);
    }
    const base = at.node.heritageClauses?.find((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword)?.types[0]?.expression;
    const up = base && ts.isIdentifier(base) ? resolve(at.file, base.text) : undefined;
    at = up?.nodes && ts.isClassDeclaration(up.nodes[0]) ? { node: up.nodes[0], file: up.file } : undefined;
  }
  return [...found.values()];
}

/**
 * All that users can name: [{ paths, file, nodes }], each declaration once, `paths` being the names by which it is reached
 * (`DataLoader`, `data.DataLoader`), the shortest first.
 */
export function publicApi(entry, names = resolver()) {
  const found = new Map();
  const walk = (file, prefix) => {
    for (const [name, what] of names.exportsOf(file)) {
      if (what.namespace) {
        walk(what.namespace, `${prefix}${name}.`);
        continue;
      }
      const one = found.get(what.nodes[0]) ?? { paths: [], file: what.file, nodes: what.nodes };
      one.paths.push(prefix + name);
      found.set(what.nodes[0], one);
    }
  };
  walk(entry, '');
  const depth = (name) => name.split('.').length;
  for (const one of found.values()) one.paths.sort((a, b) => depth(a) - depth(b) || a.localeCompare(b));
  return [...found.values()];
}
