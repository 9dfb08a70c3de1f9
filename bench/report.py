"""The table that a benchmark prints and writes: what, ours, theirs, goal, met."""

import os
import platform
import subprocess
from pathlib import Path

from program import JIKJI

ROOT = Path(__file__).resolve().parents[1]


def machine():
    info = Path("/proc/cpuinfo").read_text().splitlines()
    field = {key: next((line.split(":")[1].strip() for line in info if line.startswith(key)), "?")
             for key in ("model name", "flags")}
    wanted = ("avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
    flags = " ".join(flag for flag in wanted if flag in field["flags"].split())
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True).stdout
    version = subprocess.run([str(JIKJI), "--version"], capture_output=True, text=True).stdout
    return [f"CPU: {field['model name']}, {os.cpu_count()} cores; {flags}",
            f"System: {platform.platform()}; {compiler.splitlines()[0] if compiler else '?'}",
            f"Jikji {version.strip()}, build/release"]


class Report:
    def __init__(self, title, file, peer="llama-server"):
        self.title, self.file, self.peer = title, ROOT / "build/bench" / file, peer
        self.rows, self.sections, self.missed, self.reasons = [], [], 0, []

    def add(self, what, ours, theirs, goal, met, why=""):
        """`why` is said if the goal is missed."""
        self.missed += not met
        if why and not met:
            self.reasons.append(f"{what}: {why}")
        self.rows.append((what, ours, theirs, goal, "yes" if met else "**no**"))
        print(f"  {what}: {ours}" + (f" / {self.peer} {theirs}" if theirs else "")
              + f" (goal {goal}: {'met' if met else 'MISSED'})"
              + (f"\n    {why}" if why and not met else ""), flush=True)

    def section(self, title, lines):
        """Lines that stand below the table."""
        if not lines:
            return
        self.sections.append((title, lines))
        print("\n".join([f"{title}:", *[f"  {line}" for line in lines]]), flush=True)

    def write(self, header):
        lines = [f"# {self.title}", "", *[f"- {line}" for line in header], "",
                 f"| what | Jikji | {self.peer} | goal | met |", "|---|---|---|---|---|",
                 *["| " + " | ".join(row) + " |" for row in self.rows], ""]
        missed = [("Missed, and why", self.reasons)] if self.reasons else []
        for title, notes in missed + self.sections:
            lines += [f"{title}:", "", *[f"- {note}" for note in notes], ""]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text("\n".join(lines))
        print(f"The table: {self.file}")
