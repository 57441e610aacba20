"""What the player prints: a line per step, with a bar on a terminal."""

import sys
import time


class Stage:
    """The lines of the story. On a terminal the running one has a bar; elsewhere each is printed once, when it is done."""

    def __init__(self, out=sys.stdout):
        self.out = out
        self.is_terminal = out.isatty()
        self.began = time.monotonic()

    def chapter(self, number: str, title: str) -> None:
        bold, plain = ("\x1b[1m", "\x1b[0m") if self.is_terminal else ("", "")
        self._write(f"\n{bold}{number}  {title}{plain}\n")

    def note(self, text: str) -> None:
        for line in text.splitlines():
            self._write(f"     {line}\n")

    def step(self, title: str, total: int = 0) -> "Step":
        return Step(self, title, total)

    def _write(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()


class Step:
    WIDTH = 46

    def __init__(self, stage: Stage, title: str, total: int):
        self.stage, self.title, self.total, self.done = stage, title, total, 0
        self.detail, self.result = "", ""
        self.began = time.monotonic()
        self.shown = 0.0

    def __enter__(self) -> "Step":
        self._show(force=True)
        return self

    def advance(self, by: int = 1, detail: str | None = None) -> None:
        self.done += by
        self.say(self.detail if detail is None else detail)

    def say(self, detail: str) -> None:
        changed = detail != self.detail
        self.detail = detail
        self._show(force=changed)

    def _show(self, force: bool = False) -> None:
        now = time.monotonic()
        if not self.stage.is_terminal or not (force or now - self.shown > 0.1):
            return
        self.shown = now
        share = self.done / self.total if self.total else 0
        bar = "█" * int(share * 16) + "░" * (16 - int(share * 16)) if self.total else "·" * (1 + int(now * 4) % 16)
        self.stage._write(f"\r\x1b[K  … {self.title:<{self.WIDTH}} {bar:<16} {now - self.began:5.1f} s  {self.detail[:60]}")

    def __exit__(self, kind, error, trace) -> None:
        clear = "\r\x1b[K" if self.stage.is_terminal else ""
        mark = "✗" if kind else "✓"
        words = str(error).splitlines()[0] if error and str(error) else self.result
        self.stage._write(f"{clear}  {mark} {self.title:<{self.WIDTH}} {time.monotonic() - self.began:5.1f} s  {words}\n")


def table(headers: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(str(row[column])) for row in [headers, *rows]) for column in range(len(headers))]
    lines = ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [headers, *rows]]
    return "\n".join(lines)
