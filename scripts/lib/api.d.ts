import type { ClassDeclaration, Declaration, SourceFile } from 'typescript';

export interface Names {
  resolve(file: string, name: string): { file: string; nodes: Declaration[] } | { namespace: string } | undefined;
  exportsOf(file: string): Map<string, { file: string; nodes: Declaration[] } | { namespace: string }>;
}
export interface ApiEntry {
  paths: string[];
  file: string;
  nodes: [Declaration, ...Declaration[]];
}
export interface ApiMember {
  name: string;
  nodes: [Declaration, ...Declaration[]];
  isStatic: boolean;
  owner: ClassDeclaration;
}
export function resolver(sourceOf?: (file: string) => SourceFile): Names;
export function docOf(nodes: readonly Declaration[]): string[];
export function membersOf(node: Declaration, file: string, names: Names): ApiMember[];
export function publicApi(entry: string, names?: Names): ApiEntry[];
