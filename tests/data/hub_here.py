"""A hub on this computer: the pages that huggingface_hub asks for, of folders on the disk.

Repositories are USER/NAME below a folder; `gated/…` are given to nobody.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

REVISION = "a" * 40
TAG = "v2.1"


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, root: Path, asked: list[str], *rest) -> None:
        self.root, self.asked = root, asked
        super().__init__(*rest)

    def log_message(self, *words) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0]).strip("/").removeprefix("api/")
        words = path.split("/")
        repository = "/".join(words[1:3])
        folder, rest = self.root / repository, words[3:]
        if words[0] != "datasets" or not folder.is_dir():
            self._answer(404, b"", **{"X-Error-Code": "RepoNotFound"})
        elif words[1] == "gated":
            self._answer(403, b"", **{"X-Error-Code": "GatedRepo"})
        elif rest[1:2] and rest[1] not in ("main", TAG, REVISION):
            self._answer(404, b"", **{"X-Error-Code": "RevisionNotFound"})
        elif rest[:1] == ["resolve"]:
            self._file(folder / "/".join(rest[2:]), "/".join(rest[2:]))
        elif rest[:1] == ["tree"]:
            self._json([self._entry(file, folder) for file in self._files(folder)])
        else:
            names = [{"rfilename": str(f.relative_to(folder))} for f in self._files(folder)]
            known = {"id": repository, "sha": REVISION, "siblings": names}
            more = {"private": False, "disabled": False, "downloads": 0, "likes": 0, "tags": []}
            self._json({**known, **more})

    def _files(self, folder: Path) -> list[Path]:
        return sorted(file for file in folder.rglob("*") if file.is_file())

    def _entry(self, file: Path, folder: Path) -> dict:
        content, name = file.read_bytes(), str(file.relative_to(folder))
        mark = hashlib.sha1(content).hexdigest()
        return {"type": "file", "path": name, "size": len(content), "oid": mark}

    def _file(self, file: Path, name: str) -> None:
        if not file.is_file():
            self._answer(404, b"", **{"X-Error-Code": "EntryNotFound"})
            return
        if self.command == "GET":
            self.asked.append(name)
        content = file.read_bytes()
        mark = hashlib.sha1(content).hexdigest()
        self._answer(200, content, ETag=f'"{mark}"', **{"X-Repo-Commit": REVISION})

    def _json(self, value) -> None:
        self._answer(200, json.dumps(value).encode(), **{"Content-Type": "application/json"})

    def _answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@contextmanager
def hub_of(root: Path) -> Iterator[tuple[str, list[str]]]:
    """(its address, the names of the files that were fetched)."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, root, asked))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def cached(cache: Path, repository: str, source: Path, revision: str = REVISION) -> Path:
    """A copy of a folder as huggingface_hub keeps what it has fetched: links to its blobs."""
    store = cache / f"datasets--{repository.replace('/', '--')}"
    snapshot = store / "snapshots" / revision
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    for file in filter(Path.is_file, source.rglob("*")):
        content = file.read_bytes()
        blob = store / "blobs" / hashlib.sha1(content).hexdigest()
        blob.write_bytes(content)
        link = snapshot / file.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    (store / "refs").mkdir(exist_ok=True)
    (store / "refs" / "main").write_text(revision)
    return snapshot
