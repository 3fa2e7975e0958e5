// The types of what the page's modules hand to each other, for the type checker: browsers never see this file.
// What comes from the report itself is described in docs/report.md.

type Floats = Float32Array | Float64Array;

type ThemeName = "dark" | "light";

interface ReportIndex {
  schema: string;
  onnxviz: string;
  model: { name: string; device: string; level: string; lead?: string[] };
  left_out: string;
  runs: Run[];
  layers: Layer[];
  look: Look;
  colormaps: { [name: string]: string[] };
  themes: { dark: SharedTheme; light: SharedTheme };
  scales: { [mode: string]: Scale };
  scale_rules: ScaleRules;
  attention: { scale: string; colormap: string; gamma: number };
}
interface Look {
  scale: string;
  colormap: string;
  order: string;
  query: string;
  theme: "light" | null;
  fixed: [number, number] | null;
}
interface SharedTheme {
  background: string;
  ink: string;
  nan: string;
  positive_infinity: string;
  negative_infinity: string;
  hatch_back: string;
  hatch_line: string;
  sequential: string;
  diverging: string;
}
interface Theme extends SharedTheme {
  muted: string;
  rule: string;
  strong: string;
  bar: string;
}
interface Scale {
  name: string;
  words: string;
  ends: [string, string] | null;
}
interface ScaleRules {
  constant: number;
  held: number;
  kept: number;
  percentiles: [number, number];
  deviations: number;
  one_sided: number;
}
interface Picture {
  uri: string;
  height: number;
  width: number;
  input: string;
}
interface Run {
  name: string;
  source: { [input: string]: string };
  fed: { name: string; shape: number[] }[];
  classes: { name: string; index: number; value: number | null }[];
  picture: Picture | null;
  difference?: boolean;
  tokens?: { [count: string]: string[] };
}
interface ReceptiveField {
  size: number[] | null;
  stride: number[] | null;
  start: number[] | null;
  status: string;
  global: boolean;
}
interface Tokens {
  grid: [number, number];
  prefix: number;
  status: string;
}
interface AttentionTokens {
  keys: Tokens & { ordered: boolean };
  queries: (Tokens & { ordered: boolean }) | null;
}
interface ChosenQuery {
  row: number | null;
  name: string;
  words: string;
}
interface Attended {
  layer: Layer;
  values: Values;
  statistics: Statistics;
  error: Float64Array;
}
interface Steps {
  first: number;
  last: number;
  total: number;
  noun: string;
  words: string;
}
interface LayerHealth {
  channels: number;
  alive: number;
  dead: number;
  values: number;
  nan: number;
  inf: number;
  saturated_low: number;
  saturated_high: number;
}
interface Finding {
  badge: string;
  words: string;
  severe: boolean;
  kind: string;
}
interface LayerRun {
  block: number;
  stats: { low: string; high: string; mean: string; std: string; held: string };
  nan: number[];
  inf: number[];
  live: number;
  extra?: boolean;
  exact?: boolean;
  wide?: boolean;
  shape?: number[];
  extent?: number[];
  steps?: Steps;
  labels?: string[];
  at_ends?: [number, number];
  health?: LayerHealth;
  prefix?: string;
  decoded?: Statistics;
  besides?: Floats;
}
interface Layer {
  name: string;
  finding?: Finding;
  explains?: "class" | "unit" | "output";
  pooled?: LayerHealth;
  kind: string | null;
  op: string | null;
  scope: string;
  output: string;
  tap: string;
  shape: number[];
  layout: string | null;
  form: "map" | "band" | "volume" | "vector";
  extent: number[];
  halved: number;
  channels: number;
  kept: number[];
  labels: string[] | null;
  receptive_field: ReceptiveField | null;
  axes?: number[];
  notes?: string[];
  dtype?: string;
  drawing?: string;
  tokens?: Tokens | AttentionTokens | null;
  groups?: number;
  steps?: Steps;
  limits?: [number, number];
  units?: LinkedUnits;
  runs: (LayerRun | null)[];
}
interface Statistics {
  low: Floats;
  high: Floats;
  mean: Floats;
  std: Floats;
  held: Floats;
  nan: readonly number[];
  inf: readonly number[];
  constant: readonly boolean[];
}
interface Values {
  codes: Uint8Array | null;
  marks: Uint8Array | null;
  ends: Uint8Array | null;
  floats: Floats | null;
}
interface Scaled {
  statistics: Statistics;
  values: Values;
  size: number;
  others: readonly Statistics[];
  shared: [number, number] | null;
  fixed: [number, number] | null;
  /** whether the values are a difference, which is drawn about zero whatever its signs are */
  about?: boolean;
}
interface Limits {
  low: Float64Array;
  high: Float64Array;
  mode: string;
  diverging: boolean;
}
interface State {
  layer: number;
  run: number;
  place: number | null;
  position: number[] | null;
  scale: string;
  colormap: string;
  order: string;
  query: string;
  live: boolean;
  slice: number;
  zoom: number | null;
  overlay: number;
  heat: number;
}
interface Place {
  layer: string;
  channel: number | null;
  position: number[] | null;
  run: number;
  scale: string;
  colormap: string;
  order: string;
  query: string;
  pins: PinnedPlace[];
}
interface PinnedPlace {
  layer: string;
  channel: number;
  run: number;
}
interface Spot {
  place: number;
  position: number[];
}
interface Pin {
  layer: number;
  run: number;
  place: number;
}
interface LiveAnswer {
  run: Run;
  layers: { [place: string]: Layer };
  blocks: { [block: string]: string };
}
interface LayerStage {
  shows: number;
  layers: number;
}
interface Leaf {
  layer: number;
  name: string;
  joint: string;
}
interface Scope {
  name: string;
  path: string;
  children: (Scope | Leaf)[];
  layers: number;
}
interface Grid {
  count: number;
  height: number;
  width: number;
  zoom: number;
  tileWidth: number;
  tileHeight: number;
  labelled: boolean;
  barred: boolean;
  gutter: number;
  beside: Beside | null;
  columns: number;
  rows: number;
  stepX: number;
  stepY: number;
  below: number;
  totalWidth: number;
  totalHeight: number;
}
/** Values at the left of each tile: how many are in a column, how large each is, and how far from the tile they begin. */
interface Beside {
  rows: number;
  side: number;
  before: number;
}
interface StageParts {
  box: HTMLElement;
  margin: HTMLElement;
  space: HTMLElement;
  canvas: HTMLCanvasElement;
  tile: HTMLElement;
  cell: HTMLElement;
}
interface View {
  left: number;
  top: number;
  ratio: number;
}
interface Target {
  pixels: Uint32Array;
  width: number;
  height: number;
}
interface Tile {
  codes: Uint8Array;
  marks: Uint8Array | null;
  offset: number;
  height: number;
  width: number;
  zoomX: number;
  zoomY: number;
  table: Uint32Array;
  markPixels: Uint32Array;
}
interface Scene {
  layer: Layer;
  run: number;
  tokens: { [count: string]: string[] };
  stored: Values;
  queries: [string, string][];
  query: string;
  error: Float64Array | null;
  values: Values;
  statistics: Statistics;
  size: number;
  limits: Limits;
  scale: Scale;
  order: string;
  colormap: string;
  pixels: Uint32Array;
  theme: Theme;
  height: number;
  width: number;
  depth: number;
  slice: number;
  channels: number[];
  markPixels: Uint32Array;
  gamma: number;
  tables: Map<number, Uint32Array>;
  besides: Floats | null;
}
type Drawer = (context: CanvasRenderingContext2D, scene: Scene, grid: Grid, view: View, places: number[]) => void;

