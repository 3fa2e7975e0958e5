"""`onnxviz maximise`: pictures that are made for units of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from onnxviz.cli import groups, parameters
from onnxviz.cli.parameters import option
from onnxviz.cli.terminal import print_json, say
from onnxviz.words import number_text


def maximise(
    model: parameters.ModelPath,
    *,
    unit: Annotated[
        list[str] | None,
        option("--unit", "LAYER#C, LAYER#C@Y,X, or a direction LAYER#3+17-4; may be repeated.", "UNIT"),
    ] = None,
    target: Annotated[
        list[str] | None, option("--class", "A class by name or number; may be repeated.", "CLASS")
    ] = None,
    objective: Annotated[
        str, option("--objective", "channel: all of LAYER#C; neuron: its middle.", "WHAT", "channel neuron")
    ] = "channel",
    steps: Annotated[int, option("--steps", "How often the picture is moved up the gradient.", "N", min=1)] = 160,
    start: Annotated[Path | None, option("--start", "Begin with a picture instead of noise.", "PICTURE")] = None,
    mined: Annotated[Path | None, option("--units", "What mine left: the strongest patches beside.", "DIR")] = None,
    output: Annotated[
        Path | None, option("-o --output", "A .png, .jpg, .webp or .tiff; else MODEL-made.png.", "FILE")
    ] = None,
    theme: parameters.ThemeName = "dark",
    labels: parameters.Labels = None,
    feed: groups.FeedGroup,
    device: parameters.DeviceName = "auto",
    threads: Annotated[int, option("--threads", "Units at a time; 0 means one a core.", "N", min=0)] = 0,
    json: parameters.Json = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    verbose: parameters.Verbose = False,
) -> None:
    """Make a picture that a unit, a channel, a direction or a class answers strongly: made, not found.

    Beside it stand the unit's map of it, and the bundled photograph that the unit answers most.

    Example: onnxviz maximise model.onnx --unit 'stage4/block3/expand#383' --class espresso -o made.png
    """
    from onnxviz.cli.progress import ProgressObserver
    from onnxviz.cli.stages import open_model
    from onnxviz.draw.encode import encode, file_format
    from onnxviz.files import writing
    from onnxviz.maximising.made_sheet import draw_made
    from onnxviz.maximising.maximise import maximise as run_maximise
    from onnxviz.maximising.maximise_options import MaximiseOptions
    from onnxviz.maximising.strongest_patches import strongest_patches
    from onnxviz.runtime.session import RunOptions

    options = MaximiseOptions(
        objective=objective,
        steps=steps,
        size=feed.size,
        # The noise of --seed is here the first picture, and the views of it.
        seed=feed.random or 0,
        start=start,
        labels=labels,
        feed=feed,
        run=RunOptions(device=device, threads=threads),
    )
    path = output or Path(f"{model.stem}-made.png")
    file_format(path.suffix)
    with ProgressObserver(quiet=quiet, verbose=verbose, tables=False) as observer:
        opened = open_model(model, quiet=quiet)
        opened.file.check_apart(path)
        with writing(path, force=force) as file:
            found = run_maximise(opened, unit or (), options, observer, classes=target or ())
            patches = strongest_patches(mined, [each.objective for each in found]) if mined is not None else ()
            sheet = draw_made(found, opened.file.origin.stem, theme, patches)
            file.write(encode(sheet.image, path.suffix, enlarged=sheet.enlarged, text=sheet.text))
    if json:
        units = [each.as_json() for each in found]
        print_json("onnxviz.maximise/1", file=str(path), model=str(opened.file.origin), units=units)
    if not quiet:
        for each in found:
            beside = f"noise {number_text(each.noise.greatest)}, {each.found.source} {number_text(each.found.greatest)}"
            say(f"{each.name}: up to {number_text(each.value)} ({beside})")
        say(f"the pictures are in {path}: made, not found")
