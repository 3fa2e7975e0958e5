/** Layers as a tree by scope. */

/**
 * Group layers by their scopes, in the order of the layers; a scope that holds only one scope or layer is joined with
 * it.
 *
 * Layers of one scope are grouped where the first of them comes, even if others come between them.
 *
 * @param {readonly {name: string, scope: string}[]} layers
 * @returns {Scope}
 */
export function buildTree(layers) {
  /** @type {Scope} */
  const root = { name: "", path: "", children: [], layers: 0 };
  /** @type {Map<string, Scope>} */
  const scopes = new Map([["", root]]);
  layers.forEach((layer, place) => {
    const { scope, joint, leaf } = splitName(layer);
    findScope(scopes, scope).children.push({ layer: place, name: leaf, joint });
  });
  return /** @type {Scope} */ (joined(counted(root)));
}

/**
 * Split a layer's name into the scope at its beginning, the / or . that joins them, and the rest.
 *
 * If the name is the scope itself, as for a module of one operator, its last part is the rest. A name that does not
 * begin with its scope is kept whole.
 *
 * @param {{name: string, scope: string}} layer
 * @returns {{scope: string, joint: string, leaf: string}} joint is empty where the leaf is the whole name
 */
export function splitName({ name, scope }) {
  const whole = { scope, joint: "", leaf: name };
  if (!scope) return whole;
  const begins = name.startsWith(scope) ? 0 : name.startsWith("/" + scope) ? 1 : -1;
  if (begins < 0) return whole;
  const rest = name.slice(begins + scope.length);
  if (/^[/.]./.test(rest)) return { scope, joint: rest[0], leaf: rest.slice(1) };
  if (rest) return whole;
  const last = Math.max(scope.lastIndexOf("/"), scope.lastIndexOf("."));
  if (last < 1) return { ...whole, scope: "" };
  return { scope: scope.slice(0, last), joint: scope[last], leaf: scope.slice(last + 1) };
}

/**
 * Return the layers that a search finds: each word of it is part of their name, kind or operator.
 * @param {string} query
 * @param {readonly {name: string, kind?: string | null, op?: string | null}[]} layers
 * @returns {Set<number>}
 */
export function searchLayers(query, layers) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = new Set();
  layers.forEach((layer, place) => {
    const text = `${layer.name} ${layer.kind ?? ""} ${layer.op ?? ""}`.toLowerCase();
    if (words.every((word) => text.includes(word))) found.add(place);
  });
  return found;
}

// Deeper scopes are shown as one, so that a hostile name with ten thousand levels is harmless.
const DEEPEST = 24;

/**
 * @param {Map<string, Scope>} scopes
 * @param {string} path
 * @returns {Scope}
 */
function findScope(scopes, path) {
  let scope = /** @type {Scope} */ (scopes.get(""));
  if (!path) return scope;
  const ends = [...path.matchAll(/[/.]/g)].map((match) => match.index).filter((end) => end > 0);
  const cuts = [...ends.slice(0, DEEPEST - 1), path.length];
  let start = 0;
  for (const cut of cuts) {
    const here = path.slice(0, cut);
    let next = scopes.get(here);
    if (!next) {
      next = {
        name: path.slice(start, cut),
        path: here,
        children: [],
        layers: 0,
      };
      scopes.set(here, next);
      scope.children.push(next);
    }
    scope = next;
    start = cut + 1;
  }
  return scope;
}

/**
 * @param {Scope} scope
 * @returns {Scope}
 */
function counted(scope) {
  for (const child of scope.children) scope.layers += "children" in child ? counted(child).layers : 1;
  return scope;
}

/**
 * @param {Scope} scope
 * @returns {Scope | Leaf}
 */
function joined(scope) {
  scope.children = scope.children.map((child) => ("children" in child ? joined(child) : child));
  const [only] = scope.children;
  if (!scope.path || scope.children.length > 1) return scope;
  // The text is taken from the path, which has the original separators.
  const start = scope.path.length - scope.name.length;
  if ("children" in only) return { ...only, name: only.path.slice(start) };
  return only.joint
    ? { ...only, name: scope.name + only.joint + only.name, joint: scope.path[start - 1] ?? "" }
    : scope;
}
