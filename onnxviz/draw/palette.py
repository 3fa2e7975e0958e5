"""The colours of a page: what each of its 256 indices means, and which colour that is.

Theme and colormap only change the palette: one canvas of indices can be shown dark or light, in any colormap.

The table at the end holds these colormaps: viridis, magma, inferno and plasma by Nathaniel Smith, Stefan van der
Walt and Eric Firing (CC0); cividis by Jamie Nunez, Christopher Anderton and Ryan Renslow (BSD-3-Clause); turbo by
Anton Mikhailov (Apache-2.0); RdBu by Cynthia Brewer (Apache-2.0); coolwarm by Kenneth Moreland and twilight by
Bastian Bechtold, as in matplotlib (PSF); vik, berlin and batlow by Fabio Crameri (MIT).
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import astuple, dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from onnxviz.errors import UsageError
from onnxviz.words import near

LEVELS = 232
"""Indices 0 to 231 are data, from the low end of the scale to the high end; the eye cannot tell them from 256."""
INK = 232
"""The first of INK_STEPS indices that go from the background to the colour of text."""
INK_STEPS = 16
RULE = INK + 9
"""Ticks, rules and bars: the ink at three fifths."""
FAINT_RULE = INK + 4
FRAME = INK + 3
"""Lines around maps whose edge has the colour of the page."""
NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY = 248, 249, 250
SIGNS = {"NaN": NAN, "inf": POSITIVE_INFINITY, "-inf": NEGATIVE_INFINITY}
"""The indices of values that are not finite, by what a picture calls them."""
HATCH_BACK, HATCH_LINE, PANEL, ACCENT = 251, 252, 253, 254

# Two colours are hard to tell apart if red, green and blue each differ by less than this.
_NEAR = 48

Colour = tuple[int, int, int]
Palette = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of everything on a page but the data; from NaN to the accent in the order of their indices.

    Inks between the background and the ink lie at their share to the power of `ramp`, so that on either background the
    faintest words, at a share of 7/15, have a contrast of 4.5 : 1, which WCAG 2 asks for.
    """

    background: Colour
    ink: Colour
    nan: Colour
    positive_infinity: Colour
    negative_infinity: Colour
    hatch_back: Colour
    hatch_line: Colour
    panel: Colour
    accent: Colour
    diverging: str
    ramp: float


THEMES = {
    "dark": Theme(
        background=(17, 19, 23),
        ink=(232, 235, 240),
        nan=(255, 64, 196),
        positive_infinity=(255, 112, 32),
        negative_infinity=(0, 214, 230),
        hatch_back=(30, 33, 39),
        hatch_line=(58, 63, 72),
        panel=(26, 29, 34),
        accent=(255, 176, 59),
        diverging="berlin",
        ramp=0.85,
    ),
    "light": Theme(
        background=(255, 255, 255),
        ink=(24, 28, 34),
        nan=(230, 0, 150),
        positive_infinity=(240, 90, 0),
        negative_infinity=(0, 150, 190),
        hatch_back=(241, 242, 244),
        hatch_line=(205, 209, 215),
        panel=(246, 247, 249),
        accent=(200, 90, 0),
        diverging="vik",
        ramp=0.65,
    ),
}


@cache
def palette(colormap: str, theme: str) -> Palette:
    """Return the 256 colours of a page, (256, 3) uint8, read-only.

    Raises:
        UsageError: the theme or the colormap is unknown.
    """
    look = find_theme(theme)
    colours = np.zeros((256, 3), np.uint8)
    colours[:LEVELS] = data_colours(colormap)
    steps = np.linspace(0, 1, INK_STEPS)[:, None] ** look.ramp
    colours[INK : INK + INK_STEPS] = np.rint(np.array(look.background) * (1 - steps) + np.array(look.ink) * steps)
    colours[NAN : ACCENT + 1] = astuple(look)[2:-2]
    colours.flags.writeable = False
    return colours