// The page of `mine`.
interface UnitsIndex {
  schema: string;
  model: string;
  used: number;
  k: number;
  classes: string[];
  pictures: number;
  layers: UnitsLayer[];
}
/** Where on which sheet the patches of a unit begin: the sheet's number, -1 for none, the row and the column. */
type UnitSpot = [number, number, number];
interface Sheets {
  patch: number;
  side: number;
  sheets: { file: string; height: number; width: number }[];
}
/** What `mine` found of a layer's channels. */
interface LinkedUnits extends Sheets {
  page: string;
  words: string;
  spots: UnitSpot[];
}
interface UnitsLayer extends Sheets {
  name: string;
  output: string;
  op: string;
  facts: string;
  channels: number;
  dead: number;
  places: number[];
  ends: [number, number];
  whole: boolean;
  block: number;
}
/** A column for each statistic, an entry a unit; null is NaN. */
interface MinedLayer {
  dead: boolean[];
  high: (number | null)[];
  mean: (number | null)[];
  std: (number | null)[];
  alive: (number | null)[];
  full: (number | null)[];
  selectivity: (number | null)[];
  strongest_class: number[];
  of_that_class: number[];
  spots: UnitSpot[];
  strongest: [number, number, number][][];
  bars: [number[], number, number][];
  classes: [number, number][][];
}
/** A path, the number of its class, whether it is a file to open. */
type MinedPicture = [string, number, boolean];
