/** The few pieces of SVG that the pictures of this package need. */

export type Attributes = Readonly<Record<string, string | number>>;

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escapeText = (text: string): string => text.replace(/[&<>"]/g, (sign) => escapes[sign]!);

/** Two decimals are finer than any screen shows. */
const value = (attribute: string | number): string =>
  typeof attribute === 'number' ? String(Math.round(attribute * 100) / 100) : escapeText(attribute);

export function element(name: string, attributes: Attributes, ...children: string[]): string {
  const written = Object.entries(attributes)
    .map(([key, attribute]) => ` ${key}="${value(attribute)}"`)
    .join('');
  return children.length > 0 ? `<${name}${written}>${children.join('')}</${name}>` : `<${name}${written}/>`;
}

export function label(content: string, x: number, y: number, attributes: Attributes = {}): string {
  return element('text', { x, y, ...attributes }, escapeText(content));
}

export const colors = {
  text: '#1f2933',
  faint: '#6b7785',
  grid: '#e4e8ec',
  axis: '#9aa5b1',
  blue: '#1769aa',
  orange: '#d9730d',
  red: '#c92a2a',
} as const;

/** A whole picture on white, so that it reads in a dark viewer too. */
export function picture(width: number, height: number, title: string, ...content: string[]): string {
  return `${element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      'font-family': 'system-ui, Segoe UI, Helvetica, Arial, sans-serif',
      'font-size': 13,
      fill: colors.text,
      role: 'img',
    },
    element('title', {}, escapeText(title)),
    element('rect', { width, height, fill: '#ffffff' }),
    ...content,
  )}\n`;
}

/** Round numbers that divide [low, high] into about `count` parts: 1, 2 or 5 times a power of ten apart. */
export function ticks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((multiple) => multiple * power >= rough * 0.999) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