def melts_into_page(colormap: str, theme: str, diverging: bool) -> bool:
    """Return whether maps need a frame: zero, the middle or the low end of the colours, looks like the page.

    >>> melts_into_page("berlin", "dark", True), melts_into_page("viridis", "dark", False)
    (True, False)
    """
    colours = palette(colormap, theme).astype(int)
    return bool(np.abs(colours[LEVELS // 2 if diverging else 0] - colours[INK]).max() < _NEAR)


def default_colormap(diverging: bool, theme: str) -> str:
    """Return the colormap that `auto` means.

    A diverging colormap has the colour of the page at zero, so that values far from zero stand out.

    >>> default_colormap(False, "dark"), default_colormap(True, "dark"), default_colormap(True, "light")
    ('viridis', 'berlin', 'vik')
    """
    return find_theme(theme).diverging if diverging else "viridis"


def data_colours(colormap: str, count: int = LEVELS) -> Palette:
    """Return `count` colours of a colormap, evenly spaced, (count, 3) uint8; `NAME_r` is NAME reversed.

    Raises:
        UsageError: the colormap is unknown.
    """
    table = _table(colormap).astype(np.float64)
    places = np.linspace(0, 255, count)
    return np.stack([np.rint(np.interp(places, np.arange(256), curve)) for curve in table.T], axis=1).astype(np.uint8)


def find_theme(name: str) -> Theme:
    """Return a theme by name; for an unknown name raise UsageError, which lists them."""
    if name not in THEMES:
        raise UsageError(f"no theme {name!r}: {' or '.join(THEMES)}")
    return THEMES[name]


def _table(name: str) -> Palette:
    known = {bundled.lower(): table for bundled, table in _bundled().items()}
    wanted = name.lower()
    if wanted in known:
        return known[wanted]
    for other in (wanted.removesuffix("_r"), wanted + "_r"):
        if other in known and other != wanted:
            return known[other][::-1]
    return _table_of_cmap(name)


def _table_of_cmap(name: str) -> Palette:
    try:
        import cmap
    except ImportError:
        raise UsageError(
            f"no colormap {name!r} among {', '.join(COLORMAPS)}{near(name, COLORMAPS)}\n"
            "for some 600 others: pip install 'onnxviz[colors]'"
        ) from None
    for candidate in (name, name.removesuffix("_r")):
        try:
            # The full name, since a bare one that two collections share makes cmap warn on standard error.
            found = cmap.Catalog().resolve(candidate)
        except (KeyError, ValueError):
            continue
        table: Palette = np.rint(cmap.Colormap(found).lut(256)[:, :3] * 255).astype(np.uint8)
        return table if candidate == name else table[::-1]
    names = [*COLORMAPS, *cmap.Catalog().short_keys()]
    raise UsageError(f"no colormap {name!r}{near(name, names)}\nbundled: {', '.join(COLORMAPS)}")


@cache
def _bundled() -> dict[str, Palette]:
    differences = np.frombuffer(zlib.decompress(base64.b85decode(_PACKED)), np.uint8)
    curves = np.add.accumulate(differences.reshape(len(COLORMAPS), 3, 256), axis=2, dtype=np.uint8)
    return {name: table.T for name, table in zip(COLORMAPS, curves, strict=True)}


COLORMAPS = tuple("viridis magma inferno plasma cividis turbo gray coolwarm RdBu_r vik berlin batlow twilight".split())

# Printed by tools/colormaps.py, which says how it is packed.
_PACKED = (
    "c-rk+JGLV=5S8TTH<OS|M#>5%Cne+%kr2*m*ad4~32cLOw!w1?TdGpsTUBa5;z9pzyFXIh`l^2_^`6V9v%%E0=~ASjLCn}`13eD4o1^&xb>=#1"
    "t!-4vkHYCP>nM=5iA9=u1>AaMc^Y;)mPT6b+|Z@+{7gAJE`C(3Emmh&WE}D=+Dn<;uWQ;3Cc0*X4+=N53eX7{+N8cg*usv0=}}g7>6lf^$l6Ge"
    "`ZySW?-OP+$<}OjV6lzDTG|Ak0<c<<=423?d<fThax7vP8Gs6&1W%TnMhhE&ANQ2e^a6w`i}ZRGU1!&GhuIIU5Z@C4bm?0IF%SmyhfQn4mwEFc"
    "ML?i{L@`;R7s;zB(?v=cIr{r#X{R!wu8ov=fhU@m9u1eQ2GHT`XRj}hH=-LXnd{+y(wv@1fex%jvX;ePdCCLXQg^40bm_+93W!I7CETzR@&Wja"
    "-!1BMoEMhnPMa)3I#N1X)(rZVYH~bRU*-G*{|W2?^b7Z>6d3gztHGgsHj42~o`YDY_K326byK1%L1oIzCKxJzrk6*Sbe-M(%y*BUjQt(bEA(6V"
    "HX@Y6F=M%%SqM(GgKl@YCy?e`P=k{72AdG%V@KH@`yP}vJirj1*g`ER)3crr8#4l}X7eSmNzL^yvyODXucv{5MXHP!I<=9(aPd;y;oO0~gpupd"
    "y7cT~E#)^=939Cf%BlC;##E>e-Y}*>WS`o*sm<#9lK%L_Zcb$6lhdu9LGjVtC;CImXkJMBf4t{lcL$XHJPdU+h(lgkSibUPP1`R{!w+h+!MBkQ"
    "DQtL9saZY;@l$FmmGJzY8&9cB>)wj$q)Mhca8LIIX`h?N-K4&gsPZ0iAH9S47ov&=vrVZu7-qVfOYtn_Glt`=b4#72iL56tC(gRAkU2=?5G@x-"
    ")9q14zK!}wZ==3_QuQc`vRQS`^2Pht{JIwdk;r4@Mo?d<oOBB7?a_OqbeoM#V$Fimahrc|NpIK>wjM_M@#BY)USB`FUSIF!dcD3}uWBC5B@tRo"
    "637b+24HEm%#-?xZ&u!9+2{Wr|C+BPt}dJQjzfk=yq3zKjJA=fh2=eidh!gW8vNT%|Ih#1PCq`iG=r(>dw<fG;0K(C3zw)YATKvor}wWiyYrw}"
    "nF>M8Ka(#Rit~NQ+sPw_Y2Yx1Bh^AkA|R}`j~MF136R2AN*Vi`bt;$d<?WxD|B7B*5`Rd;phlNkvRHwiTH^AWz6O$jwmRO?C7Bx15JyK<aUWba"
    "rgGiFxm9te&9T0K5rHu?%XOFC?gQ3j+d$M{=b0R|mf0E{iK#Ht=LW&Q3xxnVV8#)bO@t*15Uo3hz(+k`K89VhX{H&ZhMaY3*&Q%DFqA@wWg+nk"
    "n}3kb9J;+6%N!=O`>OK=I&dnpZk(NVyd-cy0U`<(Z8xnp8((~~Ldeh}OcY%rW_U@5#3*y~Y1))#&65|8GNU-xK8A@wn6Syri`&5<ew0s9$onwY"
    "K7j1E;Wi0F^ecQWEKcv-^~HNM;YqxASMADWk@L(mxiE0?<-ZsUE$&Oi=-;UspgzQ$yS;W~XK`k3hvhXdENPwlUA-sHdgaj{huzD38GNKTDr?0K"
    ")X@dIg1(2_52g*?;<qkZwto@8Xh^yk;!be4Md-!4Kix*ODQ&?f`1_f8;gIRs%d6!j-q-F9?JAHWtZ{D+RddFX+s(0Ua>@th+mrBt2Z=)@WAF&B"
    "cqd*|K=DHK1gq5{W_=OhCU~Ld!rum%VS+{qsjYNx8>zv>D7$^Ptq2Vf=s>YtbdrgV+ryPZL-lkUxF@^s-^V@Yw)Ig;@-afGF>-pE-}7VqTEPbn"
    "lMU;%CPNzhmXVvx`nvzFA&8A=?3aEL*oQd%avW-qjxA&O@aYQ`5^-MS(N$lkiL}&^H<BfyWm@GB8Br{5)x!o+_u<LO?Jg8I?yy+7u~`M*@U+X4"
    "_0{Z%6&h`c^~t-h7%z9h$iE9jc1<pMr!rV1Y+>CJC3@JxiO>Tx)U+U}0NmDJC^c!vVj^zXw%~us(p?Y=;Ca>Z)#8e%0~U2D*zR00|Amg}4=`*F"
    "i-Nvs_){=7U@-ZaWxEr|``rfj<pNpfxbr)U_Odi%75)VUA|Mz"
)
