#!/usr/bin/env python3
"""benchmarks/results/index.html: every result file of the folder as a table, its ratios as bars. Standard library only."""

import html
import json

import common

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
td:first-child, th:first-child { text-align: left; }
svg text { font: 13px system-ui, sans-serif; fill: #222; }
.facts { color: #666; font-size: 13px; }
"""
RATIOS = ("ratio", "faster")  # columns that say how many times Laurel is faster
BAR_HEIGHT, LABEL_WIDTH, WIDTH = 24, 330, 860


def number(value):
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def bars(rows):
    """Horizontal bars of the rows' ratios, with a line at 1; empty if there are none."""
    found = [(next(str(value) for value in row.values()), number(row[key])) for row in rows for key in RATIOS if key in row]
    found = [(label, ratio) for label, ratio in found if ratio is not None]
    if len(found) < 2:
        return ""
    scale = (WIDTH - LABEL_WIDTH - 60) / max(max(ratio for _, ratio in found), 1)
    height = BAR_HEIGHT * len(found)
    parts = [f'<svg width="{WIDTH}" height="{height}" role="img" aria-label="times faster">']
    for i, (label, ratio) in enumerate(found):
        y = i * BAR_HEIGHT
        parts.append(f'<text x="{LABEL_WIDTH - 8}" y="{y + 16}" text-anchor="end">{html.escape(label)}</text>'
                     f'<rect x="{LABEL_WIDTH}" y="{y + 4}" width="{ratio * scale:.1f}" height="{BAR_HEIGHT - 8}" fill="#2f7d5b"/>'
                     f'<text x="{LABEL_WIDTH + ratio * scale + 6:.1f}" y="{y + 16}">{ratio:g}×</text>')
    one = LABEL_WIDTH + scale
    parts.append(f'<line x1="{one:.1f}" x2="{one:.1f}" y1="0" y2="{height}" stroke="#b33" stroke-dasharray="4 3"/></svg>')
    return "".join(parts)


def section(result):
    columns = result.get("columns") or {key: key for row in result["rows"] for key in row}
    head = "".join(f"<th>{html.escape(title)}</th>" for title in columns.values())
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(row.get(key, '')))}</td>" for key in columns) + "</tr>"
                   for row in result["rows"])
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in result["notes"])
    facts = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    return (f"<h2>{html.escape(result['title'])}</h2>{bars(result['rows'])}<table><tr>{head}</tr>{body}</table>"
            f"<ul>{notes}</ul><p class='facts'>{html.escape(facts)}</p>")


def main():
    results = [json.loads(path.read_text()) for path in sorted(common.RESULTS.glob("*.json"))]
    page = common.RESULTS / "index.html"
    page.write_text(f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Laurel beside its peers</title>"
                    f"<style>{STYLE}</style><h1>Laurel beside its peers</h1>{''.join(map(section, results))}</html>\n")
    print(f"{page.relative_to(common.ROOT)}: {len(results)} results")


if __name__ == "__main__":
    main()
