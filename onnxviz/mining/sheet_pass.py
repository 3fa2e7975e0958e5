"""The passes behind the contact sheets: the winners are looked at again, their patches cut, the sheets written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxviz.draw.palette import find_theme
from onnxviz.feed.make import FeedMaker
from onnxviz.mining.contact_sheets import SheetMaker, plan_sheets
from onnxviz.mining.mine_options import MineOptions
from onnxviz.mining.mined import Mined
from onnxviz.mining.second_look import lit_layers, look_again
from onnxviz.mining.survey import Survey
from onnxviz.model import Model
from onnxviz.results.observer import Observer


def draw_sheets(
    model: Model, found: Survey, mined: Mined, folder: Path, options: MineOptions, observer: Observer
) -> tuple[Mined, Sequence[str]]:
    """Write the sheets of all layers, and return what was mined with what is said of them, and their files."""
    theme = find_theme(options.theme)
    if found.fed_size is None:
        observer.noted("what is fed is not a picture: there are no sheets")
        return mined.with_sheets([[] for _ in mined], options.theme, {}), ()
    lit = lit_layers(mined, found.fed_size)
    plans = plan_sheets(mined, lit, options.order)
    observer.planned(len(mined.pictures.sources), 0, 1)
    seen = look_again(found.reduced, found.job, mined, lit, lambda: observer.swept(1))
    if seen.different:
        observer.noted(
            f"ATTENTION: of {seen.checked:,} numbers {seen.different:,} did not come again to the bit when their "
            "pictures were run a second time"
        )
    checks = {"checked": seen.checked, "different": seen.different}
    mined = mined.with_sheets([[plan.as_json() for plan in each] for each in plans], options.theme, checks)
    maker = FeedMaker(found.job.run.inputs, options.feed, model.metadata)
    sheets = SheetMaker(mined, maker, seen.lights, lit, theme)
    observer.planned(len(mined.pictures.sources), 0, 1)
    missing = sheets.write(plans, folder, options.run.memory // 2, lambda: observer.swept(1))
    if missing:
        observer.noted(f"{missing:,} patches are grey: their pictures can no longer be read")
    return mined, [plan.file for each in plans for plan in each]
