"""Output folder of ingest: the state of each session and the files of every pair.

RAWDATA/blur/NAME.png, gt/NAME.png    accepted pairs, with or without a warning
RAWDATA/refused/{blur,gt}/NAME.png    refused pairs that could be developed, for inspection
RAWDATA/pictures/                     images of the report
RAWDATA/sessions/SESSION.json         state of a session: settings, limits, originals and figures of every pair
RAWDATA/ingest.json                   summary with versions; marks the folder as written by sdd-bench
RAWDATA/.run/                         during a run: journals, and images that are not in their final place yet
"""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from capture.pair import developed_file
from capture.record import ROLES, Record, Role
from capture.session_state import SCHEMA, STATE, Entry, SessionState, is_current, state_text
from capture.verdict import REFUSED
from sdd_bench.errors import UserError
from sdd_bench.io.files import write_text
from sdd_bench.io.models import faults_in
from sdd_bench.io.serialise import json_text
from sdd_bench.io.text import read_json
from sdd_bench.jobs.run_folder import WORK_FOLDER, claimed, clear_work

MARK = "ingest.json"
SESSIONS, PICTURES, SET_ASIDE = "sessions", "pictures", "refused"


class RawData:
    """The output folder of ingest; for its layout see the module's docstring.

    Attributes:
        root: Path of the folder.
        work: Temporary folder of an unfinished run.
        pictures: Folder of the report's images.
        states: State of each session, by name.
        outdated: Sessions whose figures were measured by another version; they must be ingested again.
    """

    def __init__(self, root: Path) -> None:
        """Read the state of a folder without changing it.

        Raises:
            UserError: The path is a file, the folder has contents that ingest did not write, or a file of ingest is
                damaged.
        """
        self.root = root
        self.work = root / WORK_FOLDER
        self.pictures = root / PICTURES
        if root.exists() and not root.is_dir():
            raise UserError(f"{root}: is a file, expected a new or empty folder, or one of an earlier ingest")
        started = (self.work / MARK).is_file()
        filled = root.exists() and any(entry.name != WORK_FOLDER for entry in root.iterdir())
        if filled and not (root / MARK).is_file() and not started:
            raise UserError(f"{root}: is not empty and does not belong to an earlier ingest; give another --out")
        self.states: dict[str, SessionState] = {}
        self.outdated: set[str] = set()
        self._seen = self._listing()
        self._read_states()

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Claim the folder for this run.

        Raises:
            UserError: Another run is at work in the folder or has finished since it was read, or it cannot be written.
        """
        with claimed(self.root):
            if self._listing() != self._seen:
                raise UserError(f"{self.root}: another run finished here just now; give the same command again")
            write_text(self.work / MARK, json_text({"schema": SCHEMA}))
            yield

    def end(self) -> None:
        """Remove the files that only an unfinished run needs."""
        clear_work(self.work)

    def stem(self, name: str, fingerprint: str) -> Path:
        """Return the path, without suffixes, to which a pair's images are written before they get their final place."""
        return self.work / "developed" / f"{name}.{fingerprint[:16]}"

    def has_files_of(self, entry: Entry) -> bool:
        """Return whether a pair's images and thumbnails exist completely, in any of their places."""
        if entry.result.developed is None:
            # A file that could not be read before may be readable now.
            return bool(entry.result.blur.sha256 and entry.result.gt.sha256)
        return all(self._image(entry, role) is not None for role in ROLES) and all(
            (self.pictures / f"{entry.name}.{role}.jpg").is_file() for role in ROLES
        )

    def settle(self, state: SessionState, records: Iterable[Record]) -> None:
        """Move every pair's images to the place of its verdict, and remove those of pairs that are no longer described.

        Raises:
            UserError: An image to be removed was changed after it was written.
        """
        statuses = {record.name: record.verdict.status for record in records}
        for entry in state.pairs:
            status = statuses[entry.name]
            opposite = "" if status == REFUSED else REFUSED
            for role, file in self._images_of(entry):
                target = self.place(status, role, entry.name)
                if file != target:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    file.replace(target)
                self.place(opposite, role, entry.name).unlink(missing_ok=True)
        for entry in self._gone(state):
            for role in ROLES:
                for place in (self.root, self.root / SET_ASIDE):
                    self._remove(place / role / f"{entry.name}.png", entry.result.bytes.get(role))
            for picture in self.pictures.glob(f"{glob.escape(entry.name)}.*.jpg"):
                picture.unlink()

    def place(self, status: str, role: Role, name: str) -> Path:
        """Return the final place of a pair's image."""
        return (self.root / SET_ASIDE if status == REFUSED else self.root) / role / f"{name}.png"

    def write_state(self, state: SessionState) -> None:
        """Write the state of a session."""
        write_text(self._state_file(state.session), state_text(state))

    def _gone(self, state: SessionState) -> list[Entry]:
        earlier = self.states.get(state.session)
        names = {entry.name for entry in state.pairs}
        return [entry for entry in (earlier.pairs if earlier else ()) if entry.name not in names]

    def _images_of(self, entry: Entry) -> Iterator[tuple[Role, Path]]:
        if entry.result.developed is not None:
            for role in ROLES:
                file = self._image(entry, role)
                assert file is not None, f"{entry.name}: {role} image is lost"
                yield role, file

    def _image(self, entry: Entry, role: Role) -> Path | None:
        """Return the path of a pair's image, in the temporary or a final place; None if there is no complete one."""
        places = [developed_file(self.stem(entry.name, entry.fingerprint), role)]
        places += [folder / role / f"{entry.name}.png" for folder in (self.root, self.root / SET_ASIDE)]
        size = entry.result.bytes.get(role)
        return next((file for file in places if file.is_file() and file.stat().st_size == size), None)

    def _remove(self, file: Path, size: int | None) -> None:
        if file.is_file():
            if file.stat().st_size != size:
                raise UserError(
                    f"{file}: belongs to a pair that is no longer described, but was changed since; move it away"
                )
            file.unlink()

    def _listing(self) -> list[tuple[str, int]]:
        """Return the state files of the sessions with their modification times."""
        return sorted((file.name, file.stat().st_mtime_ns) for file in (self.root / SESSIONS).glob("*.json"))

    def _state_file(self, name: str) -> Path:
        return self.root / SESSIONS / f"{name}.json"

    def _read_states(self) -> None:
        for file in sorted((self.root / SESSIONS).glob("*.json")):
            try:
                content = read_json(file)
                if content["session"] != file.stem:
                    raise ValueError("another session's")
                if is_current(content):
                    self.states[file.stem] = STATE.validate_python(content)
                else:
                    self.outdated.add(file.stem)
            except (UserError, ValueError, KeyError, TypeError, AttributeError) as error:
                words = f" ({'; '.join(faults_in(error)[:3])})" if isinstance(error, ValidationError) else ""
                raise UserError(f"{file}: damaged{words}; delete it, and its session is ingested anew") from None
