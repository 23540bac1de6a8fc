"""The house in numbers: `python docs/make_tree.py` prints every wing with its lines, and the imports between wings."""

import ast
from collections import Counter
from pathlib import Path

import grimp

PACKAGES = ("data_prep", "maam_lib")
HOME = Path(__file__).parents[1]


def wing_of(module: str) -> str:
    """The package or file directly below `maam_lib` or `data_prep` that a module is in."""
    return ".".join(module.split(".")[:2])


def lines_of(wing: str) -> int:
    path = HOME / wing.replace(".", "/")
    files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def first_line(wing: str) -> str:
    path = HOME / wing.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n")[0]


def main() -> None:
    graph = grimp.build_graph(*PACKAGES)
    wings = sorted({wing_of(module) for module in graph.modules} - set(PACKAGES))
    for package in PACKAGES:
        inside = [wing for wing in wings if wing.startswith(f"{package}.")]
        print(f"{package}: {len(inside)} entries, {sum(map(lines_of, inside)) + lines_of(f'{package}.__init__')} lines")
        for wing in inside:
            print(f"  {wing.split('.')[1]:18} {lines_of(wing):5}  {first_line(wing)}")
    arrows = Counter(
        (wing_of(module), wing_of(other))
        for module in graph.modules - set(PACKAGES)
        for other in graph.find_modules_directly_imported_by(module) - set(PACKAGES)
        if wing_of(module) != wing_of(other)
    )
    both_ways = sorted(arrow for arrow in arrows if arrow[::-1] in arrows and arrow < arrow[::-1])
    across = Counter((a.split(".")[0], b.split(".")[0]) for a, b in arrows)
    print(f"between entries: {len(arrows)} pairs, {sum(arrows.values())} imports; both ways: {both_ways or 'none'}")
    for (package, other), pairs in sorted(across.items()):
        print(f"  {package} -> {other}: {pairs} pairs")


if __name__ == "__main__":
    main()
