"""Installing and checking the scene files."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from functools import partial

import pytest

from calvin_benchmark import assets
from calvin_benchmark.assets import AssetFile, Manifest
from seer_bench.errors import AssetError

CONTENTS = {"blocks/red.urdf": b"<robot/>", "table/meshes/base.obj": b"v 0 0 0\n" * 1000, "table/LICENSE": b"MIT"}


@pytest.fixture
def manifest():
    rows = tuple(
        AssetFile(path, len(content), hashlib.sha256(content).hexdigest()) for path, content in CONTENTS.items()
    )
    return Manifest("https://example.org/calvin_env", "0123456789abcdef", rows)


@pytest.fixture
def make_source(tmp_path):
    """Write the files as a folder or an archive, with other things around them."""

    def make(form, contents=CONTENTS, prefix="calvin_env-0123/data/"):
        named = {f"{prefix}{path}": content for path, content in contents.items()}
        named["calvin_env-0123/README.md"] = b"not an asset"
        source = tmp_path / f"source.{form}"
        if form == "folder":
            for path, content in named.items():
                target = source / path.removeprefix("calvin_env-0123/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        elif form == "zip":
            with zipfile.ZipFile(source, "w") as archive:
                for path, content in named.items():
                    archive.writestr(path, content)
        else:
            with tarfile.open(source, "w:gz") as archive:
                for path, content in named.items():
                    member = tarfile.TarInfo(path)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        return source

    return make


def installed(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("prefix", ["calvin_env-0123/data/", ""])
@pytest.mark.parametrize("form", ["folder", "zip", "tar.gz"])
def test_installs_the_manifests_files_and_nothing_else(tmp_path, manifest, make_source, form, prefix):
    seen = []
    root = tmp_path / "cache" / "calvin"
    source = make_source(form, prefix=prefix)
    assert assets.install(source, root, lambda *row: seen.append(row), manifest=manifest) == root
    assert installed(root) == CONTENTS
    assert assets.check(root, manifest) == []
    assert seen[-1] == ("install", manifest.size, manifest.size)
    assert [path.name for path in root.parent.iterdir()] == ["calvin"]


def test_names_that_lead_outside_are_never_written(tmp_path, manifest, make_source):
    evil = {**CONTENTS, "../../../escaped.txt": b"x"}
    source = make_source("tar.gz", contents=evil, prefix="../../data/")
    root = tmp_path / "a" / "b" / "calvin"
    assets.install(source, root, manifest=manifest)
    assert installed(root) == CONTENTS
    assert not list(tmp_path.rglob("escaped.txt"))


@pytest.mark.parametrize("form", ["folder", "zip", "tar.gz"])
def test_another_version_is_refused_and_leaves_no_trace(tmp_path, manifest, make_source, form):
    source = make_source(form, contents={**CONTENTS, "blocks/red.urdf": b"<robbt/>"})
    root = tmp_path / "cache" / "calvin"
    with pytest.raises(AssetError, match=r"blocks/red\.urdf is another version.*at that commit"):
        assets.install(source, root, manifest=manifest)
    assert list(root.parent.iterdir()) == []


def test_a_damaged_or_absent_archive_is_refused(tmp_path, manifest, make_source):
    whole = make_source("tar.gz")
    torn = tmp_path / "torn.tar.gz"
    torn.write_bytes(whole.read_bytes()[:-40])
    for source, message in [(torn, "no whole"), (tmp_path / "nowhere", "no such folder or archive")]:
        with pytest.raises(AssetError, match=message):
            assets.install(source, tmp_path / "root", manifest=manifest)


def test_problems_are_named_and_mended_without_touching_other_files(tmp_path, manifest, make_source):
    root = assets.install(make_source("zip"), tmp_path / "root", manifest=manifest)
    (root / "mine.txt").write_text("keep")
    (root / "blocks/red.urdf").write_bytes(b"<robbt/>")
    (root / "table/LICENSE").write_bytes(b"longer than before")
    (root / "table/meshes/base.obj").unlink()
    problems = {problem.path: problem.what for problem in assets.check(root, manifest)}
    assert problems == {
        "blocks/red.urdf": "altered",
        "table/LICENSE": "wrong size",
        "table/meshes/base.obj": "missing",
    }
    assets.install(make_source("zip"), root, manifest=manifest)
    assert installed(root) == {**CONTENTS, "mine.txt": b"keep"}


@pytest.fixture
def serve(tmp_path):
    """A web server on this machine; returns its address."""
    handler = partial(QuietHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/torn.zip":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        return self.wfile.write(b"PK")

    def log_message(self, *args):
        pass


def test_downloads_the_archive(tmp_path, manifest, make_source, serve):
    source = make_source("zip")
    seen = []
    root = tmp_path / "root"
    assets.install(root=root, progress=lambda *row: seen.append(row), manifest=manifest, url=f"{serve}/{source.name}")
    assert installed(root) == CONTENTS
    assert ("download", source.stat().st_size, source.stat().st_size) in seen


@pytest.mark.parametrize("name", ["absent.zip", "torn.zip"])
def test_a_failed_download_leaves_nothing_and_says_what_to_do(tmp_path, manifest, serve, name):
    root = tmp_path / "cache" / "calvin"
    with pytest.raises(AssetError, match=rf"could not download {serve}/{name}.*--from DIR\|ARCHIVE"):
        assets.install(root=root, manifest=manifest, url=f"{serve}/{name}")
    assert list(root.parent.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_asset_error(tmp_path, manifest, make_source):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(AssetError, match="could not install"):
        assets.install(make_source("zip"), tmp_path / "file" / "root", manifest=manifest)


def test_the_place_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(assets.ROOT_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert assets.default_root() == tmp_path / "seer-bench" / "calvin" / "797142c588c2"
    monkeypatch.setenv(assets.ROOT_VARIABLE, str(tmp_path / "own"))
    assert assets.default_root() == tmp_path / "own"
    with pytest.raises(AssetError, match=r"own does not exist.*seer-bench assets calvin"):
        assets.locate()
    (tmp_path / "own").mkdir()
    with pytest.raises(AssetError, match=r"not whole: blocks/.* is missing.*and 196 more"):
        assets.locate()


def test_the_official_files_match_the_manifest(official, monkeypatch):
    monkeypatch.setenv(assets.ROOT_VARIABLE, str(official))
    assert assets.locate() == official
    assert len(assets.load_manifest().files) == 199


def test_a_whole_folder_is_hashed_once_a_process_and_always_by_check(tmp_path, manifest, make_source, monkeypatch):
    monkeypatch.setattr(assets, "load_manifest", lambda: manifest)
    monkeypatch.setenv(assets.ROOT_VARIABLE, str(tmp_path / "root"))
    with pytest.raises(AssetError, match="not installed"):
        assets.locate()
    root = assets.install(make_source("zip"), tmp_path / "root", manifest=manifest)
    assert assets.locate() == root  # a failure is not remembered
    (root / "blocks/red.urdf").write_bytes(b"<robbt/>")
    assert assets.locate() == root
    assert [problem.what for problem in assets.check(root)] == ["altered"]
