"""The JSON of a benchmark's results, written as they come."""

import datetime
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def commit():
    git = subprocess.run(["git", "rev-parse", "--short", "--verify", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return git.stdout.strip() or "unknown"


def head(device, torch_version):
    return {"device": device, "torch": torch_version, "date": str(datetime.date.today()), "commit": commit()}


def default_path(head_of_run, name):
    """Among the results that are kept in the repository."""
    gpu = head_of_run["device"].removeprefix("NVIDIA ").split()[0].lower()
    return ROOT / "bench/results" / f"{head_of_run['date']}-{gpu}-{name}.json"


def write(path, results):
    """At the path are the old results or all of the new ones, whatever happens meanwhile."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(json.dumps(results, indent=1) + "\n")
    os.replace(unfinished, path)


class ResultsFile:
    """results["rows"][row][peer], on disk as soon as it is known; without a path, in memory alone.

    Where the file is there already, what it holds is kept, so that a run which was cut short goes on where it was. Results of
    another device, torch, commit or direction are no results of the same run.
    """

    def __init__(self, path, head_of_run):
        self.path = path
        self.results = {**head_of_run, "rows": {}}
        if path is None or not pathlib.Path(path).exists():
            return
        earlier = json.loads(pathlib.Path(path).read_text())
        for field in head_of_run:
            if field != "date" and earlier.get(field) != head_of_run[field]:
                raise SystemExit(f"{path} holds results of {field} {earlier.get(field)}, and this is {head_of_run[field]}; "
                                 "name another file")
        self.results = earlier

    def holds(self, row, peer):
        return peer in self.results["rows"].get(row, {})

    def keep(self, row, peer, result):
        self.results["rows"].setdefault(row, {})[peer] = result
        self.write()

    def add(self, field, value):
        """What is told of all rows."""
        self.results[field] = value
        self.write()

    def write(self):
        if self.path is not None:
            write(self.path, self.results)
