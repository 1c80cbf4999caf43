// Renders API Gateway mapping templates: one JSON request a line on stdin, one JSON answer a line on stdout.
// velocityjs parses and runs the language; this file gives it API Gateway's variables
// and makes JSON values answer to the Java methods that templates call on them.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
import { Compile, Helper, parse } from 'velocityjs';
import { JSONPath } from 'jsonpath-plus';
import { parseJson } from './json.mjs';
import { call, equal, isMap, javaString, JavaNumber, json, LIST, Tool } from './values.mjs';

// "Number of iterations in a #foreach ... #end loop in mapping templates: 1,000"
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const MAX_ITERATIONS = 1000;
const MAX_CACHED = 1000; // parsed templates and interpolated strings

const OURS = { input: 0, util: 0, context: 0, stageVariables: 0 };

class TemplateError extends Error {
  position = null;
}
class BodyError extends Error {}

const cache = new Map();
function parsed(template) {
  let asts = cache.get(template);
  if (asts === undefined) {
    asts = parse(template);
    if (cache.size >= MAX_CACHED) cache.clear();
    cache.set(template, asts);
  }
  return asts;
}

// Template is velocityjs with Java's values in place of JavaScript's.
class Template extends Compile {
  constructor(asts) {
    super(asts);
    // velocityjs goes on with the iteration after #break; Velocity does not.
    let stopped = false;
    this.runState = {
      break: false,
      get stop() { return stopped || this.break; },
      set stop(value) { stopped = value; },
    };
  }

  getReferences(ast, isVal) {
    let value;
    try {
      value = super.getReferences(ast, false);
    } catch (e) {
      throw positioned(e, ast);
    }
    if (!isVal) return value;
    if (value !== undefined && value !== null) return javaString(value);
    // What API Gateway's own variables do not have is empty (AWS's pass-through template relies
    // on it); a variable of the template's stands as it was written, which is Velocity's way.
    return ast.leader === '$!' || Object.hasOwn(OURS, ast.id) ? '' : Helper.getRefText(ast);
  }

  // References within a directive have no position of their own.
  getBlock(block) {
    try {
      return super.getBlock(block);
    } catch (e) {
      throw positioned(e, block[0]);
    }
  }

  setValue(ast) {
    try {
      super.setValue(ast);
    } catch (e) {
      throw positioned(e, ast);
    }
  }

  getAttributes(property, base, ast) {
    if (base === undefined || base === null) return undefined;
    if (property.type === 'method') {
      const args = (property.args || []).map((arg) => this.getLiteral(arg));
      return call(base, property.id, args);
    }
    const key = property.type === 'property' ? property.id : String(this.getLiteral(property.id));
    if (ast.id === 'foreach' && key === 'first') return base.count === 1;
    if (ast.id === 'foreach' && key === 'last') return !base.hasNext;
    if (Array.isArray(base)) return base.at(Number(key));
    if (typeof base !== 'object' || !Object.hasOwn(base, key)) return undefined;
    return base instanceof Tool && typeof base[key] === 'function' ? undefined : base[key];
  }

  getLiteral(literal) {
    return literal.type === 'values' ? literal.values : super.getLiteral(literal);
  }

  getArray(literal) {
    return Object.assign(super.getArray(literal), { [LIST]: true });
  }

  // JavaScript's == compares objects by identity, and our numbers are objects.
  getExpression(ast) {
    if (ast.type !== 'math') {
      const value = super.getExpression(ast);
      return value instanceof JavaNumber ? value.valueOf() : value;
    }
    const operands = () => ast.expression.map((operand) => this.getExpression(operand));
    switch (ast.operator) {
      case '==': return equal(...operands());
      case '!=': return !equal(...operands());
      case '/': { // integers divide as Java's do, and by zero is null
        const [a, b] = operands();
        if (b === 0) return undefined;
        return Number.isInteger(a) && Number.isInteger(b) ? Math.trunc(a / b) : a / b;
      }
      default: return super.getExpression(ast);
    }
  }

  getBlockEach(block) {
    const [each, ...body] = block;
    const from = this.getLiteral(each.from);
    let values = [];
    if (Array.isArray(from)) values = from;
    else if (isMap(from)) values = Object.values(from);
    if (values.length > MAX_ITERATIONS) {
      throw positioned(new TemplateError(`#foreach over ${values.length} elements: API Gateway stops at ${MAX_ITERATIONS}`), each);
    }
    // velocityjs leaves its scope stack dirty after looping over a map: it sees lists only.
    return super.getBlockEach([{ ...each, from: { type: 'values', values } }, ...body]);
  }

  evalStr(text) {
    try {
      return this.renderAstList(parsed(text), this.contextId);
    } catch (e) {
      if (e instanceof TemplateError) e.position = null; // it was relative to the string
      throw e;
    }
  }
}

function positioned(error, ast) {
  if (error instanceof BodyError) return error;
  const e = error instanceof TemplateError ? error : new TemplateError(error.message);
  if (e.position === null && ast.pos) {
    e.position = { line: ast.pos.first_line, column: ast.pos.first_column + 1 };
  }
  return e;
}

