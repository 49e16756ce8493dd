import {
  bindingKinds,
  appendFlag,
  commitFlag,
  header,
  layouts,
  locationKinds,
  noIndex,
  noText,
  programFlag,
  queues,
  sectionAlignment,
  sectionNames,
  sections,
  wireMagic,
  wireVersion,
  type Layout,
} from './schema.js';

const cppTypes = { u8: 'uint8_t', u32: 'uint32_t', i32: 'int32_t', u64: 'uint64_t', i64: 'int64_t', f64: 'double' };
const snake = (word: string): string => word.replace(/[A-Z]/g, (letter, at: number) => (at ? '_' : '') + letter.toLowerCase());

function struct(name: string, layout: Layout): string {
  const fields = layout.fields.map(({ name: field, type }) => `  ${cppTypes[type]} ${field};`);
  const checks = layout.fields.map(({ name: field, offset }) => `static_assert(offsetof(${name}, ${field}) == ${offset});`);
  return [`struct ${name} {`, ...fields, '};', `static_assert(sizeof(${name}) == ${layout.bytes});`, ...checks].join('\n');
}

const enumeration = (name: string, words: readonly string[]): string =>
  `enum class ${name} : uint32_t { ${words.map((word, i) => `${word} = ${i}`).join(', ')} };\nconstexpr uint32_t ${snake(name)}_count = ${words.length};`;

/** The text of native/runtime/plan_wire.h: the records, and a reader that checks that every section lies inside the buffer. */
export function generateReader(): string {
  const elementType = (kind: string): string => (kind in cppTypes ? cppTypes[kind as keyof typeof cppTypes] : kind);
  const spans = sectionNames.map((name) => `  std::span<const ${elementType(sections[name])}> ${name};`);
  const reads = sectionNames.map(
    (name) => `  if (!section("${name}", header.${name}_offset, header.${name}_count, view->${name})) return false;`,
  );
  return `// clang-format off
// Generated from src/compiler/wire/schema.ts by \`POLLUX_GENERATE=1 npx vitest run test/runtime/wire.test.ts\`. Do not edit.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace pollux::wire {

constexpr uint64_t magic = ${`0x${wireMagic.toString(16)}`}ull;
constexpr uint32_t version = ${wireVersion};
constexpr uint32_t no_text = ${`0x${noText.toString(16)}`}u;
constexpr uint32_t no_index = ${`0x${noIndex.toString(16)}`}u;
constexpr uint64_t section_alignment = ${sectionAlignment};
constexpr uint32_t commit_flag = ${commitFlag};
constexpr uint32_t program_flag = ${programFlag};
constexpr uint32_t append_flag = ${appendFlag};

${enumeration('LocationKind', locationKinds)}
${enumeration('BindingKind', bindingKinds)}
${enumeration('Queue', queues)}

${Object.entries(layouts)
  .map(([name, layout]) => struct(name, layout))
  .join('\n\n')}

${struct('Header', header)}

/// The sections of an encoded plan. They point into the buffer, which must outlive the view and be aligned to 8 bytes.
struct View {
  uint64_t arena_bytes;
${spans.join('\n')}
};

/// Checks magic, version and the bounds of every section. What the records say is for the caller to check.
inline bool open(const void* data, uint64_t bytes, View* view, std::string* error) {
  Header header;
  if (bytes < sizeof(Header)) {
    *error = "the plan is cut short: " + std::to_string(bytes) + " bytes do not hold its header";
    return false;
  }
  std::memcpy(&header, data, sizeof(Header));
  if (header.magic != magic) {
    *error = "this is no plan: it does not begin with the plan's mark";
    return false;
  }
  if (header.version != version || header.header_bytes != sizeof(Header)) {
    *error = "the plan has version " + std::to_string(header.version) + ", this build reads version " + std::to_string(version);
    return false;
  }
  if (header.total_bytes != bytes) {
    *error = "the plan says " + std::to_string(header.total_bytes) + " bytes, the buffer has " + std::to_string(bytes);
    return false;
  }
  const auto section = [&]<typename T>(const char* name, uint64_t offset, uint64_t count, std::span<const T>& span) {
    if (offset % section_alignment || offset > bytes || count > (bytes - offset) / sizeof(T)) {
      *error = std::string("section ") + name + " of the plan lies outside the buffer";
      return false;
    }
    span = {reinterpret_cast<const T*>(static_cast<const char*>(data) + offset), static_cast<size_t>(count)};
    return true;
  };
  view->arena_bytes = header.arena_bytes;
${reads.join('\n')}
  return true;
}

}  // namespace pollux::wire
`;
}
