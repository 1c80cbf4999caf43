// Values as a template on AWS sees them: Java's strings, lists, maps and numbers, with the methods
// that mapping templates call. An unknown method has no value, so its reference stands as written.

// LIST marks the lists that a template writes itself: Java prints them unlike those from JSON.
export const LIST = Symbol('list');

// Tool is $input or $util: its functions are called, never read.
export class Tool {
  constructor(members) { Object.assign(this, members); }
}

// Entry is one of a map's entrySet().
export class Entry {
  constructor(key, value) { this.key = key; this.value = value; }
}

// JavaNumber is a JSON number as it was written. It has no members that a JSONPath could find.
export class JavaNumber {
  #text;
  constructor(text) { this.#text = text; }
  toString() { return this.#text; }
  // For comparison and arithmetic: exact for integers of any size.
  valueOf() {
    const number = Number(this.#text);
    return /^-?\d+$/.test(this.#text) && !Number.isSafeInteger(number) ? BigInt(this.#text) : number;
  }
}

const isNumber = (v) => v instanceof JavaNumber || typeof v === 'number' || typeof v === 'bigint';
export const isMap = (v) => typeof v === 'object' && v !== null && Object.getPrototypeOf(v) === Object.prototype;

// json is a value as JSON.
export function json(v) {
  if (Array.isArray(v)) return '[' + v.map(json).join(',') + ']';
  if (isMap(v)) return '{' + Object.keys(v).map((k) => JSON.stringify(k) + ':' + json(v[k])).join(',') + '}';
  return typeof v === 'string' ? JSON.stringify(v) : String(v);
}

// Jayway's lists print as JSON, its maps as Java's do.
export function javaString(v) {
  if (Array.isArray(v)) return v[LIST] ? '[' + v.map(javaString).join(', ') + ']' : json(v);
  if (v instanceof Entry) return `${v.key}=${javaString(v.value)}`;
  if (v instanceof Tool) return '';
  if (isMap(v)) return '{' + Object.keys(v).map((k) => `${k}=${javaString(v[k])}`).join(', ') + '}';
  return String(v);
}

// equal is Velocity's ==: numbers by value, the rest by text when the types differ.
export function equal(a, b) {
  if (a === undefined || a === null || b === undefined || b === null) return (a ?? null) === (b ?? null);
  if (isNumber(a) && isNumber(b)) return a.valueOf() == b.valueOf(); // == compares a bigint with a number
  return javaString(a) === javaString(b);
}

// equals is Java's: never true across types.
const equals = (a, b) => (isNumber(a) ? isNumber(b) : typeof a === typeof b) && equal(a, b);

const int = (v) => (v === undefined ? undefined : Number(v));

// Java's regular expressions are near enough to JavaScript's for templates.
function regex(source, flags) {
  try {
    return new RegExp(source, flags + 'u');
  } catch {
    return new RegExp(source, flags); // Java allows \' and the like, the u flag does not
  }
}

// In a Java replacement, \x is x and $1 a group.
const expand = (replacement) => (...match) =>
  replacement.replace(/\\(.)|\$(\d)/gs, (_, literal, group) => literal ?? match[group] ?? '');

const strings = {
  charAt: (s, i) => s.charAt(int(i)),
  compareTo: (s, x) => (s < x ? -1 : Number(s > x)), // both compare UTF-16 units; Java's may be another number of that sign
  concat: (s, x) => s + javaString(x),
  contains: (s, x) => s.includes(javaString(x)),
  endsWith: (s, x) => s.endsWith(javaString(x)),
  equalsIgnoreCase: (s, x) => typeof x === 'string' && s.toLowerCase() === x.toLowerCase(),
  indexOf: (s, x, from) => s.indexOf(javaString(x), int(from)),
  isEmpty: (s) => s === '',
  lastIndexOf: (s, x) => s.lastIndexOf(javaString(x)),
  length: (s) => s.length,
  matches: (s, re) => regex(`^(?:${re})$`, '').test(s),
  replace: (s, from, to) => s.replaceAll(javaString(from), () => javaString(to)),
  replaceAll: (s, re, to) => s.replace(regex(re, 'g'), expand(javaString(to))),
  replaceFirst: (s, re, to) => s.replace(regex(re, ''), expand(javaString(to))),
  split: (s, re) => Object.assign(s.split(regex(re, '')), { [LIST]: true }),
  startsWith: (s, x) => s.startsWith(javaString(x)),
  substring: (s, from, to) => s.substring(int(from), int(to)),
  toLowerCase: (s) => s.toLowerCase(),
  toUpperCase: (s) => s.toUpperCase(),
  trim: (s) => s.trim(),
};

const lists = {
  add: (l, x) => { l.push(x); return true; },
  addAll: (l, more) => { l.push(...more); return true; },
  contains: (l, x) => l.some((v) => equals(v, x)),
  get: (l, i) => l[int(i)],
  indexOf: (l, x) => l.findIndex((v) => equals(v, x)),
  isEmpty: (l) => l.length === 0,
  remove: (l, i) => l.splice(int(i), 1)[0],
  set: (l, i, x) => l.splice(int(i), 1, x)[0],
  size: (l) => l.length,
  subList: (l, from, to) => Object.assign(l.slice(int(from), int(to)), { [LIST]: true }),
};

const list = (values) => Object.assign(values, { [LIST]: true });

function put(m, key, value) {
  const before = Object.hasOwn(m, key) ? m[key] : undefined;
  Object.defineProperty(m, key, { value, writable: true, enumerable: true, configurable: true }); // __proto__ too
  return before;
}

const maps = {
  containsKey: (m, k) => Object.hasOwn(m, javaString(k)),
  containsValue: (m, x) => Object.values(m).some((v) => equals(v, x)),
  entrySet: (m) => list(Object.entries(m).map(([k, v]) => new Entry(k, v))),
  get: (m, k) => (Object.hasOwn(m, javaString(k)) ? m[javaString(k)] : undefined),
  isEmpty: (m) => Object.keys(m).length === 0,
  keySet: (m) => list(Object.keys(m)),
  put: (m, k, v) => put(m, javaString(k), v),
  putAll: (m, more) => { for (const [k, v] of Object.entries(more)) put(m, k, v); },
  remove: (m, k) => { const before = maps.get(m, k); delete m[javaString(k)]; return before; },
  size: (m) => Object.keys(m).length,
  values: (m) => list(Object.values(m)),
};

const numbers = {
  doubleValue: (n) => Number(n),
  intValue: (n) => Math.trunc(Number(n)),
  longValue: (n) => n.valueOf(),
};

const entries = { getKey: (e) => e.key, getValue: (e) => e.value };

function methodsOf(v) {
  if (typeof v === 'string') return strings;
  if (Array.isArray(v)) return lists;
  if (isNumber(v)) return numbers;
  if (v instanceof Entry) return entries;
  return isMap(v) ? maps : {};
}

// call is base.name(args), or undefined where Java has no such method.
export function call(base, name, args) {
  if (base instanceof Tool) {
    return typeof base[name] === 'function' && Object.hasOwn(base, name) ? base[name](...args) : undefined;
  }
  const methods = methodsOf(base);
  if (Object.hasOwn(methods, name)) return methods[name](base, ...args);
  if (name === 'toString') return javaString(base);
  if (name === 'equals') return equals(base, args[0]);
  return undefined;
}
