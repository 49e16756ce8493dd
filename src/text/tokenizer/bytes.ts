/** GPT-2's table: a printable character for each byte, so that any text can be written in 256 characters. */
const characters: readonly string[] = (() => {
  const printable = (byte: number): boolean => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++));
})();
const byteOf = new Map(characters.map((character, byte) => [character, byte]));
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** All 256 characters, in the order of their bytes. */
export const byteAlphabet = characters;

/** The UTF-8 bytes of a text, each as its character. */
export function toByteCharacters(text: string): string {
  let out = '';
  for (const byte of encoder.encode(text)) out += characters[byte];
  return out;
}

/** The text whose bytes the characters stand for; what is no UTF-8 becomes U+FFFD. Text outside the table stays as it is. */
export function fromByteCharacters(text: string): string {
  const bytes: number[] = [];
  for (const character of text) {
    const byte = byteOf.get(character);
    if (byte === undefined) bytes.push(...encoder.encode(character));
    else bytes.push(byte);
  }
  return decodeBytes(bytes);
}

/** UTF-8 to text; what is no UTF-8 becomes U+FFFD. */
export const decodeBytes = (bytes: readonly number[]): string => decoder.decode(Uint8Array.from(bytes));

/** UTF-8 of a text. */
export const encodeBytes = (text: string): Uint8Array => encoder.encode(text);
