"""Colours and style sheets: of the page, light and dark, and of its charts."""

import re

LIGHT = {"ink": "#111", "soft": "#555", "paper": "#fff", "line": "#ccc", "shade": "#f4f4f4",
         "one": "#2166ac", "two": "#b35806", "three": "#217a4b", "four": "#8a4fa3",
         "five": "#6b6b6b", "right": "33,102,172", "wrong": "230,110,20"}
_DARK = {"ink": "#eee", "soft": "#aaa", "paper": "#16181c", "line": "#444", "shade": "#22252b",
         "one": "#7ab8e0", "two": "#fdae61", "three": "#6cc993", "four": "#c79ae0",
         "five": "#aaa", "right": "70,140,210", "wrong": "200,100,20"}
CHART = """
svg{font:12px system-ui,sans-serif;fill:var(--ink)}
.grid{stroke:var(--line)}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.s1{stroke:var(--one)}
.s2{stroke:var(--two);stroke-dasharray:6 4}
.s3{stroke:var(--three);stroke-dasharray:10 3}
.s4{stroke:var(--four);stroke-dasharray:2 3}
.s5{stroke:var(--five);stroke-dasharray:8 3 2 3}
.faint{stroke:var(--soft);stroke-width:1;stroke-opacity:.5}
.mark{stroke:var(--soft);stroke-dasharray:5 4}
.halo{stroke:var(--paper);stroke-width:4;paint-order:stroke}
.dot{stroke:none;fill:var(--one)}
.dot.s2{fill:var(--two)}
.bar{fill:var(--one);fill-opacity:.6}
.point{fill:var(--one);fill-opacity:.35}
"""
_PAGE = """
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;
max-width:70rem;padding:1rem}
h1{font-size:1.5rem;margin:.5rem 0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}
a{color:var(--one)}
nav a{margin-right:.9rem;white-space:nowrap}
p{margin:.5rem 0;max-width:48rem}
.note,small,figcaption{color:var(--soft);font-size:.85rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;margin:.5rem 0;font-size:.9rem}
caption{text-align:left;white-space:nowrap;font-weight:600;padding:.2rem 0}
th,td{border:1px solid var(--line);padding:.2rem .6rem;text-align:left;vertical-align:top}
th{background:var(--shade);font-weight:500}
.n{text-align:right;font-variant-numeric:tabular-nums}
.heat{background:rgba(var(--right),calc(var(--share)*.6))}
.wrong{background:rgba(var(--wrong),calc(var(--share)*.6))}
.rows{width:100%}
.rows td:last-child{min-width:18rem}
.rows td:nth-last-child(2){min-width:7rem}
.rows small{overflow-wrap:anywhere}
@media(max-width:40rem){caption{white-space:normal}
.stack,.stack caption,.stack tbody,.stack tr{display:block}
.stack tr:first-of-type,.stack td:empty{display:none}
.stack tr{border-bottom:1px solid var(--line);padding:.4rem 0}
.stack th,.stack td{display:inline-block;border:0;background:none;padding:0 1rem 0 0}
.stack [data-of]::before{content:attr(data-of) " ";color:var(--soft)}
.stack td:nth-last-child(2){min-width:0}
.stack td:last-child{display:block;min-width:0}
.stack td:last-child::before{content:none}}
.text{white-space:pre-wrap;overflow-wrap:anywhere;max-height:12rem;overflow-y:auto}
.text+.text{border-top:1px dashed var(--line)}
pre{background:var(--shade);padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere}
details{margin:.5rem 0}
summary{cursor:pointer;color:var(--one)}
.charts{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0;flex:1 1 22rem;max-width:31rem}
figcaption{font-weight:600}
figure svg{width:100%;height:auto}
"""


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())


def page() -> str:
    """Returns the style sheet of the page, in the colours that its reader prefers."""
    return (f"\n:root{{color-scheme:light dark;{_variables(LIGHT)}}}\n"
            f"@media(prefers-color-scheme:dark){{:root{{{_variables(_DARK)}}}}}{_PAGE}{CHART}")


def of_file() -> str:
    """Returns the style sheet of a chart that is a file: light, without variables.

    Browsers know them; Inkscape and most viewers of pictures do not.
    """
    return re.sub(r"var\(--(\w+)\)", lambda found: LIGHT[found[1]], CHART)
