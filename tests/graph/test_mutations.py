"""Three thousand mutations of real models: each is one clear error or a right answer, in little memory.

No case gets more than 512 MiB of memory (`little_memory` in mutations.py): one that asks for more is `wrong`. One that
does not end is killed (`stop_if_it_hangs`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

WORKER = Path(__file__).with_name("mutations.py")
MUTATIONS = 3000


def test_three_thousand_mutations_of_real_models() -> None:
    done = subprocess.run([sys.executable, str(WORKER)], capture_output=True, text=True, timeout=900, check=False)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    # After a crash, the mutation at fault is the one that comes next.
    assert done.returncode == 0, f"mutation {len(records)}: {done.returncode}\n{done.stderr[-2000:]}"
    assert len(records) == MUTATIONS
    outcomes = Counter(record["outcome"] for record in records)
    assert [record for record in records if record["outcome"] == "wrong"] == []
    assert sum(record["past"] for record in records) >= MUTATIONS / 2
    assert min(outcomes["right"], outcomes["ModelError"]) > MUTATIONS / 5, outcomes
    assert sum(record["exposed"] for record in records) > MUTATIONS / 10
    assert set(outcomes) <= {"right", "ModelError", "NotAModelError", "UnsupportedError"}
    sources = Counter(record["source"] for record in records)
    assert len(sources) > 100
    assert sources["efficientnet_lite0_int8"] == 30
    assert min(sources["torch_dynamo"], sources["torch_script"], sources["light_squeezenet"]) >= 40
