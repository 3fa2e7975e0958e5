import assert from "node:assert/strict";
import { test } from "node:test";

import { ailment, notFinite, saturation } from "../../../../onnxviz/reporting/page/health.js";

const WELL = { channels: 10, alive: 5, dead: 5, values: 1000, nan: 0, inf: 0, saturated_low: 20, saturated_high: 30 };

test("what a layer has is said in words", () => {
  assert.equal(notFinite({ ...WELL, nan: 102400, inf: 2 }), "102,400 NaN, 2 inf");
  assert.equal(notFinite(WELL), "");
  assert.equal(notFinite(undefined), "");
  assert.equal(saturation(WELL), "5 % saturated");
  assert.equal(saturation({ ...WELL, values: 0 }), "");
  assert.equal(saturation(undefined), "");
});

test("half of the channels may be dead, and a twentieth of the values saturated", () => {
  assert.equal(ailment(WELL), null);
  assert.equal(ailment(undefined), null);
  assert.deepEqual(ailment({ ...WELL, dead: 6 }), {
    badge: "dead",
    words: "6 of 10 channels dead",
    severe: false,
    kind: "not finite",
  });
  const saturated = { ...WELL, saturated_low: 21 };
  assert.deepEqual(ailment(saturated), {
    badge: "saturated",
    words: "5.1 % saturated",
    severe: false,
    kind: "not finite",
  });
});

test("a value that is not finite comes first", () => {
  const found = ailment({ ...WELL, dead: 10, nan: 1, inf: 1200 });
  assert.deepEqual(found, {
    badge: "NaN",
    words: "1 NaN, 1,200 inf, 10 of 10 channels dead",
    severe: true,
    kind: "not finite",
  });
  assert.equal(ailment({ ...WELL, inf: 1 }).badge, "inf");
});