// Definite paths have one value, the others a list (as in Jayway's JsonPath).
const isDefinite = (path) => !/\.\.|\*|\?\(|\[[^\]'"]*[,:]|'\s*,/.test(path);

function select(json, path) {
  if (path === '$') return json;
  const found = JSONPath({ json, path, eval: false, wrap: true, resultType: 'all' }) ?? [];
  const values = found.filter(isMember).map(({ value }) => value);
  return isDefinite(path) ? values[0] : values;
}

// JSONPath finds whatever JavaScript's values have, the length of a text and of a list too.
const isMember = ({ parent, parentProperty }) =>
  parent === null || isMap(parent) || (Array.isArray(parent) && /^\d+$/.test(parentProperty));

function inputTool({ body, params }) {
  let parsedBody;
  const read = () => {
    if (parsedBody === undefined) {
      try {
        parsedBody = parseJson(body);
      } catch (e) {
        const deep = e instanceof RangeError;
        throw new BodyError(deep ? 'the body is nested too deeply' : `the body is not JSON: ${e.message}`);
      }
    }
    return parsedBody;
  };
  const path = (expression) => (body === '' ? undefined : select(read(), String(expression)));
  return new Tool({
    body: body === '' ? '{}' : body, // so API Gateway does; not documented
    path,
    json: (expression) => {
      if (body === '' && expression === '$') return '{}';
      const value = path(expression);
      return value === undefined ? '""' : json(value);
    },
    params: (name) => (name === undefined ? params : param(params, String(name))),
  });
}

// The order is documented. Names are matched without case when nothing matches with it:
// Go's HTTP server does not keep the case that the client wrote.
function param({ path, querystring, header }, name) {
  const sources = [path, querystring, header];
  for (const source of sources) if (Object.hasOwn(source, name)) return source[name];
  const key = Object.keys(header).find((k) => k.toLowerCase() === name.toLowerCase());
  return key === undefined ? '' : header[key];
}

const text = (value) => (value === undefined || value === null ? value : javaString(value));
const onText = (f) => (value) => (text(value) === undefined || text(value) === null ? undefined : f(text(value)));

const escapes = { '\b': '\\b', '\n': '\\n', '\t': '\\t', '\f': '\\f', '\r': '\\r', '"': '\\"', "'": "\\'", '\\': '\\\\', '/': '\\/' };
const util = new Tool({
  // "This function will turn any regular single quotes (') into escaped ones (\')."
  escapeJavaScript: onText((s) => s.replace(/["'\\/]|[^\x20-\x7f]/g, (c) =>
    escapes[c] ?? '\\u' + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0'))),
  parseJson: onText(parseJson),
  // application/x-www-form-urlencoded, as java.net.URLEncoder
  urlEncode: onText((s) => new URLSearchParams([['', s]]).toString().slice(1)),
  urlDecode: onText((s) => decodeURIComponent(s.replaceAll('+', ' '))),
  base64Encode: onText((s) => Buffer.from(s, 'utf8').toString('base64')),
  base64Decode: onText((s) => Buffer.from(s, 'base64').toString('utf8')),
});

const texts = (map) => Object.fromEntries(Object.entries(map).map(([k, v]) => [k, javaString(v)]));

function render(request) {
  const context = {
    ...request.context,
    requestOverride: { header: {}, path: {}, querystring: {} },
    responseOverride: { header: {} },
  };
  const template = new Template(parsed(request.template));
  const rendered = template.render({
    input: inputTool(request), util, context, stageVariables: request.stageVariables,
  });
  const { requestOverride: sent, responseOverride: answered } = context;
  return {
    text: rendered,
    status: Number(answered.status ?? 0),
    headers: texts(answered.header),
    request: { headers: texts(sent.header), path: texts(sent.path), query: texts(sent.querystring) },
  };
}

function failure(e) {
  if (e instanceof BodyError) return { kind: 'body', error: e.message };
  const at = e.position ?? (e.hash?.loc && { line: e.hash.loc.first_line, column: e.hash.loc.first_column + 1 });
  // A parser's message draws a picture over several lines: only what was unexpected counts.
  const message = e.hash?.text !== undefined ? `unexpected ${JSON.stringify(e.hash.text)}` : e.message;
  return { kind: 'template', error: message, line: at?.line, column: at?.column };
}

function answer(line) {
  const request = JSON.parse(line);
  let response;
  try {
    response = render(request);
  } catch (e) {
    response = failure(e);
  }
  process.stdout.write(JSON.stringify({ id: request.id, ...response }) + '\n');
}

// Not node:readline, which also breaks lines at U+2028.
let chunks = [];
process.stdin.on('data', (chunk) => {
  let start = 0;
  for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
    chunks.push(chunk.subarray(start, end));
    answer(Buffer.concat(chunks).toString('utf8'));
    chunks = [];
    start = end + 1;
  }
  chunks.push(chunk.subarray(start));
});
process.stdin.on('end', () => process.exit(0)); // the parent is gone
process.stdout.on('error', () => process.exit(0));
process.stdout.write('{"ready":true}\n');
